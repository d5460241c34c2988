"""Whether a text that was cleaned still says what it said. Pure, and linear.

Cleaning may change case and punctuation, restore accents, write numbers in digits or in words, leave out sounds that
mean nothing and what is said twice in a row, and add headings and list marks.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from core.wire import scripts
from core.wire.beautify.atoms import SUFFIXES, Atom, amount_at, atoms, unaccented
from core.wire.beautify.wording import Language

_MOST = 20  # differences that are looked for
_WINDOW = 40  # words within which two texts meet again
_SHOWN = 12  # words of a difference
_AGAIN = 3  # words of what may be said twice
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_HOURS, _MINUTES = 24, 60
_MONEY = {"$": {"dollar", "dollars"}, "€": {"euro", "euros"}, "£": {"pound", "pounds"}, "¥": {"yen"}}
_MONTHS = frozenset({"march", "may"})  # words besides, so that a text need not have them
_UNSPACED = re.compile(f"[{scripts.UNSPACED}]")


class Slip(NamedTuple):
    """A place where two texts differ."""

    had: str
    has: str
    kind: Literal["number", "negation", "word"]

    @property
    def said(self) -> str:
        """For who wrote it."""
        if not self.has:
            return f"{self.had!r} of the text is missing."
        if not self.had:
            return f"{self.has!r} is not in the text at this place."
        return f"{self.has!r} stands where the text says {self.had!r}."


def slips(source: str, given: str, language: Language) -> list[Slip]:
    """Where the cleaned text says something else; none when it is faithful."""
    return _Comparison(atoms(source, language), atoms(given, language, cleaned=True), language).slips()


class _Comparison:
    """Two texts side by side. At each step one of a few moves fits, or the texts differ there."""

    def __init__(self, had: Sequence[Atom], has: Sequence[Atom], language: Language) -> None:
        self._had, self._has = had, has
        self._negations = language.negations
        self._counted = language.negations | language.numbers.keys()  # said twice, they say more
        self._fillers = _phrases(language)
        self._language = language
        self._loud = not any(any(map(str.islower, one.shown)) for one in had)  # ALL IS IN CAPITALS
        self._plain = all(one.text.isascii() for one in had)  # who wrote it had no accents

    def slips(self) -> list[Slip]:
        had, has = self._had, self._has
        at = to = 0
        found: list[Slip] = []
        said: list[Atom] = []
        while (at < len(had) or to < len(has)) and len(found) < _MOST:
            if at < len(had) and to < len(has) and (many := self._alike(at, to)):
                said = [*said[-_AGAIN:], *had[at : at + many[0]]]
                at, to = at + many[0], to + many[1]
            elif at < len(had) and (many_more := self._idle(at, said)):
                at += many_more
            elif to < len(has) and has[to].spare:
                to += 1
            else:
                gone, new = self._apart(at, to)
                found.append(self._slip(had[at : at + gone], has[to : to + new]))
                at, to = at + gone, to + new
        return found

    def _alike(self, at: int, to: int) -> tuple[int, int] | tuple[()]:
        """How many words here are the same there."""
        had, has = self._had, self._has
        one, other = had[at], has[to]
        if one.text == other.text or (self._plain and one.text == unaccented(other.text)):
            return 1, 1
        return (
            _joined(had, at, has, to)
            or _joined(has, to, had, at)[::-1]
            or _counted(had, at, has, to, self._language)
            or _counted(has, to, had, at, self._language)[::-1]
        )

    def _idle(self, at: int, said: Sequence[Atom]) -> int:
        """How many words from here on may be left out: a filler's, or what is said again."""
        for phrase in self._fillers.get(self._had[at].text, ()):
            sounds = self._had[at : at + len(phrase)]
            tied = sounds[-1].glued or (at > 0 and self._had[at - 1].glued)  # uh-uh is a no
            # The ER and UM are no sounds.
            name = not self._loud and any(each.shown.isupper() and len(each.shown) > 1 for each in sounds)
            same = tuple(each.text for each in sounds) == phrase
            if same and not name and not (tied and phrase[0].isascii()):
                return len(phrase)
        return next((many for many in range(_AGAIN, 0, -1) if self._is_again(said[-many:], at, many)), 0)

    def _is_again(self, said: Sequence[Atom], at: int, many: int) -> bool:
        again = self._had[at : at + many]
        if len(said) < many or [one.text for one in said] != [one.text for one in again]:
            return False
        if any(one.kind != "word" or one.text in self._counted for one in again):
            return False
        name = all(one.shown[:1].isupper() and len(one.shown) > 1 for one in (*said, *again))
        return not name and not any(_UNSPACED.match(one.text) for one in again)  # two of such a letter may be a word

    def _apart(self, at: int, to: int) -> tuple[int, int]:
        """After how many words on either side the texts are one again."""
        had, has = self._had[at : at + _WINDOW + 1], self._has[to : to + _WINDOW + 1]
        one, other = [each.text for each in had], [each.text for each in has]
        for total in range(1, _WINDOW):
            for gone in range(min(total, len(one)) + 1):
                new = total - gone
                if new <= len(other) and (
                    one[gone : gone + 2] == other[new : new + 2] and (one[gone:] or not other[new:])
                ):
                    return gone, new
        return min(_WINDOW, len(self._had) - at), min(_WINDOW, len(self._has) - to)

    def _slip(self, had: Sequence[Atom], has: Sequence[Atom]) -> Slip:
        kind: Literal["number", "negation", "word"] = "word"
        if any(one.kind != "word" for one in (*had, *has)):
            kind = "number"
        elif {one.text for one in had if one.text in self._negations} != {
            one.text for one in has if one.text in self._negations
        }:
            kind = "negation"
        return Slip(_shown(had), _shown(has), kind)


def _shown(some: Sequence[Atom]) -> str:
    words = " ".join(one.shown for one in some[:_SHOWN])
    return f"{words} …" if len(some) > _SHOWN else words


def _phrases(language: Language) -> dict[str, list[tuple[str, ...]]]:
    """Fillers by their first word, the longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for filler in sorted(language.fillers, key=len, reverse=True):
        phrase = tuple(one.text for one in atoms(filler, language))
        found.setdefault(phrase[0], []).append(phrase)
    return found


def _joined(one: Sequence[Atom], at: int, other: Sequence[Atom], to: int) -> tuple[int, int] | tuple[()]:
    """Whether a word of the first is written with marks in the second (its, it's; pm, p.m.; email, e-mail)."""
    whole = one[at].text
    if one[at].kind != "word":
        return ()
    made, place = "", to
    while place < len(other) and other[place].kind == "word" and len(made) < len(whole):
        made += other[place].text
        place += 1
        if made == whole and place - to > 1:
            return 1, place - to
        if not other[place - 1].glued:
            break
    return ()


def _counted(
    words: Sequence[Atom], at: int, digits: Sequence[Atom], to: int, language: Language
) -> tuple[int, int] | tuple[()]:
    """Whether what one says in words stands in digits in the other (five, 5; third, 3rd; five thirty, 5:30)."""
    one = digits[to]
    if one.text in _MONEY and to + 1 < len(digits):
        value, many = _value(words, at, language)
        unit = words[at + many].text if at + many < len(words) else ""
        return (many + 1, 2) if value == digits[to + 1].text and unit in _MONEY[one.text] else ()
    if one.kind != "number":
        return ()
    if (clock := _CLOCK.fullmatch(one.text)) and int(clock[1]) <= _HOURS and int(clock[2]) < _MINUTES:
        return _timed(words, at, clock, language)
    found = amount_at(words, at, language)
    if found is None or str(found.value) != one.text:
        return ()
    if not found.ordinal:
        return found.words, 1
    if one.glued and to + 1 < len(digits) and digits[to + 1].text in SUFFIXES:
        return found.words, 2
    dates = language.dates | _MONTHS
    beside = any(digits[near].text in dates for near in (to - 1, to + 1) if 0 <= near < len(digits))
    return (found.words, 1) if beside else ()


def _timed(words: Sequence[Atom], at: int, clock: re.Match[str], language: Language) -> tuple[int, int] | tuple[()]:
    hour, many = _value(words, at, language)
    minute, more = _value(words, at + many, language)
    written = hour.isdecimal() and minute.isdecimal()
    same = written and (int(hour), int(minute)) == (int(clock[1]), int(clock[2]))
    return (many + more, 1) if same and many and more else ()


def _value(some: Sequence[Atom], at: int, language: Language) -> tuple[str, int]:
    """A number in digits or in words, and of how many words it is."""
    if at < len(some) and some[at].kind == "number":
        return some[at].text, 1
    found = amount_at(some, at, language)
    return (str(found.value), found.words) if found and not found.ordinal else ("", 0)
