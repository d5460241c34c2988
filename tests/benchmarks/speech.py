"""How much later the first byte of speech comes through the gateway than from the provider itself.

python -m tests.benchmarks.speech [REQUESTS]
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import orjson

from tests.benchmarks.load import BenchmarkError
from tests.benchmarks.servers import LOAD_CORE, pin, serving

MOST_MS = 5.0
SECONDS_BEFORE = 0.02  # that the provider takes until it speaks
PIECE, PIECES = 4096, 40
SOUND = b"\xff\xfb" + bytes(range(256)) * 16 + bytes(PIECE * (PIECES - 2))
_ASKED = {"model": "openai/tts-1", "voice": "alloy", "input": "A sentence to be said, as short as they are."}


async def _speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            await asyncio.sleep(SECONDS_BEFORE)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(SOUND), PIECE):
                piece = SOUND[at : at + PIECE]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await asyncio.sleep(0.001)
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.CancelledError):
        writer.close()  # nobody asks any more


@asynccontextmanager
async def provider() -> AsyncIterator[int]:
    server = await asyncio.start_server(_speak, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Listener:
    """One warm connection."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def first_byte(self) -> float:
        """Milliseconds from the request until there is sound. All of it is read and compared."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        body = orjson.dumps(_ASKED)
        began = time.perf_counter()
        writer.write(
            f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise BenchmarkError((head + await reader.read(500)).decode(errors="replace"))
        sound, first = bytearray(), 0.0
        while size := int(await reader.readuntil(b"\r\n"), 16):
            sound += await reader.readexactly(size)
            first = first or (time.perf_counter() - began) * 1000
            await reader.readexactly(2)
        await reader.readexactly(2)
        if sound != SOUND:
            raise BenchmarkError("the sound is not what the provider sent")
        return first


async def measured(requests: int) -> float:
    pin(LOAD_CORE)
    async with provider() as port:
        with TemporaryDirectory() as home:
            command = [str(Path(sys.executable).with_name("patchbay")), "serve"]
            settings = {"OPENAI_API_KEY": "bench", "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}
            async with serving(command, Path(home), settings) as ours:
                ears = {
                    "the provider": Listener(port, "/v1/audio/speech"),
                    "through us": Listener(ours.port, "/v1/audio/speech"),
                }
                times: dict[str, list[float]] = {name: [] for name in ears}
                for turn in range(requests + 20):
                    for name, one in ears.items():
                        found = await one.first_byte()
                        if turn >= 20:  # the rest is warming up
                            times[name].append(found)
    for name, spent in times.items():
        print(f"{name:14} p50 {median(spent):7.2f} ms   p95 {quantiles(spent, n=20)[-1]:7.2f} ms")
    later = median(times["through us"]) - median(times["the provider"])
    print(f"later by       p50 {later:7.2f} ms   of {MOST_MS:g} that are allowed")
    return later


if __name__ == "__main__":
    sys.exit(asyncio.run(measured(int(sys.argv[1]) if len(sys.argv) > 1 else 200)) > MOST_MS)
