"""What a text says, for those who say it otherwise: a summary has its own words, but invents nothing. Pure, linear.

Its names, numbers, days and addresses are those of the text. A capital letter at the beginning of a sentence is no
sign of a name; names that stand there are among those that the author of a summary lists himself.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from core.wire import scripts
from core.wire.beautify.atoms import SUFFIXES, Atom, amount_at, atoms, unaccented
from core.wire.beautify.wording import Language

_MOST = 20  # that are listed
_STEM = 4  # letters by which words are akin
_ENDING = 2  # letters that a name may gain or lose by grammar
_LEAST = 3  # of so many words that say what is to be done one is the text's
_COUNTED = 3  # ordinals up to here are also for lists: first, second, third
_BETWEEN = re.compile(r"[\s<>()\[\]{}\"“”„«»,;|]+")
_DOMAIN = re.compile(r"[\w-]{2,}(?:\.[\w-]{2,})*\.[a-z]{2,}(?:[/:]\S*)?")
_SPELLED = frozenset({"at", "dot", "slash", "point", "punkt", "punto", "arroba", "http", "https", "www", "@"})
_UNSPACED = re.compile(f"[{scripts.UNSPACED}]")


class Source:
    """What a text says, for those who say it otherwise."""

    def __init__(self, text: str, language: Language) -> None:
        self.language = language
        self._text = text.casefold()
        self._atoms = atoms(text, language)
        self._plain = all(one.text.isascii() for one in self._atoms)  # who wrote it had no accents
        self.words = {one.text for one in self._atoms}
        for place, one in enumerate(self._atoms):  # what is written with marks is one word as well
            if one.glued and place + 1 < len(self._atoms):
                self.words.add(one.text + self._atoms[place + 1].text)

    @cached_property
    def _values(self) -> set[str]:
        """Numbers that stand in words, as digits."""
        found = set[str]()
        for place, one in enumerate(self._atoms):
            if one.text in self.language.numbers or one.text in self.language.ordinals:
                amount = amount_at(self._atoms, place, self.language)
                found |= {str(amount.value)} if amount else set()
                found.add(str(self.language.numbers.get(one.text, self.language.ordinals.get(one.text))))
        return found

    @cached_property
    def _stems(self) -> set[str]:
        return {word[:_STEM] for word in self.words}

    @cached_property
    def _line(self) -> str:
        return f" {' '.join(one.text for one in self._atoms)} "

    def invented(self, said: str, names: Iterable[str] = (), *, title: bool = False) -> list[str]:
        """Names, numbers and days that the text does not have. `names` are those that its author lists himself."""
        found = [one for one in names if not self._has_name(one)]
        found += [one for one in _addresses(said) if not self._has_address(one)]
        given = atoms(said, self.language)
        # In A Heading Of This Kind capital letters say nothing.
        capitals = not title or any(one.shown.islower() and len(one.shown) >= _STEM for one in given)
        found += [
            one.shown
            for place, one in enumerate(given)
            if not self._has(one) and one.kind != "symbol" and self._is_new(given, place, capitals=capitals)
        ]
        return list(dict.fromkeys(found))[:_MOST]

    def says(self, words: str) -> bool:
        """Whether these words stand in the text one after the other; marks, case and digits are free."""
        return self._sequence.has(_plainly(atoms(words, self.language), self.language))

    def is_about(self, task: str) -> bool:
        """Whether what is to be done has something to do with the text."""
        words = [
            one for one in atoms(task, self.language)
            if one.kind == "word" and (len(one.text) >= _STEM or _UNSPACED.match(one.text))
        ]  # fmt: skip
        known = sum(self._has(one) or (len(one.text) >= _STEM and one.text[:_STEM] in self._stems) for one in words)
        return known * _LEAST >= len(words)

    def _is_new(self, given: Sequence[Atom], place: int, *, capitals: bool) -> bool:
        """Whether a word that the text does not have is a number, a day or a name."""
        one = given[place]
        if one.kind == "number":
            return one.text not in self._values
        number = self.language.numbers.get(one.text, 0)
        ordinal = self.language.ordinals.get(one.text, 0)
        if number > 1 or ordinal > _COUNTED:
            value = str(max(number, ordinal))
            return value not in self.words and value not in self._values
        return one.text in self.language.dates or (capitals and self._is_name(given, place))

    def _has(self, one: Atom) -> bool:
        return one.text in self.words or (self._plain and unaccented(one.text) in self.words)

    def _has_address(self, address: str) -> bool:
        if address.casefold() in self._text:
            return True
        words = _plainly(atoms(address, self.language), self.language)
        return self._spoken.has([one for one in words if one not in _SPELLED])

    @cached_property
    def _sequence(self) -> "_Sequence":
        return _Sequence(_plainly(self._atoms, self.language))

    @cached_property
    def _spoken(self) -> "_Sequence":
        """As addresses are spoken: anna at example dot com."""
        return _Sequence([one for one in _plainly(self._atoms, self.language) if one not in _SPELLED])

    def _has_name(self, name: str) -> bool:
        given = atoms(name, self.language)
        line = " ".join(one.text for one in given)
        return not given or f" {line} " in self._line or all(self._knows(one) for one in given)

    def _knows(self, one: Atom) -> bool:
        """Whether the text has it, be it in another form of the same name."""
        if self._has(one):
            return True
        if self.language.one_form or len(one.text) <= _STEM:  # a language whose names have one form
            return False
        stem = one.text[:-_ENDING]
        return any(word.startswith(stem) and abs(len(word) - len(one.text)) <= _ENDING for word in self.words)

    def _is_marked(self, given: Sequence[Atom], place: int) -> bool:
        """Whether a word is written like a name wherever it stands: NATO, McCoy, Q3."""
        one = given[place]
        numbered = one.glued and place + 1 < len(given) and given[place + 1].kind == "number"
        return numbered or any(map(str.isupper, one.shown[1:]))

    def _is_name(self, given: Sequence[Atom], place: int) -> bool:
        """Whether a word that the text does not have must be a name."""
        one = given[place]
        if not one.shown[0].isupper() or one.shown == "I" or self._knows(one):
            return False
        if place and given[place - 1].glued and not given[place - 1].shown[0].isupper():
            return False  # what follows an apostrophe
        if one.initial and not self._is_marked(given, place):
            return False
        if self.language.nouns:
            beside = [given[near] for near in (place - 1, place + 1) if 0 <= near < len(given)]
            return any(near.shown[0].isupper() and not near.initial for near in beside)
        return True


class _Sequence:
    """Words one after the other, whatever stands between them."""

    def __init__(self, words: Sequence[str]) -> None:
        self._whole = "".join(words)
        self._edges = {0}
        at = 0
        for one in words:
            at += len(one)
            self._edges.add(at)

    def has(self, words: Sequence[str]) -> bool:
        wanted = "".join(words)
        at = self._whole.find(wanted)
        while at >= 0 and not (at in self._edges and at + len(wanted) in self._edges):
            at = self._whole.find(wanted, at + 1)
        return at >= 0


def _plainly(some: Sequence[Atom], language: Language) -> list[str]:
    """Numbers in digits, and nothing but letters and digits."""
    found: list[str] = []
    place = 0
    while place < len(some):
        amount = amount_at(some, place, language)
        if amount is not None:
            found.append(str(amount.value))
            place += amount.words
            continue
        suffix = place > 0 and some[place - 1].kind == "number" and some[place - 1].glued
        if not (suffix and some[place].text in SUFFIXES):
            found += re.findall(r"\w+", unaccented(some[place].text))
        place += 1
    return found


def _addresses(said: str) -> list[str]:
    tokens = (one.strip(".:!?'’*_`") for one in _BETWEEN.split(said))
    return [
        one for one in tokens if "@" in one[1:-1] or "://" in one or one.startswith("www.") or _DOMAIN.fullmatch(one)
    ]
