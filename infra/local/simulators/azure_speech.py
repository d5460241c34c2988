"""Azure Speech over REST: fast transcription, short audio, speech from SSML, voices, tokens."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import numpy as np
import orjson

from core.audio import encode
from core.errors import BadAudio
from core.types.audio import Sound
from infra.local.simulators.checks import RequestError
from infra.local.simulators.forms import read_form
from infra.local.simulators.recognition import LANGUAGES, Segment, language_of, segments
from infra.local.simulators.replies import Call, Reply, Stream, json_reply
from infra.local.simulators.signal import SPEAKERS, Samples, hear, samples, say, silence

VERSIONS = ("2024-11-15", "2025-10-15")
LOCALE = re.compile(r"[a-z]{2,3}-[A-Z][A-Za-z]{1,3}(-[a-z]+)?")
VOICE = re.compile(r"([a-z]{2,3}-[A-Z]{2}(?:-[a-z]+)?)-[A-Z][A-Za-z]+(Neural|:DragonHD[A-Za-z]*Neural)")
MOST_SECONDS, MOST_BYTES = 7200, 300_000_000
SHORT_SECONDS = 60
PIECE = 4096
DEFINITION = frozenset({
    "locales", "diarization", "channels", "profanityFilterMode", "phraseList", "audioUrl", "models", "enhancedMode",
    "locale",
})  # fmt: skip
PROFANITY = ("None", "Masked", "Removed", "Tags")
NAMES = ("Ava", "Andrew", "Emma", "Brian", "Jenny", "Guy", "Aria", "Davis")
ELEMENTS = frozenset({
    "speak", "voice", "prosody", "lang", "break", "p", "s", "emphasis", "say-as", "phoneme", "sub", "bookmark",
    "express-as", "silence", "viseme", "mark", "audio", "lexicon", "math", "audioduration", "backgroundaudio",
})  # fmt: skip
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
PERCENT = re.compile(r"([+-]?\d+(?:\.\d+)?)%")
STRENGTHS = {"none": 0.0, "x-weak": 0.25, "weak": 0.5, "medium": 0.75, "strong": 1.0, "x-strong": 1.25}
RATES = {"x-slow": 0.5, "slow": 0.64, "medium": 1.0, "default": 1.0, "fast": 1.55, "x-fast": 2.0}
SSML = "{http://www.w3.org/2001/10/synthesis}"


class Made(NamedTuple):
    """What a format asked for by name is."""

    kind: str
    rate: int


MADE = {
    **{f"{kind}-{name}-16bit-mono-pcm": Made({"raw": "pcm", "riff": "wav"}[kind], rate)
       for kind in ("raw", "riff")
       for name, rate in (("8khz", 8000), ("16khz", 16000), ("22050hz", 22050), ("24khz", 24000), ("44100hz", 44100),
                          ("48khz", 48000))},
    **{f"audio-{rate}khz-{bits}kbitrate-mono-mp3": Made("mp3", rate * 1000)
       for rate, several in ((16, (32, 64, 128)), (24, (48, 96, 160)), (48, (96, 192))) for bits in several},
    **{f"ogg-{rate}khz-16bit-mono-opus": Made("opus", rate * 1000) for rate in (16, 24, 48)},
}  # fmt: skip
MIMES = {"pcm": "audio/basic", "wav": "audio/x-wav", "mp3": "audio/mpeg", "opus": "audio/ogg; codecs=opus"}


class SsmlError(Exception):
    pass


class Piece(NamedTuple):
    """What one voice says at one pace, and how long it is silent behind it."""

    text: str
    speaker: int
    speed: float = 1.0
    pause: float = 0.0


class Said(NamedTuple):
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return " ".join(" ".join(one.text for one in self.pieces).split())


def transcribe(call: Call) -> Reply:
    """A file at once: its words as they are shown, in phrases."""
    if parse_qs(call.request.query).get("api-version", [""])[0] not in VERSIONS:
        return _refused("InvalidApiVersion", "The requested api-version is not supported.")
    try:
        form = read_form(call.request)
        told = _definition(form.one("definition"))
        if "audio" not in form.files:
            return _refused("InvalidArgument", "The audio file is missing.", "EmptyAudioFile")
        data = form.files["audio"][1]
        sound, rate = samples(data)
    except RequestError as error:
        return _refused("InvalidArgument", error.message, error.code)
    except BadAudio:
        words = "The audio file cannot be decoded. Make sure that its format is supported."
        return _refused("InvalidArgument", words, "InvalidAudioFormat", 422)
    seconds = len(sound) / rate
    if seconds >= MOST_SECONDS or len(data) >= MOST_BYTES:
        return _refused("InvalidArgument", "The audio is too long or too large.", "AudioLengthLimitExceeded")
    call.kept["definition"] = told
    return json_reply(_phrases(sound, rate, told))


def short(call: Call) -> Reply:
    """One utterance of less than a minute, without interim results."""
    query = {name: values[-1] for name, values in parse_qs(call.request.query).items()}
    if not LOCALE.fullmatch(query.get("language", "")) or query.get("format", "simple") not in {"simple", "detailed"}:
        return Reply(400, {}, b"")
    if not call.request.headers.get("content-type", "").startswith(("audio/wav", "audio/ogg")):
        return Reply(415, {}, b"")
    try:
        sound, rate = samples(call.request.body)
    except BadAudio:
        return Reply(400, {}, b"")
    found = segments(hear(sound, rate))
    length = round(len(sound) / rate * 10_000_000)
    if not found:
        return json_reply({"RecognitionStatus": "InitialSilenceTimeout", "Offset": 0, "Duration": length})
    first = found[0]
    ticks = {"Offset": round(first.start * 10_000_000), "Duration": round((first.end - first.start) * 10_000_000)}
    if query.get("format") != "detailed":
        return json_reply({"RecognitionStatus": "Success", "DisplayText": first.text, **ticks})
    plain = first.text.lower()
    best = {"Confidence": 0.91, "Lexical": plain, "ITN": plain, "MaskedITN": plain, "Display": first.text}
    return json_reply({"RecognitionStatus": "Success", **ticks, "NBest": [best]})


def speak(call: Call) -> Reply | Stream:
    headers = call.request.headers
    if not headers.get("content-type", "").startswith("application/ssml+xml") or not headers.get("user-agent"):
        return Reply(415, {}, b"")
    made = MADE.get(headers.get("x-microsoft-outputformat", ""))
    if made is None:
        return Reply(400, {}, b"")
    try:
        said = said_in(call.request.body.decode())
    except (SsmlError, UnicodeDecodeError):
        return Reply(400, {}, b"")
    call.kept["ssml"] = call.request.body.decode()
    sound = encoded(sung(said, made.rate), made)
    pieces = tuple(sound[at : at + PIECE] for at in range(0, len(sound), PIECE))
    return Stream({"content-type": MIMES[made.kind]}, (), pieces, (), b"", b"", bare=True)


def voices(call: Call) -> Reply:  # noqa: ARG001 - as all responders
    made = [("en-US", name) for name in NAMES] + [("de-DE", "Katja"), ("fr-FR", "Denise"), ("es-ES", "Elvira")]
    return json_reply([
        {"Name": f"Microsoft Server Speech Text to Speech Voice ({locale}, {name}Neural)", "DisplayName": name,
         "ShortName": f"{locale}-{name}Neural", "Gender": "Female", "Locale": locale, "SampleRateHertz": "24000",
         "VoiceType": "Neural", "Status": "GA", "StyleList": ["cheerful", "sad"]}
        for locale, name in made
    ])  # fmt: skip


def token(call: Call) -> Reply:
    return Reply(200, {"content-type": "application/jwt"}, f"eyJ.simulated.{call.id}".encode())


def spoken(text: str, candidates: list[str]) -> str:
    """Which of these languages it is in; the first, where it is in none of them."""
    name = language_of(text)
    tag = next((tag for tag, language in LANGUAGES.items() if language == name), "en")
    return next((one for one in candidates if one.partition("-")[0] == tag), candidates[0])


def said_in(ssml: str) -> Said:
    """What an SSML document has said, and by whom."""
    try:
        tree = ET.fromstring(ssml)  # noqa: S314 - of our own requests
    except ET.ParseError as error:
        raise SsmlError(f"SSML parsing error: {error}.") from error
    if tree.tag != f"{SSML}speak" or tree.get("version") != "1.0":
        raise SsmlError("The root is no <speak> of version 1.0.")
    if not tree.get("{http://www.w3.org/XML/1998/namespace}lang"):
        raise SsmlError("<speak> has no xml:lang.")
    unknown = {one.tag.rpartition("}")[2] for one in tree.iter()} - ELEMENTS
    if unknown:
        raise SsmlError(f"<{min(unknown)}> is not supported.")
    named = [one.get("name", "") for one in tree if one.tag == f"{SSML}voice"]
    if not named or len(named) != len(tree) or (tree.text or "").strip():
        raise SsmlError("All that is said must stand in a <voice>.")
    for one in named:
        if not VOICE.fullmatch(one):
            raise SsmlError(f"Unsupported voice {one}.")
    return Said(tuple(one for voice in tree for one in _pieces(voice, _speaker_of(voice), 1.0)))


def sung(said: Said, rate: int) -> Samples:
    parts = [
        part for one in said.pieces for part in (say(one.text, one.speaker, rate, one.speed), silence(one.pause, rate))
    ]
    return np.concatenate(parts) if parts else silence(0, rate)


def _speaker_of(voice: ET.Element) -> int:
    return sum(voice.get("name", "").encode()) % len(SPEAKERS)


def _pieces(element: ET.Element, speaker: int, speed: float) -> Iterator[Piece]:
    """In the order of the document."""
    name = element.tag.rpartition("}")[2]
    speed = _paced(element.get("rate"), speed) if name == "prosody" else speed
    text = element.get("alias") if name == "sub" else element.text
    pause = _paused(element) if name == "break" else 0.0
    if pause or (text or "").strip():
        yield Piece(text or "", speaker, speed, pause)
    for one in element:
        yield from _pieces(one, speaker, speed)
        if (one.tail or "").strip():
            yield Piece(one.tail or "", speaker, speed)


def _paused(element: ET.Element) -> float:
    """Twenty seconds at most, as the service has it."""
    given = element.get("time", "")
    found = DURATION.fullmatch(given)
    if given and found is None:
        raise SsmlError(f"{given} is no time.")
    if found is None:
        return STRENGTHS.get(element.get("strength", "medium"), STRENGTHS["medium"])
    return min(float(found[1]) / (1000 if found[2] == "ms" else 1), 20.0)


def _paced(given: str | None, speed: float) -> float:
    """From half to twice the voice's own pace."""
    if given is None or given in RATES:
        made = RATES.get(given or "", 1.0)
    elif found := PERCENT.fullmatch(given):
        made = 1 + float(found[1]) / 100
    elif re.fullmatch(r"\d+(\.\d+)?", given):
        made = float(given)
    else:
        raise SsmlError(f"{given} is no rate.")
    return min(max(speed * made, 0.5), 2.0)


def encoded(sound: Samples, made: Made) -> bytes:
    return encode([sound.astype("<i2").tobytes()], Sound(made.kind, made.rate), made.rate)


def _definition(given: str | None) -> dict[str, Any]:
    try:
        told = orjson.loads(given or "{}")
    except orjson.JSONDecodeError as error:
        raise RequestError("The definition is not JSON.", code="InvalidDefinition") from error
    if not isinstance(told, dict):
        raise RequestError("The definition is no object.", code="InvalidDefinition")
    if unknown := set(told) - DEFINITION:
        raise RequestError(f"The definition has an unknown property: {min(unknown)}.")
    for one in told.get("locales", []):
        if not LOCALE.fullmatch(one):
            raise RequestError(f"The locale {one} is not supported.", code="InvalidLocale")
    diarization = told.get("diarization", {})
    if diarization.get("enabled") and told.get("channels"):
        raise RequestError("Diarization is not supported together with channels.")
    if not 2 <= diarization.get("maxSpeakers", 2) <= 36:
        raise RequestError("maxSpeakers must be between 2 and 36.")
    if told.get("profanityFilterMode", "None") not in PROFANITY:
        raise RequestError("profanityFilterMode is invalid.")
    if not all(isinstance(one, str) for one in told.get("phraseList", {}).get("phrases", [])):
        raise RequestError("phraseList.phrases must be strings.")
    return told


def _phrases(sound: Samples, rate: int, told: dict[str, Any]) -> dict[str, Any]:
    diarizes = bool(told.get("diarization", {}).get("enabled"))
    candidates = told.get("locales") or [
        "en-US", "de-DE", "fr-FR", "es-ES", "it-IT", "ru-RU", "ja-JP", "zh-CN", "ko-KR", "hi-IN", "ar-EG", "el-GR",
        "he-IL",
    ]  # fmt: skip
    found = segments(hear(sound, rate), by_speaker=False)
    seen: dict[int, int] = {}
    phrases = [_phrase(one, candidates, seen, diarizes=diarizes) for one in found]
    return {
        "durationMilliseconds": round(len(sound) / rate * 1000),
        "combinedPhrases": [{"text": " ".join(one.text for one in found)}] if found else [],
        "phrases": phrases,
    }


def _phrase(one: Segment, candidates: list[str], seen: dict[int, int], *, diarizes: bool) -> dict[str, Any]:
    speaker = {"speaker": seen.setdefault(one.speaker, len(seen) + 1)} if diarizes else {}
    return {
        **speaker,
        **_times(one.start, one.end),
        "text": one.text,
        "words": [{"text": word.word, **_times(word.start, word.end)} for word in one.words],
        "locale": spoken(one.text, candidates),
        "confidence": 0.92,
    }


def _times(start: float, end: float) -> dict[str, int]:
    at = round(start * 1000)
    return {"offsetMilliseconds": at, "durationMilliseconds": round(end * 1000) - at}


def _refused(code: str, message: str, inner: str | None = None, status: int = 400) -> Reply:
    more = {"innerError": {"code": inner, "message": message}} if inner else {}
    return json_reply({"code": code, "message": message, **more}, status)
