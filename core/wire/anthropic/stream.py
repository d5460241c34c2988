"""Streams of Anthropic's Messages: as canonical chunks, or passed on as they are. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from core.errors import Malformed
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.anthropic.blocks import FORMAT, Body
from core.wire.anthropic.chat import ended_by, name_sources, read_error, read_usage, refused, unpriced
from core.wire.anthropic.turns import Places, citation, detail_of, unknown
from core.wire.canonical import ForeignStream

_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA = b"event: content_block_delta\n"


class MessagesStream(ForeignStream):
    """Their events in, canonical chunks out."""

    def __init__(self, *, names: Sequence[str] = (), **how: Any) -> None:
        super().__init__(**how)
        self._names = names
        self._counts: Body = {}
        self._counted = False  # what was said is counted at the end only
        self._places = Places()
        self._thoughts = 0
        self._thought: Body = {}  # what the pieces of the latest one share
        self._told: Body = {}  # and what its first piece says besides
        self._numbers: dict[int, int] = {}  # a block's index → which call it is
        self._argued: set[int] = set()  # blocks of calls whose arguments have begun
        self._citing: dict[int, list[Body]] = {}
        self._texts: dict[int, list[str]] = {}  # of blocks that may have citations
        self._length = 0  # of the text before the block

    @property
    def usage(self) -> Usage:
        """Until the end no less than has come."""
        if self._counted or self._usage.source == "unknown":
            return self._usage
        return self._usage._replace(source="estimated", output=max(self._usage.output, self.outputs))

    @usage.setter
    def usage(self, usage: Usage) -> None:
        self._usage = usage

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
            self._counted = self._count(data.get("usage"))
            return self._finish(_table(data, "delta"))
        if kind == "error":
            raise read_error(None, orjson.dumps(data), secrets=self._secrets)
        return self._end() if kind == "message_stop" and self._finished else []

    def _count(self, usage: Any) -> bool:
        """What is said later replaces what was said before; it is the sum so far."""
        if type(usage) is not dict:
            return self._counted
        self._counts |= {name: value for name, value in usage.items() if value is not None}
        self.usage = read_usage(self._counts)
        return "output_tokens" in usage

    def _lose(self, words: str) -> None:
        self.losses.append(words)

    def _start(self, index: int, block: Body) -> list[Frame]:
        kind = block.get("type")
        if kind == "tool_use":
            number = self._numbers.setdefault(index, len(self._numbers))
            given = orjson.dumps(block["input"]).decode() if block.get("input") else ""
            if given:
                self._argued.add(index)
            self._places.call()
            return [self.chunks.tool(number, str(block.get("id") or ""), str(block.get("name") or ""), given)]
        if kind == "text":
            return self._text(index, str(block["text"])) if block.get("text") else []
        if kind in ("thinking", "redacted_thinking"):  # a tuple: it may be anything
            return self._think(block)
        self._lose(unknown(block, f"content[{index}]"))
        return []

    def _think(self, block: Body) -> list[Frame]:
        """A thought begins; one that only its maker can read is whole."""
        secret = detail_of(block, self._thoughts) if block.get("data") else None
        made = secret or {"type": "reasoning.text", "format": FORMAT, "index": self._thoughts}
        self._thought = {"type": made["type"], "index": made["index"]}
        # Some clients put pieces of all texts together, so that the format comes but once.
        self._told = {"format": made["format"], **({} if secret else {"text": ""}), **self._places.here()}
        self._thoughts += 1
        if secret:
            return [self._piece("", data=secret["data"])]
        return [self._piece(text, text=text)] if (text := str(block.get("thinking") or "")) else []

    def _piece(self, said: str, **more: Any) -> Frame:
        told, self._told = self._told, {}
        return self.chunks.reasoning(said, {**self._thought, **told, **more})

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
        if kind == "thinking_delta":
            text = str(delta.get("thinking") or "")
            return [self._piece(text, text=text)]
        if kind == "signature_delta":
            return [self._piece("", signature=str(delta.get("signature") or ""))]
        return []

    def _text(self, index: int, text: str) -> list[Frame]:
        self._texts.setdefault(index, []).append(text)
        self._places.text(text)
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
        unsaid: list[str] = []
        finish = ended_by(reason, unsaid)
        for words in unsaid:
            self._lose(words)
        self.losses += unpriced(self._counts)
        self._finished = True
        last = self._places.last()
        frames = [self._piece("", **last)] if self._thought and last else []
        if said := refused(delta):
            frames.append(self.chunks.delta({"refusal": said}, kind=Kind.META))
        stop = {"stop_reason": delta["stop_sequence"]} if delta.get("stop_sequence") else {}
        return [*frames, self.chunks.delta({}, kind=Kind.META, finish=finish, **stop)]


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

    def _lose(self, words: str) -> None:
        """Nothing: it goes out as it came."""

    def _end(self) -> list[Frame]:
        self.ended = True
        return [Frame(_STOP, Kind.END)]
