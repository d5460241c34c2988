"""What Whisper says beside the words, whoever runs it: names of languages, and how sure it was of a segment. Pure."""

from collections.abc import Iterable
from math import exp

from core.types.audio import Segment

_NAMES = (
    "en:english zh:chinese de:german es:spanish ru:russian ko:korean fr:french ja:japanese pt:portuguese tr:turkish"
    " pl:polish ca:catalan nl:dutch ar:arabic sv:swedish it:italian id:indonesian hi:hindi fi:finnish vi:vietnamese"
    " he:hebrew uk:ukrainian el:greek ms:malay cs:czech ro:romanian da:danish hu:hungarian ta:tamil no:norwegian"
    " th:thai ur:urdu hr:croatian bg:bulgarian lt:lithuanian la:latin mi:maori ml:malayalam cy:welsh sk:slovak"
    " te:telugu fa:persian lv:latvian bn:bengali sr:serbian az:azerbaijani sl:slovenian kn:kannada et:estonian"
    " mk:macedonian br:breton eu:basque is:icelandic hy:armenian ne:nepali mn:mongolian bs:bosnian kk:kazakh"
    " sq:albanian sw:swahili gl:galician mr:marathi pa:punjabi si:sinhala km:khmer sn:shona yo:yoruba so:somali"
    " af:afrikaans oc:occitan ka:georgian be:belarusian tg:tajik sd:sindhi gu:gujarati am:amharic yi:yiddish lo:lao"
    " uz:uzbek fo:faroese ht:haitian_creole ps:pashto tk:turkmen nn:nynorsk mt:maltese sa:sanskrit lb:luxembourgish"
    " my:myanmar bo:tibetan tl:tagalog mg:malagasy as:assamese tt:tatar haw:hawaiian ln:lingala ha:hausa ba:bashkir"
    " jw:javanese su:sundanese yue:cantonese"
)
LANGUAGES = {name.replace("_", " "): code for code, _, name in (one.partition(":") for one in _NAMES.split())}


def language(said: object) -> str | None:
    """A language by its code, whether the code or the English name was said; what is neither is as it was said."""
    if not isinstance(said, str) or not said.strip():
        return None
    word = said.strip()
    return LANGUAGES.get(word.lower(), word)


def confidence(average_log_probability: object) -> float | None:
    """From 0 to 1."""
    if type(average_log_probability) not in {float, int}:
        return None
    return round(min(1.0, exp(min(0.0, float(average_log_probability)))), 4)  # type: ignore[arg-type] # looked at above


def overall(segments: Iterable[Segment]) -> float | None:
    """How sure it was on the whole: each segment counts for as long as it is."""
    rated = [(one.confidence, max(one.end - one.start, 0.001)) for one in segments if one.confidence is not None]
    whole = sum(length for _, length in rated)
    return round(sum(rate * length for rate, length in rated) / whole, 4) if rated else None
