"""A text as its check reads it: what of it is language, in words, and in which scripts. Pure."""

import html as entities
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from core.wire.scripts import WEIGHTS, script_of
from core.wire.translation.placeholders import Piece, pieces

WORD = re.compile(r"[^\W\d_]+")


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
        count * (1.0 if one.isascii() else WEIGHTS.get(script_of(one), 1.0))
        for one, count in Counter(text).items()
        if one.isalnum()
    )


def scripts(words: Sequence[str]) -> Counter[str]:
    """How many letters of each script."""
    found = Counter[str]()
    for letter, count in Counter("".join(words)).items():
        found[script_of(letter)] += count
    return found
