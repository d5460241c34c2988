"""What simulated recognisers hear in a file: its words as sentences, their language, and what they are in English."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import BadAudio
from infra.local.simulators import signal
from infra.local.simulators.signal import Heard

RATE = 16_000
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
# As much as they know of other languages; what is not here stays as it was said.
ENGLISH = {
    "guten": "good", "morgen": "morning", "tag": "day", "und": "and", "ist": "is", "nicht": "not", "das": "the",
    "der": "the", "die": "the", "ein": "a", "eine": "a", "wir": "we", "ich": "I", "haus": "house", "auf": "on",
    "danke": "thanks", "heute": "today", "welt": "world", "hallo": "hello", "bonjour": "hello", "monde": "world",
    "le": "the", "la": "the", "hola": "hello", "mundo": "world",
}  # fmt: skip
CODES = {name: code for code, name in LANGUAGES.items()}


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


class DeafError(Exception):
    """It cannot be heard: no sound, or none that can be decoded."""


@dataclass(frozen=True, slots=True)
class Recording:
    seconds: float
    sentences: tuple[Segment, ...]

    @property
    def text(self) -> str:
        return said(word for one in self.sentences for word in one.words)

    @property
    def language(self) -> str:
        return CODES[language_of(self.text)]


def recording(data: bytes) -> Recording:
    try:
        samples, rate = signal.samples(data, RATE)
    except BadAudio as error:
        raise DeafError(str(error)) from error
    return Recording(len(samples) / rate, tuple(segments(signal.hear(samples, rate))))


def english(text: str) -> str:
    """What was said, in English, word by word."""
    return re.sub(r"[^\W\d_]+", _english, text)


def _english(found: re.Match[str]) -> str:
    word = ENGLISH.get(found[0].lower(), found[0])
    return word[:1].upper() + word[1:] if found[0][:1].isupper() else word
