"""Answers of other dialects as canonical ones: whole, and in chunks. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import orjson

from core.errors import BrokenOff, Malformed, StreamCut, TargetError
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.assembly import usage_body
from core.wire.openai import Completion

Body = dict[str, Any]

FINISHES = ("stop", "length", "tool_calls", "content_filter")


def completion(
    ident: str, model: str, created: int, choices: Iterable[tuple[Body, str | None]], usage: Usage, **more: Any
) -> Completion:
    """A whole answer out of its messages, each with why it ended."""
    body: Body = {
        "id": ident,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {"index": index, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}
            for index, (message, finish) in enumerate(choices)
        ],
        **more,
    }
    if said := usage_body(usage):
        body["usage"] = said
    return Completion(orjson.dumps(body), body, usage)


def tool_call(ident: str, name: str, arguments: Any) -> Body:
    """Arguments are text here; other dialects have them as objects."""
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": text}}


@contextmanager
def having_used(usage: Usage) -> Iterator[None]:
    """What an answer says of its usage counts also when the rest of it cannot be used."""
    try:
        yield
    except TargetError as error:
        if usage.source != "unknown":
            error.usage = usage
        raise


def arguments_of(function: Mapping[str, Any], where: str, losses: list[str]) -> Body:
    """A call's arguments as an object; another model may have written anything."""
    text = function.get("arguments") or "{}"
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if type(found) is dict:
        return found
    losses.append(f"{where}.function.arguments are no JSON object and were passed on as a text in one")
    return {"arguments": text}


def call_in_words(function: Mapping[str, Any]) -> str:
    """A call of a function, for who is told in words only."""
    return f"[called {function['name']} with {function.get('arguments') or '{}'}]"


def finish_of(reason: str | None, words: Mapping[str, str]) -> str:
    """A vendor's word for why an answer ended, by its table. What is not in it ended by itself; `error` broke off."""
    finish = words.get(reason or "", "stop")
    if finish == "error":
        raise BrokenOff(f"the answer was broken off ({reason})")
    return finish


class Chunks:
    """Makes the events of one stream. What all of them say is written once."""

    __slots__ = ("_head", "_tail", "model")

    def __init__(self, ident: str, model: str, created: int) -> None:
        self.model = model
        head = {"id": ident, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + orjson.dumps(head)[:-1]
        self._tail = b"}\n\n"

    def delta(
        self, delta: Body, index: int = 0, *, kind: Kind = Kind.OUTPUT, finish: str | None = None, **more: Any
    ) -> Frame:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **more}
        return Frame(b'%b,"choices":[%b]%b' % (self._head, orjson.dumps(choice), self._tail), kind)

    def role(self, index: int = 0) -> Frame:
        return self.delta({"role": "assistant", "content": ""}, index, kind=Kind.META)

    def text(self, text: str, index: int = 0) -> Frame:
        return self.delta({"content": text}, index)

    def reasoning(self, text: str, detail: Body | None = None, index: int = 0) -> Frame:
        """What was thought, and the same as an item that its maker can read again."""
        delta: Body = {"reasoning_content": text} if text else {}
        if detail is not None:
            delta["reasoning_details"] = [detail]
        return self.delta(delta, index, kind=Kind.OUTPUT if text else Kind.META)

    def tool(self, number: int, ident: str, name: str, arguments: str = "", index: int = 0, **more: Any) -> Frame:
        """The beginning of the `number`th call, or all of it."""
        call = {"index": number, **tool_call(ident, name, arguments), **more}
        return self.delta({"tool_calls": [call]}, index)

    def arguments(self, number: int, piece: str, index: int = 0) -> Frame:
        return self.delta({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}, index)

    def finish(self, reason: str, index: int = 0) -> Frame:
        return self.delta({}, index, kind=Kind.META, finish=reason)

    def usage(self, usage: Usage) -> Frame:
        said = orjson.dumps(usage_body(usage))
        return Frame(b'%b,"choices":[],"usage":%b%b' % (self._head, said, self._tail), Kind.USAGE)


class Splits(Protocol):
    """As core.wire.sse.Splitter: parts of any size in, whole events out."""

    def feed(self, part: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


class ForeignStream(ABC):
    """Reads a stream of events in another dialect: bytes in, canonical frames out.

    A subclass implements `_event`: it begins with `_begin`, sets `usage` and `_finished`, and ends with `_end` where
    the dialect has an end. Before the first output an error is raised at once, for nothing has left; after it the
    frames before the error go out first.
    """

    def __init__(
        self, *, model: str, created: int, limit: int, keep_usage: bool, secrets: tuple[str, ...] = ()
    ) -> None:
        self.chunks = Chunks("", model, created)
        self._created = created
        self._splitter: Splits = sse.Splitter(limit)
        self._keep_usage = keep_usage
        self._secrets = secrets
        self._failure: TargetError | None = None
        self._committed = False
        self._finished = False  # why it ended is said: only closing words are missing
        self.ended = False
        self.usage = Usage()
        self.outputs = 0
        self.losses: list[str] = []  # what of the answer could not be said

    @abstractmethod
    def _event(self, name: str, data: Body) -> list[Frame]:
        """The frames of one event; `name` is empty where events have none."""

    def feed(self, part: bytes) -> list[Frame]:
        self._raise()
        block = self._splitter.feed(part)
        return self._read(block) if block else []

    def finish(self) -> list[Frame]:
        rest = self._splitter.flush()
        frames = self._read(rest) if rest and self._is_whole(rest) else []
        self._raise()
        if not self.ended:
            if not self._finished:
                raise StreamCut("the stream ended without its end")
            frames += self._end()
        return frames

    def _raise(self) -> None:
        """Once: an error knows where it was raised, and a reader that still knew it would be kept alive by it."""
        try:
            if self._failure:
                raise self._failure
        finally:
            self._failure = None

    @property
    def failed(self) -> bool:
        return self._failure is not None

    @property
    def complete(self) -> bool:
        return self.ended or self._finished

    def _begin(self, ident: str, model: str | None = None) -> Frame:
        """The provider has said what it calls this answer."""
        self.chunks = Chunks(ident, model or self.chunks.model, self._created)
        return self.chunks.role()

    def _end(self) -> list[Frame]:
        """The usage, if the caller wants it, and the end."""
        self.ended = True
        said = [self.chunks.usage(self.usage)] if self._keep_usage and self.usage.source == "reported" else []
        return [*said, Frame(sse.DONE, Kind.END)]

    def _is_whole(self, rest: bytes) -> bool:
        """Whether what came last lacks only its end, and is not half an event."""
        try:
            return all(orjson.loads(data) is not None for _, data in self._events(rest))
        except orjson.JSONDecodeError:
            return False

    def _events(self, block: bytes) -> Iterable[tuple[str, bytes]]:
        """Names and data of the events in a block."""
        for event in sse.events(block):
            data = sse.data_of(event)
            if data is not None:
                yield _name_of(event), data

    def _read(self, block: bytes) -> list[Frame]:
        committed, frames = self._committed, list[Frame]()
        for name, data in self._events(block):
            try:
                made = self._event(name, _object(data))
            except TargetError as error:
                if not committed:
                    raise
                self._failure = error
                break
            for frame in made:
                if frame.kind is Kind.OUTPUT:
                    self.outputs += 1
                    self._committed = True
            frames += made
            if self.ended:
                break
        return frames


def _object(data: bytes) -> Body:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Malformed("a stream event is not JSON") from None
    if type(found) is not dict:
        raise Malformed("a stream event is not an object")
    return found


def _name_of(event: bytes) -> str:
    for line in event.split(b"\n"):
        if line.startswith(b"event:"):
            return line[6:].strip().decode("latin-1")
    return ""
