"""Whether an answer can be the translation of a text. Pure.

It says no only where it is sure: a short text says little about its language, and a name is the same everywhere.
What it says quotes neither text.
"""

import html as entities
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from core.languages import base_of, label_of
from core.wire.function_words import hits, languages
from core.wire.scripts import TEN_THOUSANDS, UNMARKED, WEIGHTS, is_word_apart, script_of, scripts_of
from core.wire.translation.placeholders import LOOSE, TAGS, Piece, pieces

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+")
_GROUPS = re.compile(r"(?<=\d)[.,'’٬\u00a0\u202f\u2009 ](?=\d{3}(?!\d))")
_SENTENCE = re.compile(r"[.!?…。！？।؟۔]+(?:\s|$|(?<=[。！？]))")
_TERMINAL = re.compile(r"[.!?…:;。！？：；।؟۔।॥։።៕»”’\"')\]）」』}>]\s*$")
_ATTRIBUTE = re.compile(r"""([\w:@.-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'<>]+))?""")
# Attributes that are read by people, which a translator may translate, and such as say of which language a text is.
_SPOKEN = frozenset({"title", "alt", "placeholder", "aria-label", "content", "label", "summary", "lang", "dir"})
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_PROFILES = {"bs": "hr", "nn": "nb", "ms": "id"}
# Whose small words are mostly those of a language that has none of its own here.
_NEIGHBOURS = {"gl": {"pt", "es"}, "af": {"nl"}, "lb": {"de"}, "oc": {"ca", "fr"}, "fo": {"da"}, "co": {"it"}}
_NAME_LIKE = re.compile(r"[A-ZÀ-ÖØ-Þ]|.*[A-Z0-9]")


class _Text(NamedTuple):
    """A text and what of it is language."""

    whole: str
    pieces: Sequence[Piece]
    bare: str
    words: list[str]
    numbers: Counter[str]


def fault(
    source: str,
    answer: str,
    *,
    target: str,
    spoken: str | None = None,
    html: bool = False,
    glossary: Mapping[str, str] | None = None,
) -> str | None:
    """Why it is none, in words; `spoken` is the language of the source, if somebody knows it."""
    given, made = _read(source, html=html), _read(answer, html=html)
    if not made.bare.strip() and given.words:
        return "it is empty"
    return (
        _lost(given, made, html=html)
        or (_html_fault(given, made) if html else None)
        or _lost_numbers(given, made, target)
        or _length_fault(given, made, target)
        or _language_fault(given, made, target, spoken)
        or _glossary_fault(given, made, glossary or {})
    )


def _read(text: str, *, html: bool) -> _Text:
    found = pieces(text, html=html)
    parts, at = [], 0
    for piece in found:
        parts += [text[at : piece.start], entities.unescape(piece.text) if piece.kind == "entity" else " "]
        at = piece.end
    bare = "".join([*parts, text[at:]])
    numbers = Counter(_digits(one) for one in _NUMBER.findall(_GROUPS.sub("", bare)))
    return _Text(text, found, bare, _WORD.findall(bare.casefold()), numbers)


def _digits(number: str) -> str:
    """In our digits, whatever a language writes them with."""
    return "".join(str(unicodedata.digit(one, 0)) for one in number)


def _lost(given: _Text, made: _Text, *, html: bool) -> str | None:
    free = LOOSE | TAGS if html else LOOSE
    wanted = {one.text for one in given.pieces if one.kind not in free}
    changed = sum(given.whole.count(one) != made.whole.count(one) for one in wanted)
    if changed:
        return f"{changed} of its {len(wanted)} placeholders are missing, changed or repeated"
    invented = Counter(one.text for one in made.pieces if one.kind in _PROGRAMS) - Counter(
        one.text for one in given.pieces if one.kind in _PROGRAMS
    )
    return "it has placeholders that the text has not" if invented else None


_PROGRAMS = frozenset({"mark", "braces", "brace", "format", "named", "icu"})


def _html_fault(given: _Text, made: _Text) -> str | None:
    tags = [_tag(one.text) for one in given.pieces if one.kind in TAGS]
    found = [_tag(one.text) for one in made.pieces if one.kind in TAGS]
    loose = "<" in made.bare and "<" not in given.bare and "&lt;" not in given.whole
    if Counter(tags) != Counter(found) or loose or (_balanced(tags) and not _balanced(found)):
        return "its HTML is not that of the text"
    return None


def _tag(text: str) -> tuple[str, ...]:
    """What a tag is, apart from what of it is language."""
    if text.startswith("<!") or text.count("<") > 1:
        return (" ".join(text.split()),)
    name, *attributes = _ATTRIBUTE.findall(text.strip("</>"))
    kept = [f"{key.lower()}={value.strip(chr(34) + chr(39))}" for key, value in attributes if key not in _SPOKEN]
    return ("/" if text.startswith("</") else "", name[0].lower(), "/" if text.endswith("/>") else "", *sorted(kept))


def _balanced(tags: Sequence[tuple[str, ...]]) -> bool:
    waiting: list[str] = []
    for tag in tags:
        if len(tag) == 1 or tag[2] or tag[1] in _VOID:
            continue
        if not tag[0]:
            waiting.append(tag[1])
        elif not waiting or waiting.pop() != tag[1]:
            return False
    return not waiting


def _lost_numbers(given: _Text, made: _Text, target: str) -> str | None:
    """Long numbers have to be there. Short ones can become words, round ones too: a thousand, half past."""
    lost = given.numbers - made.numbers
    if not lost:
        return None
    together = "".join(made.numbers.elements())
    round_ones = "000" if base_of(target) not in TEN_THOUSANDS else "0"
    missing = [one for one in lost if len(one) >= 4 and not one.endswith(round_ones) and one not in together]
    if missing or (lost.total() >= 4 and lost.total() * 2 > given.numbers.total()):
        return "numbers of the text are missing in it"
    return None


def _length_fault(given: _Text, made: _Text, target: str) -> str | None:
    said, came = _weight(given.bare), _weight(made.bare)
    if said >= 40 and came < 0.3 * said:
        return "it is much shorter than the text"
    if came > 3 * said + 60 or (said >= 200 and came > 2.4 * said):
        return "it is much longer than the text"
    if said < 160:
        return None
    lines, kept = _lines(given.bare), _lines(made.bare)
    short = came < 0.4 * said or (lines >= 4 and kept * 2 < lines)
    return "it ends before the text does" if short or _is_cut(given, made, base_of(target), came / said) else None


def _is_cut(given: _Text, made: _Text, language: str, share: float) -> bool:
    """Whether it lacks the end of the text, or many of its sentences."""
    if language in UNMARKED:
        return False
    open_end = _TERMINAL.search(given.whole) is not None and _TERMINAL.search(made.whole) is None
    if language in TEN_THOUSANDS:  # which leave out the mark at the end of a list
        return open_end and share < 0.7
    sentences, answered = len(_SENTENCE.findall(given.bare)), len(_SENTENCE.findall(made.bare))
    return open_end or (sentences >= 5 and answered * 2 < sentences)


def _lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def _weight(text: str) -> float:
    """How much a text says, by its letters and digits."""
    return sum(
        count * (1.0 if one.isascii() else WEIGHTS.get(script_of(one), 1.0))
        for one, count in Counter(text).items()
        if one.isalnum()
    )


def _scripts(words: Sequence[str]) -> Counter[str]:
    """How many letters of each script."""
    found = Counter[str]()
    for letter, count in Counter("".join(words)).items():
        found[script_of(letter)] += count
    return found


def _language_fault(given: _Text, made: _Text, target: str, spoken: str | None) -> str | None:
    if not made.words:
        return None
    known = set(given.words)
    new = [word for word in made.words if word not in known]
    wrong = f"it is not in {label_of(target)}"
    counts = _scripts(made.words)
    expected, total = scripts_of(target), counts.total()
    inside = sum(counts[script] for script in expected)
    if expected and inside == 0 and total > 1 and not _could_be_names(given, made):
        return wrong
    fresh = _scripts(new)
    if expected and fresh.total() >= 10 and 2 * sum(fresh[script] for script in expected) < fresh.total():
        return wrong
    language = base_of(target)
    if language == "ja" and counts["CJK"] >= 12 and not counts["HIRAGANA"] + counts["KATAKANA"]:
        return wrong
    if language == "zh" and counts["HIRAGANA"] >= 6 and counts["HIRAGANA"] * 5 > counts["CJK"]:
        return wrong
    if 5 * len(new) <= len(made.words):
        return "it is the text itself" if _is_untranslated(given, made, language, spoken) else None
    return wrong if _is_other(new, language, spoken) else None


def _profile(language: str, words: Sequence[str]) -> str | None:
    """By whose small words a language is known; None when nobody wrote them down."""
    if language == "sr" and not any(script_of(word[0]) == "CYRILLIC" for word in words):
        return "hr"
    language = _PROFILES.get(language, language)
    return language if language in languages() else None


def _is_other(words: list[str], language: str, spoken: str | None) -> bool:
    """Whether these words are surely of another language."""
    found, profile = hits(words), _profile(language, words)
    if not found:
        return False
    if profile is None:
        own = base_of(spoken) if spoken else ""
        count = found.get(own, 0)
        return own not in _NEIGHBOURS.get(language, ()) and count >= 4 and count * 2 >= len(words)
    ours, best = found.get(profile, 0), max(found.values())
    if ours == 0:
        return best >= 2 and (best == len(words) or (len(words) >= 4 and best * 10 >= len(words) * 4) or best >= 4)
    return best >= 4 and best > 3 * ours


def _is_untranslated(given: _Text, made: _Text, language: str, spoken: str | None) -> bool:
    """Whether what was said again is a text that would have been another one in the other language."""
    words = made.words
    if _is_other(words, language, spoken):
        return not _could_be_names(given, made)
    if len(words) < 4 or (_profile(language, words) and hits(words).get(str(_profile(language, words)), 0)):
        return False
    plain = [word for word in _WORD.findall(given.bare) if len(word) > 2 and word.islower()]
    other = spoken is not None and base_of(spoken) != language
    return other and len(plain) * 10 >= len(words) * 6 and given.words == made.words


def _could_be_names(given: _Text, made: _Text) -> bool:
    """Whether a text may stay as it is in any language: names, abbreviations, a single word of a trade."""
    if set(made.words) - set(given.words):
        return False
    words = _WORD.findall(given.bare)
    if any(script_of(word[0]) != "LATIN" for word in words):
        return False
    plain = [word for word in words if len(word) > 1 and not _NAME_LIKE.match(word)]
    if len(words) == 1:
        return not plain or not hits(plain)
    return len(plain) * 3 < len(words) or all(len(word) <= 3 for word in plain)


def _glossary_fault(given: _Text, made: _Text, glossary: Mapping[str, str]) -> str | None:
    answer = made.whole.casefold()
    for term, wanted in glossary.items():
        if not wanted.strip() or not says(given.bare, term):
            continue
        stems = [_stem(word) for word in wanted.casefold().split()]
        if not all(stem in answer for stem in stems):
            return "a term of the glossary is translated otherwise"
    return None


def says(text: str, term: str) -> bool:
    """Whether a term stands in a text, as a word where its script has spaces."""
    return term_in(term).search(text) is not None


@lru_cache(1024)
def term_in(term: str) -> re.Pattern[str]:
    first = r"(?<!\w)" if is_word_apart(term[:1]) else ""
    last = r"(?!\w)" if is_word_apart(term[-1:]) else ""
    return re.compile(f"{first}{re.escape(term)}{last}", re.IGNORECASE)


def _stem(word: str) -> str:
    """What stays of a word in every case and number."""
    return word if len(word) < 5 else word[: max(4, len(word) - 2)]
