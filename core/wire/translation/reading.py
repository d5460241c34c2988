"""A text as its check reads it: what of it is language, in words, and in which scripts. Pure."""

import html as entities
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from core.wire.translation.placeholders import Piece, pieces

WORD = re.compile(r"[^\W\d_]+")
# A character says as much as so many letters of an alphabet.
DENSE = {"CJK": 2.4, "HIRAGANA": 1.6, "KATAKANA": 1.4, "HANGUL": 2.0}


class Text(NamedTuple):
    """A text and what of it is language."""

    whole: str
    pieces: Sequence[Piece]
    bare: str
    written: list[str]  # its words as they stand there
    words: list[str]  # the same in small letters


def read(text: str, *, html: bool) -> Text:
    found = pieces(text, html=html)
    parts, at = [], 0
    for piece in found:
        parts += [text[at : piece.start], entities.unescape(piece.text) if piece.kind == "entity" else " "]
        at = piece.end
    bare = "".join([*parts, text[at:]])
    written = WORD.findall(bare)
    return Text(text, found, bare, written, [word.casefold() for word in written])


def weight(text: str) -> float:
    """How much a text says, by its letters and digits."""
    return sum(
        count * (1.0 if one.isascii() else DENSE.get(script(one), 1.0))
        for one, count in Counter(text).items()
        if one.isalnum()
    )


def scripts(words: Sequence[str]) -> Counter[str]:
    """How many letters of each script."""
    found = Counter[str]()
    for letter, count in Counter("".join(words)).items():
        found[script(letter)] += count
    return found


@lru_cache(8192)
def script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return {"FULLWIDTH": "LATIN", "HALFWIDTH": "KATAKANA", "KATAKANA-HIRAGANA": "KATAKANA", "MODIFIER": ""}.get(
        name, name
    )
