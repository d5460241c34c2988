"""Audio of any length at targets that hear a few minutes at once: cut at pauses, heard side by side, joined."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from core.errors import ContextTooLong, TargetError
from core.execution.parts import NOTHING, Spending, is_too_large, side_by_side
from core.providers.contract import Reply
from core.providers.row import Hears
from core.types.audio import Audio, Segment, Transcript, Word
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE
from core.wire.languages import space_in

Send = Callable[[Audio], Awaitable[Reply[Transcript]]]  # of one request
Billed = Callable[[int], int]  # milliseconds of one request → those that are paid for

# What parts are made of, the best first: nothing is lost in the first two.
_KINDS = ("flac", "wav", "mp3", "m4a", "ogg")
_SMALL = ("ogg", "m4a", "mp3", "flac", "wav")  # the same where it is bytes that are too many
_LONG = 3_600_000  # milliseconds from which on all parts at once would take too much memory without loss
_SHORTEST = 20_000  # milliseconds; a part that is refused as too large is not cut any further
_ROOM = 0.98  # of a limit of seconds, which a provider measures by its own rule


class _Part(NamedTuple):
    start: float  # seconds
    audio: Audio


class Hearing(Spending):
    """The audio of one request. Parts that a target has heard are kept while it is asked again."""

    def __init__(self, audio: Audio, *, whole: bool, language: str | None = None) -> None:
        super().__init__()
        self._audio = audio
        self._language = language  # that is spoken, as the caller says
        self._whole = whole  # who spoke is only known where all of it is heard at once
        self._cut: dict[Hears, list[_Part]] = {}
        self._target: Target | None = None
        self._heard: dict[float, Transcript] = {}  # by the second at which it begins
        self._done: set[float] = set()  # where parts begin that are heard to their end

    def fits(self, hears: Hears) -> bool:
        """Whether it can be sent as it came."""
        audio = self._audio
        if hears.most_seconds is not None and audio.ms > hears.most_seconds * 1000:
            return False
        return audio.kind in hears.kinds and (hears.most_bytes is None or len(audio.data) <= hears.most_bytes)

    async def at(self, target: Target, hears: Hears, send: Send, billed: Billed) -> Reply[Transcript]:
        """Ask a target for all that it has not heard."""
        if target != self._target:
            self._target, self._request_id = target, None
            self._heard.clear()
            self._done.clear()
            self._told.clear()
        self._usage = UNKNOWN_USAGE
        parts = await self.parts(hears)
        if len(parts) == 1:
            reply = await self._one(parts[0].audio, send)
            if reply is not None:
                return reply
            parts = await self._halves(parts[0], hears)
        missing = [one for one in parts if one.start not in self._done]
        if not missing:
            self._usage = NOTHING

        async def hear(part: _Part) -> None:
            await self._part(part, hears, send, billed)
            self._done.add(part.start)

        await side_by_side(missing, hear)
        self._told[f"{target} heard it in {len(self._heard)} parts, cut at pauses"] = None
        value = joined(
            [(start, self._heard[start]) for start in sorted(self._heard)], self._audio.ms / 1000, self._language
        )
        return Reply(value, self._usage, self._request_id, tuple(self._told))

    async def parts(self, hears: Hears) -> list[_Part]:
        """The audio as it came, or in a kind and in parts that one request may hold."""
        if self.fits(hears):
            return [_Part(0.0, self._audio)]
        if hears not in self._cut:
            found = await _cut(self._audio, hears, whole=self._whole)
            if self._whole and (len(found) > 1 or not _is_small(found[0], hears)):
                raise ContextTooLong(_too_long(self._audio, hears))
            self._cut[hears] = found
        return self._cut[hears]

    async def _one(self, audio: Audio, send: Send) -> Reply[Transcript] | None:
        """All at once; None where that turned out too large and half of it may not."""
        try:
            return await send(audio)
        except TargetError as error:
            if self._whole or audio.ms < _SHORTEST or not is_too_large(error):
                raise
            return None

    async def _part(self, part: _Part, hears: Hears, send: Send, billed: Billed) -> None:
        reply = await self._one(part.audio, send)
        if reply is None:
            for half in await self._halves(part, hears):
                await self._part(half, hears, send, billed)
            return
        usage = reply.usage
        if usage.audio_ms:  # of each request the least that is sold, and whole steps
            usage = usage._replace(audio_ms=billed(usage.audio_ms))
        self._count(reply, usage)
        self._heard[part.start] = reply.value

    async def _halves(self, part: _Part, hears: Hears) -> list[_Part]:
        smaller = hears._replace(most_seconds=part.audio.ms / 2000 + 1, most_bytes=len(part.audio.data))
        found = await _cut(part.audio, smaller, whole=False)
        return [one._replace(start=part.start + one.start) for one in found]


async def _cut(audio: Audio, hears: Hears, *, whole: bool) -> list[_Part]:
    from core.audio.cutting import cut  # noqa: PLC0415 - most audio is heard as it came

    too_long = hears.most_seconds is not None and audio.ms > hears.most_seconds * 1000
    lossless = (too_long or audio.kind not in hears.kinds) and not whole and audio.ms < _LONG
    order = _KINDS if lossless else _SMALL
    kind = next((one for one in order if one in hears.kinds), "wav")
    seconds = None if hears.most_seconds is None else hears.most_seconds * _ROOM
    size = None if whole else hears.most_bytes  # what all of it comes to, is seen when it is there
    found = await asyncio.to_thread(lambda: list(cut(audio.data, seconds, size, kind)))
    return [_Part(one.start_ms / 1000, one.audio) for one in found]


def _is_small(part: _Part, hears: Hears) -> bool:
    return hears.most_bytes is None or len(part.audio.data) <= hears.most_bytes


def _too_long(audio: Audio, hears: Hears) -> str:
    most = f"{hears.most_seconds:g} s" if hears.most_seconds else f"{hears.most_bytes} bytes"
    return f"speakers are told apart where all {audio.ms / 1000:.0f} s are heard at once, and here {most} are"


def joined(parts: Sequence[tuple[float, Transcript]], duration: float, spoken: str | None = None) -> Transcript:
    """Transcripts of parts, each with the second at which it begins, as one with times of the whole."""
    if len(parts) == 1 and parts[0][0] == 0:
        return parts[0][1]
    said = [(start, one) for start, one in parts if one.text.strip()]
    languages = Counter[str]()
    for _, one in said:
        if one.language:
            languages[one.language] += len(one.text)
    language = languages.most_common(1)[0][0] if languages else next((one.language for _, one in parts), None)
    sure = [(one.confidence, len(one.text)) for _, one in said if one.confidence is not None]
    return Transcript(
        text=space_in(language or spoken).join(one.text.strip() for _, one in said),
        language=language,
        duration=duration,
        segments=tuple(_later(segment, start) for start, one in parts for segment in one.segments),
        words=tuple(_word_later(word, start) for start, one in parts for word in one.words),
        confidence=sum(each * size for each, size in sure) / sum(size for _, size in sure) if sure else None,
        reason=None if said else next((one.reason for _, one in parts if one.reason), None),
        logprobs=tuple(token for _, one in said for token in one.logprobs),
        told=tuple(dict.fromkeys(words for _, one in parts for words in one.told)),
    )


def _later(segment: Segment, seconds: float) -> Segment:
    return segment._replace(
        start=_sum(segment.start, seconds),
        end=_sum(segment.end, seconds),
        words=tuple(_word_later(word, seconds) for word in segment.words),
    )


def _word_later(word: Word, seconds: float) -> Word:
    return word._replace(start=_sum(word.start, seconds), end=_sum(word.end, seconds))


def _sum(one: float, other: float) -> float:
    """Without the digits that adding floats leaves behind."""
    return round(one + other, 3)


def labelled(transcript: Transcript, known: Sequence[str] = ()) -> Transcript:
    """Speakers by the letters A, B, … in the order in which they speak, and by their names where these are known."""
    labels = Labels(known)
    return transcript._replace(
        segments=tuple(
            one._replace(
                speaker=labels.of(one.speaker),
                words=tuple(word._replace(speaker=labels.of(word.speaker)) for word in one.words),
            )
            for one in transcript.segments
        ),
        words=tuple(word._replace(speaker=labels.of(word.speaker)) for word in transcript.words),
    )


class Labels:
    """Every provider calls speakers otherwise; who is asked next must not change what the caller reads."""

    def __init__(self, known: Sequence[str] = ()) -> None:
        self._names: dict[str, str] = {name: name for name in known}
        self._given = 0

    def of(self, name: str | None) -> str | None:
        if not name:
            return None
        if name not in self._names:
            taken = set(self._names.values())
            while (letter := _letter(self._given)) in taken:
                self._given += 1
            self._names[name] = letter
        return self._names[name]


def _letter(number: int) -> str:
    """A to Z, then AA, AB and so on."""
    head, last = divmod(number, 26)
    return (_letter(head - 1) if head else "") + chr(ord("A") + last)
