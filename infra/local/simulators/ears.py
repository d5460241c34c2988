"""What simulated recognisers make of a file: the words that are in its sound, by sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what is told is only made when there is sound: it takes a tenth of a second to load
    from infra.local.simulators.signal import Heard

ENDS = (".", "!", "?", "…", "。", "!", "?")
RATE = 16_000
LONGEST_PAUSE = 1.0  # within a sentence
# Words by which a language is told; who has none of them is taken for English.
COMMON = {
    "de": {"der", "die", "das", "und", "ist", "nicht", "ein", "eine", "wir", "ich", "guten", "auf"},
    "fr": {"le", "la", "les", "et", "est", "une", "nous", "je", "bonjour", "pas", "dans", "des"},
    "es": {"el", "los", "las", "y", "es", "una", "nosotros", "yo", "hola", "que", "en", "del"},
}  # fmt: skip
# As much as they know of other languages; what is not here stays as it was said.
ENGLISH = {
    "guten": "good", "morgen": "morning", "tag": "day", "und": "and", "ist": "is", "nicht": "not", "das": "the",
    "der": "the", "die": "the", "ein": "a", "eine": "a", "wir": "we", "ich": "I", "haus": "house", "auf": "on",
    "danke": "thanks", "heute": "today", "welt": "world", "hallo": "hello", "bonjour": "hello", "monde": "world",
    "le": "the", "la": "the", "hola": "hello", "mundo": "world",
}  # fmt: skip


class DeafError(Exception):
    """It cannot be heard: no sound, or none that can be decoded."""


@dataclass(frozen=True, slots=True)
class Sentence:
    words: "tuple[Heard, ...]"

    @property
    def text(self) -> str:
        return " ".join(word.word for word in self.words)

    @property
    def start(self) -> float:
        return self.words[0].start

    @property
    def end(self) -> float:
        return self.words[-1].end

    @property
    def speaker(self) -> int:
        return self.words[0].speaker


@dataclass(frozen=True, slots=True)
class Recording:
    seconds: float
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def language(self) -> str:
        words = {word.strip(".,;:!?").lower() for word in self.text.split()}
        return max(COMMON, key=lambda name: len(words & COMMON[name])) if _is_foreign(words) else "en"


def recording(data: bytes) -> Recording:
    from infra.local.simulators import signal  # noqa: PLC0415 - see above

    try:
        samples, rate = signal.samples(data, RATE)
    except Exception as error:  # the decoder has many, and all mean this
        raise DeafError(str(error)) from error
    return Recording(len(samples) / rate, tuple(_sentences(signal.hear(samples, rate))))


def _is_foreign(words: set[str]) -> bool:
    return any(len(words & common) >= 2 for common in COMMON.values())


def _sentences(heard: "list[Heard]") -> Iterator[Sentence]:
    held: list[Heard] = []
    for word in heard:
        if held and (word.speaker != held[-1].speaker or word.start - held[-1].end > LONGEST_PAUSE):
            yield Sentence(tuple(held))
            held = []
        held.append(word)
        if word.word.rstrip("\"'»”’)").endswith(ENDS):
            yield Sentence(tuple(held))
            held = []
    if held:
        yield Sentence(tuple(held))


def english(text: str) -> str:
    """What was said, in English, word by word."""
    return re.sub(r"[^\W\d_]+", _english, text)


def _english(found: re.Match[str]) -> str:
    word = ENGLISH.get(found[0].lower(), found[0])
    return word[:1].upper() + word[1:] if found[0][:1].isupper() else word
