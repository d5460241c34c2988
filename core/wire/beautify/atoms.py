"""The words, numbers and signs of a text that count, and numbers in words. Pure, and linear."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from core.wire import scripts
from core.wire.beautify.wording import Language

_MARKS = "".join(chr(code) for code in range(0x300, 0x1E00) if unicodedata.category(chr(code))[0] == "M")
_ATOM = re.compile(
    rf"(?P<number>(?:(?<!\w)[-−+])?\d+(?:[.,:/'’]\d+)*)"
    rf"|(?P<word>[{scripts.UNSPACED}][{_MARKS}]*|(?:(?![{scripts.UNSPACED}])[^\W\d_][{_MARKS}]*)+)"
    r"|(?P<symbol>[$¢£¤¥\u20a0-\u20bf%‰°@&±×÷]|(?<=\w)(?:\++|\#))"
)
_UNSEEN = {ord(one): None for one in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"}
_GLUE = frozenset("'’ʼ-‐‑.·/_") | {""}
_STARTS = re.compile(r"[.!?:;。！？…\n\"“”„«»(\[]")
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+\S.*$", re.MULTILINE)
_LISTED = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]", re.MULTILINE)
_GROUPED = {
    True: re.compile(r"[-−+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?"), False: re.compile(r"[-−+]?\d{1,3}(?:\.\d{3})+(?:,\d+)?"),
}  # fmt: skip


# Per cent in one word, and in the last of two.
_PERCENT = frozenset({"percent", "prozent", "procent"})
_OF_A_HUNDRED = {"cent": {"per", "pour"}, "ciento": {"por"}, "cento": {"por", "per"}}
_PLAINLY = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
SUFFIXES = frozenset({"st", "nd", "rd", "th"})


class Atom(NamedTuple):
    text: str  # as it is compared
    shown: str
    kind: Literal["number", "word", "symbol"]
    glued: bool  # to the next: nothing stands between them, or a mark that may come and go
    initial: bool  # it begins a sentence
    spare: bool  # a heading's or a list's: it may be missing in the source


def atoms(text: str, language: Language, *, cleaned: bool = False) -> list[Atom]:
    """The words, numbers and signs that count. In a cleaned text headings and list marks are spare."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_UNSEEN))
    spare = _spare(text) if cleaned else iter(())
    found: list[Atom] = []
    first, last = next(spare, (-1, -1))
    matches = list(_ATOM.finditer(text))
    end = 0
    for place, match in enumerate(matches):
        start, gap = match.start(), text[end : match.start()]
        end = match.end()
        while last != -1 and start >= last:
            first, last = next(spare, (-1, -1))
        following = text[end : matches[place + 1].start()] if place + 1 < len(matches) else " "
        kind = match.lastgroup or "word"
        shown = match[0]
        same = _number(shown, language) if kind == "number" else shown.casefold()
        initial = not found or (bool(gap.strip(" ")) and bool(_STARTS.search(gap)) and gap not in _GLUE)
        one = Atom(same, shown, kind, following in _GLUE, initial, first <= start < last)  # type: ignore[arg-type] # a group's name
        if found and found[-1].text in _OF_A_HUNDRED.get(same, ()):
            found[-1] = one._replace(text="%", shown=f"{found[-1].shown} {shown}", initial=found[-1].initial)
        elif same in _PERCENT:
            found.append(one._replace(text="%"))
        else:
            found += _written(one, language)
    return found


def _written(one: Atom, language: Language) -> list[Atom]:
    """A word that has two spellings, in one of them."""
    words = language.same.get(one.text, one.text).split()
    if words == [one.text] or one.kind != "word":
        return [one]
    found = [Atom(word, word, "word", glued=False, initial=False, spare=one.spare) for word in words]
    shown = words[0].capitalize() if one.shown[0].isupper() else words[0]
    found[0] = found[0]._replace(shown=shown, initial=one.initial)
    found[-1] = found[-1]._replace(glued=one.glued)
    return found


def headings_in(text: str) -> list[str]:
    """The lines of a cleaned text that are marked as headings."""
    return [match[0].lstrip("# \t") for match in _HEADING.finditer(text)]


def _spare(text: str) -> Iterator[tuple[int, int]]:
    """Where headings stand, and the marks of lists that count from 1 to at least 2."""
    spans = [match.span() for match in _HEADING.finditer(text)]
    run: list[tuple[int, int]] = []
    for match in [*_LISTED.finditer(text), None]:
        if match is not None and int(match[1]) == len(run) + 1:
            run.append(match.span(1))
            continue
        if len(run) > 1:
            spans += run
        run = [match.span(1)] if match is not None and match[1] == "1" else []
    return iter(sorted(spans))


def _number(shown: str, language: Language) -> str:
    """Without the marks between thousands, where it is known which these are."""
    plain = shown.replace("−", "-").replace("’", "'")
    if language.points is not None and _GROUPED[language.points].fullmatch(plain):
        return plain.replace("," if language.points else ".", "")
    return plain


def unaccented(word: str) -> str:
    """As who has no accents on his keyboard writes it."""
    if word.isascii():
        return word
    return "".join(one for one in unicodedata.normalize("NFKD", word) if one not in _MARKS).translate(_PLAINLY)


class Amount(NamedTuple):
    """A number in words."""

    value: int
    words: int
    ordinal: bool


def amount_at(some: Sequence[Atom], at: int, language: Language) -> Amount | None:
    """The number that begins there, with as many words as belong to it: twenty five, two hundred and fifty, third."""
    total = current = 0
    place, ordinal = at, False
    while place < len(some) and not ordinal and some[place].kind == "word":
        word = some[place].text
        ordinal = word in language.ordinals
        value = language.ordinals[word] if ordinal else language.numbers.get(word, -1)
        if value < 0:
            if word == "and" and current and current % 100 == 0 and _below_hundred(some, place + 1, language):
                place += 1
                continue
            break
        if place > at and not _goes_on(total, current, value):
            ordinal = False
            break
        if value >= 1000:
            total, current = total + max(current, 1) * value, 0
        elif value == 100 and not ordinal:
            current = max(current, 1) * 100
        else:
            current += value
        place += 1
    return Amount(total + current, place - at, ordinal) if place > at else None


def _goes_on(total: int, current: int, value: int) -> bool:
    """Whether a word for this value belongs to the number before it."""
    if value >= 1000:
        return 0 < current < 1000 and (not total or value < total)
    if value == 100:
        return 0 < current < 100
    if current == 0:
        return total > 0
    return current % 100 == 0 or (current % 100 >= 20 and current % 10 == 0 and 0 < value < 10)


def _below_hundred(some: Sequence[Atom], place: int, language: Language) -> bool:
    if place >= len(some):
        return False
    word = some[place].text
    return 0 < language.numbers.get(word, language.ordinals.get(word, 0)) < 100
