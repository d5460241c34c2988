"""Gemini's ears and voice: generateContent with audio in what is said, or in the answer."""

from typing import Any

from core.config.settings import Account
from core.errors import TargetError
from core.net.transport import Incoming, Transport
from core.providers.api import Api, checked
from core.providers.contract import Call, Reply
from core.providers.frames import Frames
from core.providers.gemini import address, rooted
from core.providers.row import Row
from core.types.audio import Sound, Transcript
from core.types.frame import Frame
from core.types.usage import Usage
from core.wire.gemini import audio as wire
from core.wire.gemini.answers import read_error
from core.wire.gemini.speech import GeminiSpeech, said_to
from core.wire.sound.recognisers import refusing_files


class GeminiAudio:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(row, account, transport, refusing_files(read_error))
        self._api.root = rooted(self._api.root)

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        body, losses = wire.heard_to(call.body, call.target.model)
        warnings = checked(losses, call)
        url = address(self._api, call, "generateContent")
        theirs, answer = await self._api.post_file(url, body, "application/json", call)
        try:
            made, usage = wire.transcript_from(theirs, call.body, self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        return Reply(made, usage, self._api.said(answer.request_id), warnings)

    async def transcribe_stream(self, call: Call) -> "Listening":
        body, losses = wire.heard_to(call.body, call.target.model)
        warnings = checked(losses, call)
        url = address(self._api, call, "streamGenerateContent?alt=sse")
        answer = await self._api.send_file(url, body, "application/json", call)
        self._api.must_stream(answer)
        reader = wire.GeminiHearing(
            body=call.body, model=call.target.model, limit=call.max_bytes, secrets=self._api.secrets
        )
        return Listening(answer, reader, self._api.said(answer.request_id), warnings)

    async def speak(self, call: Call) -> "Speech":
        body, losses = said_to(call.body, call.target.model)
        warnings = checked(losses, call)
        answer = await self._api.post(address(self._api, call, "streamGenerateContent?alt=sse"), body, call)
        self._api.must_stream(answer)
        reader = GeminiSpeech(
            characters=len(call.body["input"]),
            model=call.target.model,
            limit=call.max_bytes,
            secrets=self._api.secrets,
        )
        source = Frames(answer, reader, self._api.said(answer.request_id), warnings)
        try:
            return await Speech.begun(source, reader)
        except BaseException:
            source.close()
            raise


class Listening(Frames):
    """A transcript while it is written."""

    __slots__ = ("_hearing",)

    def __init__(self, answer: Incoming, reader: wire.GeminiHearing, *more: Any) -> None:
        super().__init__(answer, reader, *more)
        self._hearing = reader

    @property
    def transcript(self) -> Transcript | None:
        return self._hearing.transcript


class Speech:
    """An open stream of speech, of which so much has been read that it is known what it is."""

    boundaries = ()

    def __init__(self, source: Frames, sound: Sound, held: list[Frame]) -> None:
        self._source, self._held = source, held
        self.sound = sound
        self.request_id, self.warnings = source.request_id, source.warnings

    @classmethod
    async def begun(cls, source: Frames, reader: GeminiSpeech) -> "Speech":
        held: list[Frame] = []
        while reader.sound is None:
            held += await source.next() or ()  # its reader raises at an end without speech
        return cls(source, reader.sound, held)

    @property
    def usage(self) -> Usage:
        return self._source.usage

    @property
    def outputs(self) -> int:
        return self._source.outputs

    async def next(self) -> list[Frame] | None:
        if self._held:
            held, self._held = self._held, []
            return held
        return await self._source.next()

    def close(self) -> None:
        self._source.close()
