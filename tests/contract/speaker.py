"""A provider that really says what it is asked to say, over loopback; a test decides what goes wrong with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from core.capabilities import Capability, Feature
from core.providers.row import Row
from infra.local.simulators.signal import Samples, hear, say, wav
from tests.sound import encoded

RATE = 24_000
PIECE = 6000  # bytes of sound that are sent at once
# What a request makes of the server: None is to say it, a number a status, a text how it breaks.
Fault = Callable[[int, Mapping[str, Any]], int | str | None]


@dataclass
class Speaker:
    url: str = ""
    rate: int = RATE
    asked: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault = lambda _number, _body: None
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # for `held`: the rest is sent when it is set
    steepest: int = 0  # of what was said
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # a caller went away while he was spoken to
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def reached(self, count: int, unless: float | None = None) -> None:
        """So many requests have come, or the time is over in which they should not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(unless):
                while len(self.asked) < count:
                    self._news.clear()
                    await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
        if not head:
            return False
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = orjson.loads(await reader.readexactly(length))
        self.asked.append(body)
        self._news.set()
        wrong = self.fault(len(self.asked), body)
        if isinstance(wrong, int):
            words = b'{"error":{"message":"made up by the test","type":"server_error"}}'
            start = f"HTTP/1.1 {wrong} X\r\ncontent-type: application/json\r\ncontent-length: {len(words)}\r\n\r\n"
            writer.write(start.encode() + words)
            await writer.drain()
            return True
        sound, kind = self.said(body)
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        if wrong == "empty":
            sound = b""
        for at in range(0, len(sound), PIECE):
            if at and wrong == "cut":
                raise ConnectionResetError
            if at and wrong == "held":
                await self.gate.wait()
            piece = sound[at : at + PIECE]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def said(self, body: Mapping[str, Any]) -> tuple[bytes, str]:
        samples, kind = say(body["input"], rate=self.rate), body["response_format"]
        self.steepest = max(self.steepest, steepest(samples))
        if kind == "pcm":
            return samples.tobytes(), "audio/pcm"
        return (
            (wav(samples, self.rate), "audio/wav")
            if kind == "wav"
            else (encoded(samples, kind, self.rate), "audio/mpeg")
        )


@asynccontextmanager
async def speaker(rate: int = RATE) -> AsyncIterator[Speaker]:
    made = Speaker(rate=rate)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        made.gate.set()
        server.close()
        await server.wait_closed()


def row(name: str, *, says: tuple[str, ...] = ("mp3", "wav", "pcm"), streams: bool = True, **more: Any) -> Row:
    """A provider of OpenAI's dialect that speaks and does nothing else."""
    return Row(
        name=name,
        title=name.title(),
        adapter="core.providers.openai_speech:OpenAISpeech",
        base_url=f"https://{name}.example",
        capabilities=frozenset({Capability.SPEAK}),
        features=frozenset({Feature.STREAM}) if streams else frozenset(),
        default_models={Capability.SPEAK: "voice-1"},
        says=says,
        **more,
    )


def words_in(samples: Samples, rate: int = RATE) -> str:
    return " ".join(one.word for one in hear(samples, rate))


def samples_of(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2")


def steepest(samples: Samples) -> int:
    """The largest step from one sample to the next: a click is one that no voice makes."""
    return int(np.abs(np.diff(samples.astype(np.int32))).max())
