"""Whether an answer can be the translation of a text. Pure.

It says no only where it is sure: a short text says little about its language, and a name is the same everywhere.
What it says quotes neither text.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from core.wire.translation.common_words import is_common
from core.wire.translation.languages import base
from core.wire.translation.numbers import has_numbers, numbers_fault, says_numbers
from core.wire.translation.placeholders import LOOSE, TAGS
from core.wire.translation.reading import DENSE, Text, read, script, weight
from core.wire.translation.refusals import declines
from core.wire.translation.tongue import language_fault

_SENTENCE = re.compile(r"[.!?…。！？।؟۔]+(?:\s|$|(?<=[。！？]))")
_TERMINAL = re.compile(r"[.!?…:;。！？：；।؟۔।॥։።៕»”’\"')\]）」』}>]\s*$")
_ATTRIBUTE = re.compile(r"""([\w:@.-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'<>]+))?""")
# Attributes that are read by people, which a translator may translate, and such as say of which language a text is.
_SPOKEN = frozenset({"title", "alt", "placeholder", "aria-label", "label", "summary", "lang", "dir"})
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
# Languages that do not end sentences with a mark.
_UNMARKED = frozenset({"th", "lo", "my", "km", "bo"})
_EAST = frozenset({"zh", "ja", "ko"})  # which count in ten thousands
# What a <meta> says to people; all others say something to programs.
_META = frozenset({"description", "keywords", "author", "og:title", "og:description", "og:site_name", "og:image:alt",
                   "twitter:title", "twitter:description", "twitter:image:alt", "apple-mobile-web-app-title",
                   "application-name"})  # fmt: skip
# What a translator may not bring along.
_INVENTED = frozenset(
    {"mark", "braces", "brace", "format", "named", "icu", "brackets", "variable", "url", "email", "tag"}
)


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
    given, made = read(source, html=html), read(answer, html=html)
    if not made.bare.strip() and given.words:
        return "it is empty"
    return (
        _lost(given, made, html=html)
        or (_html_fault(given, made) if html else None)
        or _said_fault(given, made)
        or numbers_fault(given.bare, made.bare, target, spoken)
        or _length_fault(given, made, target)
        or language_fault(given, made, target, spoken)
        or _glossary_fault(given, made, glossary or {})
    )


def _said_fault(given: Text, made: Text) -> str | None:
    """Something else in its place."""
    if given.words and not made.words:
        alone = len(given.words) == 1 and not is_common(given.words[0])
        numbers = has_numbers(made.bare) and (says_numbers(given.bare) or alone)
        return None if numbers and len(given.words) <= 3 else "it has no words"
    return "it speaks to who asked for it" if declines(given.bare, made.bare) else None


def _lost(given: Text, made: Text, *, html: bool) -> str | None:
    free = LOOSE | TAGS if html else LOOSE
    wanted = {one.text for one in given.pieces if one.kind not in free}
    contents = Counter(one.text for one in given.pieces if one.kind == "content")
    changed = sum(given.whole.count(one) != made.whole.count(one) for one in wanted if one not in contents) + len(
        contents - Counter(one.text for one in made.pieces if one.kind == "content")
    )
    if changed:
        return f"{changed} of its {len(wanted)} placeholders are missing, changed or repeated"
    brought = [one.text for one in made.pieces if one.kind in _INVENTED - free and one.text not in given.whole]
    again = Counter(one.text for one in made.pieces if one.kind in _INVENTED - free)
    again -= Counter(one.text for one in given.pieces if one.kind in _INVENTED - free)
    return "it has placeholders, addresses or tags that the text has not" if brought or again else None


def _html_fault(given: Text, made: Text) -> str | None:
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
    plain = {key.lower(): value.strip("\"'") for key, value in attributes}
    tag, meant = name[0].lower(), plain.get("name", plain.get("property", "")).lower()
    spoken = _SPOKEN | ({"content"} if tag == "meta" and meant in _META else set())
    kept = [f"{key}={value}" for key, value in plain.items() if key not in spoken]
    return (
        "/" if text.startswith("</") else "",
        tag,
        "/" if text.endswith("/>") and tag not in _VOID else "",
        *sorted(kept),
    )


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


def _length_fault(given: Text, made: Text, target: str) -> str | None:
    said, came = weight(given.bare), weight(made.bare)
    if said >= 40 and came < 0.3 * said:
        return "it is much shorter than the text"
    if came > 3 * said + 60 or (said >= 200 and came > 2.4 * said):
        return "it is much longer than the text"
    if said < 160:
        return None
    lines, kept = _lines(given.bare), _lines(made.bare)
    short = came < 0.4 * said or (lines >= 4 and kept * 2 < lines)
    return "it ends before the text does" if short or _is_cut(given, made, base(target), came / said) else None


def _is_cut(given: Text, made: Text, language: str, share: float) -> bool:
    """Whether it lacks the end of the text, or many of its sentences."""
    if language in _UNMARKED:
        return False
    open_end = _TERMINAL.search(given.whole) is not None and _TERMINAL.search(made.whole) is None
    if language in _EAST:  # which leave out the mark at the end of a list
        return open_end and share < 0.7
    sentences, answered = len(_SENTENCE.findall(given.bare)), len(_SENTENCE.findall(made.bare))
    return open_end or (sentences >= 5 and answered * 2 < sentences)


def _lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def _glossary_fault(given: Text, made: Text, glossary: Mapping[str, str]) -> str | None:
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
    first = r"(?<!\w)" if _is_spaced(term[:1]) else ""
    last = r"(?!\w)" if _is_spaced(term[-1:]) else ""
    return re.compile(f"{first}{re.escape(term)}{last}", re.IGNORECASE)


def _is_spaced(letter: str) -> bool:
    return letter.isalnum() and script(letter) not in {*DENSE, "THAI", "LAO", "KHMER", "MYANMAR"}


def _stem(word: str) -> str:
    """What stays of a word in every case and number."""
    return word if len(word) < 5 else word[: max(4, len(word) - 2)]
