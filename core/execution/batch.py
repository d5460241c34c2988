"""Any number of inputs at targets that take a few at once: split, sent side by side, joined in order."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from core.config.catalog import Model
from core.errors import ContextTooLong, Malformed, TargetError
from core.execution.parts import NOTHING, Spending, is_too_large, side_by_side
from core.providers.contract import Reply
from core.providers.row import Row
from core.types.plan import Candidate
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire import embeddings
from core.wire.embeddings import Embeddings, Limits, Vector

_ERROR = 2  # estimates of tokens err by as much
_NAMED = re.compile(r"\binput\[(\d+)\]")  # an input, as a refusal calls it

Send = Callable[[Any], Awaitable[Reply[Embeddings]]]  # from the `input` of one request


class Room(NamedTuple):
    """What is to be expected of a target."""

    dimensions: int | None
    limits: Limits  # of one request


def room_at(row: Row, model: Model | None, asked: int | None, max_bytes: int) -> Room:
    """By what the provider takes, its model, and the largest answer that is read here."""
    dimensions = asked or (model.dimensions if model else None)
    most = (model.max_inputs if model else None) or row.max_inputs
    fitting = embeddings.most_inputs(dimensions, max_bytes, packed=row.base64)
    return Room(dimensions, Limits(min(most, fitting), row.max_request_tokens // _ERROR))


class Batch(Spending):
    """The inputs of one request. What one target has made is kept for the next while their vectors are comparable."""

    def __init__(self, given: str | list[Any]) -> None:
        super().__init__()
        self._given = given
        self._items = embeddings.items(given)
        self._sizes = [embeddings.size_of(item) for item in self._items]
        self._space = ""
        self._vectors: dict[int, Vector] = {}
        self._dimensions: int | None = None
        self._makers: dict[Target, int] = {}

    @property
    def warnings(self) -> list[str]:
        """What was warned of; who made which share, when it was not one alone."""
        if len(self._makers) < 2:
            return [*self._told]
        shares = ", ".join(f"{count} by {target}" for target, count in self._makers.items())
        return [*self._told, f"the {len(self._items)} embeddings were made by several targets of one model: {shares}"]

    async def at(self, candidate: Candidate, room: Room, send: Send) -> Reply[Embeddings]:
        """Ask a target for all that is missing."""
        target = candidate.target
        if candidate.space != self._space or not candidate.space:
            self._vectors.clear()
            self._makers.clear()
            self._told.clear()
            self._space, self._dimensions = candidate.space, room.dimensions
        self._usage, self._request_id = UNKNOWN_USAGE, None
        missing = [place for place in range(len(self._items)) if place not in self._vectors]
        if not missing:
            self._usage = NOTHING
        parts = list(embeddings.split(missing, self._sizes, room.limits))
        if len(parts) == 1:
            whole = await self._part(parts[0], target, send)
        else:
            whole = None
            await side_by_side(parts, lambda part: self._part(part, target, send))
        if whole is not None and len(missing) == len(self._items):
            value = whole._replace(usage=self._usage, model=whole.model or target.model)  # with its raw bytes
        else:
            vectors = [self._vectors[place] for place in range(len(self._items))]
            value = Embeddings(vectors, self._dimensions or 0, self._usage, target.model)
        return Reply(value, self._usage, self._request_id)

    async def _part(self, places: Sequence[int], target: Target, send: Send) -> Embeddings | None:
        """One request; one that turns out too large becomes two."""
        given = self._given if len(places) == len(self._items) else [self._items[place] for place in places]
        try:
            reply = await send(given)
        except TargetError as error:
            if len(places) == 1 or not is_too_large(error):
                _name_as_caller(error, places)
                self._name_longest(error, places)
                raise
            middle = len(places) // 2
            await self._part(places[:middle], target, send)
            await self._part(places[middle:], target, send)
            return None
        found, usage = reply.value, reply.usage
        if usage.source == "unknown":
            usage = Usage("estimated", input=sum(self._sizes[place] for place in places))
        self._count(reply, usage)
        if self._dimensions is not None and found.dimensions != self._dimensions:
            raise Malformed(
                f"the answer has vectors of {found.dimensions} dimensions, not {self._dimensions}",
                request_id=reply.request_id,
            )
        self._dimensions = found.dimensions
        self._vectors.update(zip(places, found.vectors, strict=True))
        self._makers[target] = self._makers.get(target, 0) + len(places)
        return found

    def _name_longest(self, error: TargetError, places: Sequence[int]) -> None:
        """Providers say that a text is too long, and not which."""
        if isinstance(error, ContextTooLong) and len(self._items) > 1 and not _NAMED.search(error.message):
            longest = max(places, key=self._sizes.__getitem__)
            which = "input[{}]" if len(places) == 1 else "the longest text it was sent is input[{}]"
            error.message = f"{error.message.rstrip('. ')} ({which.format(longest)})"
            error.param = f"input[{longest}]"


def _name_as_caller(error: TargetError, places: Sequence[int]) -> None:
    """Who sent a thousand inputs counts them from the first, not from where a part began."""

    def renamed(found: re.Match[str]) -> str:
        number = int(found[1])
        return f"input[{places[number]}]" if number < len(places) else found[0]

    error.message = _NAMED.sub(renamed, error.message)
    error.param = error.param and _NAMED.sub(renamed, error.param)
