"""Whether a translation has the numbers of its text, however its language writes them. Pure."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from core.wire.translation.languages import base

_CHAIN = re.compile(r"\d+(?:[.,:/'’٫٬\u00a0\u202f\u2009 ()+-]{1,2}\d+)*")
_NUMBER = re.compile(r"\d+")
_GROUPS = re.compile(r"(?<=\d)[.,'’٬\u00a0\u202f\u2009 ](?=\d{3}(?!\d))")
_DECADE = re.compile(r"\d+0(?='?s\b)")
# Words of many, beside which digits say less than the whole: 5 million, 500万.
_MANY = re.compile(
    r"\d\s*(?:[万萬億亿兆千百만억천백조]|mil|mio|mln|mrd|mld|bill|bn\b|млн|млрд|мільй|милли|миллиа|тыс|тис|thous|hund|taus|"
    r"cent|mille|tys|tis|ribu|juta|bin\b|milyar|tuhat|ezer|lakh|crore|लाख|करोड़|हज़ार|ล้าน|พัน|หมื่น|แสน|"
    r"nghìn|ngàn|triệu|tỷ|مليون|ألف|مليار|אלף|מיליון|k\b|m\b|dozen|score)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b[ap]\.?\s?m\b|o['’]clock|\d[:.h]\d\d|[午晚晨]|오[전후]", re.IGNORECASE)
# Words that may have become digits: numbers and months.
_SAID = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|"
    r"dozen|first|second|third|half|january|february|"
    r"march|april|may|june|july|august|september|october|november|december|ein|eine|zwei|drei|vier|fünf|sechs|sieben|"
    r"acht|neun|zehn|januar|februar|märz|mai|juni|juli|oktober|dezember|un|une|deux|trois|quatre|cinq|dix|janvier|"
    r"février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|dos|tres|cuatro|cinco|diez|enero|"
    r"febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)\b|[一二三四五六七八九十]",
    re.IGNORECASE,
)
_DAYS = 31
# Years are counted from elsewhere.
_ERAS = {"th": (543,), "lo": (543,), "km": (543,), "my": (543, -638), "fa": (-621, -622), "ja": (-2018, -1988, -1925),
         "zh": (-1911,), "am": (-7, -8), "ne": (56, 57)}  # fmt: skip


def has_numbers(text: str) -> bool:
    return _NUMBER.search(text) is not None


def says_numbers(text: str) -> bool:
    """In digits or in words."""
    return has_numbers(text) or _SAID.search(text) is not None


def numbers_fault(source: str, answer: str, target: str, spoken: str | None) -> str | None:
    many = _MANY.search(source) is not None or _MANY.search(answer) is not None
    lost, new = _unlike(source, answer, zeros=many)
    if not lost:
        return None
    clock = _CLOCK.search(source) is not None or _CLOCK.search(answer) is not None
    decades = set(_DECADE.findall(source))
    eras = {*_ERAS.get(base(target), ()), *(-one for one in _ERAS.get(base(spoken or ""), ()))}
    for one in [*lost.elements()]:
        for other in [*new.elements()]:
            if _is_same(one, other, many=many, clock=clock, eras=eras):
                lost[one] -= 1
                new[other] -= 1
                break
    lost, new = +lost, +new
    words = _SAID.search(source) is not None
    invented = [one for one in new if not (words and len(one) < 3 and int(one) <= _DAYS)]
    if lost and invented:
        return "its numbers are not those of the text"
    missing = [one for one in lost if len(one) >= 3 and not one.endswith("00") and one not in decades and not many]
    if missing or (lost.total() >= 4 and lost.total() * 2 > sum(1 for _ in _NUMBER.finditer(source))):
        return "numbers of the text are missing in it"
    return None


def _unlike(source: str, answer: str, *, zeros: bool) -> tuple[Counter[str], Counter[str]]:
    """The numbers that are only in one of both, where not only signs between their digits are others."""

    def whole(chain: tuple[str, ...]) -> str:
        digits = "".join(chain)
        return digits.rstrip("0") if zeros else digits

    sides = [[*_chains(source)], [*_chains(answer)]]
    given, made = (Counter(map(whole, chains)) for chains in sides)
    found = []
    for chains in sides:
        equal, left = given & made, Counter[str]()
        for chain in chains:
            if equal[whole(chain)] > 0:
                equal[whole(chain)] -= 1
            else:
                left.update(one.lstrip("0") or "0" for one in chain)
        found.append(left)
    lost, new = found
    return lost - new, new - lost


def _chains(text: str) -> Iterator[tuple[str, ...]]:
    for found in _CHAIN.findall(_GROUPS.sub("", text)):
        yield tuple(_digits(one) for one in _NUMBER.findall(found))


def _digits(number: str) -> str:
    """In our digits, whatever a language writes them with."""
    return "".join(str(unicodedata.digit(one, 0)) for one in number)


def _is_same(given: str, made: str, *, many: bool, clock: bool, eras: set[int]) -> bool:
    """Whether one number can be said as the other."""
    if many and given.rstrip("0") == made.rstrip("0"):
        return True
    if len(given) > 6 or len(made) > 6:
        return False
    one, other = int(given), int(made)
    if clock and abs(one - other) == 12 and max(one, other) <= 24:
        return True
    century = 1000 <= one <= 2100 and (other == one % 100 or (one % 100 == 0 and other == one // 100 + 1))
    return century or (min(one, other) > 0 and other - one in eras)
