"""Languages as people and programs name them: one tag for each, whatever it is called. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from core.errors import BadRequest

# Those that transcription knows, by the English names that OpenAI's API uses.
_SMALL: Final = {
    "af": "afrikaans", "am": "amharic", "ar": "arabic", "as": "assamese", "az": "azerbaijani", "ba": "bashkir",
    "be": "belarusian", "bg": "bulgarian", "bn": "bengali", "bo": "tibetan", "br": "breton", "bs": "bosnian",
    "ca": "catalan", "cs": "czech", "cy": "welsh", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fo": "faroese",
    "fr": "french", "ga": "irish", "gl": "galician", "gu": "gujarati", "ha": "hausa", "haw": "hawaiian",
    "he": "hebrew", "hi": "hindi", "hr": "croatian", "ht": "haitian creole", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "is": "icelandic", "it": "italian", "ja": "japanese", "jv": "javanese", "ka": "georgian",
    "kk": "kazakh", "km": "khmer", "kn": "kannada", "ko": "korean", "la": "latin", "lb": "luxembourgish",
    "ln": "lingala", "lo": "lao", "lt": "lithuanian", "lv": "latvian", "mg": "malagasy", "mi": "maori",
    "mk": "macedonian", "ml": "malayalam", "mn": "mongolian", "mr": "marathi", "ms": "malay", "mt": "maltese",
    "my": "myanmar", "ne": "nepali", "nl": "dutch", "nn": "nynorsk", "nb": "norwegian", "oc": "occitan",
    "pa": "punjabi", "pl": "polish", "ps": "pashto", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sa": "sanskrit", "sd": "sindhi", "si": "sinhala", "sk": "slovak", "sl": "slovenian", "sn": "shona",
    "so": "somali", "sq": "albanian", "sr": "serbian", "su": "sundanese", "sv": "swedish", "sw": "swahili",
    "ta": "tamil", "te": "telugu", "tg": "tajik", "th": "thai", "tk": "turkmen", "fil": "tagalog", "tr": "turkish",
    "tt": "tatar", "uk": "ukrainian", "ur": "urdu", "uz": "uzbek", "vi": "vietnamese", "yi": "yiddish",
    "yo": "yoruba", "yue": "cantonese", "zh": "chinese", "zu": "zulu",
}  # fmt: skip
# Beyond those, and where they are called otherwise; some by where they are spoken, or how they are written.
_MORE: Final = {
    "eo": "Esperanto", "fil": "Filipino", "ig": "Igbo", "ku": "Kurdish", "ky": "Kyrgyz", "my": "Burmese",
    "nb": "Norwegian Bokmål", "nn": "Norwegian Nynorsk", "or": "Odia", "xh": "Xhosa",
    "zh-hans": "Simplified Chinese", "zh-hant": "Traditional Chinese", "zh-cn": "Simplified Chinese",
    "zh-tw": "Traditional Chinese", "zh-hk": "Traditional Chinese as in Hong Kong", "pt-br": "Brazilian Portuguese",
    "pt-pt": "European Portuguese", "en-gb": "British English", "en-us": "American English",
    "es-mx": "Mexican Spanish", "fr-ca": "Canadian French", "de-at": "Austrian German", "de-ch": "Swiss German",
    "sr-latn": "Serbian in Latin letters", "sr-cyrl": "Serbian in Cyrillic letters",
}  # fmt: skip
NAMES: Final = {tag: name.title() for tag, name in _SMALL.items()} | _MORE
# Other tags of the same: old ones, and what only some call it.
_SAME: Final = {"iw": "he", "in": "id", "ji": "yi", "mo": "ro", "tl": "fil", "no": "nb", "jw": "jv", "cmn": "zh",
                "prs": "fa", "zh-chs": "zh-Hans", "zh-cht": "zh-Hant"}  # fmt: skip
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
_BY_NAME: Final = {
    **{name.lower(): tag for tag, name in reversed(NAMES.items())}, **{name: tag for tag, name in _SMALL.items()},
    "mandarin": "zh", "farsi": "fa", "flemish": "nl", "deutsch": "de", "français": "fr", "español": "es",
    "italiano": "it", "português": "pt", "nederlands": "nl",
}  # fmt: skip
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_SCRIPT = 4  # letters of a part that says how it is written


def find_tag(text: str) -> str | None:
    """Its tag, as `en`, `pt-BR` or `zh-Hant`, from a tag in any spelling or a name; None for what is neither."""
    given = text.strip().replace("_", "-")
    tag = _BY_NAME.get(given.lower(), given)
    if not _TAG.fullmatch(tag):
        return None
    if same := _SAME.get(tag.lower()):
        return same
    first, *rest = tag.lower().split("-")
    return "-".join([_SAME.get(first, first), *map(_part, rest)])


def _part(one: str) -> str:
    """Of a tag: how it is written, where, or as which dialect."""
    return one.title() if len(one) == _SCRIPT else one.upper() if len(one) < _SCRIPT else one


def tag_of(text: str, param: str = "language") -> str:
    """The same of what a caller says."""
    found = find_tag(text)
    if found is None:
        words = f"{param} must be a language's tag, such as en or pt-BR, or its English name"
        raise BadRequest(words, param=param, code="invalid_value")
    return found


def known_tag(text: str | None) -> str | None:
    """What a provider calls a language, as a tag where it is one or names one, else as it is."""
    return (find_tag(text) or text) if text else None


def base_of(tag: str) -> str:
    """The language alone, without where it is spoken and how it is written."""
    return (known_tag(tag) or "").partition("-")[0].lower()


def as_named(tag: str | None, asked: Iterable[str]) -> str | None:
    """A language that was heard, as the caller calls it; where he named others, or none, without its region."""
    if tag is None or find_tag(tag) is None:
        return tag
    return next((one for one in asked if base_of(one) == base_of(tag)), base_of(tag))


def is_known(tag: str) -> bool:
    language = base_of(tag)
    return language in NAMES or language in _OTHERS


def nearest(given: str) -> list[str]:
    """The tags of languages that are written alike."""
    from difflib import get_close_matches  # noqa: PLC0415 - of use for a mistake only

    said = given.strip().lower()
    found = [_BY_NAME[name] for name in get_close_matches(said, _BY_NAME, n=3)]
    if len(said) < _SCRIPT:
        found += get_close_matches(said, [one for one in NAMES if "-" not in one], n=3, cutoff=0.5)
    return list(dict.fromkeys(tag_of(one) for one in found))[:3]


def name_of(tag: str | None) -> str | None:
    """Its English name as OpenAI's API has it, in small letters; else its tag."""
    if tag is None:
        return None
    language = base_of(tag)
    return _SMALL.get(language) or NAMES.get(language, tag).lower()


def label_of(tag: str) -> str:
    """For people and for models: German (de)."""
    script = "-".join(tag.lower().split("-")[:2])
    name = NAMES.get(tag.lower()) or NAMES.get(script) or NAMES.get(base_of(tag))
    return f"{name} ({tag})" if name else tag
