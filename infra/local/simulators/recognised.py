"""What simulated recognisers make of the words they heard: sentences, languages, subtitles."""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.local.simulators.signal import Heard

LONGEST = 12  # seconds of a segment
ENDS = (".", "!", "?", "…", "。", "？", "！")
LANGUAGES = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese",
    "nl": "dutch", "pl": "polish", "ru": "russian", "uk": "ukrainian", "el": "greek", "ar": "arabic", "he": "hebrew",
    "ja": "japanese", "zh": "chinese", "ko": "korean", "hi": "hindi", "tr": "turkish", "sv": "swedish",
}  # fmt: skip
# By which writing a language is known, and by which of its small words.
WRITINGS = {
    "japanese": "\u3040\u30ff", "chinese": "\u4e00\u9fff", "korean": "\uac00\ud7af", "russian": "\u0400\u04ff",
    "greek": "\u0370\u03ff", "arabic": "\u0600\u06ff", "hebrew": "\u0590\u05ff", "hindi": "\u0900\u097f",
}  # fmt: skip
SMALL_WORDS = {
    "german": {"der", "die", "das", "und", "ist", "nicht", "ein", "ich"},
    "french": {"le", "la", "les", "et", "est", "une", "je", "pas"},
    "spanish": {"el", "los", "y", "es", "una", "que", "no", "por"},
}


@dataclass(frozen=True, slots=True)
class Segment:
    start: float
    end: float
    text: str
    speaker: int
    words: tuple[Heard, ...]


def said(words: Iterable[Heard]) -> str:
    return " ".join(word.word for word in words)


def segments(words: list[Heard], *, by_speaker: bool = False) -> list[Segment]:
    """Sentences, or as long as one speaks; none is longer than recognisers make them."""
    found: list[list[Heard]] = []
    for word in words:
        last = found[-1][-1] if found else None
        begins = last is None or word.end - found[-1][0].start > LONGEST
        if last is not None and not begins:
            begins = last.speaker != word.speaker or (not by_speaker and last.word.endswith(ENDS))
        if begins:
            found.append([])
        found[-1].append(word)
    return [
        Segment(round(one[0].start, 3), round(one[-1].end, 3), said(one), one[0].speaker, tuple(one)) for one in found
    ]


def language_of(text: str) -> str:
    """By its writing, else by small words; English if nothing speaks against it."""
    for name, ends in WRITINGS.items():
        if any(ends[0] <= letter <= ends[1] for letter in text):
            return name
    words = text.lower().split()
    counts = {name: sum(word in small for word in words) for name, small in SMALL_WORDS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] > 1 else "english"


def subtitles(found: list[Segment], kind: str) -> str:
    dot = "," if kind == "srt" else "."
    blocks = [f"{_clock(one.start, dot)} --> {_clock(one.end, dot)}\n{one.text}\n" for one in found]
    if kind == "vtt":
        return "\n".join(["WEBVTT\n", *blocks])
    return "\n".join(f"{place}\n{block}" for place, block in enumerate(blocks, 1))


def _clock(seconds: float, dot: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{dot}{milliseconds:03}"
