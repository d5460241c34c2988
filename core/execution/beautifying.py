"""A text in parts at target after target: each part cleaned, held to its words, and mended once where it is wrong."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from core.errors import ContentRefused, CutShort, SchemaMissed, TargetError, Unfaithful
from core.execution.parts import NOTHING, Spending, beside, side_by_side
from core.execution.structured import Affords, Send, Structured
from core.providers.contract import Call, Reply
from core.types.plan import Candidate
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire.beautify.faithful import Source
from core.wire.beautify.parts import PASSED, Asked, Beautified, Body, Item, Made, joined
from core.wire.beautify.prompt import format_of, messages_of, read_made, read_summary, summing, summing_format
from core.wire.schemas import Miss
from core.wire.structured import content_of, is_cut, wanted_in
from core.wire.tokens import estimated, tokens_of

_LONG = 50_000  # characters, whose words are looked up beside the loop

Read = Callable[[Any], tuple[Made, list[Miss]]]


class _Part(Structured):
    """One request of several: JSON whose words are those of its text."""

    def __init__(self, messages: Sequence[Body], form: Body, read: Read, affords: Affords) -> None:
        wanted = wanted_in({"response_format": form})
        assert wanted is not None  # noqa: S101 - it is a format of ours
        super().__init__(wanted, affords)
        self._own: Body = {"messages": list(messages), "response_format": form}
        self._read = read
        self._unfaithful = False
        self.made: Made | None = None
        self.warnings: tuple[str, ...] = ()

    async def ask(self, candidate: Candidate, call: Call, send: Send) -> None:
        passed = {name: value for name, value in call.body.items() if name in PASSED or name == "max_tokens"}
        self.made = None
        reply = await self.at(candidate, call._replace(body={**passed, **self._own}), send)
        self.warnings = reply.warnings
        if self.made is None:
            raise _empty(reply.value.body, reply.request_id)

    async def _misses_of(self, text: str) -> list[Miss]:
        misses = await super()._misses_of(text)
        self._unfaithful = False
        if not misses:
            made, misses = self._read(orjson.loads(text))
            self._unfaithful = bool(misses)
            self.made = None if misses else made
        return misses

    def _failure(self, misses: list[Miss], request_id: str | None) -> TargetError:
        """What is unfaithful may be right at anybody else, however many were wrong."""
        if not self._unfaithful:
            return super()._failure(misses, request_id)
        return Unfaithful(_counted(misses), request_id=request_id)


class Beautifying(Spending):
    """The parts of one request. What one target has made well is kept for the next."""

    def __init__(self, asked: Asked, affords: Affords) -> None:
        super().__init__()
        self._asked = asked
        self._heavy = sum(len(one.text) for one in asked.pieces) > _LONG
        self._items = asked.parts()
        self._affords = affords
        self._before: list[tuple[Target, Usage]] = []  # what failed attempts have used
        self._source: Source | None = None
        self._parts: list[_Part] = []
        self._last: _Part | None = None  # makes one summary of all
        self._made: dict[Target, int] = {}

    async def at(self, candidate: Candidate, call: Call, send: Send) -> Reply[Beautified]:
        """Ask a target for all that is missing."""
        if self._usage.source != "unknown":
            self._before.append((candidate.target, self._usage))
        self._usage, self._request_id = UNKNOWN_USAGE, None
        parts = await self._ready()
        missing = [one for one in parts if one.made is None]
        await self._all(missing, candidate, call, send)
        summary = await self._summary(candidate, call, send)
        if self._usage.source == "unknown":
            self._usage = NOTHING
        made = [one.made for one in parts if one.made is not None]
        told = dict.fromkeys(words for one in (*parts, *filter(None, [self._last])) for words in one.warnings)
        value = await beside(lambda: joined(self._asked, self._items, made, summary), heavy=self._heavy)
        return Reply(value, self._usage, self._request_id, (*told, *self._shares()))

    async def _ready(self) -> list[_Part]:
        if not self._parts:
            asked = self._asked
            source = self._source = await beside(lambda: Source(asked.whole, asked.language), heavy=self._heavy)
            self._parts = [self._part(items, source) for items in self._items]
        return self._parts

    def _part(self, items: Sequence[Item], source: Source) -> _Part:
        asked = self._asked
        return _Part(
            messages_of(asked, items),
            format_of(asked),
            lambda value: read_made(asked, items, source, value),
            self._may,
        )

    async def _all(self, parts: Sequence[_Part], candidate: Candidate, call: Call, send: Send) -> None:
        """Every part, also behind one that is to be mended: all of those are asked again at once."""
        wrong: list[TargetError] = []

        async def one(part: _Part) -> None:
            try:
                await part.ask(candidate, call, self._counting(send))
            except (Unfaithful, SchemaMissed) as error:
                if not error.mends:
                    raise
                wrong.append(error)
            else:
                self._made[candidate.target] = self._made.get(candidate.target, 0) + 1

        await side_by_side(parts, one)
        if wrong:
            raise wrong[0]

    def _counting(self, send: Send) -> Send:
        async def counted(call: Call) -> Reply[Any]:
            reply = await send(call)
            usage = reply.usage if reply.usage.source != "unknown" else _estimated(call, reply)
            self._count(reply, usage)
            return reply

        return counted

    async def _summary(self, candidate: Candidate, call: Call, send: Send) -> str:
        summaries = [one.made.summary for one in self._parts if one.made is not None]
        if "summary" not in self._asked.what or len(summaries) == 1:
            return summaries[0]
        source = self._source
        assert source is not None  # noqa: S101 - the parts were held to it
        if self._last is None:
            self._last = _Part(
                summing(summaries), summing_format(), lambda value: read_summary(source, value), self._may
            )
        if self._last.made is None:
            await self._last.ask(candidate, call, self._counting(send))
        return self._last.made.summary if self._last.made else ""

    def _may(self, candidate: Candidate, _: object) -> bool:
        """Whether the cap allows one more attempt, after all that failed of all parts."""
        return self._affords(candidate, self._before)

    def _shares(self) -> list[str]:
        if len(self._made) < 2:
            return []
        shares = ", ".join(f"{count} by {target}" for target, count in self._made.items())
        return [f"the {len(self._parts)} parts were made by several targets: {shares}"]


def _counted(misses: Sequence[Miss]) -> str:
    """What is wrong, without a word of the text or of the answer."""
    places = Counter(one.where for one in misses)
    words = ", ".join(f"{count} {place}{'' if count == 1 else 's'}" for place, count in places.items())
    return f"the answer does not keep to the text ({words.replace('summarys', 'summary')})"


def _empty(body: Any, request_id: str | None) -> TargetError:
    if is_cut(body):
        return CutShort("the answer was cut at its greatest length", request_id=request_id)
    return ContentRefused("the model gave no text", request_id=request_id)


def _estimated(call: Call, reply: Reply[Any]) -> Usage:
    """Where the provider did not say."""
    text = content_of(reply.value.body["choices"][0])
    return estimated(tokens_of(call.body["messages"]), text, reply.usage.run_ms)
