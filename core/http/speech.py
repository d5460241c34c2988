"""The faces of speech: its bytes, OpenAI's events with it, or one JSON object with it and its receipt."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from starlette.types import Send

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BadRequest, PatchbayError
from core.gateway import Gateway
from core.http import options
from core.http.endpoint import EVENTS, Endpoint, Leaving, forward
from core.http.headers import receipt_headers
from core.http.problems import stream_error_object
from core.http.replies import send_json
from core.http.surfaces import Body, Face, marks, summary
from core.types.audio import MIMES, Sound, Word
from core.types.caller import Caller
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Request
from core.verbs.speak import LiveSpeech, Spoken
from core.wire import sse
from core.wire.sound.speech import speech_of

Delivery = Literal["bytes", "events", "json"]

_JSON = b"application/json"
_BYTES = b"application/octet-stream"
_OTHER_NAMES = {"text": "input", "format": "response_format"}  # as other APIs call it


class OpenAISpeech(Face):
    """/v1/audio/speech."""

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


class NativeSpeech(OpenAISpeech):
    """/api/ai/speak: the same, with the receipt also in events and errors."""

    shows_receipt = True


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
            face = self._face(request, answer.value)
            await send_json(send, face.sound(answer.value.data) + face.end(answer.receipt), fields, kind=face.kind)
        else:
            live = await gateway.speak(caller, request)
            face = self._face(request, live)
            await forward(live, face, leaving, send, face.kind)

    def _face(self, request: Request, said: LiveSpeech | Spoken) -> "_Sound | _Events":
        sound: Sound = request.body["sound"]
        return _Events(said, shows=self._shows_receipt) if request.context == "events" else _Sound(sound)


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

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - events show it
        return b""

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes | None:  # noqa: ARG002 - as above
        return None


class _Events:
    """In OpenAI's events, in base64."""

    kind = EVENTS

    def __init__(self, said: LiveSpeech | Spoken, *, shows: bool) -> None:
        self._said = said  # whose words are known at its end
        self._shows = shows

    def frames(self, batch: list[Frame]) -> bytes:
        return self.sound(b"".join([frame.raw for frame in batch]))

    def sound(self, data: bytes) -> bytes:
        if not data:
            return b""
        return b'data: {"type":"speech.audio.delta","audio":"%b"}\n\n' % b64encode(data)

    def end(self, receipt: Receipt) -> bytes:
        usage, words = receipt.usage, self._said.words
        said = {
            "type": "speech.audio.done",
            "usage": {
                "input_tokens": usage.input_total,
                "output_tokens": usage.output_total,
                "total_tokens": usage.total,
            },
            **({"words": words_of(words)} if words else {}),
            **({"receipt": summary(receipt)} if self._shows else {}),
            **marks(receipt),
        }
        return sse.event(orjson.dumps(said))

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        said = {"type": "error", "error": stream_error_object(error, receipt), **marks(receipt)}
        return sse.event(orjson.dumps(said))


def speech_request(body: Body, route: str, timeout: float | None, accept: bytes) -> Request:
    body = {name: value for name, value in body.items() if value is not None}
    for other, name in _OTHER_NAMES.items():
        if other in body and body.setdefault(name, body[other]) != body[other]:
            words = f"{other} is another name of {name}: send one of them"
            raise BadRequest(words, param=other, code="invalid_value")
        body.pop(other, None)
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


def words_of(words: tuple[Word, ...]) -> list[Body]:
    return [{"text": one.text, "start": round(one.start, 3), "end": round(one.end, 3)} for one in words]


def _wants_json(accept: bytes) -> bool:
    """It is named, and nothing that sound is: libraries that name it by themselves take anything as well."""
    kinds = [one.partition(b";")[0].strip().lower() for one in accept.split(b",")]
    return _JSON in kinds and not any(one.startswith((b"audio/", b"*/")) or one == _BYTES for one in kinds)
