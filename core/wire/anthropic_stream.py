"""Streams of Anthropic's Messages: as canonical chunks, or passed on as they are. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from core.errors import Malformed
from core.types.frame import Frame, Kind
from core.wire import sse
from core.wire.anthropic import FINISHES, name_sources, read_error, read_usage, refused
from core.wire.anthropic_blocks import FORMAT, Body, citation, detail_of
from core.wire.canonical import ForeignStream, finish_of

_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA = b"event: content_block_delta\n"


class MessagesStream(ForeignStream):
    """Their events in, canonical chunks out."""

    def __init__(self, *, names: Sequence[str] = (), **how: Any) -> None:
        super().__init__(**how)
        self._names = names
        self._counts: Body = {}
        self._numbers: dict[int, int] = {}  # a block's index → which call it is
        self._argued: set[int] = set()  # blocks of calls whose arguments have begun
        self._citing: dict[int, list[Body]] = {}
        self._texts: dict[int, list[str]] = {}  # of blocks that may have citations
        self._length = 0  # of the text before the block

    def _event(self, name: str, data: Body) -> list[Frame]:
        kind = data.get("type") or name
        if kind == "content_block_delta":
            return self._delta(_index(data), _table(data, "delta"))
        if kind == "content_block_start":
            return self._start(_index(data), _table(data, "content_block"))
        if kind == "content_block_stop":
            return self._stop(_index(data))
        if kind == "message_start":
            message = _table(data, "message")
            self._count(message.get("usage"))
            return [self._begin(str(message.get("id") or ""), str(message.get("model") or "") or None)]
        if kind == "message_delta":
            self._count(data.get("usage"))
            return self._finish(_table(data, "delta"))
        if kind == "error":
            raise read_error(None, orjson.dumps(data), secrets=self._secrets)
        return self._end() if kind == "message_stop" and self._finished else []

    def _count(self, usage: Any) -> None:
        """What is said later replaces what was said before; it is the sum so far."""
        if type(usage) is dict:
            self._counts |= {name: value for name, value in usage.items() if value is not None}
            self.usage = read_usage(self._counts)

    def _start(self, index: int, block: Body) -> list[Frame]:
        kind = block.get("type")
        if kind == "tool_use":
            number = self._numbers.setdefault(index, len(self._numbers))
            given = orjson.dumps(block["input"]).decode() if block.get("input") else ""
            if given:
                self._argued.add(index)
            return [self.chunks.tool(number, str(block.get("id") or ""), str(block.get("name") or ""), given)]
        if kind == "text":
            return self._text(index, str(block["text"])) if block.get("text") else []
        if kind == "redacted_thinking":
            return [self.chunks.reasoning("", detail_of(block, index))]
        if kind == "thinking" and block.get("thinking"):
            return self._delta(index, {"type": "thinking_delta", "thinking": block["thinking"]})
        return []

    def _delta(self, index: int, delta: Body) -> list[Frame]:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._text(index, str(delta.get("text") or ""))
        if kind == "input_json_delta":
            if not (piece := delta.get("partial_json")) or index not in self._numbers:
                return []
            self._argued.add(index)
            return [self.chunks.arguments(self._numbers[index], str(piece))]
        if kind == "citations_delta" and type(delta.get("citation")) is dict:
            self._citing.setdefault(index, []).append(delta["citation"])
        detail = {"type": "reasoning.text", "format": FORMAT, "index": index}
        if kind == "thinking_delta":
            text = str(delta.get("thinking") or "")
            return [self.chunks.reasoning(text, {**detail, "text": text})]
        if kind == "signature_delta":
            return [self.chunks.reasoning("", {**detail, "signature": str(delta.get("signature") or "")})]
        return []

    def _text(self, index: int, text: str) -> list[Frame]:
        self._texts.setdefault(index, []).append(text)
        return [self.chunks.text(text)] if text else []

    def _stop(self, index: int) -> list[Frame]:
        if index in self._numbers and index not in self._argued:
            return [self.chunks.arguments(self._numbers[index], "{}")]
        text, cited = "".join(self._texts.pop(index, ())), self._citing.pop(index, [])
        start, self._length = self._length, self._length + len(text)
        if not cited:
            return []
        made = [citation(cited, text, start)]
        name_sources(made, self._names)
        return [self.chunks.delta({"citations": made}, kind=Kind.META)]

    def _finish(self, delta: Body) -> list[Frame]:
        reason = delta.get("stop_reason")
        if type(reason) is not str or self._finished:
            return []
        finish = finish_of(reason, FINISHES)
        self._finished = True
        said = refused(delta)
        stop = {"stop_reason": delta["stop_sequence"]} if delta.get("stop_sequence") else {}
        words = [self.chunks.delta({"refusal": said}, kind=Kind.META)] if said else []
        return [*words, self.chunks.delta({}, kind=Kind.META, finish=finish, **stop)]


def _index(data: Body) -> int:
    index = data.get("index")
    return index if type(index) is int else 0


def _table(data: Body, name: str) -> Body:
    table = data.get(name)
    if table is not None and type(table) is not dict:
        raise Malformed(f"a stream event has a {name} that is not an object")
    return table or {}


class PassedStream(MessagesStream):
    """Their events as they came, for a caller who speaks the same; usage, end and errors are noticed."""

    _raw = b""

    def _events(self, block: bytes) -> Iterable[tuple[str, bytes]]:
        for event in sse.events(block):
            data = sse.data_of(event)
            if data is not None:
                self._raw = event + b"\n\n"
                yield "", data

    def _read(self, block: bytes) -> list[Frame]:
        if self._committed and (count := block.count(b"\n\n")) == block.count(_DELTA):
            self.outputs += count
            return [Frame(block, Kind.OUTPUT)]
        return super()._read(block)

    def _event(self, name: str, data: Body) -> list[Frame]:
        raw = self._raw
        made = super()._event(name, data)
        if self.ended:
            return [Frame(raw, Kind.END)]
        output = data.get("type") == "content_block_delta" or any(frame.kind is Kind.OUTPUT for frame in made)
        return [Frame(raw, Kind.OUTPUT if output else Kind.META)]

    def _end(self) -> list[Frame]:
        self.ended = True
        return [Frame(_STOP, Kind.END)]
