"""Texts in several languages at targets that take a part of them at once: split, asked side by side, checked, joined.

A text in one language is one target's work: what a target has done well is kept, and only the rest is asked of the next.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.errors import NotTranslated, TargetError
from core.execution.batch import is_too_large, side_by_side
from core.providers.contract import Reply
from core.types.target import Target
from core.types.translation import Translated, Translation
from core.types.usage import UNKNOWN_USAGE, Usage, added
from core.wire import sentences
from core.wire.translation import glossary_for
from core.wire.translation_check import fault

Place = tuple[int, str]  # which text, in which language
Send = Callable[[Sequence[str], Sequence[str]], Awaitable[Reply[Translation]]]  # texts and languages of one request


class Room(NamedTuple):
    """What one request to a target may hold."""

    characters: int  # times languages
    texts: int
    languages: int  # at once


class _Part(NamedTuple):
    """A piece of a text, and the white space around it, which nobody is sent."""

    text: int
    number: int
    before: str
    core: str
    after: str


class Translating:
    """One request. `html` and glossary are the caller's; nothing here depends on who is asked."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._texts: list[str] = body["texts"]
        self._targets: list[str] = body["targets"]
        self._done: dict[Place, tuple[str, Target]] = {}
        self._sources: dict[int, tuple[str | None, float | None]] = {}
        self._usage = UNKNOWN_USAGE
        self._request_id: str | None = None
        self._told: dict[str, None] = {}
        self._made: dict[tuple[int, int, str], str] = {}

    def spent(self) -> Usage:
        """What the latest attempt has used, once; unknown when that is nothing."""
        usage, self._usage = self._usage, UNKNOWN_USAGE
        return usage

    @property
    def warnings(self) -> list[str]:
        """What was warned of; and who made what where it was not one alone."""
        makers: dict[Target, list[str]] = {}
        for (_, language), (_, target) in sorted(self._done.items()):
            makers.setdefault(target, []).append(language)
        if len(makers) < 2:
            return [*self._told]
        shares = "; ".join(f"{target}: {', '.join(dict.fromkeys(ones))}" for target, ones in makers.items())
        return [*self._told, f"the translations were made by several targets: {shares}"]

    async def at(self, target: Target, room: Room, send: Send) -> Reply[Translation]:
        """Ask a target for all that is missing."""
        self._usage, self._request_id = UNKNOWN_USAGE, None
        self._made = {}
        missing = self._missing()
        if not missing:
            self._usage = Usage("reported")  # the last one came just as the time of who made it ran out
        languages = [one for one in self._targets if any(language == one for _, language in missing)]
        failures: list[TargetError] = []
        groups = [languages[start : start + room.languages] for start in range(0, len(languages), room.languages)]
        asked = [(group, parts) for group in groups for parts in self._requests(missing, group, room)]

        async def ask(one: tuple[list[str], list[_Part]]) -> None:
            await self._ask(one[1], one[0], send)

        try:
            await side_by_side(asked, ask)
        except TargetError as error:
            failures.append(error)
        failures += self._settle(missing, target)
        if failures:
            raise failures[0]
        return Reply(self._whole(target), self._usage, self._request_id)

    def _missing(self) -> list[Place]:
        return [
            (index, language)
            for index, text in enumerate(self._texts)
            if text.strip()
            for language in self._targets
            if (index, language) not in self._done
        ]

    def _requests(self, missing: Sequence[Place], languages: Sequence[str], room: Room) -> Iterator[list[_Part]]:
        """Parts that go in one request each. Every text goes in whole parts, none is shared between two requests."""
        wanted = sorted({index for index, language in missing if language in languages})
        most = max(1, room.characters // len(languages))
        found: list[_Part] = []
        filled = 0
        for part in (part for index in wanted for part in self._parts(index, most)):
            if found and (filled + len(part.core) > most or len(found) == room.texts):
                yield found
                found, filled = [], 0
            found.append(part)
            filled += len(part.core)
        if found:
            yield found

    def _parts(self, index: int, most: int) -> Iterator[_Part]:
        for number, piece in enumerate(sentences.parts(self._texts[index], most)):
            core = piece.strip()
            at = piece.find(core)
            yield _Part(index, number, piece[:at], core, piece[at + len(core) :])

    async def _ask(self, parts: Sequence[_Part], languages: Sequence[str], send: Send) -> None:
        """One request; one that turns out too large becomes two."""
        said = [part for part in parts if part.core]
        reply = None
        if said:
            try:
                reply = await send([part.core for part in said], languages)
            except TargetError as error:
                if error.usage is not None:
                    self._usage = added(self._usage, error.usage)
                    error.usage = None
                if len(said) == 1 or not is_too_large(error):
                    raise
                middle = len(parts) // 2
                await self._ask(parts[:middle], languages, send)
                await self._ask(parts[middle:], languages, send)
                return
            self._usage = added(self._usage, reply.usage)
            self._request_id = self._request_id or reply.request_id
            self._told |= dict.fromkeys(reply.warnings)
        found = iter(reply.value.results if reply else ())
        for part in parts:
            one = next(found) if part.core else Translated({})
            for language in languages:
                text = one.texts[language].strip() if part.core else ""
                self._made[part.text, part.number, language] = part.before + text + part.after
            if part.core and part.text not in self._sources:
                self._sources[part.text] = (one.source, one.score)

    def _settle(self, missing: Sequence[Place], target: Target) -> list[TargetError]:
        """Keep what is whole and is a translation; why the rest is none."""
        failures: dict[str, int] = {}
        pieces: dict[Place, list[tuple[int, str]]] = {}
        for (index, number, language), text in self._made.items():
            pieces.setdefault((index, language), []).append((number, text))
        for place in missing:
            if place not in pieces or not self._is_whole(place, pieces[place]):
                continue
            text = "".join(one for _, one in sorted(pieces[place]))
            wrong = self._fault(place, text)
            if wrong is None:
                self._done[place] = (text, target)
            else:
                failures[f"the translation into {place[1]} is none: {wrong}"] = failures.get(wrong, 0) + 1
        return [NotTranslated(words, request_id=self._request_id) for words in failures]

    def _is_whole(self, place: Place, found: Sequence[tuple[int, str]]) -> bool:
        return len(found) == self._counts.get(place, 0)

    def _fault(self, place: Place, text: str) -> str | None:
        index, language = place
        source = self._body.get("source") or self._sources.get(index, (None, None))[0]
        return fault(
            self._texts[index], text, target=language, spoken=source, html=self._body["html"],
            glossary=glossary_for(self._body, language),
        )  # fmt: skip

    def _whole(self, target: Target) -> Translation:
        results = []
        for index, text in enumerate(self._texts):
            texts = {one: self._done[index, one][0] if text.strip() else text for one in self._targets}
            source, score = self._sources.get(index, (None, None))
            results.append(Translated(texts, self._body.get("source") or source, score))
        return Translation(tuple(results), target.model)
