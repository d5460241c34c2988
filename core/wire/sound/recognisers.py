"""What recognisers of several providers have in common: times that are checked, texts that are joined. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar
from unicodedata import east_asian_width

from core.errors import Malformed, ParameterRefused, RequestRefused, TargetError
from core.types.audio import Segment, Transcript, Word
from core.types.usage import Usage

NOBODY = "no speech was recognised"
# What every adapter reads, what is for others, and what changes nothing.
_READ = frozenset({"audio", "model", "stream", "response_format", "timestamps", "diarize", "task"})
_SLACK = 1.0  # seconds by which a time may be off that is otherwise sane
_WINDOW = 30.0  # and by which a last window may go beyond the audio
_SEEN = 0.1  # and from which on somebody would see that it was mended
_FILE = re.compile(r"audio|file|format|decod|mime|process input", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,5}(?:[.,]\d{1,6})?)\s*s?")

Timed = TypeVar("Timed", Segment, Word)


def left_out(body: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """What of a request a provider cannot be told."""
    known = _READ.union(known)
    return [
        f"{name} was left out: it cannot be told there" for name, value in body.items() if value and name not in known
    ]


def seconds_of(said: Any) -> float | None:
    """A time as a number, or as a clock shows it; None for what is none."""
    if isinstance(said, str):
        found = _CLOCK.fullmatch(said.strip())
        if found is None:
            return None
        hours, minutes, rest = found.groups()
        return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest.replace(",", "."))
    if isinstance(said, bool) or not isinstance(said, int | float) or not isfinite(said) or said < 0:
        return None
    return float(said)


def ordered(found: Iterable[Timed], duration: float) -> tuple[Timed, ...] | None:
    """Within the audio and in order, small slips mended; None where the times cannot be those of this audio."""
    made: list[Timed] = []
    before = 0.0
    for one in found:
        start, end = one.start, one.end
        if not isfinite(start + end) or start < before - _SLACK:
            return None
        if duration and (start > duration + _SLACK or end > duration + _WINDOW):
            return None
        start = max(start, before)
        if duration:
            start, end = min(start, duration), min(end, duration)  # a last window is longer than what is left
        made.append(one._replace(start=round(start, 3), end=round(max(start, end), 3)))
        before = start
    return tuple(made)


def placed(
    found: Sequence[Timed], duration: float, told: list[str], *, needed: bool, what: str = "segments"
) -> tuple[Timed, ...]:
    """The same; who needs them gets none that are wrong, and who does not is given none. `told` says so."""
    made = ordered(found, duration)
    if made is None:
        if needed:
            raise Malformed(f"the times of its {what} are not those of the audio")
        told.append(f"the {what} were left out: their times are not those of the audio")
    elif any(_is_mended(one, other) for one, other in zip(found, made, strict=True)):
        told.append(f"times of {what} were mended: they overlapped, or were outside of the audio")
    return made or ()


def timed(
    segments: Sequence[Segment], words: Sequence[Word], body: Mapping[str, Any], told: list[str]
) -> tuple[tuple[Segment, ...], tuple[Word, ...]]:
    """Segments and words, those inside of segments too, with times of the audio that was sent."""
    duration, wanted = body["audio"].ms / 1000, body.get("timestamps") or ()
    made = placed(segments, duration, told, needed="segment" in wanted or bool(body.get("diarize")))
    flat = words or sorted((word for one in segments for word in one.words), key=lambda word: word.start)
    said = placed(flat, duration, told, needed="word" in wanted, what="words")
    inside = [(ordered(one.words, duration) or () if said else ()) for one in made]
    return tuple(one._replace(words=each) for one, each in zip(made, inside, strict=True)), said


def _is_mended(one: Timed, made: Timed) -> bool:
    return abs(one.start - made.start) > _SEEN or abs(one.end - made.end) > _SEEN


def complete(found: Transcript, model: str, body: Mapping[str, Any], usage: Usage | None = None) -> Transcript:
    """Who was asked for something and took the request owes it: somebody else may say it."""
    lacks, wanted = "", body.get("timestamps") or ()
    if found.text and body.get("diarize") and not found.speakers:
        lacks = "who spoke"
    elif found.text and "word" in wanted and not found.words:
        lacks = "when each word was said"
    elif found.text and wanted and not (found.segments or found.words):
        lacks = "when what was said"
    if lacks:
        raise Malformed(f"the answer of {model} does not say {lacks}, which it was asked for", usage=usage)
    return found


def id_of(number: int) -> str:
    """Of a segment in events, whoever heard it."""
    return f"seg_{number:03}"


def joined(texts: Iterable[str]) -> str:
    """One text: with spaces between, where the script has them."""
    whole = ""
    for text in map(str.strip, texts):
        if whole and text:
            whole += "" if _is_wide(whole[-1]) or _is_wide(text[0]) else " "
        whole += text
    return whole


def _is_wide(letter: str) -> bool:
    return east_asian_width(letter) in {"W", "F"} and not "\uac00" <= letter <= "\ud7a3"  # Hangul is spaced


def base_of(language: str) -> str:
    """The language alone, as de of de-AT: most recognisers know no countries."""
    return language.replace("_", "-").partition("-")[0].lower()


def refusing_files(read_error: Callable[..., TargetError]) -> Callable[..., TargetError]:
    """The same reader of refusals, but what is refused for its file is refused by this provider alone.

    The file was looked at before anybody was asked.
    """

    def read(*given: Any, **about: Any) -> TargetError:
        error = read_error(*given, **about)
        if not isinstance(error, RequestRefused) or not _FILE.search(error.message):
            return error
        return ParameterRefused(
            error.message, provider_status=error.provider_status, code=error.code, param=error.param,
            request_id=error.request_id, retry_after=error.retry_after,
        )  # fmt: skip

    return read
