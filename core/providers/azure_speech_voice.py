"""Speech by the Speech SDK, which tells when each word is said."""

from functools import partial
from typing import Any

from core.errors import Malformed
from core.net.sessions import Sessions
from core.providers.azure_speech_sdk import Done, Mail, Native, Place, Session, config_of, load
from core.providers.contract import Call
from core.types.audio import Sound, Word
from core.types.frame import Frame, Kind
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire.azure.speech import TICKS
from core.wire.azure.speech_ssml import Speech


class LiveSpeech:
    """What is said, and when each word of it is."""

    def __init__(
        self, sessions: Sessions, place: Place, speech: Speech, call: Call, warnings: tuple[str, ...] = ()
    ) -> None:
        self.request_id: str | None = None
        self.warnings = warnings
        self.sound: Sound = speech.sound
        self.boundaries: list[Word] = []
        self.outputs = 0
        self._ended = False
        self._place, self._speech, self._call = place, speech, call
        self._session = Session(sessions, (place.key,))

    async def open(self) -> "LiveSpeech":
        await self._session.begin(partial(_synthesizer, self._place, self._speech, self._session))
        return self

    @property
    def usage(self) -> Usage:
        return Usage("reported", characters=self._speech.characters) if self.outputs else UNKNOWN_USAGE

    async def next(self) -> list[Frame] | None:
        if self._ended:
            return None
        item = await self._session.next(self._call.idle)
        self.request_id = self._session.request_id
        if isinstance(item, Done):
            self._ended = True
            self.close()
            if not self.outputs:
                raise Malformed("the answer has no sound")
            return [Frame(b"", Kind.END)]
        if isinstance(item, Word):
            self.boundaries.append(item)
            return []
        self.outputs += 1
        return [Frame(item, Kind.OUTPUT)]

    def close(self) -> None:
        self._session.close()


def _synthesizer(place: Place, speech: Speech, session: Session, mail: Mail) -> Native:
    """Runs in a thread. Handlers are called in the SDK's own and hand on words, never anything native."""
    sdk = load()
    config = config_of(sdk, place)
    config.set_speech_synthesis_output_format(_format(sdk, speech.format))
    owner = sdk.SpeechSynthesizer(config, audio_config=None)  # else it would look for a loudspeaker

    def word(event: Any) -> None:
        if event.boundary_type == sdk.SpeechSynthesisBoundaryType.Word:
            start = event.audio_offset / TICKS
            mail.post(Word(event.text, start, start + event.duration.total_seconds()))

    def cancelled(event: Any) -> None:
        details = event.result.cancellation_details
        session.cancelled(details.error_code, details.error_details)

    owner.synthesis_started.connect(lambda event: session.named(event.result.result_id))
    owner.synthesizing.connect(lambda event: mail.post(event.result.audio_data))
    owner.synthesis_word_boundary.connect(word)
    owner.synthesis_canceled.connect(cancelled)
    owner.synthesis_completed.connect(lambda _: mail.post(Done()))
    signals = (
        owner.synthesis_started, owner.synthesizing, owner.synthesis_word_boundary, owner.synthesis_canceled,
        owner.synthesis_completed,
    )  # fmt: skip
    native = Native(owner, signals)
    native.stop = owner.stop_speaking_async
    native.future = owner.speak_ssml_async(speech.ssml)
    return native


def _format(sdk: Any, name: str) -> Any:
    """The SDK's own name of a format: Audio24Khz96KBitRateMonoMp3 is audio-24khz-96kbitrate-mono-mp3."""
    plain = name.replace("-", "")
    return next(one for one in sdk.SpeechSynthesisOutputFormat if one.name.lower() == plain)
