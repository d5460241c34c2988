"""Streams of the Responses API as its own providers send them. Pure."""

import re
from typing import Any

import orjson

from core.errors import Malformed, StreamCut, TargetError
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.responses_answers import failure, usage_from

Body = dict[str, Any]

# What comes before the first word. An item that ends without one of its own events was empty.
_BEGINNINGS = frozenset({
    "response.created", "response.queued", "response.in_progress", "response.output_item.added",
    "response.output_item.done", "response.content_part.added", "response.reasoning_summary_part.added",
})  # fmt: skip
_ENDS = frozenset({"response.completed", "response.incomplete"})
# What makes a block of events worth decoding after commit.
_MARKS = (b"response.completed", b"response.incomplete", b"response.failed", b'"error"', b"event: error")
_NUMBER = re.compile(rb'"sequence_number":\s*(\d+)')


class ResponsesStream:
    """Bytes in, the same events out as frames, and usage, end and errors noticed on the way."""

    __slots__ = ("_committed", "_failure", "_secrets", "_splitter", "ended", "outputs", "usage")

    def __init__(self, *, limit: int, secrets: tuple[str, ...] = ()) -> None:
        self._splitter = sse.Splitter(limit)
        self._secrets = secrets
        self._failure: TargetError | None = None
        self._committed = False
        self.ended = False
        self.usage = Usage()
        self.outputs = 0

    @property
    def failed(self) -> bool:
        return self._failure is not None

    @property
    def complete(self) -> bool:
        return self.ended

    def feed(self, part: bytes) -> list[Frame]:
        if self._failure:
            raise self._failure
        block = self._splitter.feed(part)
        return self._read(block) if block else []

    def finish(self) -> list[Frame]:
        rest = self._splitter.flush()
        frames = self._read(rest) if rest else []
        if self._failure:
            raise self._failure
        if not self.ended:
            raise StreamCut("the stream ended without its last event")
        return frames

    def _read(self, block: bytes) -> list[Frame]:
        if self._committed:
            for mark in _MARKS:
                if mark in block:
                    break
            else:
                self.outputs += block.count(b".delta\n")
                return [Frame(block, Kind.OUTPUT)]
        committed, frames = self._committed, []
        for event in sse.events(block):
            try:
                frames.append(self._event(event))
            except TargetError as error:
                if not committed:
                    raise  # nothing of this block has left: the next target may still answer
                self._failure = error
                break
            if self.ended:
                frames.append(Frame(b"", Kind.END))
                break
        return frames

    def _event(self, event: bytes) -> Frame:
        raw, data = event + b"\n\n", sse.data_of(event)
        if data is None:
            return Frame(raw, Kind.META)
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Malformed("a stream event is not JSON") from None
        kind = said.get("type") if type(said) is dict else None
        if type(kind) is not str:
            raise Malformed("a stream event has no type")
        if kind == "error":
            raise failure(said.get("error") or said, self._secrets)
        response = said.get("response") or {}
        if type(response) is not dict:
            raise Malformed("a stream event has a response that is no object")
        if kind == "response.failed":
            raise failure(response.get("error") or {"message": "the response failed"}, self._secrets)
        if kind in _ENDS:
            self.usage, self.ended = usage_from(response.get("usage")), True
            return Frame(raw, Kind.USAGE)
        if kind in _BEGINNINGS:
            return Frame(raw, Kind.META)
        self._committed = True
        self.outputs += kind.endswith(".delta")
        return Frame(raw, Kind.OUTPUT)


def left_off(first: bytes, last: bytes) -> tuple[Body | None, int]:
    """Of a stream that broke: the response as its first events have it, and the number after its last one."""
    numbers = _NUMBER.findall(last)
    begun = None
    for event in sse.events(first):
        data = sse.data_of(event)
        said = orjson.loads(data) if data else {}
        if type(said.get("response")) is dict:
            begun = said["response"]
            break
    return begun, int(numbers[-1]) + 1 if numbers else 0
