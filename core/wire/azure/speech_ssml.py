"""Speech at Azure: what is to be said as SSML, which format stands for which sound, what of it is billed. Pure."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

from core.errors import ParameterRefused, RequestRefused
from core.types.audio import Sound
from core.wire.azure.speech import locale_of
from core.wire.sound.ssml_voices import voiced

# It speaks all languages that there are voices for, in the one that the text is in.
USUAL_VOICE = "en-US-AvaMultilingualNeural"
USUAL_LOCALE = "en-US"
# Voices in high definition, which cost twice as much: each is another way of one of the plain voices to speak.
_HD = ":DragonHDLatestNeural"
_HD_VOICES = frozenset({
    "de-DE-Florian", "de-DE-Seraphina", "en-US-Adam", "en-US-Andrew", "en-US-Aria", "en-US-Ava", "en-US-Brian",
    "en-US-Davis", "en-US-Emma", "en-US-Jenny", "en-US-Steffan", "es-ES-Tristan", "es-ES-Ximena", "fr-FR-Remy",
    "fr-FR-Vivienne", "ja-JP-Masaru", "ja-JP-Nanami", "zh-CN-Xiaochen", "zh-CN-Yunfan",
})  # fmt: skip
_NAMESPACES = 'version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xmlns:mstts="https://www.w3.org/2001/mstts"'
_SPEAK = "{http://www.w3.org/2001/10/synthesis}speak"
_LOCALE = re.compile(r"([a-z]{2,3}-[A-Z][A-Za-z]{1,3}(?:-[a-z]+)?)-")
_SLOWEST, _FASTEST = 0.5, 2.0
# Characters that XML has no way to say.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FREE_TAGS = re.compile(r"</?(?:speak|voice)\b[^>]*>")
_NAMED = re.compile(r"<voice\b[^>]*?\bname\s*=\s*[\"']([^\"']*)")
_HEAD = re.compile(r"\A\s*<\?xml[^>]*\?>")
_READ = frozenset(
    {"input", "voice", "language", "style", "speed", "ssml", "sound", "boundaries", "gender", "model", "stream"}
)
_IDEOGRAPHS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Sound that it gives itself, by rate. Of each kind the best that it streams.
_FORMATS: Mapping[str, Mapping[int, str]] = {
    "mp3": {
        16000: "audio-16khz-128kbitrate-mono-mp3",
        24000: "audio-24khz-96kbitrate-mono-mp3",
        48000: "audio-48khz-192kbitrate-mono-mp3",
    },
    "opus": {rate: f"ogg-{rate // 1000}khz-16bit-mono-opus" for rate in (16000, 24000, 48000)},
    **{
        kind: {
            8000: f"{name}-8khz-16bit-mono-pcm",
            16000: f"{name}-16khz-16bit-mono-pcm",
            22050: f"{name}-22050hz-16bit-mono-pcm",
            24000: f"{name}-24khz-16bit-mono-pcm",
            44100: f"{name}-44100hz-16bit-mono-pcm",
            48000: f"{name}-48khz-16bit-mono-pcm",
        }
        for kind, name in (("wav", "riff"), ("pcm", "raw"))
    },
}  # fmt: skip
SAYS = tuple(_FORMATS)


class Speech(NamedTuple):
    """What is sent to have something said."""

    ssml: str
    format: str
    sound: Sound  # what comes back
    characters: int  # that are billed
    losses: list[str]


def speech_of(body: Mapping[str, Any], *, hd: bool = False) -> Speech:
    """`hd`: with a voice in high definition. A voice of the other kind has another price, and is not taken."""
    losses = [
        f"{name} was left out: it cannot be told there" for name, value in body.items() if value and name not in _READ
    ]
    # With times of words it comes by events, of which each would be a WAV file.
    sound, name = format_of(body["sound"], bare=bool(body.get("boundaries")))
    voice = voice_of(body.get("voice"), hd=hd)
    ssml = _own(body, voice, losses) if body.get("ssml") else _made(body, voice, losses)
    if any((_HD in name) != hd for name in _NAMED.findall(ssml)):
        meant = "in high definition" if hd else "that is not in high definition"
        raise ParameterRefused(f"this model takes a voice {meant}", param="voice", code="voice")
    return Speech(ssml, name, sound, billed(ssml), losses)


def voice_of(named: str | None, *, hd: bool) -> str:
    """The voice, or as whom it speaks in high definition."""
    voice = named or USUAL_VOICE
    if not hd or ":" in voice:
        return voice
    short = re.sub(r"(?:Multilingual)?Neural$", "", voice)
    if short not in _HD_VOICES:
        raise ParameterRefused(f"{voice} is no voice in high definition", param="voice", code="voice")
    return short + _HD


def format_of(wanted: Sound, *, bare: bool = False) -> tuple[Sound, str]:
    """What comes nearest without a loss: a kind that it lacks is made of PCM, and so is a second channel."""
    kind = wanted.kind if wanted.kind in _FORMATS and wanted.channels == 1 else "pcm"
    if bare and kind == "wav":
        kind = "pcm"
    rates = _FORMATS[kind]
    rate = min((one for one in rates if one >= wanted.rate), default=max(rates))
    return Sound(kind, rate), rates[rate]


def billed(ssml: str) -> int:
    """All but the tags that say who speaks; an ideograph counts as two."""
    text = _FREE_TAGS.sub("", _HEAD.sub("", ssml))
    return len(text) + len(_IDEOGRAPHS.findall(text))


def voice_locale(voice: str) -> str | None:
    """en-US of en-US-AvaNeural."""
    found = _LOCALE.match(voice)
    return found[1] if found else None


def _made(body: Mapping[str, Any], voice: str, losses: list[str]) -> str:
    language = locale_of(body["language"]) if body.get("language") else None
    inside = escape(_UNSAYABLE.sub(" ", body["input"]))
    if rate := _rate(body.get("speed"), losses):
        inside = f'<prosody rate="{rate}">{inside}</prosody>'
    if style := body.get("style"):
        inside = f"<mstts:express-as style={_named(style)}>{inside}</mstts:express-as>"
    own = voice_locale(voice)
    if language and own and not own.startswith(language.partition("-")[0]):
        inside = f"<lang xml:lang={_named(language)}>{inside}</lang>"  # a voice that speaks several is told which
    whose = _named(language or own or USUAL_LOCALE)
    return f"<speak {_NAMESPACES} xml:lang={whose}><voice name={_named(voice)}>{inside}</voice></speak>"


def _own(body: Mapping[str, Any], voice: str, losses: list[str]) -> str:
    """The caller's own document, or what of one stands inside `speak`; a voice is put in where it names none."""
    given = _HEAD.sub("", body["input"]).strip()
    if not given.startswith("<speak"):
        given = f"<speak {_NAMESPACES} xml:lang={_named(USUAL_LOCALE)}>{given}</speak>"
    _check(given)
    losses += [f"{name} was left out: the SSML says how it is spoken" for name in ("speed", "style") if body.get(name)]
    return voiced(given, voice)


def _named(text: str) -> str:
    """As an attribute."""
    return quoteattr(_UNSAYABLE.sub(" ", text))


def _check(text: str) -> None:
    """Well formed, and without entities of its own, which could grow without end."""
    parser = ParserCreate()

    def refuse(*_: Any) -> None:
        raise RequestRefused("SSML with a DOCTYPE is not taken", param="input", code="invalid_ssml")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
        tree = ET.fromstring(text)  # noqa: S314 - what makes it dangerous was refused
    except (ExpatError, ET.ParseError) as error:
        words = f"the SSML is not well formed: {error}"
        raise RequestRefused(words, param="input", code="invalid_ssml") from error
    if tree.tag not in {_SPEAK, "speak"} or text.endswith("/>"):
        raise RequestRefused("SSML must be a <speak> with something to say", param="input", code="invalid_ssml")


def _rate(speed: float | None, losses: list[str]) -> str | None:
    if speed is None or speed == 1:
        return None
    taken = min(max(speed, _SLOWEST), _FASTEST)
    if taken != speed:
        losses.append(f"speed {speed:g} became {taken:g}: it speaks at {_SLOWEST:g} to {_FASTEST:g} times its pace")
    return f"{(taken - 1) * 100:+.0f}%"
