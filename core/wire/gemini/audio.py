"""What Gemini hears: audio among what is said to it, and segments as JSON in the answer, whole or in pieces. Pure."""

import re
from collections.abc import Iterator, Mapping
from json import JSONDecoder
from typing import Any

import orjson

from core.errors import BrokenOff, ContentRefused, Malformed, ParameterRefused, ServerFault
from core.types.audio import Audio, Segment, Transcript
from core.types.frame import Frame, Kind
from core.types.pieces import Pieces
from core.types.usage import Usage
from core.wire.canonical import ForeignStream, having_used
from core.wire.forms import hole, json_with
from core.wire.gemini import answers
from core.wire.gemini.thinking import thinking_to
from core.wire.sound.recognisers import NOBODY, id_of, joined, left_out, placed, seconds_of

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
_TO_ENGLISH = (
    "Write down in English what is said in this audio, in whatever language it is said; translate faithfully."
)
_HOW = (
    "Give a segment for each sentence, with when it begins and when it ends. Write nothing that is not said. "
    "Where nobody speaks, give no segments."
)
_LIST = re.compile(r'"segments"\s*:\s*\[')
_DECODER = JSONDecoder()
_TELLS = frozenset({"language", "languages", "prompt", "vocabulary", "temperature"})


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


def transcript_from(theirs: Any, body: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> tuple[Transcript, Usage]:
    """What was heard. Times are needed or left out; times that are wrong are neither."""
    if type(theirs) is not dict:
        raise Malformed("the answer is not an object")
    if theirs.get("error"):
        raise answers.read_error(None, orjson.dumps(theirs), secrets=secrets, otherwise=ServerFault)
    usage = _used(theirs.get("usageMetadata"), body)
    with having_used(usage):
        answers.refuse_blocked(theirs)
        candidates = theirs.get("candidates")
        if type(candidates) is not list or not candidates:
            raise Malformed("the answer has no candidates")
        parts = answers.parts_of(candidates[0])
        _check_end(candidates[0].get("finishReason"))
        return _made(_text_of(parts), body), usage


def _used(said: Any, body: Mapping[str, Any]) -> Usage:
    return answers.read_usage(said)._replace(audio_ms=body["audio"].ms)


def _text_of(parts: list[Body]) -> str:
    return "".join(str(part.get("text") or "") for part in parts if not part.get("thought"))


def _check_end(reason: Any) -> None:
    finish = answers.finish_of(reason, called=False)
    if finish == "length":
        raise BrokenOff("the transcript was cut off where the model's answers end; send shorter audio")
    if finish == "content_filter":
        raise ContentRefused(f"what is said was not written down ({reason})", code=str(reason))


def _made(written: str, body: Mapping[str, Any]) -> Transcript:
    try:
        said = orjson.loads(written)
    except orjson.JSONDecodeError:
        raise Malformed("what was heard is not JSON") from None
    if type(said) is not dict or type(said.get("segments")) is not list:
        raise Malformed("what was heard has no segments")
    duration = body["audio"].ms / 1000
    found = [_segment(one) for one in said["segments"]]
    text = joined(segment.text for segment in found)
    told: list[str] = []
    timed = placed(found, duration, told, needed=_needs_times(body))
    language = "en" if body.get("task") == "translate" else _word(said.get("language"))
    reason = None if text else NOBODY
    return Transcript(text, language if text else None, duration, timed, reason=reason, told=tuple(told))


def _needs_times(body: Mapping[str, Any]) -> bool:
    return "segment" in (body.get("timestamps") or ())


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


class GeminiHearing(ForeignStream):
    """Reads a transcript while it is written: a segment is told once all of it is there. `transcript` is the whole."""

    def __init__(self, *, body: Mapping[str, Any], **given: Any) -> None:
        super().__init__(keep_usage=False, created=0, **given)
        self._body = body
        self._written = ""
        self._at = -1  # from where on nothing has been read, once the list of segments has begun
        self._segments: list[Segment] = []
        self.transcript: Transcript | None = None
        self.usage = Usage(audio_ms=body["audio"].ms)

    def _event(self, name: str, data: Body) -> list[Frame]:  # noqa: ARG002 - its events have no names
        if data.get("error"):
            raise answers.read_error(None, orjson.dumps(data), secrets=self._secrets)
        if data.get("usageMetadata"):
            self.usage = _used(data["usageMetadata"], self._body)
        answers.refuse_blocked(data)
        frames: list[Frame] = []
        for candidate in (data.get("candidates") or ())[:1]:
            self._written += _text_of(answers.parts_of(candidate))
            frames += [frame for segment in self._new() for frame in self._told(segment)]
            if reason := candidate.get("finishReason"):
                _check_end(reason)
                self.transcript = _made(self._written, self._body)
                self._finished = True
        return frames

    def _new(self) -> Iterator[Segment]:
        """The segments that are whole and have not been told."""
        if self._at < 0 and (begun := _LIST.search(self._written)):
            self._at = begun.end()
        while self._at >= 0 and (start := self._written.find("{", self._at)) >= 0:
            try:
                found, self._at = _DECODER.raw_decode(self._written, start)
            except ValueError:
                return  # the rest of it is still to come
            yield _segment(found)

    def _told(self, segment: Segment) -> list[Frame]:
        whole = joined(one.text for one in self._segments)
        self._segments.append(segment)
        delta = joined((whole, segment.text))[len(whole) :]
        found: list[Body] = [{"type": "transcript.text.delta", "delta": delta}] if delta else []
        if _needs_times(self._body):
            placed_so_far = placed(self._segments, self._body["audio"].ms / 1000, [], needed=True)
            start, end, number = placed_so_far[-1].start, placed_so_far[-1].end, len(self._segments) - 1
            times = {"id": id_of(number), "start": start, "end": end, "text": segment.text}
            found.append({"type": "transcript.text.segment", **times})
        return [Frame(orjson.dumps(one), Kind.OUTPUT) for one in found]

    def _end(self) -> list[Frame]:
        self.ended = True
        text = self.transcript.text if self.transcript else ""
        return [Frame(orjson.dumps({"type": "transcript.text.done", "text": text}), Kind.END)]
