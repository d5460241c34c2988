"""Recognition by the Speech SDK: what it is told, and what it has heard as a stream of ours."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson

from core.errors import BadAudio, Malformed, TargetError
from core.net.sessions import Sessions
from core.providers.azure_speech_sdk import Done, Mail, Native, Place, Session, config_of, load
from core.providers.contract import Call
from core.types.audio import Audio, Segment, Transcript
from core.types.frame import Frame, Kind
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire.azure.speech import Live, phrase_from, transcript_of
from core.wire.sound.recognisers import joined

_RATE = 16_000
_BYTES = 2 * _RATE  # in a second
_PIECE = 2.0
# The SDK takes 5 s of audio at once and the rest at twice its pace. Given no more than it can send, it holds no more.
_AHEAD, _PACE = 15.0, 2.5
_ALIVE = None  # something came that says nothing


class Phrases:
    """What is heard, phrase by phrase."""

    def __init__(
        self, sessions: Sessions, place: Place, live: Live, call: Call, warnings: tuple[str, ...] = ()
    ) -> None:
        self.request_id: str | None = None
        self.warnings = warnings
        self.transcript: Transcript | None = None
        self._sessions, self._place, self._live, self._call = sessions, place, live, call
        self._session = Session(sessions, (place.key,))
        self._segments: list[Segment] = []
        self._text = ""
        self._feeding: asyncio.Task[None] | None = None

    async def open(self) -> "Phrases":
        audio: Audio = self._call.body["audio"]
        native = await self._session.begin(partial(_recogniser, self._place, self._live, audio, self._session))
        self._feeding = asyncio.get_running_loop().create_task(self._feed(native))
        return self

    @property
    def usage(self) -> Usage:
        """It is billed by the audio, which was measured here; of a broken one by what had been heard of it."""
        audio: Audio = self._call.body["audio"]
        if self.transcript is not None:
            return Usage("reported", audio_ms=audio.ms)
        if not self._segments:
            return UNKNOWN_USAGE
        return Usage("estimated", audio_ms=min(audio.ms, round(self._segments[-1].end * 1000)))

    @property
    def outputs(self) -> int:
        return len(self._segments)

    async def whole(self) -> Transcript:
        try:
            while await self.next() is not None:
                pass
        except TargetError as error:
            error.usage = self.usage if self._segments else None
            raise
        finally:
            self.close()
        assert self.transcript is not None  # noqa: S101 - the end has made it
        return self.transcript

    async def next(self) -> list[Frame] | None:
        if self.transcript is not None:
            return None
        item = await self._session.next(self._call.idle)
        self.request_id = self._session.request_id
        if isinstance(item, Done):
            self.transcript = transcript_of(self._segments, self._call.body)
            self.close()
            return [_event("done", Kind.END, text=self.transcript.text, usage=self._billed())]
        segment = phrase_from(_read(item), self._live.locales[0]) if item is not _ALIVE else None
        return [] if segment is None else self._frames(segment)

    def close(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None
        self._session.close()

    def _frames(self, segment: Segment) -> list[Frame]:
        self._segments.append(segment)
        before, self._text = self._text, joined((self._text, segment.text))
        frames = [_event("delta", Kind.OUTPUT, delta=self._text[len(before) :])]
        if self._live.diarize or self._call.body.get("timestamps"):
            spoken = {"speaker": segment.speaker} if segment.speaker else {}
            name, start, end = f"seg_{len(self._segments)}", round(segment.start, 3), round(segment.end, 3)
            frames.append(_event("segment", Kind.OUTPUT, id=name, start=start, end=end, text=segment.text, **spoken))
        return frames

    def _billed(self) -> dict[str, Any]:
        return {"type": "duration", "seconds": self._call.body["audio"].ms / 1000}

    async def _feed(self, native: Native) -> None:
        """In pieces, from threads that all sessions share: neither memory nor threads grow with the audio."""
        loop = asyncio.get_running_loop()
        began, fed = loop.time(), _AHEAD
        try:
            while native.more:
                ahead = fed - _AHEAD - _PACE * (loop.time() - began)
                if ahead > 0:
                    await asyncio.sleep(ahead / _PACE)
                fed += await asyncio.wrap_future(self._sessions.submit(partial(_push, native, _PIECE)))
        except BadAudio as error:
            self._session.mail.post(Done(error))


def _recogniser(place: Place, live: Live, audio: Audio, session: Session, mail: Mail) -> Native:
    """Runs in a thread. Handlers are called in the SDK's own and hand on words, never anything native."""
    sdk = load()
    config = config_of(sdk, place)
    config.output_format = sdk.OutputFormat.Detailed
    config.request_word_level_timestamps()
    config.set_profanity(getattr(sdk.ProfanityOption, live.profanity.title()))
    stream = sdk.audio.PushAudioInputStream()  # 16 kHz, 16 bits, one channel
    kind = sdk.transcription.ConversationTranscriber if live.diarize else sdk.SpeechRecognizer
    owner = kind(config, audio_config=sdk.audio.AudioConfig(stream=stream), **_languages(sdk, config, live))
    if live.phrases:
        grammar = sdk.PhraseListGrammar.from_recognizer(owner)
        for phrase in live.phrases:
            grammar.addPhrase(phrase)
    final, interim = (owner.transcribed, owner.transcribing) if live.diarize else (owner.recognized, owner.recognizing)

    def heard(event: Any) -> None:
        mail.post(event.result.json)
        if live.once:
            mail.post(Done())  # what a single utterance is followed by comes half a second later

    def cancelled(event: Any) -> None:
        details = event.cancellation_details
        if details.reason == sdk.CancellationReason.Error:
            session.cancelled(details.code, details.error_details)
        else:
            mail.post(Done())  # the end of the audio is told as a cancellation, too

    final.connect(heard)
    interim.connect(lambda _: mail.post(_ALIVE))
    owner.canceled.connect(cancelled)
    owner.session_started.connect(lambda event: session.named(event.session_id))
    owner.session_stopped.connect(lambda _: mail.post(Done()))
    native = Native(owner, (final, interim, owner.canceled, owner.session_started, owner.session_stopped))
    native.stream, native.more = stream, _decoded(audio)
    if live.once and not live.diarize:
        native.future = owner.recognize_once_async()
    else:
        (owner.start_transcribing_async if live.diarize else owner.start_continuous_recognition_async)().get()
    # What is short is then sent at once, and the thread that sends it is gone before many of them start.
    _push(native, _AHEAD)
    return native


def _languages(sdk: Any, config: Any, live: Live) -> dict[str, Any]:
    if len(live.locales) == 1:
        return {"language": live.locales[0]}
    mode = "AtStart" if live.once else "Continuous"
    config.set_property(sdk.PropertyId.SpeechServiceConnection_LanguageIdMode, mode)
    found = sdk.languageconfig.AutoDetectSourceLanguageConfig(languages=list(live.locales))
    return {"auto_detect_source_language_config": found}


def _decoded(audio: Audio) -> Iterator[bytes]:
    from core.audio.decoding import decode  # noqa: PLC0415 - 30 MB that REST does without

    return decode(audio.data, _RATE)


def _push(native: Native, most: float) -> float:
    """The next seconds of audio; how many there were. Nobody wants more when the session is over."""
    count, blocks, stream = 0, native.more, native.stream
    while blocks is not None and stream is not None and count < most * _BYTES:
        block = next(blocks, None)
        if block is None:
            stream.close()
            native.more = None
            break
        stream.write(bytes(block))
        count += len(block)
    return count / _BYTES


def _read(said: str) -> Any:
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError as error:
        raise Malformed("a phrase is not JSON") from error


def _event(name: str, kind: Kind, **fields: Any) -> Frame:
    return Frame(orjson.dumps({"type": f"transcript.text.{name}", **fields}), kind)
