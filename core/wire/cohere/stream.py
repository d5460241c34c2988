"""Cohere's streams, version 2, as canonical chunks. Pure."""

from typing import Any

from core.errors import Malformed, StreamFailed
from core.types.frame import Frame, Kind
from core.wire.canonical import ForeignStream
from core.wire.cohere.answers import FORMAT, PLAN, called, citation_from, read_usage, reason_of
from core.wire.faults import redact

Body = dict[str, Any]


class CohereStream(ForeignStream):
    """Each event's type says what it is about. Text, thoughts and plan come in pieces, calls one after another."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._ident = ""
        self._lengths: list[int] = []  # of the text in each block, to place citations by
        self._items: dict[int | str, int] = {}  # block of thinking, or the plan → the number of its item
        self._calls = 0
        self._numbers: dict[Any, int] = {}  # of calls, by what their events call them
        self._bare: set[int] = set()  # calls without arguments so far

    def _event(self, name: str, data: Body) -> list[Frame]:
        kind = data.get("type") or name
        try:
            return self._frames(kind, data.get("delta") or {}, data)
        except (AttributeError, TypeError, KeyError):
            raise Malformed(f"a stream event is not what Cohere's are ({kind})") from None

    def _frames(self, kind: str, delta: Body, data: Body) -> list[Frame]:
        message = delta.get("message") or {}
        match kind:
            case "message-start":
                self._ident = str(data.get("id") or "")
                return [self._begin(self._ident)]
            case "content-start" | "content-delta":
                return self._content(message["content"], data.get("index") or 0)
            case "tool-plan-delta":
                plan = message.get(PLAN) or ""
                return [self._thinking(plan, PLAN, id=PLAN)] if plan else []
            case "tool-call-start":
                return [self._called(message["tool_calls"], data.get("index"))]
            case "tool-call-delta":
                piece = message["tool_calls"]["function"].get("arguments") or ""
                return self._argued(self._number(data), piece) if piece else []
            case "tool-call-end":
                return self._argued(number, "{}") if (number := self._number(data)) in self._bare else []
            case "citation-start":
                cited = message["citations"]
                found = [citation_from(one, self._lengths) for one in (cited if type(cited) is list else [cited])]
                return [self.chunks.delta({"citations": found}, kind=Kind.META)]
            case "message-end":
                return self._over(delta)
            case _:
                return []  # a block ends, or what a later version will say

    def _content(self, content: Body, index: int) -> list[Frame]:
        while len(self._lengths) <= index:
            self._lengths.append(0)
        if thought := content.get("thinking"):
            return [self._thinking(thought, index)]
        text = content.get("text") or ""
        self._lengths[index] += len(text)
        return [self.chunks.text(text)] if text else []

    def _called(self, call: Body, index: Any) -> Frame:
        number = self._numbers[index] = self._calls
        self._calls += 1
        one, arguments = called(call, self._ident, number), call["function"].get("arguments") or ""
        self._bare |= set() if arguments else {number}
        return self.chunks.tool(number, one["id"], one["function"]["name"], arguments)

    def _argued(self, number: int, piece: str) -> list[Frame]:
        self._bare.discard(number)
        return [self.chunks.arguments(number, piece)]

    def _number(self, data: Body) -> int:
        """Of the call that an event is about; the last one where it does not say."""
        return self._numbers.get(data.get("index"), self._calls - 1)

    def _thinking(self, text: str, whose: int | str, **more: Any) -> Frame:
        """An item says once what it is; its further pieces say which one they continue."""
        if whose in self._items:
            return self.chunks.reasoning(text, {"index": self._items[whose], "text": text})
        index = self._items[whose] = len(self._items)
        item = {"type": "reasoning.text", "text": text, "format": FORMAT, "index": index, **more}
        return self.chunks.reasoning(text, item)

    def _over(self, delta: Body) -> list[Frame]:
        self.usage = read_usage(delta.get("usage"))
        if said := delta.get("error"):
            raise StreamFailed(redact(str(said), *self._secrets))
        finish = reason_of(delta.get("finish_reason"))
        self._finished = True
        bare = [frame for number in sorted(self._bare) for frame in self._argued(number, "{}")]
        return [*bare, self.chunks.finish(finish), *self._end()]
