"""Scripts: which a letter is of, which write no spaces, and in which a language is written. Pure."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from core.languages import NAMES, base_of

# Letters of scripts that write no spaces between words, for a class in a pattern.
UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOUCHING = re.compile(rf"[{UNSPACED}\u3000-\u3004\u3008-\u303f\uff00-\uffef]")  # and their marks
# A character says as much as so many letters of an alphabet.
WEIGHTS: Final = {"CJK": 2.4, "HIRAGANA": 1.6, "KATAKANA": 1.4, "HANGUL": 2.0}
_NO_SPACES: Final = frozenset({*WEIGHTS, "THAI", "LAO", "KHMER", "MYANMAR"})  # a Korean word has its endings
# Languages, not scripts: written without spaces; without marks at the end of sentences; that count in ten thousands.
_UNSPACED_LANGUAGES: Final = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})
UNMARKED: Final = frozenset({"th", "lo", "my", "km", "bo"})
TEN_THOUSANDS: Final = frozenset({"zh", "ja", "ko"})
# In what a language is written where that is not Latin; several where it is in use with each.
_SCRIPTS: Final = {
    "CYRILLIC": "ba be bg kk ky mk mn ru tg tt uk", "GREEK": "el", "ARABIC": "ar ckb fa ks ps sd ug ur",
    "HEBREW": "he yi", "DEVANAGARI": "bho brx doi gom hi mai mr ne sa", "BENGALI": "as bn", "GURMUKHI": "pa",
    "GUJARATI": "gu", "ORIYA": "or", "TAMIL": "ta", "TELUGU": "te", "KANNADA": "kn", "MALAYALAM": "ml",
    "SINHALA": "si", "THAI": "th", "LAO": "lo", "MYANMAR": "my", "KHMER": "km", "GEORGIAN": "ka",
    "ARMENIAN": "hy", "ETHIOPIC": "am ti", "TIBETAN": "bo", "THAANA": "dv", "HANGUL": "ko",
    "CJK": "zh yue lzh wuu", "HIRAGANA": "ja",
}  # fmt: skip
_BY_LANGUAGE: Final = {one: frozenset({script}) for script, all_of in _SCRIPTS.items() for one in all_of.split()}
_BOTH: Final = {
    "sr": frozenset({"CYRILLIC", "LATIN"}), "bs": frozenset({"CYRILLIC", "LATIN"}),
    "az": frozenset({"CYRILLIC", "LATIN", "ARABIC"}), "uz": frozenset({"CYRILLIC", "LATIN"}),
    "tk": frozenset({"CYRILLIC", "LATIN"}), "kk": frozenset({"CYRILLIC", "LATIN", "ARABIC"}),
    "ku": frozenset({"LATIN", "ARABIC"}), "ha": frozenset({"LATIN", "ARABIC"}),
    "mn": frozenset({"CYRILLIC", "MONGOLIAN"}),
    "pa": frozenset({"GURMUKHI", "ARABIC"}), "tt": frozenset({"CYRILLIC", "LATIN"}),
    "ja": frozenset({"HIRAGANA", "KATAKANA", "CJK"}), "ko": frozenset({"HANGUL", "CJK"}),
}  # fmt: skip
_TAGGED: Final = {"latn": "LATIN", "cyrl": "CYRILLIC", "arab": "ARABIC", "deva": "DEVANAGARI", "hans": "CJK",
                  "hant": "CJK", "mong": "MONGOLIAN", "guru": "GURMUKHI"}  # fmt: skip
_LATIN: Final = frozenset({"LATIN"})


@lru_cache(8192)
def script_of(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return {"FULLWIDTH": "LATIN", "HALFWIDTH": "KATAKANA", "KATAKANA-HIRAGANA": "KATAKANA", "MODIFIER": ""}.get(
        name, name
    )


def is_word_apart(letter: str) -> bool:
    """Whether a word that begins or ends with it can be told from what it stands in."""
    return letter.isalnum() and script_of(letter) not in _NO_SPACES


def space_between(text: str, following: str) -> str:
    """What stands between two pieces of one text."""
    return "" if _TOUCHING.match(text[-1:]) or _TOUCHING.match(following[:1]) else " "


def space_in(tag: str | None) -> str:
    """What stands between the sentences of a language."""
    return "" if tag and base_of(tag) in _UNSPACED_LANGUAGES else " "


def scripts_of(code: str) -> frozenset[str]:
    """The scripts in which a text of this language is written; none where that is not known here."""
    for part in code.lower().split("-")[1:]:
        if part in _TAGGED:
            return frozenset({_TAGGED[part]})
    language = base_of(code)
    known = _BOTH.get(language) or _BY_LANGUAGE.get(language)
    return known or (_LATIN if language in NAMES else frozenset())
