"""Gemini and sound: audio among what is said, with what is heard as JSON; speech as pieces of PCM. Pure."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any

import orjson

from core.errors import BrokenOff, ContentRefused, Malformed, ParameterRefused, ServerFault, StreamCut
from core.types.audio import Audio, Segment, Sound, Transcript
from core.types.frame import Frame, Kind
from core.types.pieces import Pieces
from core.types.usage import Usage
from core.wire import gemini_answers as answers
from core.wire.canonical import ForeignStream, having_used
from core.wire.forms import hole, json_with
from core.wire.gemini_contents import generation_of
from core.wire.gemini_thinking import thinking_to
from core.wire.heard import NOBODY, joined, left_out, placed, seconds_of

Body = dict[str, Any]

_MIMES = {"mp3": "audio/mp3", "m4a": "audio/mp4", "mp4": "audio/mp4"}  # where its names are not the common ones
_CLOCK = {"type": "STRING", "description": "MM:SS.mmm from the beginning of the audio"}
_LANGUAGE = {"type": "STRING", "description": "code of ISO 639-1"}
_SEGMENT = {
    "type": "OBJECT",
    "properties": {"start": _CLOCK, "end": _CLOCK, "language": _LANGUAGE, "text": {"type": "STRING"}},
    "required": ["start", "end", "text"],
    "propertyOrdering": ["start", "end", "language", "text"],
}
_HEARD = {
    "type": "OBJECT",
    "properties": {"language": _LANGUAGE, "segments": {"type": "ARRAY", "items": _SEGMENT}},
    "required": ["language", "segments"],
    "propertyOrdering": ["language", "segments"],
}
_WRITE = "Write down what is said in this audio, word for word, in the language in which it is said."
_TO_ENGLISH = "Write down in English what is said in this audio, in whatever language it is said; translate faithfully."
_HOW = (
    "Give a segment for each sentence, with when it begins and when it ends. Write nothing that is not said. "
    "Where nobody speaks, give no segments."
)
_TELLS = frozenset({"language", "languages", "prompt", "vocabulary", "temperature"})
_SAYS = frozenset({"input", "voice", "language", "style", "speed", "instructions", "sound", "gender", "boundaries", "ssml"})
_VOICE = "Kore"
_TAKES_STYLE = (3, 8)  # from here on what is to be said is said as it stands; before, how was written into it
_PCM = re.compile(r"audio/(?:l16|pcm)\b", re.IGNORECASE)
_RATE = re.compile(r"rate=(\d{4,6})")
_CHANNELS = re.compile(r"channels=([12])\b")


def heard_to(body: Mapping[str, Any], model: str) -> tuple[Pieces, list[str]]:
    """A request to write down what is said, and what of ours cannot be told."""
    if body.get("diarize") or "word" in (body.get("timestamps") or ()):
        raise ParameterRefused("it tells neither speakers nor the times of words", param="timestamps")
    losses = left_out(body, _TELLS)
    audio: Audio = body["audio"]
    config: Body = {"responseMimeType": "application/json", "responseSchema": _HEARD}
    if body.get("temperature") is not None:
        config["temperature"] = body["temperature"]
    if thinking := thinking_to({"reasoning_effort": "none"}, model, []):
        config["thinkingConfig"] = thinking
    blob = {"mimeType": _MIMES.get(audio.kind, audio.mime), "data": hole()}
    parts = [{"inlineData": blob}, {"text": _asked(body)}]
    made = {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}
    return json_with(made, audio.data), losses


def _asked(body: Mapping[str, Any]) -> str:
    lines = [_TO_ENGLISH if body.get("task") == "translate" else _WRITE, _HOW]
    languages = body.get("languages") or ([body["language"]] if body.get("language") else [])
    if languages:
        lines.append(f"What is spoken is {' or '.join(languages)}.")
    if body.get("vocabulary"):
        lines.append(f"These names and terms may occur: {', '.join(body['vocabulary'])}.")
    if body.get("prompt"):
        lines.append(f"What is known of it: {body['prompt']}")
    return "\n".join(lines)


def transcript_from(theirs: Any, body: Mapping[str, Any]) -> tuple[Transcript, Usage]:
    """What was heard. Times are needed or left out; times that are wrong are neither."""
    audio: Audio = body["audio"]
    if type(theirs) is not dict:
        raise Malformed("the answer is not an object")
    if theirs.get("error"):
        raise answers.read_error(None, orjson.dumps(theirs), otherwise=ServerFault)
    usage = answers.read_usage(theirs.get("usageMetadata"))._replace(audio_ms=audio.ms)
    with having_used(usage):
        said = _said(theirs)
        duration, to_english = audio.ms / 1000, body.get("task") == "translate"
        found = [_segment(one) for one in said["segments"]]
        text = joined(segment.text for segment in found)
        timed = placed(found, duration, needed="segment" in (body.get("timestamps") or ()))
    language = "en" if to_english else _word(said.get("language"))
    return Transcript(text, language if text else None, duration, timed, reason=None if text else NOBODY), usage


def _said(theirs: Body) -> Body:
    answers.refuse_blocked(theirs)
    candidates = theirs.get("candidates")
    if type(candidates) is not list or not candidates:
        raise Malformed("the answer has no candidates")
    parts = answers.parts_of(candidates[0])
    finish = answers.finish_of(candidates[0].get("finishReason"), called=False)
    if finish == "length":
        raise BrokenOff("the transcript was cut off where the model's answers end; send shorter audio")
    if finish == "content_filter":
        raise ContentRefused(f"what is said was not written down ({candidates[0].get('finishReason')})")
    try:
        said = orjson.loads("".join(str(part.get("text") or "") for part in parts if not part.get("thought")))
    except orjson.JSONDecodeError:
        raise Malformed("what was heard is not JSON") from None
    if type(said) is not dict or type(said.get("segments")) is not list:
        raise Malformed("what was heard has no segments")
    return said


def _segment(one: Any) -> Segment:
    text = one.get("text") if type(one) is dict else None
    if type(text) is not str:
        raise Malformed("a segment of what was heard has no text")
    start, end = seconds_of(one.get("start")), seconds_of(one.get("end"))
    # A time that is none is one that no audio has.
    known = (float("inf"), float("inf")) if start is None or end is None else (start, end)
    return Segment(text.strip(), *known, language=_word(one.get("language")))


def _word(said: Any) -> str | None:
    return said.strip() or None if isinstance(said, str) else None


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
            frames += [self._piece(part["inlineData"]) for part in answers.parts_of(candidate) if part.get("inlineData")]
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
