"""Regular expressions of a schema: what they cost, by their looks, before anybody prepares or runs them. Pure."""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<wide>\\[pP](?:\{[^}]*\}|.)?)|(?P<escape>\\.)|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?<?\w*[:>])?)"
    r"|(?P<close>\))|\{(?P<least>\d+)(?:,(?P<most>\d*))?\}|(?P<one>.)",
    re.DOTALL,
)
_LOOKS = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?<?[=!]|\\[1-9]|\\k<)")
_LONGEST = 2000  # characters
_LEAST = 20  # to prepare any
_LETTERS = 200  # a class of Unicode has hundreds of ranges
_CLASS = 5
_MOST = 10**6  # beyond it nothing is told apart


class Cost(NamedTuple):
    """Of one expression or of many."""

    build: int = 0  # to prepare it: about a microsecond and a quarter of a kilobyte each
    steps: int = 0  # to hold a character to it, at the worst: about 20 ns each

    def __add__(self, other: tuple[int, ...]) -> "Cost":  # type: ignore[override] # a sum of its parts, not a longer tuple
        return Cost(min(self.build + other[0], _MOST), min(self.steps + other[1], _MOST))

    def times(self, count: int) -> "Cost":
        return Cost(min(self.build * count, _MOST), min(self.steps * count, _MOST))


def cost_of(pattern: str) -> Cost:
    """Counted repetitions are written out when an expression is prepared, one in the other too."""
    if len(pattern) > _LONGEST:
        return Cost(_MOST, _MOST)
    groups = [Cost(1, 1)]  # those that are open, each with what has been read of it
    last = Cost()  # what a repetition would repeat
    for found in _TOKEN.finditer(pattern):
        kind = found.lastgroup
        if kind == "open":
            groups.append(Cost(1, 1))
            last = Cost()
        elif kind in {"least", "most"}:
            whole = last.times(max(_number(found["least"]), _number(found["most"])))
            groups[-1] = groups[-1] + whole
            last = whole
        else:
            last = groups.pop() if kind == "close" and len(groups) > 1 else Cost(_build(found), 1)
            groups[-1] = groups[-1] + last
    return sum(groups, Cost(_LEAST))


def looks_around(pattern: str) -> bool:
    """Whether it looks ahead or back: the time that takes may grow with a power of the text it is held to."""
    return _LOOKS.search(pattern) is not None


def _build(found: re.Match[str]) -> int:
    if found["wide"]:
        return _LETTERS
    if within := found["class"]:
        return _CLASS + len(within) + _LETTERS * len(re.findall(r"\\[pP]", within))
    return _CLASS if found["escape"] or found[0] == "." else 1


def _number(digits: str | None) -> int:
    return int((digits or "0")[:7])
