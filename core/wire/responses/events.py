"""A chat's stream as events of the Responses API, in its order: one item at a time, begun, filled and ended. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from core.errors import Malformed
from core.types.usage import Usage
from core.wire import sse
from core.wire.responses.answers import CUT_SHORT, ended, response_of, usage_to
from core.wire.responses.items import annotation, call_item, message_item, reasoning_item, text_part
from core.wire.responses.tools import texts_asked

Body = dict[str, Any]
Emit = Callable[..., None]


def event(kind: str, number: int, fields: Mapping[str, Any]) -> bytes:
    data = orjson.dumps({"type": kind, "sequence_number": number, **fields})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def broken(error: Body, response: Body, number: int, *, limited: bool) -> bytes:
    """The last events of a stream that failed, so that nobody takes half an answer for a whole one.

    The facts lie both where the API's documents have them and, in `error`, where its clients look.
    """
    said = {"code": error.get("code"), "message": error["message"], "param": error.get("param"), "error": error}
    code = "rate_limit_exceeded" if limited else "server_error"
    failed = {**response, "status": "failed", "error": {"code": code, "message": error["message"]}}
    return event("error", number, said) + event("response.failed", number + 1, {"response": failed})


class _Item(ABC):
    """An item of the output while it is under way."""

    def __init__(self, emit: Emit, name: str, place: int) -> None:
        self.emit = emit
        self.name = name
        self.place = place

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def end(self, status: str) -> Body: ...

    def left(self) -> tuple[Body, bool]:
        """What there is of it when the stream breaks, and whether it is ended: half a call must not be carried out."""
        return self.end("incomplete"), True

    def tell(self, kind: str, **fields: Any) -> None:
        self.emit(kind, item_id=self.name, output_index=self.place, **fields)


class _Message(_Item):
    """What is said: parts of text, or of refusal."""

    def begin(self) -> None:
        self.name = f"msg_{self.name}"
        self._parts: list[Body] = []
        self._texts: list[str] = []
        item = message_item(self.name, [], "in_progress")
        self.emit("response.output_item.added", output_index=self.place, item=item)

    def add(self, kind: str, text: str, logprobs: list[Body] | None = None) -> None:
        if not self._parts or self._parts[-1]["type"] != kind:
            self._end_part()
            self._parts.append(text_part("") if kind == "output_text" else {"type": kind, kind: ""})
            self._tell("content_part.added", part=self._parts[-1])
        self._texts.append(text)
        if kind == "output_text":
            if logprobs:
                self._parts[-1]["logprobs"] += logprobs
            self._tell("output_text.delta", delta=text, logprobs=logprobs or [])
        else:
            self._tell("refusal.delta", delta=text)

    def note(self, found: Body) -> None:
        if not self._parts:
            self.add("output_text", "")
        noted = self._parts[-1].setdefault("annotations", [])
        noted.append(found)
        self._tell("output_text.annotation.added", annotation_index=len(noted) - 1, annotation=found)

    def end(self, status: str) -> Body:
        self._end_part()
        return message_item(self.name, self._parts, status)

    def _end_part(self) -> None:
        if not self._parts:
            return
        part, text = self._parts[-1], "".join(self._texts)
        self._texts.clear()
        if part["type"] == "output_text":
            part["text"] = text
            self._tell("output_text.done", text=text, logprobs=part["logprobs"])
        else:
            part["refusal"] = text
            self._tell("refusal.done", refusal=text)
        self._tell("content_part.done", part=part)

    def _tell(self, kind: str, **fields: Any) -> None:
        self.tell(f"response.{kind}", content_index=len(self._parts) - 1, **fields)


class _Thought(_Item):
    """What is thought: its words as one summary, and what only its maker can read."""

    def begin(self) -> None:
        self.name = f"rs_{self.name}"
        self._texts: list[str] = []
        self._details: dict[Any, Body] = {}
        item = {"id": self.name, "type": "reasoning", "summary": [], "status": "in_progress"}
        self.emit("response.output_item.added", output_index=self.place, item=item)

    def add(self, text: str, details: list[Body]) -> None:
        for piece in details:
            self._gather(piece)
        if not text:
            return
        if not self._texts:
            self._tell("part.added", part={"type": "summary_text", "text": ""})
        self._texts.append(text)
        self._tell("text.delta", delta=text)

    def end(self, status: str) -> Body:
        text = "".join(self._texts)
        if text:
            self._tell("text.done", text=text)
            self._tell("part.done", part={"type": "summary_text", "text": text})
        thought = {"reasoning_content": text, "reasoning_details": list(self._details.values())}
        return reasoning_item(thought, self.name, status) or {}

    def _gather(self, piece: Body) -> None:
        """Pieces of one detail share its index."""
        made = self._details.setdefault(piece.get("index"), {})
        for name, value in piece.items():
            continued = name in {"text", "data", "signature"} and isinstance(value, str)
            made[name] = made.get(name, "") + value if continued else value

    def _tell(self, kind: str, **fields: Any) -> None:
        self.tell(f"response.reasoning_summary_{kind}", summary_index=0, **fields)


class _Call(_Item):
    """A tool that is called, whose arguments come in pieces. A text is only known when all of them are there."""

    def __init__(self, emit: Emit, name: str, place: int, first: Body, texts: frozenset[str]) -> None:
        super().__init__(emit, name, place)
        self._called = name
        self._first = first
        self._tools = texts
        self._is_text = (first.get("function") or {}).get("name") in texts
        self._texts: list[str] = []
        self._done: Body | None = None

    def begin(self) -> None:
        item = self._item("", "in_progress")
        self.name = item["id"]
        self.emit("response.output_item.added", output_index=self.place, item=item)

    def continues(self, piece: Body) -> bool:
        return not piece.get("id") or piece["id"] == self._first.get("id")

    def add(self, piece: Body) -> None:
        if piece.get("extra_content"):
            self._first["extra_content"] = piece["extra_content"]
        text = (piece.get("function") or {}).get("arguments")
        if not text:
            return
        self._texts.append(text)
        if not self._is_text:
            self.tell("response.function_call_arguments.delta", delta=text)
        if self._done is not None:  # a vendor who mixes his calls; the last event has them whole
            self._done |= self._item("".join(self._texts), self._done["status"])

    def end(self, status: str) -> Body:
        arguments = "".join(self._texts)
        self._done = self._item(arguments, status)
        if self._is_text:
            if text := self._done["input"]:
                self.tell("response.custom_tool_call_input.delta", delta=text)
            self.tell("response.custom_tool_call_input.done", input=text)
        else:
            self.tell("response.function_call_arguments.done", arguments=arguments)
        return self._done

    def left(self) -> tuple[Body, bool]:
        return self._item("".join(self._texts), "incomplete"), False

    def _item(self, arguments: str, status: str) -> Body:
        function = {**(self._first.get("function") or {}), "arguments": arguments}
        return call_item(self._called, {**self._first, "function": function}, self._tools, status)


T = TypeVar("T", bound=_Item)


class ResponsesEvents:
    """Chunks in, events out."""

    def __init__(self, asked: Mapping[str, Any], name: str, created: int, model: str) -> None:
        self._response = response_of(asked, name, created, model)
        self._texts = texts_asked(asked)
        self._name = name
        self._number = 0
        self._made: list[bytes] = []
        self._output: list[Body] = []
        self._open: _Item | None = None
        self._calls: dict[int, _Call] = {}
        self._finish: str | None = None
        self._usage: Any = None

    def events(self, raw: bytes) -> bytes:
        self._begin()
        for one in sse.events(raw):
            data = sse.data_of(one)
            if data is None:
                self._made.append(one + b"\n\n")  # a comment keeps a connection alive here as there
            elif data != b"[DONE]":
                self._read(data)
        return self._taken()

    def end(self) -> bytes:
        self._begin()
        if self._open is None and not self._output:
            self._item(_Message).add("output_text", "")
        self._close("incomplete" if self._finish in CUT_SHORT else "completed")
        whole = ended(self._response, self._output, self._finish, self._usage)
        self._emit(f"response.{whole['status']}", response=whole)
        return self._taken()

    def broken(self, error: Body, usage: Usage, *, limited: bool) -> bytes:
        """What came is not whole: what is open is ended where it stands, and all of it is shown once more."""
        self._begin()
        if self._open is not None:
            item, is_over = self._open.left()
            if is_over:
                self._emit("response.output_item.done", output_index=self._open.place, item=item)
            self._output.append(item)
            self._open = None
        under_way = {**self._response, "output": self._output, "usage": usage_to(usage, estimates=True)}
        return self._taken() + broken(error, under_way, self._number, limited=limited)

    def _begin(self) -> None:
        if not self._number:
            self._emit("response.created", response=self._response)
            self._emit("response.in_progress", response=self._response)

    def _emit(self, kind: str, **fields: Any) -> None:
        self._made.append(event(kind, self._number, fields))
        self._number += 1

    def _taken(self) -> bytes:
        made, self._made = self._made, []
        return b"".join(made)

    def _read(self, data: bytes) -> None:
        try:
            self._chunk(orjson.loads(data))
        except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError):
            raise Malformed("a stream event is no chunk of a chat") from None

    def _chunk(self, chunk: Body) -> None:
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        if not choices:
            return
        choice = choices[0]
        delta = choice.get("delta") or {}
        thought, details = delta.get("reasoning_content") or delta.get("reasoning"), delta.get("reasoning_details")
        if thought or details:
            self._item(_Thought).add(thought or "", details or [])
        if text := delta.get("content"):
            self._item(_Message).add("output_text", text, (choice.get("logprobs") or {}).get("content"))
        if refusal := delta.get("refusal"):
            self._item(_Message).add("refusal", refusal)
        for one in delta.get("annotations") or ():
            self._item(_Message).note(annotation(one))
        for piece in delta.get("tool_calls") or ():
            self._call(piece).add(piece)
        self._finish = choice.get("finish_reason") or self._finish

    def _item(self, kind: type[T]) -> T:
        """The item under way if it is of this kind, else a new one."""
        if isinstance(self._open, kind):
            return self._open
        place = self._next()
        return self._start(kind(self._emit, f"{self._name}_{place}", place))

    def _call(self, piece: Body) -> _Call:
        """Which call a piece continues. Some vendors number all their calls alike."""
        index = piece.get("index") or 0
        found = self._calls.get(index)
        if found is None or not found.continues(piece):
            place = self._next()
            found = self._calls[index] = self._start(
                _Call(self._emit, f"{self._name}_{place}", place, piece, self._texts)
            )
        return found

    def _next(self) -> int:
        return len(self._output) + (self._open is not None)

    def _start(self, item: T) -> T:
        self._close()
        item.begin()
        self._open = item
        return item

    def _close(self, status: str = "completed") -> None:
        if self._open is not None:
            item = self._open.end(status)
            self._output.append(item)
            self._emit("response.output_item.done", output_index=self._open.place, item=item)
            self._open = None
