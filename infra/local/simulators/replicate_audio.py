"""Replicate's models for sound: their inputs, strictly, and their outputs; files that are put there and fetched."""

from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from infra.local.simulators.checks import RequestError
from infra.local.simulators.ears import DeafError, Recording, Sentence, english, recording
from infra.local.simulators.errors import error_body, lost
from infra.local.simulators.forms import parts
from infra.local.simulators.mouth import file_of
from infra.local.simulators.replies import Call, Reply, json_reply

Kinds = dict[str, tuple[type, ...]]

NUMBER = (int, float)
SPEED = (0.5, 2)
HEARS: dict[str, Kinds] = {
    "openai/whisper": {
        "audio": (str,), "transcription": (str,), "translate": (bool,), "language": (str,), "temperature": NUMBER,
        "patience": NUMBER, "suppress_tokens": (str,), "initial_prompt": (str,), "condition_on_previous_text": (bool,),
        "temperature_increment_on_fallback": NUMBER, "compression_ratio_threshold": NUMBER,
        "logprob_threshold": NUMBER, "no_speech_threshold": NUMBER,
    },
    "openai/gpt-4o-transcribe": {
        "audio_file": (str,), "prompt": (str,), "language": (str,), "temperature": NUMBER,
    },
    "thomasmol/whisper-diarization": {
        "file_string": (str,), "file_url": (str,), "file": (str,), "group_segments": (bool,),
        "transcript_output_format": (str,), "num_speakers": (int,), "translate": (bool,), "language": (str,),
        "prompt": (str,), "offset_seconds": (int,),
    },
}  # fmt: skip
SPEAKS: dict[str, Kinds] = {
    "minimax/speech-2.6-turbo": {
        "text": (str,), "pitch": (int,), "speed": NUMBER, "volume": NUMBER, "bitrate": (int,), "channel": (str,),
        "emotion": (str,), "voice_id": (str,), "sample_rate": (int,), "language_boost": (str,), "audio_format": (str,),
        "english_normalization": (bool,), "subtitle_enable": (bool,),
    },
    "jaaari/kokoro-82m": {"text": (str,), "voice": (str,), "speed": NUMBER},
}  # fmt: skip
# Models of the community are asked for by their versions alone.
VERSIONS = {
    "8099696689d249cf8b122d833c36ac3f75505c666a395ca40ef26f68e7d3d16e": "openai/whisper",
    "1495a9cddc83b2203b0d8d3516e38b80fd1572ebc4bc5700ac1da56a9b3ed886": "thomasmol/whisper-diarization",
    "f559560eb822dc509045f3921a1921234918b91739db4bf3daab2169b71c7a13": "jaaari/kokoro-82m",
}
VOICES = ("af_bella", "af_nicole", "af_sarah", "am_adam", "am_michael", "bf_emma", "bm_george")
LANGUAGES = {"en": "english", "de": "german", "fr": "french", "es": "spanish"}
MOST_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class File:
    """Something that was put there, or that a prediction made."""

    id: str
    name: str
    kind: str
    data: bytes

    def row(self, base: str, created: int) -> dict[str, Any]:
        return {
            "id": self.id, "name": self.name, "content_type": self.kind, "size": len(self.data), "etag": self.id,
            "checksums": {"sha256": sha256(self.data).hexdigest()}, "metadata": {}, "created_at": created,
            "expires_at": created + 86_400, "urls": {"get": f"{base}/v1/files/{self.id}"},
        }  # fmt: skip


def asked(call: Call) -> str:
    said = call.request.path.encode() + call.request.body
    for capability, models in (("transcribe", HEARS), ("speak", SPEAKS)):
        versions = (digest for digest, model in VERSIONS.items() if model in models)
        if any(one.encode() in said for one in (*models, *versions)):
            return capability
    return "chat"


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

    def row(one: Sentence) -> dict[str, Any]:
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
        speaker = VOICES.index(voice) % 6
    mark = f"out{call.id[:20]}"
    call.kept[mark] = File(mark, f"output.{kind}", f"audio/{kind}", file_of(text, speaker, kind, 24_000))
    return f"{base(call)}/pbxt/{mark}"


def base(call: Call) -> str:
    return f"http://{call.request.headers.get('host', 'localhost')}"


def put(call: Call) -> Reply:
    try:
        content = next((part for part in parts(call.request) if part.name == "content"), None)
    except RequestError:
        content = None
    if content is None:
        return json_reply(error_body(call.vendor, 400, "Missing content"), 400)
    made = File(f"in{call.id[:20]}", content.filename or "", content.kind or "application/octet-stream", content.data)
    call.kept[made.id] = made
    return json_reply(made.row(base(call), call.created), 201)


def file(call: Call) -> Reply:
    found = call.kept.get(call.names["file"])
    if not isinstance(found, File):
        return lost(call.vendor, call.request.method, call.request.path)
    if call.request.method == "DELETE":
        del call.kept[found.id]
        return Reply(204, {}, b"")
    return json_reply(found.row(base(call), call.created))


def deliver(call: Call) -> Reply:
    """What a prediction made; whoever has its address may have it."""
    found = call.kept.get(call.names["file"])
    if not isinstance(found, File):
        return Reply(404, {"content-type": "text/plain"}, b"Not Found")
    return Reply(200, {"content-type": found.kind}, found.data)
