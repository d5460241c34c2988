"""Transcription at those who have OpenAI's audio API: the official SDK makes the forms, our transport sends them."""

import asyncio
import importlib
from collections.abc import AsyncIterable, Mapping
from typing import Any

from core.config.settings import Account
from core.errors import Misconfigured, TargetError
from core.net.beneath import ANSWER, View, client
from core.net.transport import Incoming, Transport, address
from core.providers.api import Api, checked, root_of
from core.providers.contract import Call, Reply
from core.providers.frames import Frames
from core.providers.row import Row
from core.types.audio import Transcript
from core.wire.sound import openai_audio as wire
from core.wire.sound.openai_audio_stream import TranscriptStream


class OpenAIAudio:
    unsaid: str | None = None  # the language to send where none is known

    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(row, account, transport, wire.read_error)
        self._api.root = root_of(row, account).rstrip("/")

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        answer, warnings = await self._listen(call, stream=False)
        try:
            raw = await answer.read(call.max_bytes)
            transcript, usage = wire.read_transcript(raw, call.target.model, call.body, self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        return Reply(transcript, usage, self._api.said(answer.request_id), warnings)

    async def transcribe_stream(self, call: Call) -> "HeardLive":
        answer, warnings = await self._listen(call, stream=True)
        self._api.must_stream(answer)
        reader = TranscriptStream(
            model=call.target.model, body=call.body, limit=call.max_bytes, secrets=self._api.secrets
        )
        return HeardLive(answer, reader, self._api.said(answer.request_id), warnings)

    async def _listen(self, call: Call, *, stream: bool) -> tuple[Incoming, tuple[str, ...]]:
        """The head of the answer to an upload."""
        form = wire.form_for(call.target.model, call.body, self.unsaid)
        warnings = checked(list(form.losses), call)
        audio = call.body["audio"]
        fields = {**form.fields, **({"stream": True} if stream else {})}
        sdk = await asyncio.to_thread(_sdk)

        async def send(url: str, headers: Mapping[str, str], body: AsyncIterable[bytes]) -> Incoming:
            own = {name: headers[name] for name in ("content-type", "content-length")}
            return await self._api.send(address(url), body, call, own)

        http, its_response = client(send)
        openai = sdk.AsyncOpenAI(api_key="in our headers", base_url=self._api.root, max_retries=0, http_client=http)
        with View(audio.data) as file:
            async with openai:
                response = await openai.post(
                    form.path,
                    cast_to=its_response,
                    body=fields,
                    files=[("file", (audio.filename, file, audio.mime))],
                    options={"headers": {"Content-Type": "multipart/form-data"}},
                )
        answer: Incoming = response.extensions[ANSWER]
        return answer, warnings


class HeardLive(Frames):
    """Its reader's transcript is there when it is over."""

    __slots__ = ()

    @property
    def transcript(self) -> Transcript | None:
        found: Transcript | None = getattr(self._reader, "transcript", None)
        return found


def _sdk() -> Any:
    """Half a second of imports, in a thread and only for who needs it."""
    try:
        return importlib.import_module("openai")
    except ImportError:
        raise Misconfigured("this needs the package openai: pip install openai") from None
