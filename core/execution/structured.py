"""JSON at target after target: asked for by each one's means, checked, and mended once where it is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from threading import Thread
from typing import Any, NamedTuple

import orjson

from core.errors import NoRoomToMend, RequestRefused, SchemaMissed
from core.providers.contract import Call, Reply
from core.types.frame import Frame, Kind
from core.types.plan import Candidate
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire import sse
from core.wire.assembly import frames_of
from core.wire.openai import Completion
from core.wire.schemas import Miss, Schema, schema_of
from core.wire.structured import Wanted, asking, content_of, is_cut, mending, settled

_PATIENCE = 2.0  # seconds for a check that has no bound of its own
_BATCH = 50  # frames of an answer that are sent at once

Send = Callable[[Call], Awaitable[Reply[Completion]]]
Spent = Sequence[tuple[Target, Usage]]
Affords = Callable[[Candidate, Spent], bool]  # whether max_cost allows one more attempt after these


class _Wrong(NamedTuple):
    target: Target
    text: str
    complaint: str


class Structured:
    """One request for JSON. What a target got wrong is told to it when it is asked again."""

    def __init__(self, wanted: Wanted, affords: Affords) -> None:
        self._wanted = wanted
        self._affords = affords
        self._schema = None if wanted.schema is None else schema_of(wanted.schema)
        self._wrong: _Wrong | None = None
        self._before: list[tuple[Target, Usage]] = []
        self._usage = UNKNOWN_USAGE
        self.warnings: list[str] = []
        self.whole = True  # whether the answer is what was asked for, as far as anybody can keep to it

    def spent(self) -> Usage:
        """What the latest answer used that was of no use, once."""
        usage, self._usage = self._usage, UNKNOWN_USAGE
        return usage

    async def at(self, candidate: Candidate, call: Call, send: Send) -> Reply[Completion]:
        """Ask a target; SchemaMissed when its answer is not what was asked for."""
        means = candidate.means or "native"
        if self._before and not self._affords(candidate, self._before):
            raise NoRoomToMend("max_cost leaves nothing for another try: answers that missed the schema used it up")
        body = call.body
        if self._wrong is not None and self._wrong.target == candidate.target:
            body = mending(body, self._wrong.text, self._wrong.complaint)
        reply = await send(call._replace(body=asking(body, self._wanted, means, candidate.drop)))
        given = reply.value.body
        made, notes = settled(given, self._wanted, means)
        wrong = await self._misses(made)
        if wrong is not None:
            text, misses = wrong
            self._usage = reply.usage
            self._before.append((candidate.target, reply.usage))
            self._wrong = _Wrong(candidate.target, text, " ".join(miss.said for miss in misses))
            raise SchemaMissed(_words(misses), request_id=reply.request_id)
        self.warnings += notes
        self._note_end(made)
        if made is given:
            return reply
        return reply._replace(value=Completion(orjson.dumps(made), made, reply.value.usage))

    async def judge(self, body: Mapping[str, Any]) -> None:
        """An answer that has gone out already: what is wrong with it is said, and it is not kept."""
        wrong = await self._misses(body)
        if wrong is not None:
            self.whole = False
            self.warnings.append(f"{_words(wrong[1])}; it was streamed as it came")
        self._note_end(body)

    def _note_end(self, body: Mapping[str, Any]) -> None:
        if is_cut(body):
            self.whole = False
            self.warnings.append("the answer was cut at its greatest length, so its JSON is not whole; allow more")

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
        return await _checked(self._schema, value)


async def _checked(schema: Schema, value: Any) -> list[Miss]:
    """Beside the loop where nobody knows how long it takes."""
    if not schema.recursive:
        return schema.misses(value)
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _beside(partial(schema.misses, value))
    except TimeoutError:
        words = f"it took more than {_PATIENCE:g} s to follow the schema's references through the answer"
        raise RequestRefused(words, param="response_format", code="schema_too_complex") from None


async def _beside(work: Callable[[], list[Miss]]) -> list[Miss]:
    """In a thread that nobody waits for: it cannot be interrupted, and must not keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[Miss]] = loop.create_future()

    def tell(found: list[Miss]) -> None:
        if not done.done():
            done.set_result(found)

    def run() -> None:
        found = work()
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, found)

    Thread(target=run, name="schema", daemon=True).start()
    return await done


def _words(misses: list[Miss]) -> str:
    """What is wrong, without a word of the answer."""
    if not misses[0].where:
        return "the answer is not JSON"
    more = f" and {len(misses) - 1} more" if len(misses) > 1 else ""
    return f"the answer misses the schema at {misses[0].where}{more}"


class WholeSource:
    """A whole answer as an open stream: it could not be streamed before it was checked."""

    def __init__(self, reply: Reply[Completion], *, wants_usage: bool) -> None:
        self.request_id = reply.request_id
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
