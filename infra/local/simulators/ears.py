"""What simulated recognisers make of a file: the sentences that are in its sound, and what these are in English."""

import re
from dataclasses import dataclass

from core.errors import BadAudio
from infra.local.simulators import signal
from infra.local.simulators.recognised import LANGUAGES, Segment, language_of, said, segments

RATE = 16_000
# As much as they know of other languages; what is not here stays as it was said.
ENGLISH = {
    "guten": "good", "morgen": "morning", "tag": "day", "und": "and", "ist": "is", "nicht": "not", "das": "the",
    "der": "the", "die": "the", "ein": "a", "eine": "a", "wir": "we", "ich": "I", "haus": "house", "auf": "on",
    "danke": "thanks", "heute": "today", "welt": "world", "hallo": "hello", "bonjour": "hello", "monde": "world",
    "le": "the", "la": "the", "hola": "hello", "mundo": "world",
}  # fmt: skip
CODES = {name: code for code, name in LANGUAGES.items()}


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
