"""The faces of transcription: OpenAI's, with its forms and events, and ours with its receipt."""

from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BodyTooLarge, PatchbayError
from core.gateway import Gateway
from core.http import options
from core.http.endpoint import Endpoint, Leaving, forward
from core.http.sources import Sources
from core.http.surfaces import Body, Face, error_event, marks, summary
from core.types.audio import Audio, Transcript
from core.types.caller import Caller
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Request
from core.types.target import Target
from core.wire import sse
from core.wire.shapes import check_type
from core.wire.sound import transcript_answers, transcripts
from core.wire.sound.transcripts import Wanted

# What of audio can be said without it, and what it is taken for where that is left out.
_SAID: tuple[tuple[str, tuple[type, ...], Any], ...] = (
    ("audio_format", (str,), "wav"), ("audio_seconds", (int, float), 60), ("audio_bytes", (int,), 0),
)  # fmt: skip
_ELSEWHERE = " In JSON audio grows by a third: send it as a form, or its address (audio_url, audio_s3)."


class OpenAITranscripts(Face):
    """/v1/audio/transcriptions, and /v1/audio/translations, whose text is English."""

    def __init__(self, task: str = "transcribe") -> None:
        self._task = task

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return transcript_request(body, route, timeout, task=self._task, shows_all=False)

    def answer(self, answer: Answer[Transcript]) -> bytes:
        receipt = answer.receipt
        return transcript_answers.rendered(answer.value, wanted_of(receipt), receipt.usage, **marks(receipt))

    def kind(self, answer: Answer[Transcript]) -> bytes:
        return transcript_answers.KINDS.get(wanted_of(answer.receipt).format, b"")

    def stream(self, live: Any) -> "EventStream":
        return EventStream(live)


class NativeTranscripts(OpenAITranscripts):
    """/api/ai/transcribe and /api/ai/diarize: all there is to a transcript, and its receipt, in one flat object."""

    shows_receipt = True

    def __init__(self, *, diarize: bool = False) -> None:
        super().__init__()
        self._diarize = diarize

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return transcript_request(body, route, timeout, diarize=self._diarize)

    def answer(self, answer: Answer[Transcript]) -> bytes:
        form = wanted_of(answer.receipt).format
        if form in transcript_answers.KINDS:
            return super().answer(answer)
        return orjson.dumps(native_of(answer.value, answer.receipt))

    def stream(self, live: Any) -> "EventStream":
        return NativeEventStream(live)


class EventStream:
    """The events of OpenAI's API."""

    def __init__(self, live: Any) -> None:
        self._live = live  # whose transcript is there at its end
        self._simulated = live.receipt.simulated

    def frames(self, batch: list[Frame]) -> bytes:
        mark = b',"simulated":true}' if self._simulated else b"}"
        return b"".join([sse.event(frame.raw[:-1] + mark) for frame in batch if frame.raw])

    def end(self, receipt: Receipt) -> bytes:
        found, more = self._live.transcript, marks(receipt)
        if wanted_of(receipt).words:
            more["words"] = transcript_answers.native(found)["words"]
        return sse.event(transcript_answers.done(found, receipt.usage, **more))

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        return error_event(error, receipt, marks(receipt))


class NativeEventStream(EventStream):
    """The same; the last event has all that a whole answer has."""

    def end(self, receipt: Receipt) -> bytes:
        return sse.event(orjson.dumps({"type": transcript_answers.DONE, **native_of(self._live.transcript, receipt)}))

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        return error_event(error, receipt, summary(receipt))


class TranscriptEndpoint(Endpoint[Transcript]):
    """A route that audio is sent to, as a form or in JSON."""

    takes_forms = True

    def __init__(self, surface: OpenAITranscripts) -> None:
        super().__init__(surface, Gateway.transcribe)
        self._face = surface
        self._sources = Sources()

    async def _body(self, gateway: Gateway, scope: Scope, receive: Receive) -> Body:
        try:
            return await self._sources.body(receive, scope["patchbay.headers"], gateway.settings)
        except BodyTooLarge as error:
            if "MAX_BODY" in error.message:
                error.message += _ELSEWHERE
            raise

    def _kind(self, answer: Answer[Transcript]) -> bytes:
        return self._face.kind(answer)

    async def _answer(self, gateway: Gateway, caller: Caller, request: Request, leaving: Leaving, send: Send) -> None:
        if not request.stream:
            await super()._answer(gateway, caller, request, leaving, send)
            return
        live = await gateway.transcribe_stream(caller, request)
        await forward(live, self._face.stream(live), leaving, send)


def transcript_request(
    body: Body,
    route: str,
    timeout: float | None = None,
    *,
    task: str = "transcribe",
    diarize: bool = False,
    shows_all: bool = True,
) -> Request:
    """From fields among which the audio is `audio`, measured."""
    told = body.pop(transcripts.TOLD, ())
    chosen = options.take(body)
    made, wanted = transcripts.canonical(body, task=task, diarize=diarize, shows_all=shows_all)
    facts = transcripts.transcript_facts(made)
    capability = Capability.DIARIZE if made["diarize"] else Capability.TRANSCRIBE
    return Request(
        capability, made, chosen, facts, bool(body.get("stream")), route=route, timeout=timeout, context=wanted,
        warnings=(*told, *wanted.told),
    )  # fmt: skip


def planned_request(body: Body, route: str, *, diarize: bool) -> Request:
    """One about audio that is not sent, but as long and large, and of that kind, as is said."""
    body = {name: value for name, value in body.items() if value is not None}
    said: list[Any] = []
    for name, kinds, usual in _SAID:
        check_type(name, value := body.pop(name, usual), kinds)
        said.append(value)
    kind, seconds, size = said
    request = transcript_request({**body, "audio": Audio(b"", kind, ms=round(seconds * 1000))}, route, diarize=diarize)
    return request._replace(facts=request.facts._replace(audio_bytes=size))


def native_of(transcript: Transcript, receipt: Receipt) -> Body:
    return {
        **transcript_answers.native(transcript),
        "method": method_of(transcript, receipt.target),
        **summary(receipt),
    }


def method_of(transcript: Transcript, target: Target | None) -> str | None:
    """What a transcript is said to be made by: whose speech recognition, or whose Whisper."""
    return None if target is None else f"{target.provider}_{transcript.recogniser}"


def wanted_of(receipt: Receipt) -> Wanted:
    found: Wanted = receipt.request.context
    return found
