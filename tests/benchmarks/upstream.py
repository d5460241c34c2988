"""A fake provider in the loader's process: its counters are at hand, and one core runs one process less."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import httptools
import orjson
from typing_extensions import override

CHUNKS = 1000
# A stream's first token is on its way to the caller before the rest is sent, so that the time after
# `released` is the price of the chunks alone.
HOLD = 0.005
# A stream as models send it: chunk by chunk. Asked for by its user.
PACED_CHUNKS = 200
PACE = 0.005
PACED = "paced"

_ID = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}
_USAGE = {"usage": {"prompt_tokens": 48, "completion_tokens": 40, "total_tokens": 88}}


def _response(status: str, body: dict[str, Any]) -> bytes:
    data = orjson.dumps(body)
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status.encode(),
        len(data),
        data,
    )


def _event(delta: dict[str, str], finish: str | None = None, more: dict[str, Any] | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return _chunked(
        b"data: %b\n\n" % orjson.dumps({**_ID, "object": "chat.completion.chunk", "choices": choices, **(more or {})})
    )


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_MESSAGE = {
    "role": "assistant",
    "content": "The quick brown fox jumps over the lazy dog. " * 8,
    "refusal": None,
}
_CHOICE = {"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}
ANSWER = _response("200 OK", {**_ID, "object": "chat.completion", "choices": [_CHOICE], **_USAGE})
FAILURE = _response("500 Internal Server Error", {"error": {"message": "bench", "type": "server_error"}})
MODELS = _response("200 OK", {"object": "list", "data": []})

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM_FIRST = STREAM_HEAD + _event({"role": "assistant", "content": ""}) + _event({"content": "token "})
STREAM_REST = [_event({"content": "token "})] * (CHUNKS - 1)
STREAM_LAST = _event({}, "stop") + _event({}, more=_USAGE) + _chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


# The same in the dialect that ours translates.
_OTHER_ID = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench"}
_OTHER_USAGE = {"input_tokens": 48, "output_tokens": 40}
_OTHER_END = {"stop_reason": "end_turn", "stop_sequence": None}
_TEXT = {"type": "text", "text": _MESSAGE["content"]}
OTHER_ANSWER = _response("200 OK", {**_OTHER_ID, "content": [_TEXT], **_OTHER_END, "usage": _OTHER_USAGE})


def _named(kind: str, **fields: Any) -> bytes:
    return _chunked(b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields})))


def _token() -> bytes:
    return _named("content_block_delta", index=0, delta={"type": "text_delta", "text": "token "})


OTHER_FIRST = (
    STREAM_HEAD
    + _named("message_start", message={**_OTHER_ID, "content": [], "stop_reason": None, "usage": _OTHER_USAGE})
    + _named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + _token()
)
OTHER_REST = [_token()] * (CHUNKS - 1)
OTHER_LAST = (
    _named("content_block_stop", index=0)
    + _named("message_delta", delta=_OTHER_END, usage={"output_tokens": CHUNKS})
    + _named("message_stop")
    + b"0\r\n\r\n"
)


# An MP3 begins so; what follows is as long as a sentence.
SPEECH_HEAD = b"ID3\x04"
_SPEECH = SPEECH_HEAD + b"\x00" * 4092
SPEECH = (
    b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    + _chunked(_SPEECH) * 8
    + b"0\r\n\r\n"
)
TRANSCRIPT = _response("200 OK", {"text": "a buzz", "usage": {"type": "duration", "seconds": 313}})


class Upstream:
    """One provider on one port: answers at once, or fails at once while `failing` is set."""

    def __init__(self) -> None:
        self.port = 0
        self.requests = 0
        self.failing = False
        self.released = 0

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator["Upstream"]:
        upstream = cls()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Http(upstream), "127.0.0.1", 0)
        upstream.port = server.sockets[0].getsockname()[1]
        try:
            yield upstream
        finally:
            server.close()


class _Http(asyncio.Protocol):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._path = b""
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none, but acts as one

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = self._path = b""

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, data: bytes) -> None:
        if not self._path.endswith(b"/transcriptions"):  # which is large, and nobody looks into it
            self._body += data

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":  # a gateway's probe is no chat
            self._transport.write(MODELS)
            return
        self._upstream.requests += 1
        if self._upstream.failing:
            self._transport.write(FAILURE)
        elif self._path.endswith(b"/transcriptions"):
            self._transport.write(TRANSCRIPT)
        elif self._path.endswith(b"/speech"):
            self._transport.write(SPEECH)
        elif b'"stream":true' in self._body:
            self._transport.write(OTHER_FIRST if self._other else STREAM_FIRST)
            paced = b'"%b"' % PACED.encode() in self._body
            turn = partial(self._pace, PACED_CHUNKS) if paced else self._release
            asyncio.get_running_loop().call_later(PACE if paced else HOLD, turn)
        else:
            self._transport.write(OTHER_ANSWER if self._other else ANSWER)

    @property
    def _other(self) -> bool:
        return self._path.endswith(b"/messages")

    def _release(self) -> None:
        # In one write: turn by turn, the provider would be the slowest link and hide the gateway's price.
        self._upstream.released = time.perf_counter_ns()
        rest, last = (OTHER_REST, OTHER_LAST) if self._other else (STREAM_REST, STREAM_LAST)
        self._transport.write(b"".join(rest) + last)

    def _pace(self, left: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(STREAM_REST[0] if left else STREAM_LAST)
        if left:
            asyncio.get_running_loop().call_later(PACE, self._pace, left - 1)
