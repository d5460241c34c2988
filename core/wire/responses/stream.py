"""Streams of the Responses API as its own providers send them. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from core.errors import Malformed, StreamCut, TargetError
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.openai import unpriced
from core.wire.responses.answers import beside_in, failure, used_in

Body = dict[str, Any]

# What comes before the first word. An item that ends without one of its own events was empty.
_BEGINNINGS = frozenset({
    "response.created", "response.queued", "response.in_progress", "response.output_item.added",
    "response.output_item.done", "response.content_part.added", "response.reasoning_summary_part.added",
})  # fmt: skip
_ENDS = frozenset({"response.completed", "response.incomplete"})
# What makes a block of events worth decoding after commit.
_MARKS = (b"response.completed", b"response.incomplete", b"response.failed", b'"error"', b"event: error")


class ResponsesStream:
    """Bytes in, the same events out as frames, and usage, end and errors noticed on the way."""

    __slots__ = ("_committed", "_failure", "_secrets", "_splitter", "ended", "losses", "outputs", "usage")

    def __init__(self, *, limit: int, secrets: tuple[str, ...] = ()) -> None:
        self._splitter = sse.Splitter(limit)
        self._secrets = secrets
        self._failure: TargetError | None = None
        self._committed = False
        self.ended = False
        self.usage = Usage()
        self.outputs = 0
        self.losses: tuple[str, ...] = ()

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
            self.usage, self.ended = used_in(response), True
            self.losses = unpriced(beside_in(response))
            return Frame(raw, Kind.USAGE)
        if kind in _BEGINNINGS:
            return Frame(raw, Kind.META)
        self._committed = True
        self.outputs += kind.endswith(".delta")
        return Frame(raw, Kind.OUTPUT)


class LeftOff:
    """A stream that broke, read again from its beginning: what of it was said, and how its events have to end."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self.response: Body | None = None  # as its first events have it
        self.number = 0  # of the next event
        self._items: dict[int, Body] = {}
        self._open: dict[int, int] = {}  # of the items under way: which part of its content is open
        for event in sse.events(b"".join(raws)):
            try:
                said = orjson.loads(sse.data_of(event) or b"{}")
                if type(said) is dict and type(said.get("type")) is str:
                    self._read(said)
            except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
                continue  # what could be sent on, and cannot be read, adds nothing

    @property
    def output(self) -> list[Body]:
        return [self._items[place] for place in sorted(self._items)]

    def endings(self) -> list[tuple[str, Body]]:
        """The events that end what is open. Half a call is left open, lest it be carried out."""
        made: list[tuple[str, Body]] = []
        for place, part_place in self._open.items():
            item = self._items[place]
            item["status"] = "incomplete"
            if item.get("type") != "message":
                continue
            if part_place >= 0:
                part = item["content"][part_place]
                where = {"item_id": item.get("id"), "output_index": place, "content_index": part_place}
                kind = "text" if part.get("type") == "output_text" else "refusal"
                more: Body = {"logprobs": []} if kind == "text" else {}
                done = f"response.{'output_text' if kind == 'text' else kind}.done"
                made.append((done, {**where, kind: part.get(kind, ""), **more}))
                made.append(("response.content_part.done", {**where, "part": part}))
            made.append(("response.output_item.done", {"output_index": place, "item": item}))
        return made

    def _read(self, said: Body) -> None:
        number, response, item = said.get("sequence_number"), said.get("response"), said.get("item")
        self.number = number + 1 if type(number) is int else self.number
        if self.response is None and type(response) is dict:
            self.response = response
        place, kind = said.get("output_index"), said["type"].removeprefix("response.")
        if type(place) is not int:
            return
        if kind in {"output_item.added", "output_item.done"} and type(item) is dict:
            self._items[place] = item
            if kind == "output_item.added":
                self._open[place] = -1
            else:
                self._open.pop(place, None)
        elif place in self._open:
            self._go_on(place, kind, said)

    def _go_on(self, place: int, kind: str, said: Body) -> None:
        item, number = self._items[place], said.get("content_index", said.get("summary_index")) or 0
        name, _, step = kind.rpartition(".")
        if name in _IN_ITEMS and step == "delta":
            item[_IN_ITEMS[name]] = (item.get(_IN_ITEMS[name]) or "") + said["delta"]
        elif name in _LISTS and step == "added":
            item.setdefault(_LISTS[name], []).append(said["part"])
            self._open[place] = number if name == "content_part" else -1
        elif name == "content_part":
            item["content"][number] = said["part"]
            self._open[place] = -1
        elif name in _IN_PARTS and step == "delta":
            field, inner = _IN_PARTS[name]
            part = item[field][number]
            part[inner] = (part.get(inner) or "") + said["delta"]


_IN_ITEMS = {"function_call_arguments": "arguments", "custom_tool_call_input": "input"}
_LISTS = {"content_part": "content", "reasoning_summary_part": "summary"}
_IN_PARTS = {
    "output_text": ("content", "text"), "refusal": ("content", "refusal"), "reasoning_text": ("content", "text"),
    "reasoning_summary_text": ("summary", "text"),
}  # fmt: skip
