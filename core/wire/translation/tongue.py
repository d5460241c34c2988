"""Whether a translation is in the language that it should be in, all of it. Pure."""

import re
from collections.abc import Iterator, Sequence

from core.wire.translation import chinese
from core.wire.translation.common_words import is_common
from core.wire.translation.function_words import hits, languages, words_of
from core.wire.translation.languages import base, name_of, scripts_of
from core.wire.translation.reading import WORD, Text, script, scripts

_PROFILES = {"bs": "hr", "nn": "nb", "ms": "id"}
# Whose small words are mostly those of a language that has none of its own here.
_NEIGHBOURS = {"gl": {"pt", "es"}, "af": {"nl"}, "lb": {"de"}, "oc": {"ca", "fr"}, "fo": {"da"}, "co": {"it"}}
# Letters of neighbours that a language does not have, save in names.
_STRANGE = {
    "es": "ãõâêîôûàèìòùçœßøåäö", "pt": "ñßœøåäöëïîûèìòù¿",
    "fr": "ñãõßøåäòìó¿¡", "it": "ñãõçßœøåäëïâêû", "ca": "ñãõâêîôûßäö",
    "de": "ñãõøåæœç", "nl": "ñãõßøåœ", "sv": "ñãõßøæœç", "nb": "ñãõßäöœç", "da": "ñãõßäöœç",
    "cs": "ľĺŕôäąęłżñãõ", "sk": "řěůąęłżñãõ", "pl": "řěůáčďéíňšťúýžñãõ",
    "uk": "ыэъёўђјљњћџ", "ru": "іїєґўђјљњћџ", "be": "иъїєґщ", "bg": "ыэёіїєґўђјљњћџ", "sr": "ыэёъщйюяьіїєґў",
    "mk": "ыэёъщйюяьіїєґўђћ",
}  # fmt: skip
_RUN = 5  # words in a row say of what language they are
_QUOTED = re.compile(r"\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|„[^“”\n]{1,300}[“”]|«[^»\n]{1,300}»|「[^」\n]{1,300}」"
                     r"|『[^』\n]{1,300}』|《[^》\n]{1,300}》|\([^()\n]{1,300}\)|（[^（）\n]{1,300}）")  # fmt: skip
_EASTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af、。，！？]{12,}")
_KANA = re.compile(r"[\u3041-\u3096]")
_NAME_LIKE = re.compile(r"[A-ZÀ-ÖØ-Þ]|.*[A-Z0-9]")
# Programs by whose names a line is an order to a computer.
_PROGRAMS_TEXT = (
    "npm npx pip pipx uv git docker podman kubectl sudo apt brew yarn pnpm python node make cargo go curl wget ssh cd"
    " ls mkdir chmod conda mvn gradle helm terraform aws gcloud az dotnet gem bundle composer php ruby rustup"
    " systemctl"
)
_PROGRAMS = frozenset(_PROGRAMS_TEXT.split())
_LITTLE_TEXT = "a al alla alle allo ai all au aux à la le les de di del della des du e et en con y i o"
_LITTLE = frozenset(_LITTLE_TEXT.split())


def language_fault(given: Text, made: Text, target: str, spoken: str | None) -> str | None:
    if not made.words:
        return None
    known = set(given.words)
    new = [word for word in made.words if word not in known]
    wrong = f"it is not in {name_of(target)}"
    if _has_other_script(given, made, new, target) or _is_other_chinese(given, made, target):
        return wrong
    language = base(target)
    if 5 * len(new) <= len(made.words):
        if _is_untranslated(given, made, language, spoken):
            return "it is the text itself"
    elif _is_other(new, language, spoken) or _is_strange(given, made, language):
        return wrong
    return f"a part of it is not in {name_of(target)}" if _has_foreign_part(given, made, target) else None


def _has_other_script(given: Text, made: Text, new: Sequence[str], target: str) -> bool:
    counts, expected = scripts(made.words), scripts_of(target)
    inside = sum(counts[one] for one in expected)
    if expected and inside == 0 and counts.total() > 1 and not _could_be_names(given, made):
        return True
    fresh = scripts(new)
    if expected and fresh.total() >= 10 and 2 * sum(fresh[one] for one in expected) < fresh.total():
        return True
    language = base(target)
    if language == "ja" and not counts["HIRAGANA"] + counts["KATAKANA"]:
        return chinese.is_chinese(made.bare) or counts["CJK"] >= 40
    return language == "zh" and counts["HIRAGANA"] >= 6 and counts["HIRAGANA"] * 5 > counts["CJK"]


def _is_other_chinese(given: Text, made: Text, target: str) -> bool:
    """Simplified in place of Traditional, or the other way about."""
    tags = {*target.lower().split("-")}
    new = "".join(set(made.bare) - set(given.bare))
    if not tags & {"zh", "cmn"}:
        return False
    if tags & {"hant", "tw", "hk", "mo", "cht"}:
        return chinese.is_simplified(new)
    return bool(tags & {"hans", "cn", "sg", "chs"}) and chinese.is_traditional(new)


def _has_foreign_part(given: Text, made: Text, target: str) -> bool:
    """A sentence or half of one that stayed as it was, or another that is in no language of this script."""
    text = _QUOTED.sub(" . ", made.bare)
    expected = scripts_of(target)
    if expected and not expected & {"CJK", "HIRAGANA", "HANGUL"} and _EASTERN.search(text):
        return True
    if base(target) == "zh" and any(len(_KANA.findall(one)) >= 4 for one in _EASTERN.findall(text)):
        return True
    written = WORD.findall(text)
    words = [word.casefold() for word in written]
    return any(_is_foreign(written[start:end], words[start:end], target) for start, end in _stayed(given, words)) or (
        bool(expected)
        and "LATIN" not in expected
        and any(
            _is_foreign(written[start:end], words[start:end], target)
            for start, end in _runs([script(word[0]) == "LATIN" for word in words], _RUN)
        )
    )


def _stayed(given: Text, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where words of the text stand one after the other as they stood there."""
    there = {tuple(given.words[at : at + _RUN]) for at in range(len(given.words) - _RUN + 1)}
    found = [False] * len(words)
    for at in range(len(words) - _RUN + 1):
        if tuple(words[at : at + _RUN]) in there:
            found[at : at + _RUN] = [True] * _RUN
    yield from _runs(found, _RUN)


def _runs(marks: Sequence[bool], least: int) -> Iterator[tuple[int, int]]:
    start = 0
    for at, mark in enumerate([*marks, False]):
        if not mark:
            if at - start >= least:
                yield start, at
            start = at + 1


def _is_foreign(written: Sequence[str], words: Sequence[str], target: str) -> bool:
    """Whether these are a sentence of another language, and no name of something."""
    found = hits([*words])
    own = found.get(_profile(base(target), words) or "", 0)
    best = max(found, key=lambda one: found[one], default="")
    if found.get(best, 0) < 2 or found[best] < 2 * own + 1:
        return False
    small = words_of(best)
    return any(
        plain.islower() and word not in small and len(word) > 2 for plain, word in zip(written, words, strict=True)
    )


def _profile(language: str, words: Sequence[str]) -> str | None:
    """By whose small words a language is known; None when nobody wrote them down."""
    if language == "sr" and not any(script(word[0]) == "CYRILLIC" for word in words):
        return "hr"
    language = _PROFILES.get(language, language)
    return language if language in languages() else None


def _is_other(words: list[str], language: str, spoken: str | None) -> bool:
    """Whether these words are surely of another language."""
    found, profile = hits(words), _profile(language, words)
    if not found:
        return False
    if profile is None:
        own = base(spoken) if spoken else ""
        count = found.get(own, 0)
        return own not in _NEIGHBOURS.get(language, ()) and count >= 4 and count * 2 >= len(words)
    ours, best = found.get(profile, 0), max(found.values())
    if ours == 0:
        return best >= 2 and (best == len(words) or (len(words) >= 4 and best * 10 >= len(words) * 4) or best >= 4)
    if language == profile and len(words) >= 4 and best >= 3 and best - ours >= 2 and best >= 1.75 * ours:
        return True
    return best >= 4 and best > 3 * ours


def _is_strange(given: Text, made: Text, language: str) -> bool:
    """Whether it is written with letters of a neighbour, more than with words of its own."""
    letters, known = set(_STRANGE.get(language, "")), set(given.words)
    words = [word for word in made.written if word.casefold() not in known]
    if not letters or (language in {"sr", "mk"} and not any(script(word[0]) == "CYRILLIC" for word in words)):
        return False
    strange = sum(word.islower() and not letters.isdisjoint(word) for word in words)
    if script(words[0][0] if words else "a") == "CYRILLIC":
        strange = sum(not letters.isdisjoint(word.casefold()) for word in words)
        return strange >= 1 and strange * 6 >= len(words)
    own = hits([word.casefold() for word in words]).get(language, 0)
    return len(words) >= 3 and (strange >= 1 and own <= strange) and strange * 8 >= len(words)


def _is_untranslated(given: Text, made: Text, language: str, spoken: str | None) -> bool:
    """Whether what was said again is a text that would have been another one in the other language."""
    words = made.words
    if language != "en" and _is_plain_english(given) and given.words == words:
        return True
    if _is_other(words, language, spoken):
        return not _could_be_names(given, made)
    if len(words) < 4 or (_profile(language, words) and hits(words).get(str(_profile(language, words)), 0)):
        return False
    plain = [word for word in given.written if len(word) > 2 and word.islower()]
    other = spoken is not None and base(spoken) != language
    return other and len(plain) * 10 >= len(words) * 6 and given.words == made.words and not _is_order(given)


def _is_plain_english(given: Text) -> bool:
    """Nothing but everyday words of English."""
    return len(given.words) > 1 and all(map(is_common, given.words)) and not _is_order(given)


def _could_be_names(given: Text, made: Text) -> bool:
    """Whether a text may stay as it is in any language: names, abbreviations, dishes, a single word of a trade."""
    if set(made.words) - set(given.words):
        return False
    words = given.written
    if any(script(word[0]) != "LATIN" for word in words):
        return False
    if _is_order(given):
        return True
    if _is_plain_english(given):
        return False
    plain = [word for word in words if len(word) > 1 and not _NAME_LIKE.match(word)]
    if len(words) == 1:
        return not plain or not hits(plain)
    if len(plain) * 3 < len(words) or all(len(word) <= 3 for word in plain):
        return True
    telling = [word for word in given.words if word not in _LITTLE]
    return len(words) <= 6 and len(telling) > 0 and not hits(telling) and not any(map(is_common, telling))


def _is_order(given: Text) -> bool:
    """An order to a computer, which is said in no language."""
    return bool(given.words) and given.words[0] in _PROGRAMS and given.written[0].islower() and len(given.words) <= 12
