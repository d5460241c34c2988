"""Transcription: what was said, and by whom. Whole, or as events while it is heard."""

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from core.accounting import pricing
from core.answers import Answer, LiveAnswer
from core.errors import BadAudio
from core.execution.deadline import Deadline
from core.execution.hearing import Hearing, Labels, labelled
from core.execution.streaming import Committed, commit
from core.execution.walk import Won
from core.languages import as_named, base_of, known_tag
from core.providers.contract import Call, FrameSource, Reply, Transcribes, TranscribesLive
from core.providers.row import Hears, Row
from core.routing import sound
from core.steps import Steps
from core.types.audio import Audio, Transcript
from core.types.caller import Caller
from core.types.frame import Frame, Kind
from core.types.plan import Candidate
from core.types.receipt import Receipt
from core.types.request import Request
from core.types.usage import Usage
from core.wire.sound import transcript_answers
from core.wire.sound.recognisers import id_of
from core.wire.sound.transcripts import with_vocabulary

_NAMED = re.compile(rb'"(?:speaker|id|segment_id)"')
SILENT = "no speech was recognised"
MUTE = "the audio is silent: nothing in it is louder than -60 dB"


class Transcribe:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[Transcript]:
        request = self._expecting(caller, request)
        hearing = _hearing(request)

        async def attempt(candidate: Candidate) -> Reply[Transcript]:
            return await self._whole(candidate, request, hearing)

        deadline = self._steps.deadline(request)
        receipt, won = await self._win(caller, request, attempt, deadline, hearing)
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def stream(self, caller: Caller, request: Request) -> "LiveTranscript":
        """Events as they come from who hears live; out of the whole answer of everybody else."""
        request = self._expecting(caller, request)
        hearing = _hearing(request)
        first_token = self._steps.settings.first_token_timeout

        async def attempt(candidate: Candidate) -> Committed:
            adapter, hears = self._adapter(candidate, request), self._hears(candidate, request, whole=True)
            if isinstance(adapter, TranscribesLive) and self._is_live(candidate, request) and hearing.fits(hears):
                call = self._steps.call(candidate, request)._replace(spent=hearing.interrupted)
                return await commit(_listening(adapter, call), first_token)
            reply = await self._whole(candidate, request, hearing)
            return Committed(Whole(reply, candidate, request), [])

        deadline = self._steps.deadline(request)
        receipt, won = await self._win(caller, request, attempt, deadline, hearing)
        receipt.first_ms = (self._steps.clock.monotonic() - receipt.started) * 1000
        receipt.target = won.candidate.target
        return LiveTranscript(self._steps, receipt, won, deadline)

    async def _win(
        self, caller: Caller, request: Request, attempt: Any, deadline: Deadline, hearing: Hearing
    ) -> tuple[Receipt, Won[Any]]:
        receipt, won = await self._steps.win(caller, request, attempt, deadline, "off", hearing.spent)
        receipt.warnings += won.value.warnings
        return receipt, won

    async def _whole(self, candidate: Candidate, request: Request, hearing: Hearing) -> Reply[Transcript]:
        adapter: Transcribes = self._adapter(candidate, request)
        call = self._steps.call(candidate, request)._replace(spent=hearing.interrupted)
        hears = self._hears(candidate, request, whole=sound.is_whole(request))
        model, now = self._steps.model(candidate.target), self._steps.clock.now()

        async def send(audio: Audio) -> Reply[Transcript]:
            reply = await adapter.transcribe(call._replace(body={**call.body, "audio": audio}))
            if reply.usage.source != "unknown":
                return reply
            return reply._replace(usage=Usage("estimated", audio_ms=audio.ms))

        reply = await hearing.at(candidate.target, hears, send, lambda ms: pricing.billed_ms(ms, model, now))
        value = self._signed(finished(reply.value, request.body), candidate, request)
        if not value.text:
            value = value._replace(reason=await _why(value, request.body))
        return reply._replace(value=value, warnings=(*reply.warnings, *value.told))

    def _expecting(self, caller: Caller, request: Request) -> Request:
        """With the terms that are common here, and in the caller's organisation."""
        settings = self._steps.settings
        phrases = [*settings.vocabularies.get(caller.org, ()), *settings.vocabulary]
        return request._replace(body=with_vocabulary(request.body, phrases)) if phrases else request

    def _is_live(self, candidate: Candidate, request: Request) -> bool:
        return sound.is_live(self._row(candidate, request), self._steps.model(candidate.target), request)

    def _adapter(self, candidate: Candidate, request: Request) -> Any:
        target = candidate.target
        return self._steps.registry.adapter(target.provider, target.account, request.capability)

    def _hears(self, candidate: Candidate, request: Request, *, whole: bool) -> Hears:
        target = candidate.target
        return sound.limits_of(self._row(candidate, request), target.model, self._steps.model(target), whole=whole)

    def _signed(self, found: Transcript, candidate: Candidate, request: Request) -> Transcript:
        """With what heard it."""
        model = self._steps.model(candidate.target)
        known = model.recogniser if model else self._row(candidate, request).recogniser
        return found._replace(recogniser=known or "speech")

    def _row(self, candidate: Candidate, request: Request) -> Row:
        target = candidate.target
        return self._steps.registry.row(target.provider, target.account, request.capability)


class LiveTranscript(LiveAnswer):
    """Events under way; `transcript` is what they add up to, once they have ended."""

    def __init__(self, steps: Steps, receipt: Receipt, won: Won[Committed], deadline: Deadline) -> None:
        super().__init__(steps.finish, steps.clock, receipt, won, deadline)
        self._source: Any = won.value.source

    @property
    def transcript(self) -> Transcript:
        found = finished(self._source.transcript, self.receipt.request.body)
        self.receipt.warnings += [one for one in found.told if one not in self.receipt.warnings]
        return found


class Whole:
    """A transcript that is there, as the source of its events."""

    def __init__(self, reply: Reply[Transcript], candidate: Candidate, request: Request) -> None:
        self.transcript = reply.value
        self.usage = reply.usage
        self.request_id = reply.request_id
        self.outputs = 0
        words = f"{candidate.target} does not hear this live: its events were made from the whole answer"
        self.warnings = (*reply.warnings, words)
        diarized = bool(request.body["diarize"] or request.body["timestamps"])
        made = transcript_answers.events(reply.value, diarized=diarized)
        self._frames = deque([[*(Frame(raw, Kind.OUTPUT) for raw in made), Frame(b"", Kind.END)]])

    async def next(self) -> list[Frame] | None:
        return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        self._frames.clear()


class Listening:
    """A live source whose speakers and segments have the names that all transcripts have here."""

    def __init__(self, source: FrameSource, known: Sequence[str]) -> None:
        self._source: Any = source
        self._labels = Labels(known)
        self._ids: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)  # all that a source may have beside its frames

    async def next(self) -> list[Frame] | None:
        frames: list[Frame] | None = await self._source.next()
        return None if frames is None else [self._named(frame) for frame in frames]

    def close(self) -> None:
        self._source.close()

    def _named(self, frame: Frame) -> Frame:
        if frame.kind is not Kind.OUTPUT or not _NAMED.search(frame.raw):
            return frame
        event = orjson.loads(frame.raw)
        if "speaker" in event:
            event["speaker"] = self._labels.of(event["speaker"])
        for name in ("id", "segment_id"):
            if name in event:
                event[name] = self._ids.setdefault(str(event[name]), id_of(len(self._ids)))
        return frame._replace(raw=orjson.dumps(event))


async def _listening(adapter: TranscribesLive, call: Call) -> Any:
    return Listening(await adapter.transcribe_stream(call), _names(call.body))


def _hearing(request: Request) -> Hearing:
    return Hearing(request.body["audio"], whole=request.body["diarize"], language=request.body.get("language"))


def finished(transcript: Transcript, body: Any) -> Transcript:
    """With what every transcript says here: how long the audio was, and why there is no text."""
    if any(one.speaker for one in _tellers(transcript)):
        transcript = labelled(transcript, _names(body))
    text, tag = transcript.text.strip(), known_tag(transcript.language)
    asked = [*body.get("languages", ()), *([body["language"]] if body.get("language") else ())]
    return transcript._replace(
        text=text,
        language=as_named(tag, asked),
        locale=tag if tag and tag != base_of(tag) else transcript.locale,
        segments=tuple(
            one._replace(language=as_named(known_tag(one.language), asked)) if one.language else one
            for one in transcript.segments
        ),
        duration=body["audio"].ms / 1000,
        reason=None if text else transcript.reason or SILENT,
    )


async def _why(transcript: Transcript, body: Any) -> str | None:
    """Why nothing was said; a microphone that was off is told from people who were not understood."""
    from core.audio.decoding import silent  # noqa: PLC0415 - most audio is never decoded here

    try:
        return MUTE if await asyncio.to_thread(silent, body["audio"].data) else transcript.reason
    except BadAudio:
        return transcript.reason  # who was asked could read more of it than is read here


def _tellers(transcript: Transcript) -> Iterable[Any]:
    return (*transcript.segments, *transcript.words)


def _names(body: Any) -> list[str]:
    """Of speakers that the caller knows."""
    return [one["name"] for one in body.get("known_speakers", ())]
