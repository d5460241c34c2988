"""Speech at those who have OpenAI's audio API, by our own transport: the first byte comes a millisecond earlier."""

from typing import Any

from core.config.settings import Account
from core.errors import Malformed
from core.net.transport import Incoming, Transport
from core.providers.api import Api, checked, root_of
from core.providers.contract import Call
from core.providers.frames import Frames, Reader
from core.providers.row import Row
from core.types.audio import Sound, Word
from core.types.usage import Usage
from core.wire.sound import openai_speech as wire
from core.wire.sound.openai_audio import read_error

_SOUNDS = ("audio/", "application/octet-stream", "binary/octet-stream")


class OpenAISpeech:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._row = row
        self._api = Api.of(row, account, transport, read_error)
        self._api.root = root_of(row, account).rstrip("/")
        self._url = self._api.url(wire.PATH)
        self._voice = account.voice

    async def speak(self, call: Call) -> "Spoken":
        sound = wire.given(call.body["sound"], self._row.says)
        body, losses = self.request_for(call, sound)
        warnings = checked(losses, call)
        answer = await self._api.post(self._url, body, call)
        reader = self._reader(call, sound, answer, may_tell="stream" in body or "stream_format" in body)
        return Spoken(answer, reader, self._api.said(answer.request_id), warnings, sound)

    def request_for(self, call: Call, sound: Sound) -> tuple[dict[str, Any], list[str]]:
        return wire.request_for(call.target.model, call.body, sound, self._voice)

    def _reader(self, call: Call, sound: Sound, answer: Incoming, *, may_tell: bool) -> Reader:
        """By what comes: a server that knows no events gives sound as it is."""
        by_tokens = wire.in_events(call.target.model)
        # Sold by tokens, it is unknown what was used until that is said.
        usage = Usage("unknown" if by_tokens else "reported", characters=len(call.body["input"]))
        kind = self._api.said(answer.header("content-type")) or "no content type"
        if may_tell and kind.startswith("text/event-stream"):
            return wire.SpeechEvents(limit=call.max_bytes, usage=usage, secrets=self._api.secrets)
        if not kind.startswith(_SOUNDS):
            answer.close()
            raise Malformed(f"the answer is no sound ({kind})", request_id=self._api.said(answer.request_id))
        return wire.SoundStream(sound=sound, limit=call.max_bytes, usage=usage)


class Spoken(Frames):
    __slots__ = ("boundaries", "sound")

    def __init__(
        self, answer: Incoming, reader: Reader, request_id: str | None, warnings: tuple[str, ...], sound: Sound
    ) -> None:
        super().__init__(answer, reader, request_id, warnings)
        self.sound = sound
        self.boundaries: tuple[Word, ...] = ()
