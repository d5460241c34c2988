"""JSON at target after target: asked for by each one's means, checked, and mended once where it is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from core.errors import NoRoomToMend, RequestRefused, SchemaMissed, SchemaUnmet, TargetError
from core.execution.parts import Spending
from core.providers.contract import Call, Reply, lost
from core.types.frame import Frame, Kind
from core.types.plan import Candidate, Means
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire import sse
from core.wire.assembly import completion_of, frames_of
from core.wire.openai import Completion
from core.wire.schemas import Miss, schema_of
from core.wire.structured import Wanted, asking, content_of, is_cut, mending, settled, wanted_in

_MOST_WRONG = 3  # answers of one request: a schema that nobody meets is not paid for at every target
_LONG = 256 * 1024  # bytes of a stream; to add up more would hold up everybody else on this loop
_LONGEST_PLACE = 200  # characters
_BATCH = 50  # frames of an answer that are sent at once

Send = Callable[[Call], Awaitable[Reply[Completion]]]
Spent = Sequence[tuple[Target, Usage]]
Affords = Callable[[Candidate, Spent], bool]  # whether max_cost allows one more attempt after these
Judge = Callable[[list[bytes]], Awaitable[list[str]]]  # from a stream's events to what is wrong with its answer


def form_of(body: Mapping[str, Any], affords: Affords) -> "Free | Structured":
    wanted = wanted_in(body)
    return FREE if wanted is None else Structured(wanted, affords)


class _Wrong(NamedTuple):
    target: Target
    text: str
    complaint: str


class Free:
    """A request for whatever a target says."""

    unmet = False

    def spent(self) -> Usage:
        return UNKNOWN_USAGE

    async def at(self, candidate: Candidate, call: Call, send: Send) -> Reply[Completion]:  # noqa: ARG002 - as below
        return await send(call)

    def admit(self, candidate: Candidate) -> None:
        """Everybody."""

    def watch(self, candidate: Candidate) -> Judge | None:  # noqa: ARG002 - as below
        return None

    def streams(self, candidate: Candidate) -> bool:  # noqa: ARG002 - as below
        return True


FREE = Free()


class Structured(Spending):
    """One request for JSON. What a target got wrong is told to it when it is asked again."""

    def __init__(self, wanted: Wanted, affords: Affords) -> None:
        super().__init__()
        self._wanted = wanted
        self._affords = affords
        self._schema = None if wanted.schema is None else schema_of(wanted.schema)
        self._wrong: _Wrong | None = None
        self._before: list[tuple[Target, Usage]] = []
        self.unmet = False  # the answer is none that should be given again

    async def at(self, candidate: Candidate, call: Call, send: Send) -> Reply[Completion]:
        """Ask a target; SchemaMissed when its answer is not what was asked for."""
        self.admit(candidate)
        self._usage = UNKNOWN_USAGE
        means = candidate.means or "native"
        asked, losses = self._asking(candidate, call, means)
        reply = await send(asked)
        told = [one for one in reply.warnings if means != "tool" or not _is_ours(one, call)]
        reply = reply._replace(warnings=(*losses, *told))
        self._usage = reply.usage
        given = reply.value.body
        made, notes = settled(given, self._wanted, means)
        wrong = await self._misses(made)
        if wrong is not None:
            text, misses = wrong
            self._before.append((candidate.target, reply.usage))
            self._wrong = _Wrong(candidate.target, text, " ".join(miss.said for miss in misses))
            raise self._failure(misses, reply.request_id)
        self.unmet = is_cut(made)
        reply = reply._replace(warnings=(*reply.warnings, *notes, *_ends(made)))
        if made is given:
            return reply
        return reply._replace(value=Completion(orjson.dumps(made), made, reply.value.usage))

    def _failure(self, misses: list[Miss], request_id: str | None) -> TargetError:
        if len(self._before) == _MOST_WRONG:
            words = f"{_words(misses)}; {_MOST_WRONG} answers missed it, so nobody else is asked"
            return SchemaUnmet(words, request_id=request_id)
        return SchemaMissed(_words(misses), request_id=request_id)

    def _asking(self, candidate: Candidate, call: Call, means: Means) -> tuple[Call, tuple[str, ...]]:
        """The call by these means, with what was wrong before; and what it does not say of the caller's own body."""
        body = call.body
        if self._wrong is not None and self._wrong.target == candidate.target and not _is_tied(call):
            body = mending(body, self._wrong.text, self._wrong.complaint)
        if body is call.body and means == "native":
            return call, ()
        losses = () if call.native is None else lost(call.native.losses, call.target, strict=call.strict)
        return call._replace(body=asking(body, self._wanted, means, candidate.drop), native=None), losses

    def admit(self, candidate: Candidate) -> None:
        """NoRoomToMend when wrong answers have used up what this one may cost."""
        if self._before and not self._affords(candidate, self._before):
            raise NoRoomToMend("it was not asked: answers that missed the schema have used up max_cost")

    def streams(self, candidate: Candidate) -> bool:
        """Whether its stream can go out as it comes: who has to be checked first answers whole."""
        return candidate.means == "native"

    def watch(self, candidate: Candidate) -> Judge | None:
        """What judges a stream by its end, if it has not been checked already."""
        return self._judge if self.streams(candidate) else None

    async def _judge(self, raws: list[bytes]) -> list[str]:
        """What is wrong with an answer that has gone out already."""
        if sum(map(len, raws)) > _LONG:
            raw = await asyncio.to_thread(completion_of, raws, UNKNOWN_USAGE)
        else:
            raw = completion_of(raws, UNKNOWN_USAGE)
        if raw is None:
            return ["the answer was streamed as it came, and could not be checked"]
        body = orjson.loads(raw)
        try:
            wrong = await self._misses(body)
        except RequestRefused as error:
            return [f"the answer was streamed as it came: {error.message}"]
        return _ends(body) if wrong is None else [f"{_words(wrong[1])}; it was streamed as it came"]

    async def _misses(self, body: Mapping[str, Any]) -> tuple[str, list[Miss]] | None:
        """The first choice that is not as it should be."""
        for choice in body["choices"]:
            text = content_of(choice)
            if text is not None and (misses := await self._misses_of(text)):
                return text, misses
        return None

    async def _misses_of(self, text: str) -> list[Miss]:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return [Miss("", f"It is not JSON: {error}.")]
        if self._schema is None:
            return [] if type(value) is dict else [Miss("type", "It is not a JSON object.")]
        if not self._schema.is_long(value, len(text)):
            return self._schema.misses(value)
        from core.execution.apart import misses_of  # noqa: PLC0415 - for few schemas

        return await misses_of(self._wanted.schema, text)


def _is_tied(call: Call) -> bool:
    """Whether the caller's own body has to be sent as it came, without a word of what was wrong."""
    native = call.native
    return native is not None and bool(native.bound or (call.strict and native.losses))


def _is_ours(warning: str, call: Call) -> bool:
    """Whether it tells what became of a tool_choice that the caller did not make."""
    return warning.startswith("tool_choice ") and not call.body.get("tool_choice")


def _ends(body: Mapping[str, Any]) -> list[str]:
    return ["the answer was cut at its greatest length, so its JSON is not whole; allow more"] if is_cut(body) else []


def _words(misses: list[Miss]) -> str:
    """What is wrong, without a word of the answer."""
    if not misses[0].where:
        return "the answer is not JSON"
    more = f" and {len(misses) - 1} more" if len(misses) > 1 else ""
    return f"the answer misses the schema at {misses[0].where[:_LONGEST_PLACE]}{more}"


class WholeSource:
    """A whole answer as an open stream: it could not be streamed before it was checked."""

    def __init__(self, reply: Reply[Completion], *, wants_usage: bool) -> None:
        self.request_id = reply.request_id
        self.warnings = reply.warnings
        self.usage = reply.usage
        self.outputs = reply.usage.output_total
        self._frames = frames_of(reply.value.body, wants_usage=wants_usage)
        self._ended = False

    async def next(self) -> list[Frame] | None:
        if self._ended:
            return None
        batch = list(islice(self._frames, _BATCH))
        if len(batch) < _BATCH:
            self._ended = True
            batch.append(Frame(sse.DONE, Kind.END))
        return batch

    def close(self) -> None:
        """Nothing is open."""
