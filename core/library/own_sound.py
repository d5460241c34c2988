"""What a caller's own code hears, says and translates, in the gateway's values."""

import asyncio
import inspect
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from core.errors import Malformed
from core.library.requests import TranscriptionRequest
from core.providers.contract import Call
from core.types.audio import Audio, Segment, Sound, Transcript
from core.types.frame import Frame, Kind
from core.types.translation import Translated, Translation
from core.types.usage import Usage

Verb = Callable[..., Any]

_KINDS = {"ogg": "opus"}  # a file's kind → that of sound, where they differ
_HEARD = ("language", "prompt", "vocabulary", "temperature")
_SAID = ("voice", "language", "speed", "instructions")
_TRANSLATED = ("formality", "glossary", "context", "domain")


async def heard(verb: Verb, call: Call, *, by_request: bool) -> Any:
    """`speech_to_text(audio_data, audio_format, …)`, or `transcribe(request)` of a file that is there for so long."""
    body, audio = call.body, call.body["audio"]
    more = {**{name: body.get(name) for name in _HEARD}, "enable_timestamps": bool(body["timestamps"])}
    if not by_request:
        return await _asked(verb, (bytes(audio.data),), {"audio_format": audio.kind, "format": audio.kind, **more})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"audio.{audio.kind}")
        await asyncio.to_thread(path.write_bytes, audio.data)
        wanted = TranscriptionRequest(path, body.get("language"), bool(body["timestamps"]))
        return await _asked(verb, (wanted,), {})


def transcript_of(said: Any, audio: Audio) -> Transcript:
    """A text, or an object that has one, with what else it tells."""
    text = said if isinstance(said, str) else _field(said, "text")
    if not isinstance(text, str):
        raise _empty(said, "text")
    language = _field(said, "detected_language") or _field(said, "language")
    confidence = _field(said, "confidence")
    listed = _field(said, "segments")
    try:
        segments = tuple(_segment(one) for one in listed) if isinstance(listed, list | tuple) else ()
    except (TypeError, ValueError):
        raise Malformed("it returned segments without text, start and end") from None
    return Transcript(
        text,
        language if isinstance(language, str) else None,
        audio.ms / 1000,
        segments,
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
        reason=None if text.strip() else "no speech was recognised",
    )


def _segment(one: Any) -> Segment:
    text, speaker = _field(one, "text"), _field(one, "speaker")
    if not isinstance(text, str):
        raise TypeError
    start, end = float(_field(one, "start")), float(_field(one, "end"))
    return Segment(text, start, end, None if speaker is None else str(speaker))


async def spoken(verb: Verb, call: Call) -> tuple[bytes, Sound]:
    """`text_to_speech(text, voice, …)`: bytes, an object that has them, or pieces as they come."""
    body = call.body
    more = {name: body.get(name) for name in _SAID}
    kind = body["sound"].kind
    said = await _asked(verb, (body["input"],), {**more, "response_format": kind, "audio_format": kind})
    if inspect.isasyncgen(said) or isinstance(said, AsyncIterator):
        pieces: Any = said
        said = b"".join([piece async for piece in pieces])
    data = said if isinstance(said, bytes | bytearray) else _first(said, ("audio_data", "audio", "content"))
    if not isinstance(data, bytes | bytearray) or not data:
        raise _empty(said, "audio_data")
    named = _first(said, ("audio_format", "format"))
    return bytes(data), _sound(bytes(data), named, body["sound"])


def _sound(data: bytes, named: Any, wanted: Sound) -> Sound:
    """By its bytes; samples without a header are what it says they are, else what was wanted."""
    from core.audio.measuring import measure  # noqa: PLC0415 - few programs bring a voice

    if named == "pcm" or (named is None and wanted.kind == "pcm"):
        return wanted._replace(kind="pcm")
    found = measure(data)
    return Sound(_KINDS.get(found.kind, found.kind), found.rate, found.channels)


class OneSound:
    """Sound that is there, as an open stream."""

    request_id: str | None = None
    boundaries: tuple[Any, ...] = ()

    def __init__(self, data: bytes, sound: Sound, usage: Usage) -> None:
        self.sound, self.usage, self.outputs = sound, usage, 1
        self._frames: list[Frame] | None = [Frame(data, Kind.OUTPUT), Frame(b"", Kind.END)]

    async def next(self) -> list[Frame] | None:
        frames, self._frames = self._frames, None
        return frames

    def close(self) -> None:
        self._frames = None


async def translated(verb: Verb, call: Call) -> Translation:
    """`translate_text(text, target_language, …)`, once for each text and language."""
    body = call.body
    more = {**{name: body.get(name) for name in _TRANSLATED}, "source_language": body.get("source")}
    results = []
    for text in body["texts"]:
        found: dict[str, str] = {}
        source: Any = body.get("source")
        for target in body["targets"]:
            said = await _asked(verb, (text, target), more)
            words = said if isinstance(said, str) else _first(said, ("translated_text", "text", "translation"))
            if not isinstance(words, str):
                raise _empty(said, "translated_text")
            found[target] = words
            source = source or _first(said, ("source_language", "detected_language"))
        results.append(Translated(found, source if isinstance(source, str) else None))
    return Translation(tuple(results), call.target.model)


async def _asked(verb: Verb, given: Iterable[Any], offered: Mapping[str, Any]) -> Any:
    """Its own code, with what of the rest it takes; what it cannot do without, and nobody said, is None."""
    takes = inspect.signature(verb).parameters
    everything = any(one.kind is one.VAR_KEYWORD for one in takes.values())
    first = list(given)
    rest = [one for one in list(takes.values())[len(first) :] if one.name in offered]
    first += [offered[one.name] for one in rest if one.kind is one.POSITIONAL_ONLY]
    named = {one.name: offered[one.name] for one in rest if one.kind is not one.POSITIONAL_ONLY}
    more = {
        name: value for name, value in named.items() if value is not None or takes[name].default is takes[name].empty
    }
    if everything:
        more |= {name: value for name, value in offered.items() if value is not None and name not in takes}
    said = verb(*first, **more)
    return await said if inspect.isawaitable(said) else said


def _empty(said: Any, field: str) -> Malformed:
    """None above all, which is what a method without `return` gives."""
    what = repr(said) if said is None or said in ("", b"") else f"{type(said).__name__} without any {field}"
    kind = "bytes" if field == "audio_data" else "a str"
    return Malformed(f"it returned {what}: return {kind}, or an object with {field}")


def _first(said: Any, names: Iterable[str]) -> Any:
    return next((found for name in names if (found := _field(said, name)) is not None), None)


def _field(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, Mapping) else getattr(said, name, None)
