"""Replicate's models for sound: their inputs, strictly, and their outputs."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from core.audio import encode
from core.types.audio import Sound
from infra.local.simulators.checks import RequestError
from infra.local.simulators.recognition import LANGUAGES, DeafError, Recording, Segment, english, recording
from infra.local.simulators.replicate_files import File, base
from infra.local.simulators.replicate_models import HEARS, SPEAKS, Kinds
from infra.local.simulators.replies import Call
from infra.local.simulators.signal import SPEAKERS, say

VOICES = (
    "af_heart", "af_bella", "af_alloy", "af_aoede", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river",
    "af_sarah", "af_sky", "am_michael", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_onyx", "am_puck",
    "bf_emma", "bf_alice", "bf_isabella", "bf_lily", "bm_george", "bm_daniel", "bm_fable", "bm_lewis",
)  # fmt: skip
MOST_CHARACTERS = 10_000
RATE = 24_000
SPEED = (0.5, 2)


def output_of(call: Call, model: str, given: dict[str, Any]) -> Any:
    """What a model for sound gives; None for any other model."""
    if model in HEARS:
        _check(HEARS[model], given)
        return _heard(call, model, given)
    if model in SPEAKS:
        _check(SPEAKS[model], given)
        return _said(call, model, given)
    return None


def _check(known: Kinds, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if name not in known:
            words = f"Additional property {name} is not allowed"
            raise RequestError(words, f"input.{name}", "additional_property_not_allowed")
        if not isinstance(value, known[name]) or (isinstance(value, bool) and bool not in known[name]):
            expected = " or ".join(kind.__name__ for kind in known[name])
            raise RequestError(f"Invalid type. Expected: {expected}", f"input.{name}", "invalid_type")


def _heard(call: Call, model: str, given: dict[str, Any]) -> Any:
    name = next((one for one in ("audio", "audio_file", "file", "file_url") if given.get(one)), None)
    if name is None:
        raise RequestError("audio is required", "input", "required")
    try:
        found = recording(_bytes(call, given[name], f"input.{name}"))
    except DeafError:
        raise RequestError("Does not match format 'uri' of an audio file", f"input.{name}", "format") from None
    if model == "openai/whisper":
        return _whispered(found, to_english=given.get("translate", False))
    if model == "openai/gpt-4o-transcribe":
        return [f"{word} " for word in found.text.split()]
    return _told_apart(found)


def _bytes(call: Call, place: str, at: str) -> bytes:
    if place.startswith("data:"):
        try:
            return b64decode(place.partition(";base64,")[2], validate=True)
        except NotBase64:
            raise RequestError("Does not match format 'uri'", at, "format") from None
    found = call.kept.get(place.rpartition("/")[2])
    if not isinstance(found, File):
        raise RequestError("Does not match format 'uri'", at, "format")
    return found.data


def _whispered(found: Recording, *, to_english: bool) -> dict[str, Any]:
    segments = [
        {
            "id": index, "seek": 0, "start": one.start, "end": one.end, "text": f" {one.text}", "tokens": [],
            "temperature": 0, "avg_logprob": -0.1, "compression_ratio": 1.2, "no_speech_prob": 0.01,
        }
        for index, one in enumerate(found.sentences)
    ]  # fmt: skip
    return {
        "segments": segments, "srt_file": None, "txt_file": None, "transcription": f" {found.text}".rstrip(),
        "translation": english(found.text) if to_english else None, "detected_language": LANGUAGES[found.language],
    }  # fmt: skip


def _told_apart(found: Recording) -> dict[str, Any]:
    speakers = list(dict.fromkeys(one.speaker for one in found.sentences))

    def row(one: Segment) -> dict[str, Any]:
        words = [
            {"word": f" {word.word}", "start": word.start, "end": word.end, "probability": 0.98} for word in one.words
        ]
        return {
            "start": one.start, "end": one.end, "text": one.text, "words": words, "avg_logprob": -0.1,
            "duration": one.end - one.start, "speaker": f"SPEAKER_{speakers.index(one.speaker):02d}",
        }  # fmt: skip

    rows = [row(one) for one in found.sentences]
    return {"segments": rows, "language": found.language, "num_speakers": len(speakers)}


def _said(call: Call, model: str, given: dict[str, Any]) -> str:
    text, kind, speaker = given.get("text"), "mp3", 0
    if not text:
        raise RequestError("text is required", "input", "required")
    if len(text) > MOST_CHARACTERS:
        raise RequestError(f"String length must be at most {MOST_CHARACTERS}", "input.text", "string_lte")
    if not SPEED[0] <= given.get("speed", 1) <= SPEED[1]:
        raise RequestError(f"Must be between {SPEED[0]} and {SPEED[1]}", "input.speed", "number_lte")
    if model == "jaaari/kokoro-82m":
        voice, kind = given.get("voice", VOICES[0]), "wav"
        if voice not in VOICES:
            raise RequestError(f"voice must be one of {', '.join(VOICES)}", "input.voice", "enum")
        speaker = VOICES.index(voice) % len(SPEAKERS)
    mark = f"out{call.id[:20]}"
    samples = say(text, speaker, RATE, given.get("speed", 1))
    data = encode([samples.astype("<i2").tobytes()], Sound(kind, RATE), RATE)
    call.kept[mark] = File(mark, f"output.{kind}", f"audio/{kind}", data)
    return f"{base(call)}/pbxt/{mark}"
