"""The faces of speech: its bytes, OpenAI's events with it, or one JSON object with it and its receipt."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from starlette.types import Send

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BadRequest, InternalError, PatchbayError, Stopping, TargetError
from core.gateway import Gateway
from core.http import options
from core.http.endpoint import Endpoint, Leaving
from core.http.headers import Headers, receipt_headers
from core.http.problems import Problem, problem, stream_error_object
from core.http.replies import send_json
from core.http.surfaces import Body, summary, summary_or_none
from core.types.audio import MIMES, Sound, Word
from core.types.caller import Caller
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Request
from core.verbs.speak import LiveSpeech, Spoken
from core.wire import sse
from core.wire.sound.speech import speech_of

log = logging.getLogger("patchbay")

Delivery = Literal["bytes", "events", "json"]

_JSON = b"application/json"
_BYTES = b"application/octet-stream"
_EVENTS = b"text/event-stream; charset=utf-8"
_UNBUFFERED = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
_OTHER_NAMES = {"text": "input", "format": "response_format"}  # as other APIs call it


class OpenAISpeech:
    """/v1/audio/speech."""

    shows_receipt = False  # at the end of events

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return speech_request(body, route, timeout, b"")

    def answer(self, answer: Answer[Spoken]) -> bytes:
        found = answer.value
        words = {} if not found.words else {"words": words_of(found.words)}
        said = {
            "audio_base64": b64encode(found.data).decode(),
            "format": found.sound.kind,
            "content_type": MIMES[found.sound.kind],
            "audio_ms": found.ms,
            "characters": answer.receipt.request.facts.characters,
            **words,
            **summary(answer.receipt),
        }
        return orjson.dumps(said)

    def pieces(self, answer: Answer[Spoken]) -> None:  # noqa: ARG002 - the contract
        return None

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        return problem(error, simulated=simulated)


class NativeSpeech(OpenAISpeech):
    """/api/ai/speak: the same, with the receipt also in events and errors."""

    shows_receipt = True

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        return problem(error, simulated=simulated, extra=summary_or_none(error.receipt))


class SpeechEndpoint(Endpoint[Spoken]):
    """Speech comes as it is made, unless all of it is wanted in one object, or nothing can be streamed here."""

    def __init__(self, surface: OpenAISpeech) -> None:
        super().__init__(surface, Gateway.speak_whole)
        self._shows_receipt = surface.shows_receipt

    def _decode(self, body: dict[str, Any], route: str, headers: Mapping[bytes, bytes]) -> Request:
        return speech_request(body, route, options.timeout(headers), headers.get(b"accept", b""))

    async def _answer(self, gateway: Gateway, caller: Caller, request: Request, leaving: Leaving, send: Send) -> None:
        if request.context == "json":
            await super()._answer(gateway, caller, request, leaving, send)
        elif request.most_bytes is not None:
            answer = await gateway.speak_whole(caller, request._replace(stream=False))
            leaving.over()
            fields = receipt_headers(answer.receipt, simulated=answer.receipt.simulated)
            face = self._face(request, answer.receipt)
            body = face.sound(answer.value.data) + face.end(answer.receipt, answer.value.words)
            await send_json(send, body, fields, kind=face.kind)
        else:
            await self._stream(await gateway.speak(caller, request), request, leaving, send)

    async def _stream(self, live: LiveSpeech, request: Request, leaving: Leaving, send: Send) -> None:
        """What breaks it after its first byte must not look like its end."""
        face = self._face(request, live.receipt)
        error: PatchbayError | None = None
        fields: Headers = [(b"content-type", face.kind), *_UNBUFFERED]
        fields += receipt_headers(live.receipt, simulated=live.receipt.simulated)
        async with live:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": fields})
                async for batch in live.frames():
                    if raw := face.frames(batch):
                        await send({"type": "http.response.body", "body": raw, "more_body": True})
            except asyncio.CancelledError:
                if leaving.left:
                    raise
                error = _stopped()
                await live.stop()
            except TargetError as failed:
                error = failed
                await live.broken(failed)
            except Exception:
                log.exception("speech failed inside the gateway")
                error = InternalError("The gateway failed. Its log says why; please report it.")
                await live.stop()
            error = error or live.error
            leaving.over()
            last = face.error(error, live.receipt) if error else face.end(live.receipt, live.words)
            if last is not None:  # else the body ends without its end, which is how HTTP says that it is not whole
                await send({"type": "http.response.body", "body": last})

    def _face(self, request: Request, receipt: Receipt) -> "_Sound | _Events":
        sound: Sound = request.body["sound"]
        return _Events(receipt, shows=self._shows_receipt) if request.context == "events" else _Sound(sound)


class _Sound:
    """As it is."""

    def __init__(self, sound: Sound) -> None:
        self.kind = MIMES[sound.kind].encode()
        if sound.kind == "pcm":
            self.kind += b";rate=%d;channels=%d" % (sound.rate, sound.channels)

    def frames(self, batch: list[Frame]) -> bytes:
        return batch[0].raw if len(batch) == 1 else b"".join([frame.raw for frame in batch])

    def sound(self, data: bytes) -> bytes:
        return data

    def end(self, receipt: Receipt, words: tuple[Word, ...]) -> bytes:  # noqa: ARG002 - events show them
        return b""

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes | None:  # noqa: ARG002 - as above
        return None


class _Events:
    """In OpenAI's events, in base64."""

    kind = _EVENTS

    def __init__(self, receipt: Receipt, *, shows: bool) -> None:
        self._simulated = {"simulated": True} if receipt.simulated else {}
        self._shows = shows

    def frames(self, batch: list[Frame]) -> bytes:
        return self.sound(b"".join([frame.raw for frame in batch]))

    def sound(self, data: bytes) -> bytes:
        if not data:
            return b""
        return b'data: {"type":"speech.audio.delta","audio":"%b"}\n\n' % b64encode(data)

    def end(self, receipt: Receipt, words: tuple[Word, ...]) -> bytes:
        usage = receipt.usage
        said = {
            "type": "speech.audio.done",
            "usage": {
                "input_tokens": usage.input_total,
                "output_tokens": usage.output_total,
                "total_tokens": usage.total,
            },
            **({"words": words_of(words)} if words else {}),
            **({"receipt": summary(receipt)} if self._shows else {}),
            **self._simulated,
        }
        return sse.event(orjson.dumps(said))

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes | None:
        said = {"type": "error", "error": stream_error_object(error, receipt), **self._simulated}
        return sse.event(orjson.dumps(said))


def speech_request(body: Body, route: str, timeout: float | None, accept: bytes) -> Request:
    body = {_OTHER_NAMES.get(name, name): value for name, value in body.items() if value is not None}
    chosen = options.take(body)
    body.pop("model", None)
    asked = speech_of(body)
    delivery: Delivery = "events" if asked.in_events else "json" if _wants_json(accept) else "bytes"
    if delivery == "bytes" and asked.body["boundaries"]:
        words = "boundaries are told beside the sound: ask with Accept: application/json, or with stream_format sse"
        raise BadRequest(words, param="boundaries", code="invalid_value")
    return Request(
        Capability.SPEAK, asked.body, chosen, asked.facts, delivery != "json", route=route, timeout=timeout,
        context=delivery,
    )  # fmt: skip


def _stopped() -> Stopping:
    """In place of a cancellation by a server that ends, as in endpoint.py."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    return Stopping()


def words_of(words: tuple[Word, ...]) -> list[Body]:
    return [{"text": one.text, "start": round(one.start, 3), "end": round(one.end, 3)} for one in words]


def _wants_json(accept: bytes) -> bool:
    """It is named, and nothing that sound is: libraries that name it by themselves take anything as well."""
    kinds = [one.partition(b";")[0].strip().lower() for one in accept.split(b",")]
    return _JSON in kinds and not any(one.startswith((b"audio/", b"*/")) or one == _BYTES for one in kinds)
