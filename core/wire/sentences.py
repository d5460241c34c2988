"""Long texts cut where a reader would pause: at ends of sentences, else of clauses, words, characters. Pure.

Nothing is lost: the parts of a text, joined, are the text. White space belongs to what it follows.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

# Of a text that has a limit: 1 or more for each character, and no more for a text than for its parts together.
Size = Callable[[str], int]

# What ends a sentence wherever it stands: marks with no space behind them, and those that mean nothing else.
_FULL = "。！？．｡।॥؟۔።፧፨។៕။։།‽"
_CLOSING = "\"'”’»›)]}」』）】》〉〕］｝"
_OPENING = "「『（【《〈〔［｛“‘«‹\"'([{"
_END = re.compile(
    rf"(?P<full>[{_FULL}]+[.!?…{_FULL}]*)(?P<shut>[{re.escape(_CLOSING)}]*)(?P<space>\s*)"
    rf"|(?<![.!?…])(?P<mark>[.!?…]++)[{re.escape(_CLOSING)}]*+\s++"  # all of it or nothing, so that time is linear
    r"|(?<!\s)\s*\n[^\S\n]*\n\s*"  # an empty line
)
_CLAUSE = re.compile(rf"[,;:–—،؛][{re.escape(_CLOSING)}]*\s+|[，、；：]+[{re.escape(_CLOSING)}]*\s*")
_WORD = re.compile(r"\s+")
_LAST_WORD = re.compile(r"[^\W_]+(?:\.[^\W_]+)*$")
_GROWTH = 4
_LONGEST_WORD = 30  # characters to look back for one
_LONGEST_NUMBER = 2  # digits of what may be an ordinal (am 3. Oktober), and not a year that ends a sentence
_JOINER = "\u200d"
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
# Words that have a full stop and go on. What often ends a sentence as well (etc., usw.) is left out.
_ABBREVIATIONS = frozenset(
    re.findall(
        r"\w+",
        """
        mr mrs ms mx dr prof rev hon sr jr st mt gen col sgt capt lt cpl adm gov sen rep pres messrs esq vs viz cf al
        approx dept est eds incl excl jan feb apr jun jul aug sep sept oct nov dec tue tues thu thur thurs
        hr fr dipl ing bzw ca evtl ggf inkl zzgl aufl bd hrsg jh str tel vgl sog geb gest usf resp
        mme mlle mgr env sra srta dna ud uds vd vds dott sig sigg avv dhr mevr mej bijv tj tzn np ul inż
        г гг ул им тыс млн млрд руб проф акад
        """,
    )
)
# Those that do so before a number, and are words of their own besides.
_OF_NUMBERS = frozenset(("no", "nos", "nr", "fig", "figs", "p", "pp", "pág", "vol", "ch", "sec", "art", "para", "abs"))


def sentences(text: str) -> list[str]:
    """A text as its sentences, each with what stands behind it."""
    ends = [match.end() for match in _END.finditer(text) if match.end() < len(text) and _ends(text, match)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True) if end > start]


def parts(text: str, most: int, size: Size = len, first: int | None = None) -> list[str]:
    """A text in as few parts as its sentences allow, none larger than `most`.

    `first` is how large the first part should rather be, so that something can begin early: it has whole sentences of
    that size together, or one alone. Each part after it may be some times as large as the one before.
    """
    found: list[str] = []
    open_part, room = "", min(most, first or most)
    filled = 0
    for sentence in sentences(text):
        for piece in [sentence] if size(sentence) <= most else _pieces(sentence, most, size):
            needed = size(piece)
            if open_part and filled + needed > room:
                found.append(open_part)
                open_part, filled, room = "", 0, min(most, max(room, filled) * _GROWTH)
            open_part += piece
            filled += needed
    return [*found, open_part] if open_part else found


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether a sentence ends there: no abbreviation, no ordinal, nor what somebody said in the middle of one."""
    following = text[match.end()]
    if match["full"]:
        # 「何？」と言った goes on; 「はい。」「いいえ。」 does not.
        return not match["shut"] or bool(match["space"]) or following in _OPENING
    if match["mark"] is None:
        return True  # an empty line
    if following.islower() and "\n\n" not in match[0]:
        return False
    return match["mark"] != "." or match[0][1:2] in _CLOSING_SET or not _shortened(text, match.start(), following)


_CLOSING_SET = frozenset(_CLOSING)


def _shortened(text: str, stop: int, following: str) -> bool:
    """Whether the full stop belongs to the word before it."""
    found = _LAST_WORD.search(text, max(0, stop - _LONGEST_WORD), stop)
    if found is None:
        return False
    word, before = found[0], text[found.start() - 1 : found.start()]
    if word.isdigit():
        return len(word) <= _LONGEST_NUMBER and following.isalpha()
    if following.isdigit() and word.lower() in _OF_NUMBERS:
        return True
    if len(word) == 1:
        return word.isupper() and word != "I" and before not in {"'", "’"}  # J. R. R. Tolkien, not Mary's
    if all(len(one) == 1 for one in word.split(".")):
        return True  # U.S. Army, z.B. Äpfel
    return word.lower() in _ABBREVIATIONS


def _pieces(sentence: str, most: int, size: Size) -> Iterator[str]:
    """A sentence that is too long: at clauses, else between words, else wherever a character ends."""
    start = 0
    while start < len(sentence):
        rest = sentence[start : start + most + 1]
        cut = len(rest)
        if size(rest) > most:
            room = _fitting(rest, most, size)
            cut = _last(_CLAUSE, rest, room, room // 2) or _last(_WORD, rest, room, 0) or _whole(rest, room)
        yield rest[:cut]
        start += cut


def _fitting(text: str, most: int, size: Size) -> int:
    """How many characters of a text that is too large are not."""
    low, high = 0, min(len(text), most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= most else (low, middle - 1)
    if low == 0:
        raise ValueError(f"no character of it fits into {most}")
    return low


def _last(pattern: re.Pattern[str], text: str, most: int, least: int) -> int:
    """The last place within `most` characters where a pattern ends, and not before `least`."""
    found = [match.end() for match in pattern.finditer(text, least, most) if match.end() > least]
    return found[-1] if found else 0


def _whole(text: str, most: int) -> int:
    """The last place where no character is separated from its marks."""
    cut = most
    while cut > 0 and _belongs(text, cut):
        cut -= 1
    return cut or most


def _belongs(text: str, place: int) -> bool:
    """Whether a mark is part of the character before it: an accent, a vowel sign, a skin's colour, what is joined."""
    before, mark = text[place - 1], text[place]
    if mark in _FLAG_LETTERS:
        letters = len(text[:place]) - len(text[:place].rstrip(_FLAG_LETTERS))
        return letters % 2 == 1  # two are a flag
    return (
        before == _JOINER
        or mark in {_JOINER, "\u200c"}
        or unicodedata.category(mark)[0] == "M"
        or "\U0001f3fb" <= mark <= "\U0001f3ff"
    )
