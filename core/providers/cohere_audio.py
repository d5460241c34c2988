"""Cohere's transcription."""

from dataclasses import replace
from secrets import token_hex

from core.config.settings import Account
from core.errors import TargetError
from core.net.transport import Transport
from core.providers.api import Api, checked
from core.providers.cohere import root_of
from core.providers.contract import Call, Reply
from core.providers.row import Row
from core.types.audio import Audio, Transcript
from core.types.usage import Usage
from core.wire.cohere.audio import fields_of, transcript_from
from core.wire.forms import form
from core.wire.openai import read_error
from core.wire.sound.recognisers import refusing_files


class CohereAudio:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(
            row, replace(account, base_url=root_of(row, account)), transport, refusing_files(read_error)
        )

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        fields, losses = fields_of(call.body, call.target.model)
        warnings = checked(losses, call)
        audio: Audio = call.body["audio"]
        kind, body = form(fields, "file", audio.filename, audio.mime, audio.data, token_hex(16))
        url = self._api.url("/v2/audio/transcriptions")
        theirs, answer = await self._api.post_file(url, body, kind, call)
        try:
            made = transcript_from(theirs, call.body)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        # What it is billed by was measured here.
        return Reply(made, Usage("reported", audio_ms=audio.ms), self._api.said(answer.request_id), warnings)
