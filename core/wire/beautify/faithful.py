"""Whether a text that was cleaned still says what it said, and whether a summary invents nothing. Pure, and linear.

Cleaning may change case and punctuation, leave out sounds that mean nothing and a word said twice in a row, and add
headings and list marks. A summary says it otherwise, but its names, numbers and days are those of the text.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from core.wire.beautify.wording import Language

_MOST = 20  # differences that are looked for
_WINDOW = 40  # words within which two texts meet again
_SHOWN = 12  # words of a difference
_STEM = 4  # letters by which words are akin
_ENDING = 2  # letters that a name may gain or lose by grammar
_MARKS = "".join(chr(code) for code in range(0x300, 0x1E00) if unicodedata.category(chr(code))[0] == "M")
# Scripts that write no spaces: each letter counts by itself.
_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_ATOM = re.compile(
    rf"(?P<number>(?:(?<!\w)[-−+])?\d+(?:[.,:/'’]\d+)*)"
    rf"|(?P<word>[{_DENSE}][{_MARKS}]*|(?:(?![{_DENSE}])[^\W\d_][{_MARKS}]*)+)"
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


class Atom(NamedTuple):
    text: str  # as it is compared
    shown: str
    kind: Literal["number", "word", "symbol"]
    glued: bool  # to the next: nothing stands between them, or a mark that may come and go
    initial: bool  # it begins a sentence
    spare: bool  # a heading's or a list's: it may be missing in the source


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
        found.append(Atom(same, shown, kind, following in _GLUE, initial, first <= start < last))  # type: ignore[arg-type] # a group's name
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
    if language.common and _GROUPED[language.points].fullmatch(plain):
        return plain.replace("," if language.points else ".", "")
    return plain


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

    def slips(self) -> list[Slip]:
        had, has = self._had, self._has
        at = to = 0
        found: list[Slip] = []
        before: Atom | None = None
        while (at < len(had) or to < len(has)) and len(found) < _MOST:
            if at < len(had) and to < len(has):
                if had[at].text == has[to].text:
                    before = had[at]
                    at, to = at + 1, to + 1
                    continue
                if (many := _joined(had, at, has, to)) or (many := _joined(has, to, had, at)[::-1]):
                    before = had[at + many[0] - 1]
                    at, to = at + many[0], to + many[1]
                    continue
            if at < len(had) and (many_more := self._idle(at, before)):
                at += many_more
            elif to < len(has) and has[to].spare:
                to += 1
            else:
                gone, new = self._apart(at, to)
                found.append(self._slip(had[at : at + gone], has[to : to + new]))
                at, to = at + gone, to + new
        return found

    def _idle(self, at: int, before: Atom | None) -> int:
        """How many words from here on may be left out: a filler's, or one that is said again."""
        one = self._had[at]
        for phrase in self._fillers.get(one.text, ()):
            said = self._had[at : at + len(phrase)]
            tied = said[-1].glued or (at > 0 and self._had[at - 1].glued)  # uh-uh is a no
            if tuple(each.text for each in said) == phrase and not (tied and phrase[0].isascii()):
                return len(phrase)
        again = before is not None and before.text == one.text and one.kind == "word"
        if not again or before is None or one.text in self._counted:
            return 0
        name = one.shown[:1].isupper() and before.shown[:1].isupper() and len(one.shown) > 1
        dense = re.fullmatch(rf"[{_DENSE}][{_MARKS}]*", one.text)  # two of the same letter may be a word
        return 0 if name or dense else 1

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


class Source:
    """What a text says, for those who say it otherwise."""

    def __init__(self, text: str, language: Language) -> None:
        self.language = language
        self._atoms = atoms(text, language)
        self.words = {one.text for one in self._atoms}
        for place, one in enumerate(self._atoms):  # what is written with marks is one word as well
            if one.glued and place + 1 < len(self._atoms):
                self.words.add(one.text + self._atoms[place + 1].text)

    @cached_property
    def _values(self) -> set[str]:
        """Numbers that stand in words, as digits."""
        numbers, found = self.language.numbers, set[str]()
        before = 0
        for one in self._atoms:
            value = numbers.get(one.text)
            if value is not None:
                found.add(str(value))
                if 20 <= before < 100 and 0 < value < 10:
                    found.add(str(before + value))
            before = value or 0
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
        given = atoms(said, self.language)
        # In A Heading Of This Kind capital letters say nothing.
        capitals = not title or any(one.shown.islower() and len(one.shown) >= _STEM for one in given)
        for place, one in enumerate(given):
            if one.text in self.words or one.kind == "symbol":
                continue
            number = self.language.numbers.get(one.text, 0)
            if one.kind == "number":
                wrong = one.text not in self._values
            elif number > 1:
                wrong = str(number) not in self.words
            else:
                wrong = one.text in self.language.dates or (capitals and self._is_name(given, place))
            if wrong:
                found.append(one.shown)
        return list(dict.fromkeys(found))[:_MOST]

    def _has_name(self, name: str) -> bool:
        given = atoms(name, self.language)
        line = " ".join(one.text for one in given)
        return not given or f" {line} " in self._line or all(self._knows(one) for one in given)

    def _knows(self, one: Atom) -> bool:
        """Whether the text has it, be it in another form of the same name."""
        if one.text in self.words:
            return True
        if self.language.starters or len(one.text) <= _STEM:  # a language whose names have one form
            return False
        stem = one.text[:-_ENDING]
        return any(word.startswith(stem) and abs(len(word) - len(one.text)) <= _ENDING for word in self.words)

    def _is_name(self, given: Sequence[Atom], place: int) -> bool:
        """Whether a word that the text does not have must be a name."""
        one = given[place]
        if not one.shown[0].isupper() or one.shown == "I" or self._knows(one):
            return False
        if place and given[place - 1].glued and not given[place - 1].shown[0].isupper():
            return False  # what follows an apostrophe
        starters = self.language.starters
        if one.initial:
            akin = one.text[:_STEM] in self._stems or one.text[: _STEM - 1] in self.words
            return bool(starters) and one.text not in starters and not akin
        if self.language.nouns:
            beside = [given[near] for near in (place - 1, place + 1) if 0 <= near < len(given)]
            return any(near.shown[0].isupper() and not near.initial for near in beside)
        return True
