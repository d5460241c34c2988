"""Speech in OpenAI's dialect: the text is in the sound, so that whoever hears it can say what it was."""

from base64 import b64encode
from typing import Any

import orjson

from core.audio import encode
from core.types.audio import Sound
from infra.local.simulators.answers import tokens
from infra.local.simulators.audio_models import Speaker
from infra.local.simulators.checks import RequestError, known, typed
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.replies import Call, Reply, Stream, event, json_reply
from infra.local.simulators.signal import SPEAKERS, say
from infra.local.simulators.vendor import Vendor

PARAMETERS = frozenset({"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"})
OF_OTHERS = frozenset({"sample_rate", "response_encoding", "language", "bit_rate", "stream"})
RATE = 24_000
PIECE = 4096
TOKENS_PER_SECOND = 21
MIMES = {
    "mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm", "raw": "application/octet-stream",
}  # fmt: skip


def respond(call: Call) -> Reply | Stream:
    vendor = call.vendor
    try:
        body = _decoded(call)
        speaker = vendor.speakers.get(body["model"])
        if speaker is None:
            message = f"The model `{body['model']}` does not exist or does not speak."
            return json_reply(error_body(vendor, 404, message), 404)
        kind = _checked(vendor, speaker, body)
    except RequestError as error:
        return invalid(vendor, error.message, error.param, error.code)
    whose = speaker.voices.index(body["voice"]) % len(SPEAKERS) if body["voice"] in speaker.voices else 0
    samples = say(body["input"], whose, RATE, body.get("speed") or 1)
    sound = encode([samples.astype("<i2").tobytes()], Sound("pcm" if kind == "raw" else kind, RATE), RATE)
    pieces = [sound[at : at + PIECE] for at in range(0, len(sound), PIECE)]
    if speaker.events and body.get(speaker.events) in {"sse", True}:
        return _events(call, body, pieces, len(samples) / RATE)
    return Stream({"content-type": MIMES[kind]}, (), tuple(pieces), (), b"", b"", bare=True)


def _events(call: Call, body: dict[str, Any], pieces: list[bytes], seconds: float) -> Stream:
    error = event(error_body(call.vendor, 500))
    headers = {"content-type": call.vendor.event_stream}
    packed = [b64encode(piece).decode() for piece in pieces]
    if call.vendor.name == "together":
        output = [event({"object": "audio.tts.chunk", "model": body["model"], "b64": one}) for one in packed]
        return Stream(headers, (), tuple(output), (b"data: [DONE]\n\n",), error)
    read, made = tokens(body["input"]) + tokens(body.get("instructions") or ""), round(seconds * TOKENS_PER_SECOND)
    usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
    output = [event({"type": "speech.audio.delta", "audio": one}) for one in packed]
    return Stream(headers, (), tuple(output), (event({"type": "speech.audio.done", "usage": usage}),), error)


def _decoded(call: Call) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise RequestError("We expected a JSON object as the body of your request.")
    for name in ("model", "input", "voice"):
        if not body.get(name):
            raise RequestError(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
        if name != "voice" or call.vendor.name != "openai" or not _own(body[name]):
            typed(name, body[name], (str,), "a string")
    return body


def _own(voice: Any) -> bool:
    """One that the account has made, which is named as an object."""
    return isinstance(voice, dict) and set(voice) == {"id"} and str(voice["id"]).startswith("voice_")


def _checked(vendor: Vendor, speaker: Speaker, body: dict[str, Any]) -> str:
    """The kind of sound that is wanted."""
    if vendor.strict:
        known(body, PARAMETERS if vendor.name == "openai" else PARAMETERS | OF_OTHERS)
    length = len(body["input"])
    if speaker.most_characters is not None and length > speaker.most_characters:
        words = (
            f"Invalid 'input': string too long. Expected a string with maximum length {speaker.most_characters},"
            f" but got a string with length {length} instead."
        )
        raise RequestError(words, "input", "string_above_max_length")
    if body["voice"] not in speaker.voices and not _own(body["voice"]):
        values = ", ".join(f"'{one}'" for one in speaker.voices)
        words = f"Invalid value: '{body['voice']}'. Supported values are: {values}."
        raise RequestError(words, "voice", "invalid_value")
    kind = body.get("response_format") or ("mp3" if vendor.name == "openai" else "wav")
    if kind not in speaker.formats:
        values = ", ".join(f"'{one}'" for one in speaker.formats)
        words = f"Invalid value: '{kind}'. Supported values are: {values}."
        raise RequestError(words, "response_format", "invalid_value")
    if not 0.25 <= (body.get("speed") or 1) <= 4:
        raise RequestError("Invalid 'speed': must be between 0.25 and 4.0.", "speed", "invalid_value")
    if body.get("stream_format") == "sse" and speaker.events != "stream_format":
        raise RequestError("stream_format sse is not supported for this model.", "stream_format", "unsupported_value")
    if body.get("stream") is True and speaker.events == "stream":
        _check_raw(kind, body)
    return str(kind)


def _check_raw(kind: str, body: dict[str, Any]) -> None:
    if kind != "raw":
        raise RequestError("Streaming is only supported for response_format raw.", "response_format", "invalid_value")
    if body.get("response_encoding", "pcm_f32le") != "pcm_s16le" or body.get("sample_rate", 44_100) != RATE:
        words = "The simulator makes pcm_s16le of 24000 Hz only, so ask for response_encoding and sample_rate."
        raise RequestError(words, "response_encoding", "invalid_value")
