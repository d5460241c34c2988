"""A client cheap enough to measure others with: one warm connection, one request at a time."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import httptools
import orjson
from typing_extensions import override

MODEL = "openai/gpt-4o-mini"
TRANSLATED = "anthropic/claude-haiku-4-5"  # at a provider with a dialect of its own
_MARK = b"#serial#"
_serial = itertools.count()


class BenchmarkError(Exception):
    """What was measured is not what was meant to be measured."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    began: int
    ended: int
    body: bytes

    @property
    def micros(self) -> float:
        return (self.ended - self.began) / 1000


def chats(port: int, **fields: object) -> Iterator[bytes]:
    """Endless chat requests, each with its own number, so that no cache and no merging can answer them."""
    system = {"role": "system", "content": "You are a helpful assistant."}
    text = "Explain how the quick brown fox jumps over the lazy dog. " * 4
    user = {"role": "user", "content": f"{_MARK.decode()} {text}"}
    body = orjson.dumps({"messages": [system, user], "temperature": 0.5, "max_tokens": 128, **fields})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    left, right = (head.encode() + body).split(_MARK)
    return (b"%b%08d%b" % (left, number, right) for number in _serial)


def turns(count: int, seconds: float) -> Iterator[int]:
    """Up to `count` numbers, but none after `seconds`: a slow gateway makes a round shorter, not longer."""
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, range(count))


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._began = 0
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator["Connection"]:
        transport, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        try:
            yield connection
        finally:
            transport.close()

    async def ask(self, raw: bytes, expected: int = 200) -> Answer:
        self._parts = []
        self._answer = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter_ns()
        self._transport.write(raw)
        answer = await self._answer
        if answer.status != expected:
            raise BenchmarkError(f"answered {answer.status}: {answer.body[:300].decode(errors='replace')}")
        return answer

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none, but acts as one

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        ended = time.perf_counter_ns()
        if self._answer and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result(Answer(status, self._began, ended, b"".join(self._parts)))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(BenchmarkError(f"closed the connection before its answer ended: {exc}"))
