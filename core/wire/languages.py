"""Languages as people and programs name them: tags, and English names. Pure."""

import re
from collections.abc import Iterable

from core.errors import BadRequest

# Those that transcription knows, by the English names that OpenAI's API uses.
NAMES = {
    "af": "afrikaans", "am": "amharic", "ar": "arabic", "as": "assamese", "az": "azerbaijani", "ba": "bashkir",
    "be": "belarusian", "bg": "bulgarian", "bn": "bengali", "bo": "tibetan", "br": "breton", "bs": "bosnian",
    "ca": "catalan", "cs": "czech", "cy": "welsh", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fo": "faroese",
    "fr": "french", "ga": "irish", "gl": "galician", "gu": "gujarati", "ha": "hausa", "haw": "hawaiian",
    "he": "hebrew", "hi": "hindi", "hr": "croatian", "ht": "haitian creole", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "is": "icelandic", "it": "italian", "ja": "japanese", "jw": "javanese", "ka": "georgian",
    "kk": "kazakh", "km": "khmer", "kn": "kannada", "ko": "korean", "la": "latin", "lb": "luxembourgish",
    "ln": "lingala", "lo": "lao", "lt": "lithuanian", "lv": "latvian", "mg": "malagasy", "mi": "maori",
    "mk": "macedonian", "ml": "malayalam", "mn": "mongolian", "mr": "marathi", "ms": "malay", "mt": "maltese",
    "my": "myanmar", "ne": "nepali", "nl": "dutch", "nn": "nynorsk", "no": "norwegian", "oc": "occitan",
    "pa": "punjabi", "pl": "polish", "ps": "pashto", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sa": "sanskrit", "sd": "sindhi", "si": "sinhala", "sk": "slovak", "sl": "slovenian", "sn": "shona",
    "so": "somali", "sq": "albanian", "sr": "serbian", "su": "sundanese", "sv": "swedish", "sw": "swahili",
    "ta": "tamil", "te": "telugu", "tg": "tajik", "th": "thai", "tk": "turkmen", "tl": "tagalog", "tr": "turkish",
    "tt": "tatar", "uk": "ukrainian", "ur": "urdu", "uz": "uzbek", "vi": "vietnamese", "yi": "yiddish",
    "yo": "yoruba", "yue": "cantonese", "zh": "chinese", "zu": "zulu",
}  # fmt: skip
_ALSO = {"burmese": "my", "javanese": "jv", "mandarin": "zh", "farsi": "fa", "filipino": "fil", "flemish": "nl"}
_TAGS = {name: tag for tag, name in NAMES.items()} | _ALSO
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?(?:[-_]([A-Za-z]{5,8}))?")
# Written without spaces between words.
_UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})


def tag_of(text: str, param: str = "language") -> str:
    """A language's tag, as `en` or `en-US`, from a tag in any spelling or an English name."""
    given = text.strip()
    if found := _TAGS.get(given.lower()):
        return found
    parts = _TAG.fullmatch(given)
    if parts is None:
        words = f"{param} must be a tag such as en or en-US, or a language's English name"
        raise BadRequest(words, param=param, code="invalid_value")
    language, script, region, dialect = parts.groups(default="")
    made = (language.lower(), script.title(), region.upper(), dialect.lower())
    return "-".join(one for one in made if one)


def known_tag(text: str | None) -> str | None:
    """What a provider calls a language, as a tag where it is one or names one, else as it is."""
    if not text:
        return None
    try:
        return tag_of(text)
    except BadRequest:
        return text


def base_of(tag: str) -> str:
    """The language alone, without where it is spoken."""
    return tag.partition("-")[0].lower()


def as_named(tag: str | None, asked: Iterable[str]) -> str | None:
    """A language that was heard, as the caller calls it; where he named others, or none, without its region."""
    if tag is None or _TAG.fullmatch(tag) is None:
        return tag
    return next((one for one in asked if base_of(one) == base_of(tag)), base_of(tag))


def name_of(tag: str | None) -> str | None:
    """Its English name in small letters, else its tag."""
    return None if tag is None else NAMES.get(base_of(tag), tag)


def space_in(tag: str | None) -> str:
    """What stands between sentences."""
    return "" if tag and base_of(tag) in _UNSPACED else " "
