"""Languages to translate between: how a caller may name one, what it is called, what it is written in. Pure."""

import re
from typing import Final

from core.wire import languages

# Beyond the languages of which others know as well, by the codes that translators use.
_MORE: Final = {
    "eo": "Esperanto", "fil": "Filipino", "ig": "Igbo", "ku": "Kurdish", "ky": "Kyrgyz", "my": "Burmese",
    "nb": "Norwegian Bokmål", "nn": "Norwegian Nynorsk", "or": "Odia", "xh": "Xhosa",
    "zh-hans": "Simplified Chinese", "zh-hant": "Traditional Chinese", "zh-cn": "Simplified Chinese",
    "zh-tw": "Traditional Chinese", "zh-hk": "Traditional Chinese as in Hong Kong", "pt-br": "Brazilian Portuguese",
    "pt-pt": "European Portuguese", "en-gb": "British English", "en-us": "American English",
    "es-mx": "Mexican Spanish", "fr-ca": "Canadian French", "de-at": "Austrian German", "de-ch": "Swiss German",
    "sr-latn": "Serbian in Latin letters", "sr-cyrl": "Serbian in Cyrillic letters",
}  # fmt: skip
NAMES: Final = {code: name.title() for code, name in languages.NAMES.items()} | _MORE
# Other codes of the same: old ones, and what only some call it.
_SAME: Final = {"iw": "he", "in": "id", "ji": "yi", "mo": "ro", "tl": "fil", "no": "nb", "zh-chs": "zh-hans",
                "zh-cht": "zh-hant", "cmn": "zh", "prs": "fa"}  # fmt: skip
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
# Languages beyond those above, by their codes: all of two letters, and those of three that translators have.
_OTHERS_TEXT: Final = (
    "aa ab ae ak an av ay bh bi bm ce ch co cr cu cv dv dz ee ff fj fy gd gn gv ho hz ia ie ii ik io iu jv kg ki kj"
    " kl kr ks kv kw li lg lu mh na nd ng nr nv ny oj om os pi qu rm rn rw sc se sg sm ss st tc ti tn to ts tw ty ug"
    " ve vo wa wo za sh ace ach alz arz awa bal ban bbc bcl bci bem bew bho bik brx bts btx bua ceb cgg chk chm chr"
    " ckb cnh crh crs din doi dov dyu fon frp fur gaa gom hil hmn hne hrx hsb dsb iba ikt ilo iuu jam kac kek kha kmr"
    " kok kri ktu ltg lua luo lus lzh mad mai mak mam mfe min mni mrj mwr mww nan nde ndc new nhe nqo nso nus otq pag"
    " pam pap prs rom run sah sat scn shn smj sma smn sms srn sus szl tcy tet tiv tlh tpi trp tum tyv tzm udm vec war"
    " wuu yua yue zap zgh"
)
_OTHERS: Final = frozenset(_OTHERS_TEXT.split())
_LATIN: Final = frozenset({"LATIN"})
_CODE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_BY_NAME: Final = {name.lower(): code for code, name in reversed(NAMES.items())} | {
    "norwegian": "nb", "mandarin": "zh-hans", "farsi": "fa", "tagalog": "fil", "deutsch": "de", "français": "fr",
    "español": "es", "italiano": "it", "português": "pt", "nederlands": "nl",
}  # fmt: skip


def is_known(code: str) -> bool:
    language = base(code)
    return language in NAMES or language in _OTHERS or language in _BY_LANGUAGE or language in _BOTH


def nearest(given: str) -> list[str]:
    """The codes of languages that are written alike."""
    from difflib import get_close_matches  # noqa: PLC0415 - of use for a mistake only

    found = [_BY_NAME[name] for name in get_close_matches(given.strip().lower(), _BY_NAME, n=3)]
    if len(given.strip()) <= 3:
        found += get_close_matches(given.strip().lower(), [one for one in NAMES if "-" not in one], n=3, cutoff=0.5)
    return list(dict.fromkeys(_written(one) for one in found))[:3]


def code_of(given: str) -> str | None:
    """The code of a language from its code or its English name, as it is usually written; None when it is neither."""
    text = given.strip().replace("_", "-")
    if (named := _BY_NAME.get(text.lower())) is not None:
        return _written(named)
    return _written(text) if _CODE.fullmatch(text) else None


def _written(code: str) -> str:
    """de, zh-Hant, pt-BR."""
    first, *rest = _SAME.get(code.lower(), code).split("-")
    first = _SAME.get(first.lower(), first)
    return "-".join([first.lower(), *(one.title() if len(one) == 4 else one.upper() for one in rest)])


def base(code: str) -> str:
    """The language without its region and script."""
    first = code.lower().partition("-")[0]
    return _SAME.get(code.lower(), _SAME.get(first, first)).partition("-")[0]


def name_of(code: str) -> str:
    """For people and for models: German (de)."""
    script = "-".join(code.lower().split("-")[:2])
    name = NAMES.get(code.lower()) or NAMES.get(script) or NAMES.get(base(code))
    return f"{name} ({code})" if name else code


def scripts_of(code: str) -> frozenset[str]:
    """The scripts in which a text of this language is written; none where that is not known here."""
    for part in code.lower().split("-")[1:]:
        if part in _TAGGED:
            return frozenset({_TAGGED[part]})
    language = base(code)
    known = _BOTH.get(language) or _BY_LANGUAGE.get(language)
    return known or (_LATIN if language in NAMES else frozenset())
