"""What is heard, said, translated and cleaned from Python: the seeds' requests as bodies, and their way."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.answers import Answer
from core.errors import BadRequest
from core.library.calls import CALLER, ROUTE
from core.library.requests import Body, TranscriptionRequest
from core.library.scope import Scope
from core.types.audio import Audio, Transcript
from core.types.request import Request
from core.types.translation import Translation
from core.verbs.speak import Spoken
from core.wire.beautify.parts import Beautified

_AUDIO = "audio_data"  # the bytes, or where they are
_NAME = "filename"
_USUAL_BYTES = 16_000  # a second of sound that is not there, where only its length is known


def transcription_body(request: TranscriptionRequest | Mapping[str, Any], **more: Any) -> Body:
    """Of a request in the seed's form; the file is read when it is asked for."""
    if isinstance(request, TranscriptionRequest):
        path = None if request.audio_path is None else Path(request.audio_path)
        request = {
            _AUDIO: path, "language": request.language, "model": request.model,
            "enable_timestamps": request.enable_timestamps or None, "audio_minutes": request.audio_minutes,
        }  # fmt: skip
    return _said({**request, **more})


def speech_body(audio_data: Any, audio_format: str | None, **more: Any) -> Body:
    """Of sound in memory."""
    if not isinstance(audio_data, bytes | bytearray | memoryview):
        words = f"audio_data must be bytes, not {type(audio_data).__name__}"
        raise BadRequest(words, param=_AUDIO, code="invalid_type")
    return _said({_AUDIO: bytes(audio_data), "audio_format": audio_format, **more})


def text_body(text: str, voice: str | None, **more: Any) -> Body:
    return _said({"input": text, "voice": voice, **more})


def translation_body(text: str | Sequence[str], target_language: Any, **more: Any) -> Body:
    given = text if isinstance(text, str) else list(text)
    wanted = "target_language" if isinstance(target_language, str) else "targets"
    target = target_language if isinstance(target_language, str) else list(target_language)
    return _said({"text": given, wanted: target, **more})


def beautify_body(given: str | Mapping[str, Any], what: Sequence[str] | None, **more: Any) -> Body:
    wanted = {"text": given} if isinstance(given, str) else {"transcript": dict(given)}
    return _said({**wanted, "what": None if what is None else list(what), **more})


async def transcribe(scope: Scope, body: Body) -> Answer[Transcript]:
    async with scope.gateway() as gateway:
        from core.http.sources import measured  # noqa: PLC0415 - few programs hear

        data, name = await asyncio.to_thread(_read, body)
        audio, told = await measured(data, gateway.settings, where=_AUDIO, name=name, kind=body.get("audio_format"))
        return await gateway.transcribe(CALLER, _heard(body, audio, told))


async def speak(scope: Scope, body: Body) -> Answer[Spoken]:
    from core.http.speech import speech_request  # noqa: PLC0415 - as above

    body, timeout = _timed(body)
    request = speech_request(body, ROUTE, timeout, b"application/json")
    async with scope.gateway() as gateway:
        return await gateway.speak_whole(CALLER, request)


async def translate(scope: Scope, body: Body) -> Answer[Translation]:
    from core.http.translations import translate_request  # noqa: PLC0415 - as above

    body, timeout = _timed(body)
    async with scope.gateway() as gateway:
        return await gateway.translate(CALLER, translate_request(body, ROUTE, timeout))


async def beautify(scope: Scope, body: Body) -> Answer[Beautified]:
    from core.http.beautify import beautify_request  # noqa: PLC0415 - as above

    body, timeout = _timed(body)
    async with scope.gateway() as gateway:
        return await gateway.beautify(CALLER, beautify_request(body, ROUTE, timeout))


def likely(body: Body) -> Request:
    """The request for an estimate: of a file by what is in it, or by its minutes alone."""
    minutes = body.get("audio_minutes")
    if minutes is not None:
        audio = Audio(b"", "wav", ms=round(float(minutes) * 60_000))
        made = _heard(body, audio, [])
        return made._replace(facts=made.facts._replace(audio_bytes=round(minutes * 60 * _USUAL_BYTES)))
    from core.audio.measuring import measure  # noqa: PLC0415 - as above

    data, name = _read(body)
    found = measure(data)
    return _heard(body, Audio(data, found.kind, found.codec, found.ms, found.rate, found.channels, name), [])


def _heard(body: Body, audio: Audio, told: Sequence[str]) -> Request:
    from core.http.transcripts import transcript_request  # noqa: PLC0415 - as above
    from core.wire.sound.transcripts import TOLD  # noqa: PLC0415 - as above

    body, timeout = _timed(body)
    for name in (_AUDIO, _NAME, "audio_format", "audio_minutes"):
        body.pop(name, None)
    return transcript_request({**body, "audio": audio, TOLD: tuple(told)}, ROUTE, timeout)


def targets_of(body: Body) -> list[str]:
    """The languages of a translation, as they come back."""
    from core.wire.translation.request import translate_body  # noqa: PLC0415 - as above

    named: Body = {name: body[name] for name in ("text", "target_language", "targets") if name in body}
    found: list[str] = translate_body(named)[0]["targets"]
    return found


def is_heard(body: Body) -> bool:
    return _AUDIO in body or "audio_minutes" in body


def _read(body: Body) -> tuple[bytes, str]:
    given = body.get(_AUDIO)
    if isinstance(given, bytes):
        return given, str(body.get(_NAME) or "")
    if given is None:
        raise BadRequest("name a recording: audio_path", param="audio_path", code="missing")
    path = Path(given)
    try:
        return path.read_bytes(), path.name
    except OSError as error:
        words = f"audio_path {path} cannot be read ({error.strerror})"
        raise BadRequest(words, param="audio_path", code="unreadable") from error


def _said(body: Mapping[str, Any]) -> Body:
    return {name: value for name, value in body.items() if value is not None}


def _timed(body: Body) -> tuple[Body, float | None]:
    """`timeout` in seconds is ours, as in every request of the library."""
    body = dict(body)
    return body, body.pop("timeout", None)
