"""Texts in several languages at targets that take a part at once: split, asked side by side, checked, joined.

A text in one language is one target's work: what it has done well is kept, and only the rest is asked of the next.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.errors import ContextTooLong, NotTranslated, ParameterRefused, TargetError
from core.execution.parts import NOTHING, Spending, beside, is_too_large, side_by_side
from core.providers.contract import Reply
from core.types.target import Target
from core.types.translation import Translated, Translation
from core.types.usage import UNKNOWN_USAGE, added
from core.wire.translation.check import fault
from core.wire.translation.placeholders import pieces
from core.wire.translation.request import glossary_for, parts_of

_HEAVY = 10_000  # characters; to check them takes about 10 ms
_SHORT = 500  # characters; that so few are too many is no matter of their size
_MOST_WRONG = 3  # requests of which nothing came of what they were for; then nothing more is asked of who was asked

Place = tuple[int, str]  # which text, in which language
Send = Callable[[Sequence[str], Sequence[str]], Awaitable[Reply[Translation]]]  # texts and languages of one request


class Room(NamedTuple):
    """What one request to a target may hold."""

    characters: int  # times languages
    texts: int
    languages: int  # at once
    around: int = 0  # characters that are put around each thing that must not change


class _Part(NamedTuple):
    """A piece of a text, and the white space around it, which nobody is sent."""

    text: int
    number: tuple[int, ...]  # in what order they follow; a part of a part has one more
    before: str
    core: str
    after: str


class Translating(Spending):
    """One request: what is there of it, and what is still missing."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__()
        self._body = body
        self._texts: list[str] = body["texts"]
        self._languages: list[str] = body["targets"]
        self._done: dict[Place, tuple[str, Target]] = {}
        self._sources: dict[int, tuple[str | None, float | None]] = {}
        self._heavy = sum(map(len, self._texts)) * len(self._languages) > _HEAVY
        # Of the latest attempt.
        self._counts: dict[Place, int] = {}
        self._made: dict[Place, list[tuple[_Part, str]]] = {}
        self._failures: list[TargetError] = []

    @property
    def warnings(self) -> list[str]:
        """What was warned of; and who made what where it was not one alone."""
        makers: dict[Target, dict[str, None]] = {}
        for (_, language), (_, target) in self._done.items():
            makers.setdefault(target, {})[language] = None
        if len(makers) < 2:
            return [*self._told]
        shares = "; ".join(f"{', '.join(ones)} by {target}" for target, ones in makers.items())
        return [*self._told, f"several targets translated: {shares}"]

    async def at(self, target: Target, room: Room, send: Send) -> Reply[Translation]:
        """Ask a target for all that is missing."""
        self._usage, self._request_id = UNKNOWN_USAGE, None
        self._counts, self._made, self._failures = {}, {}, []
        missing = self._missing()
        if not missing:
            self._usage = NOTHING
        wanted = [one for one in self._languages if any(language == one for _, language in missing)]
        groups = [wanted[start : start + room.languages] for start in range(0, len(wanted), room.languages)]
        asked = await beside(
            lambda: [(parts, group) for group in groups for parts in self._requests(missing, group, room)],
            heavy=self._heavy,
        )
        try:
            await side_by_side(asked, lambda one: self._ask(*one, send))
        except TargetError as error:
            self._failures.insert(0, error)
        await beside(lambda: self._settle(target), heavy=self._heavy)
        if self._failures:
            raise self._failures[0]
        return Reply(self._whole(target), self._usage, self._request_id)

    def _missing(self) -> list[Place]:
        return [
            (index, language)
            for index, text in enumerate(self._texts)
            for language in self._languages
            if text.strip() and (index, language) not in self._done
        ]

    def _requests(self, missing: Sequence[Place], languages: Sequence[str], room: Room) -> Iterator[list[_Part]]:
        """What goes into one request each: as many parts as it may hold."""
        wanted = sorted({index for index, language in missing if language in languages})
        most = self._most(room, wanted, len(languages))
        found: list[_Part] = []
        filled = 0
        for part in (part for index in wanted for part in self._parts(index, languages, most)):
            if found and (filled + len(part.core) > most or len(found) == room.texts):
                yield found
                found, filled = [], 0
            found.append(part)
            filled += len(part.core)
        if found:
            yield found

    def _most(self, room: Room, wanted: Sequence[int], languages: int) -> int:
        """How long a part may be, so that it fits with all that is put around what is in it."""
        most = max(1, room.characters // languages)
        said = sum(len(self._texts[index]) for index in wanted)
        if not room.around or 2 * said < most:
            return most
        kept = sum(len(pieces(self._texts[index], html=self._body["html"])) for index in wanted)
        return max(1, most * said // (said + kept * room.around))

    def _parts(self, index: int, languages: Sequence[str], most: int) -> Iterator[_Part]:
        self._counts |= {(index, language): 0 for language in languages}
        yield from self._cut(_Part(index, (), "", self._texts[index], ""), languages, most)

    def _cut(self, part: _Part, languages: Sequence[str], most: int) -> Iterator[_Part]:
        found = parts_of(part.before + part.core + part.after, most, html=self._body["html"])
        for language in languages:
            self._counts[part.text, language] += len(found)
        for number, piece in enumerate(found):
            core = piece.strip()
            at = piece.find(core)
            yield _Part(part.text, (*part.number, number), piece[:at], core, piece[at + len(core) :])

    async def _ask(self, parts: Sequence[_Part], languages: Sequence[str], send: Send) -> None:
        """One request. One that is too large becomes two, and so does one of whose languages not all are there."""
        said = [part for part in parts if part.core]
        try:
            reply = await send([part.core for part in said], languages) if said else None
        except TargetError as error:
            if error.usage is not None:
                self._usage, error.usage = added(self._usage, error.usage), None
            await self._again(parts, languages, send, error)
            return
        if reply is not None:
            self._count(reply, reply.usage)
        found = iter(reply.value.results if reply else ())
        for part in parts:
            one = next(found) if part.core else Translated(dict.fromkeys(languages, ""))
            for language in languages:
                self._made.setdefault((part.text, language), []).append((part, one.texts[language].strip()))
            if part.core:
                self._sources.setdefault(part.text, (one.source, one.score))

    async def _again(self, parts: Sequence[_Part], languages: Sequence[str], send: Send, error: TargetError) -> None:
        """What can still be had where a request failed. Whose text or language it was must not harm the others."""
        size = len(parts[0].core)
        large = isinstance(error, ContextTooLong) or is_too_large(error)
        if large and len(parts) == 1 and size > _SHORT:
            for language in languages:
                self._counts[parts[0].text, language] -= 1
            for part in [*self._cut(parts[0], languages, size // 2 + 1)]:
                await self._ask([part], languages, send)
        elif large and len(parts) > 1:
            middle = len(parts) // 2
            await self._ask(parts[:middle], languages, send)
            await self._ask(parts[middle:], languages, send)
        elif len(languages) > 1 and isinstance(error, ParameterRefused):
            middle = len(languages) // 2
            await self._ask(parts, languages[:middle], send)
            await self._ask(parts, languages[middle:], send)
        elif isinstance(error, NotTranslated | ParameterRefused) and len(self._failures) < _MOST_WRONG - 1:
            self._failures.append(error)
        else:
            raise error

    def _settle(self, target: Target) -> None:
        """Keep what is whole and is a translation."""
        for place, parts in self._made.items():
            if len(parts) < self._counts[place]:
                continue
            # Each by itself: one part of many that is none would not be seen in the whole.
            if wrong := next(filter(None, (self._fault(place, part.core, text) for part, text in parts)), None):
                words = f"the answer is no translation into {place[1]}: {wrong}"
                self._failures.append(NotTranslated(words, request_id=self._request_id))
            else:
                parts.sort(key=lambda one: one[0].number)
                whole = "".join(part.before + text + part.after for part, text in parts)
                self._done[place] = (whole, target)

    def _fault(self, place: Place, given: str, made: str) -> str | None:
        index, language = place
        source = self._body.get("source") or self._sources.get(index, (None, None))[0]
        return fault(
            given,
            made,
            target=language,
            spoken=source,
            html=self._body["html"],
            glossary=glossary_for(self._body, language),
        )

    def _whole(self, target: Target) -> Translation:
        results = []
        for index, text in enumerate(self._texts):
            made = {one: self._done[index, one][0] if text.strip() else text for one in self._languages}
            source, score = self._sources.get(index, (None, None))
            results.append(Translated(made, self._body.get("source") or source, score))
        return Translation(tuple(results), target.model)
