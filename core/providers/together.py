"""What Together has beside OpenAI's audio API: languages that it would not look for, and sound in events."""

from typing import Any

from core.providers.contract import Call
from core.providers.openai_audio import OpenAIAudio
from core.providers.openai_speech import OpenAISpeech
from core.types.audio import Sound
from core.wire.sound import openai_speech as wire
from core.wire.sound import whisper


class TogetherAudio(OpenAIAudio):
    unsaid = "auto"  # else it takes everything for English


class TogetherSpeech(OpenAISpeech):
    def request_for(self, call: Call, sound: Sound) -> tuple[dict[str, Any], list[str]]:
        """Samples, which come in events while they are made."""
        body, losses = wire.request_for(call.target.model, call.body, sound, self._voice)
        if call.body.get("language"):
            body["language"] = whisper.code_for(call.body["language"])
        as_samples = {"response_format": "raw", "response_encoding": "pcm_s16le", "sample_rate": sound.rate}
        return {**body, **as_samples, "stream": True}, losses
