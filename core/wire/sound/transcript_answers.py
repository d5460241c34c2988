"""A transcript in the forms of OpenAI's API, whole and as events, and in ours. Pure."""

from collections.abc import Iterator, Sequence
from math import ceil, log
from typing import Any
from zlib import compress

import orjson

from core.types.audio import Segment, Transcript, Word
from core.types.usage import Usage
from core.wire import subtitles
from core.wire.languages import name_of
from core.wire.sound.recognisers import id_of
from core.wire.sound.transcripts import Wanted

Body = dict[str, Any]

DELTA, SEGMENT, DONE = "transcript.text.delta", "transcript.text.segment", "transcript.text.done"
KINDS = {
    "text": b"text/plain; charset=utf-8",
    "srt": b"application/x-subrip; charset=utf-8",
    "vtt": b"text/vtt; charset=utf-8",
}


def rendered(transcript: Transcript, wanted: Wanted, usage: Usage, **more: Any) -> bytes:
    """In the form that was asked for; `more` are fields of an object beside it."""
    match wanted.format:
        case "text":
            return f"{transcript.text}\n".encode()
        case "srt":
            return subtitles.srt(transcript).encode()
        case "vtt":
            return subtitles.vtt(transcript).encode()
        case "verbose_json":
            body = _verbose(transcript, wanted, usage)
        case "diarized_json":
            body = _diarized(transcript, usage)
        case _:
            body = {
                "text": transcript.text,
                **_languages(transcript),
                **_logprobs(transcript),
                "usage": usage_of(usage, transcript),
            }
    reason = {"reason": transcript.reason} if transcript.reason else {}
    return orjson.dumps({**body, **reason, **more})


def native(transcript: Transcript) -> Body:
    """All there is to it."""
    return {
        "text": transcript.text,
        "detected_language": transcript.language,
        "detected_locale": transcript.locale,
        "confidence": transcript.confidence,
        "audio_seconds": transcript.duration,
        "segments": [_shown(one) for one in transcript.segments],
        "words": [_word(one, "text") for one in _words(transcript)],
        "speakers": _speakers(transcript),
        "reason": transcript.reason,
        **_logprobs(transcript),
    }


def usage_of(usage: Usage, transcript: Transcript) -> Body:
    """In tokens where it was sold in them, else in seconds of audio."""
    if not usage.total:
        return {"type": "duration", "seconds": ceil(transcript.duration)}
    details = {"audio_tokens": usage.audio_input, "text_tokens": usage.input_total - usage.audio_input}
    return {
        "type": "tokens",
        "input_tokens": usage.input_total,
        "output_tokens": usage.output_total,
        "total_tokens": usage.total,
        "input_token_details": details,
    }


def events(transcript: Transcript, *, diarized: bool) -> Iterator[bytes]:
    """The events of a transcript that is there, but for the last one. Their deltas add up to its text."""
    text, place = transcript.text, 0
    for number, one in enumerate(transcript.segments):
        said = one.text.strip()
        found = text.find(said, place)
        segment = _segment(one, number)
        if found >= 0 and said:
            place, piece = found + len(said), text[place : found + len(said)]
            named = {"segment_id": segment["id"]} if diarized else {}
            yield orjson.dumps({"type": DELTA, "delta": piece, **named})
        if diarized:
            yield orjson.dumps(segment)
    if place < len(text):
        yield orjson.dumps({"type": DELTA, "delta": text[place:]})


def done(transcript: Transcript, usage: Usage, **more: Any) -> bytes:
    """The last event."""
    reason = {"reason": transcript.reason} if transcript.reason else {}
    return orjson.dumps({
        "type": DONE, "text": transcript.text, **_languages(transcript), **_logprobs(transcript),
        "usage": usage_of(usage, transcript), **reason, **more,
    })  # fmt: skip


def _verbose(transcript: Transcript, wanted: Wanted, usage: Usage) -> Body:
    body: Body = {
        "task": wanted.task,
        "language": name_of(transcript.language or wanted.language),
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if wanted.segments or not wanted.words:
        body["segments"] = [_measured(one, number, wanted) for number, one in enumerate(transcript.segments)]
    if wanted.words:
        body["words"] = [_word(one, "word") for one in _words(transcript)]
    return {**body, "usage": usage_of(usage, transcript)}


def _diarized(transcript: Transcript, usage: Usage) -> Body:
    return {
        "task": "transcribe",
        "duration": transcript.duration,
        "text": transcript.text,
        "segments": [_segment(one, number) for number, one in enumerate(transcript.segments)],
        "usage": usage_of(usage, transcript),
    }


def _measured(segment: Segment, number: int, wanted: Wanted) -> Body:
    """As Whisper tells of it; what nobody told of it is null."""
    raw = segment.text.encode()
    confidence = segment.confidence
    return {
        "id": number,
        "seek": round(segment.start * 100),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": wanted.temperature,
        "avg_logprob": log(confidence) if confidence else None,
        "compression_ratio": len(raw) / len(compress(raw)) if raw else 1.0,
        "no_speech_prob": None,
        **({"speaker": segment.speaker} if segment.speaker else {}),
    }


def _segment(segment: Segment, number: int) -> Body:
    return {
        "type": SEGMENT,
        "id": id_of(number),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "speaker": segment.speaker,
    }


def _shown(segment: Segment) -> Body:
    return {name: value for name, value in segment._asdict().items() if name != "words"}


def _word(word: Word, name: str) -> Body:
    beside = {"confidence": word.confidence, "speaker": word.speaker}
    known = {key: value for key, value in beside.items() if value is not None}
    return {name: word.text, "start": word.start, "end": word.end, **known}


def _words(transcript: Transcript) -> Sequence[Word]:
    """With who said them, where segments tell both."""
    inside = [word._replace(speaker=word.speaker or one.speaker) for one in transcript.segments for word in one.words]
    return inside if len(inside) >= len(transcript.words) else transcript.words


def _speakers(transcript: Transcript) -> list[Body]:
    """Who spoke, and how long."""
    seconds: dict[str, float] = dict.fromkeys(transcript.speakers, 0.0)
    for one in transcript.segments:
        if one.speaker:
            seconds[one.speaker] += max(0.0, one.end - one.start)
    return [{"name": name, "seconds": round(spoken, 3)} for name, spoken in seconds.items()]


def _logprobs(transcript: Transcript) -> Body:
    return {"logprobs": list(transcript.logprobs)} if transcript.logprobs else {}


def _languages(transcript: Transcript) -> Body:
    return {"languages": [{"code": transcript.language}]} if transcript.language else {}
