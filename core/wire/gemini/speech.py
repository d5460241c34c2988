"""What Gemini says aloud: pieces of PCM in its answers. Pure."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any

import orjson

from core.errors import BrokenOff, ContentRefused, Malformed, ParameterRefused, StreamCut
from core.types.audio import Sound
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire.canonical import ForeignStream
from core.wire.gemini import answers
from core.wire.gemini.contents import generation_of
from core.wire.sound.recognisers import left_out

Body = dict[str, Any]

_SAYS = frozenset(
    {"input", "voice", "language", "style", "speed", "instructions", "sound", "gender", "boundaries", "ssml"}
)
_VOICE = "Kore"
_TAKES_STYLE = (3, 8)  # from here on what is to be said is said as it stands; before, how was written into it
_PCM = re.compile(r"audio/(?:l16|pcm)\b", re.IGNORECASE)
_RATE = re.compile(r"rate=(\d{4,6})")
_CHANNELS = re.compile(r"channels=([12])\b")


def said_to(body: Mapping[str, Any], model: str) -> tuple[Body, list[str]]:
    """A request to say a text, and what of ours cannot be told."""
    if body.get("ssml"):
        raise ParameterRefused("it reads no SSML", param="ssml")
    losses = left_out(body, _SAYS)
    hows = [str(body[name]) for name in ("instructions", "style") if body.get(name)]
    speed = body.get("speed")
    if speed is not None and speed != 1:
        hows.append(f"{speed:g} times as fast as usual")
        losses.append("speed was asked for in words: there is no number for it")
    voice, text = body.get("voice") or _VOICE, body["input"]
    newer = generation_of(model) >= _TAKES_STYLE
    part: Body = {"text": text}
    if hows and newer:
        part["speechMetadata"] = {"style": ", ".join(hows)}
    elif hows:
        part["text"] = f"Read aloud ({', '.join(hows)}):\n{text}"
    speech: Body = {"voiceConfig": {"voice": voice} if newer else {"prebuiltVoiceConfig": {"voiceName": voice}}}
    if body.get("language"):
        speech["languageCode"] = body["language"]
    config = {"responseModalities": ["AUDIO"], "speechConfig": speech}
    return {"contents": [{"role": "user", "parts": [part]}], "generationConfig": config}, losses


def sound_of(mime: str) -> Sound:
    """What a piece of speech is, by its type."""
    if not _PCM.match(mime):
        raise Malformed(f"the speech is no PCM ({mime[:60]})")
    rate, channels = _RATE.search(mime), _CHANNELS.search(mime)
    return Sound("pcm", int(rate[1]) if rate else 24000, int(channels[1]) if channels else 1)


class GeminiSpeech(ForeignStream):
    """Reads a stream of speech. `sound` is known with its first piece."""

    def __init__(self, *, characters: int, **given: Any) -> None:
        super().__init__(keep_usage=False, created=0, **given)
        self._characters = characters
        self._half = b""  # of a sample
        self.sound: Sound | None = None
        self.usage = Usage(characters=characters)

    def _event(self, name: str, data: Body) -> list[Frame]:  # noqa: ARG002 - its events have no names
        if data.get("error"):
            raise answers.read_error(None, orjson.dumps(data), secrets=self._secrets)
        if data.get("usageMetadata"):
            self.usage = self._counted(data["usageMetadata"])
        answers.refuse_blocked(data)
        frames: list[Frame] = []
        for candidate in data.get("candidates") or ():
            frames += [
                self._piece(part["inlineData"]) for part in answers.parts_of(candidate) if part.get("inlineData")
            ]
            if reason := candidate.get("finishReason"):
                self._finish(reason)
        return [frame for frame in frames if frame.raw]

    def _counted(self, said: Any) -> Usage:
        """What such a model writes is sound, whether it says so or not."""
        usage = answers.read_usage(said)
        spoken = usage.output + usage.audio_output
        return usage._replace(output=0, audio_output=spoken, characters=self._characters)

    def _piece(self, blob: Any) -> Frame:
        sound = sound_of(str(blob.get("mimeType")) if type(blob) is dict else "")
        if self.sound not in {None, sound}:
            raise Malformed("the speech changes its rate in its middle")
        self.sound = sound
        try:
            data = self._half + b64decode(str(blob.get("data") or ""), validate=True)
        except NotBase64:
            raise Malformed("a piece of the speech is no base64") from None
        size = len(data) - len(data) % (2 * sound.channels)
        self._half = data[size:]
        return Frame(data[:size], Kind.OUTPUT)

    def _finish(self, reason: str) -> None:
        if reason == "OTHER":
            raise BrokenOff("the speech was broken off (OTHER)")
        finish = answers.finish_of(reason, called=False)
        if finish == "content_filter":
            raise ContentRefused(f"the text was not said ({reason})", code=str(reason))
        if finish == "length":
            raise StreamCut("the speech ended where the model's answers end; send a shorter text")
        self._finished = True

    def _end(self) -> list[Frame]:
        if self.sound is None:
            raise Malformed("the answer has no speech")
        self.ended = True
        return [Frame(b"", Kind.END)]
