"""Hugging Face's speech recognition, a task of its own inference."""

from core.config.settings import Account
from core.errors import TargetError
from core.net.transport import Transport
from core.providers.api import Api, checked
from core.providers.contract import Call, Reply
from core.providers.row import Row
from core.types.audio import Audio, Transcript
from core.types.usage import Usage
from core.wire.huggingface.audio import heard_to, path_of, transcript_from
from core.wire.huggingface.feature_extraction import read_error
from core.wire.sound.recognisers import refusing_files


class HuggingFaceAudio:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(row, account, transport, refusing_files(read_error))
        self._api.root = self._api.root.removesuffix("/v1")

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        kind, body, losses = heard_to(call.body)
        warnings = checked(losses, call)
        url = self._api.url(path_of(call.target.model))
        theirs, answer = await self._api.post_file(url, body, kind, call)
        try:
            made = transcript_from(theirs, call.body, self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        audio: Audio = call.body["audio"]
        return Reply(made, Usage("reported", audio_ms=audio.ms), self._api.said(answer.request_id), warnings)
