"""Gemini's ears and voices: what is in the audio that came along, as JSON; speech as PCM in an answer's parts."""

import re
from base64 import b64encode
from collections.abc import Iterator
from math import ceil
from typing import Any

import orjson

from infra.local.simulators import gemini_checks as checks
from infra.local.simulators import signal
from infra.local.simulators.answers import WRONG_JSON
from infra.local.simulators.checks import RequestError
from infra.local.simulators.recognition import DeafError, Recording, english, recording
from infra.local.simulators.replies import Call, Reply, Stream, json_reply

RATE = 24_000
PIECE = RATE // 2  # samples: half a second
TOKENS_A_SECOND = 32
DIRECTED = re.compile(r"\A(?:Say|Read aloud)[^:]*:\s*", re.IGNORECASE)  # older models are told how in the text itself


def heard(body: dict[str, Any], config: dict[str, Any]) -> tuple[str, float] | None:
    """What a request for segments hears, as JSON, and how long the audio is; None for any other request."""
    schema = config.get("responseSchema") or config.get("responseJsonSchema") or {}
    blobs = [part["inlineData"] for content in body["contents"] for part in content["parts"] if "inlineData" in part]
    sounds = [blob for blob in blobs if blob.get("mimeType", "").startswith(("audio/", "video/"))]
    if "segments" not in schema.get("properties", {}) or not sounds:
        return None
    try:
        found = recording(checks.decoded(sounds[0].get("data", "")))
    except DeafError:
        raise RequestError("Unable to process input audio. Please retry with a supported format.") from None
    if WRONG_JSON.get():
        return '{"language": "en"}', found.seconds
    asked = " ".join(part.get("text", "") for content in body["contents"] for part in content["parts"])
    return orjson.dumps(_written(found, to_english="in English" in asked)).decode(), found.seconds


def _written(found: Recording, *, to_english: bool) -> dict[str, Any]:
    segments = [
        {
            "start": _clock(one.start),
            "end": _clock(one.end),
            "language": found.language,
            "text": english(one.text) if to_english else one.text,
        }
        for one in found.sentences
    ]
    return {"language": found.language, "segments": segments}


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def speech(call: Call, body: dict[str, Any], config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pieces of an answer that is spoken."""
    model = call.names["model"]
    text = _text(body, model)
    sound = signal.say(text, _speaker(call, config), RATE)
    raw = sound.astype("<i2").tobytes()
    head = {"modelVersion": model, "responseId": f"sim{call.id[:20]}"}
    said = -(-len(text) // 4)
    pieces = [raw[at : at + 2 * PIECE] for at in range(0, len(raw), 2 * PIECE)]
    for piece in pieces:
        blob = {"mimeType": f"audio/L16;codec=pcm;rate={RATE}", "data": b64encode(piece).decode()}
        candidate = {"content": {"role": "model", "parts": [{"inlineData": blob}]}, "index": 0}
        yield {"candidates": [candidate], **head, "usageMetadata": {"promptTokenCount": said, "totalTokenCount": said}}
    spoken = ceil(len(sound) / RATE * TOKENS_A_SECOND)
    usage = {
        "promptTokenCount": said,
        "candidatesTokenCount": spoken,
        "totalTokenCount": said + spoken,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}],
    }
    ended = {"content": {"role": "model", "parts": []}, "finishReason": "STOP" if pieces else "OTHER", "index": 0}
    yield {"candidates": [ended], **head, "usageMetadata": usage}


def spoken(call: Call, body: dict[str, Any], config: dict[str, Any], *, streams: bool, error: bytes) -> Reply | Stream:
    chunks = list(speech(call, body, config))
    if not streams:
        parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
        data = b"".join(checks.decoded(part["inlineData"]["data"]) for part in parts)
        blob = {**(parts[0]["inlineData"] if parts else {}), "data": b64encode(data).decode()}
        content = {"role": "model", "parts": [{"inlineData": blob}] if parts else []}
        return json_reply({**chunks[-1], "candidates": [{**chunks[-1]["candidates"][0], "content": content}]})
    events = [b"data: " + orjson.dumps(chunk) + b"\r\n\r\n" for chunk in chunks]
    return Stream({"content-type": "text/event-stream"}, (), tuple(events[:-1]), tuple(events[-1:]), error)


def _text(body: dict[str, Any], model: str) -> str:
    parts = [part for content in body["contents"] for part in content["parts"]]
    if any("text" not in part for part in parts):
        raise RequestError("Model tried to read something that is no text. TTS models take text alone.", "contents")
    text = " ".join(part["text"] for part in parts)
    directed = checks.generation_of(model) < (3, 8)
    if not directed:
        return text
    if any("speechMetadata" in part for part in parts):
        raise RequestError("speech_metadata is not supported for this model.", "contents")
    return DIRECTED.sub("", text)


def _speaker(call: Call, config: dict[str, Any]) -> int:
    at, model = "generation_config.speech_config.voice_config", call.names["model"]
    found = (config.get("speechConfig") or {}).get("voiceConfig") or {}
    if "voice" in found and checks.generation_of(model) < (3, 8):
        raise RequestError("voice is not supported for this model: set prebuilt_voice_config.", at)
    voice = found.get("voice") or (found.get("prebuiltVoiceConfig") or {}).get("voiceName") or "Kore"
    names = [name.lower() for name in call.vendor.speakers[model].voices]
    if voice.lower() not in names:
        raise RequestError(f"Voice name {voice} is not supported. Allowed voice names are: {', '.join(names)}", at)
    return names.index(voice.lower()) % len(signal.SPEAKERS)
