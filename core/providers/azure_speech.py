"""Azure Speech: files by fast transcription, what is live or long by its SDK; speech over REST, by SDK with times."""

import re
from secrets import token_hex
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
from yarl import URL

from core.config.settings import Account
from core.errors import Malformed, ModelMissing, ParameterRefused, TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.api import Api
from core.providers.azure_speech_live import Phrases
from core.providers.azure_speech_sdk import Place
from core.providers.azure_speech_voice import LiveSpeech
from core.providers.contract import Call, FrameSource, Reply, lost
from core.providers.row import Row
from core.types.audio import Audio, Sound, Transcript, Word
from core.types.frame import Frame, Kind
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire.azure.speech import definition, live_of, transcript_from
from core.wire.azure.speech_errors import read_error
from core.wire.azure.speech_ssml import Speech, speech_of
from core.wire.forms import form

FAST, LIVE = "azure-stt-fast", "azure-stt"
_VERSION = "2025-10-15"
# Beyond these fast transcription refuses a file.
_MOST_MS, _MOST_BYTES = 2 * 3_600_000, 300_000_000
_REGIONAL = re.compile(r"([a-z0-9-]+)\.(?:api\.cognitive\.microsoft|(?:stt|tts)\.speech\.microsoft)\.com")
_KEY_HEADER = "ocp-apim-subscription-key"


class Addresses(NamedTuple):
    transcribe: URL
    speak: URL
    token: URL
    live: Place


class AzureSpeech:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:  # noqa: ARG002 - as all adapters
        key = account.speech_key.reveal() if account.speech_key else ""
        self._where = addresses(account.speech_region, account.speech_url, key)
        self._credentials = {_KEY_HEADER: key}
        self._api = Api(transport, "", self._credentials, (key,), read_error)
        self._transport = transport

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        if _is_live(call):
            source = await self._live(call)
            return Reply(await source.whole(), source.usage, source.request_id, source.warnings)
        told, losses = definition(call.body)
        warnings = lost(losses, call.target, strict=call.strict)
        audio: Audio = call.body["audio"]
        fields = {"definition": orjson.dumps(told).decode()}
        kind, body = form(fields, "audio", audio.filename, audio.mime, audio.data, token_hex(16))
        found, answer = await self._api.post_file(self._where.transcribe, body, kind, call)
        try:
            made = transcript_from(found, call.body)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        return Reply(made, Usage("reported", audio_ms=audio.ms), self._api.said(answer.request_id), warnings)

    async def transcribe_stream(self, call: Call) -> FrameSource:
        if call.target.model != LIVE:
            raise ModelMissing(f"{call.target.model} answers whole; {LIVE} answers while it listens")
        return await self._live(call)

    async def speak(self, call: Call) -> FrameSource:
        speech = speech_of(call.body, hd=call.target.model.endswith("-hd"))
        warnings = lost(speech.losses, call.target, strict=call.strict)
        if call.body.get("boundaries"):
            return await LiveSpeech(self._transport.sessions, self._where.live, speech, call, warnings).open()
        headers = {"content-type": "application/ssml+xml", "x-microsoft-outputformat": speech.format}
        answer = await self._api.send(self._where.speak, speech.ssml.encode(), call, headers)
        kind = answer.header("content-type") or ""
        if not kind.startswith("audio/"):
            self._api.must_stream(answer, "audio/")
        return _Sound(answer, speech, call.max_bytes, self._api.said(answer.request_id), warnings)

    async def models(self) -> list[str]:
        """A token for some minutes, which costs nothing and says whether the key is right. There is no list."""
        answer = await self._transport.send("POST", self._where.token, self._credentials, b"")
        if answer.status != 200:
            raise await self._api.refusal(answer)
        answer.close()
        return []

    async def _live(self, call: Call) -> Phrases:
        live, losses, told = live_of(call.body)
        warnings = (*lost(losses, call.target, strict=call.strict), *told)
        return await Phrases(self._transport.sessions, self._where.live, live, call, warnings).open()


class _Sound:
    """Speech as it comes over REST."""

    def __init__(
        self, answer: Incoming, speech: Speech, most: int, request_id: str | None, warnings: tuple[str, ...]
    ) -> None:
        self.sound: Sound = speech.sound
        self.boundaries: list[Word] = []
        self.request_id = request_id
        self.warnings = warnings
        self.outputs = 0
        self._answer, self._characters, self._most, self._ended = answer, speech.characters, most, False

    @property
    def usage(self) -> Usage:
        """Billed by characters, which are counted here, once it has begun to speak."""
        return Usage("reported", characters=self._characters) if self.outputs else UNKNOWN_USAGE

    async def next(self) -> list[Frame] | None:
        if self._ended:
            return None
        part = await self._answer.part()
        self._most -= len(part)
        if self._most < 0:
            raise Malformed("the answer is larger than anybody would listen to", request_id=self.request_id)
        if part:
            self.outputs += 1
            return [Frame(part, Kind.OUTPUT)]
        self._ended = True
        if not self.outputs:
            raise Malformed("the answer has no sound", request_id=self.request_id)
        return [Frame(b"", Kind.END)]

    def close(self) -> None:
        self._answer.close()


def addresses(region: str | None, url: str | None, key: str) -> Addresses:
    """By region, or by the address of a resource of one's own, or of a server in its place (plain http)."""
    parts = urlsplit(url or "")
    if url and (regional := _REGIONAL.fullmatch(parts.hostname or "")):
        region, url = regional[1], None
    if url is None:
        api, tts, live = (
            f"https://{region}.api.cognitive.microsoft.com", f"https://{region}.tts.speech.microsoft.com",
            Place(key, region=region),
        )  # fmt: skip
    elif parts.scheme == "https":
        api = url.rstrip("/")
        tts, live = f"{api}/tts", Place(key, endpoint=f"wss://{parts.netloc}")
    else:
        api = tts = url.rstrip("/")
        live = Place(key, host=f"ws://{parts.netloc}")
    return Addresses(
        address(f"{api}/speechtotext/transcriptions:transcribe?api-version={_VERSION}"),
        address(f"{tts}/cognitiveservices/v1"),
        address(f"{api}/sts/v1.0/issueToken"),
        live,
    )


def _is_live(call: Call) -> bool:
    """By the model; what does not fit fast transcription is heard live, too."""
    audio: Audio = call.body["audio"]
    model = call.target.model
    if model not in {FAST, LIVE}:
        raise ModelMissing(f"{model} is none of its ways of recognition: {FAST}, {LIVE}")
    if model == FAST and call.body.get("single_utterance"):
        raise ParameterRefused(f"{FAST} hears whole files; {LIVE} ends with the first utterance")
    return model == LIVE or audio.ms > _MOST_MS or len(audio.data) > _MOST_BYTES
