"""Transcription in OpenAI's dialect: what goes into the form for which model, and what comes back. Pure."""

import base64
from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from core.errors import ContextTooLong, Malformed, ParameterRefused, RequestRefused, ServerFault, TargetError
from core.types.audio import Audio, Segment, Transcript, Word
from core.types.usage import Usage
from core.wire import openai
from core.wire.sound import whisper
from core.wire.sound.recognisers import NOBODY, complete, timed

TRANSCRIPTIONS, TRANSLATIONS = "/audio/transcriptions", "/audio/translations"
_MOST_KNOWN = 4  # speakers that can be named
# Ours; everything else of a body is the caller's own and goes along as it is.
_CANONICAL = frozenset({
    "model", "audio", "language", "languages", "prompt", "vocabulary", "timestamps", "diarize", "min_speakers",
    "max_speakers", "known_speakers", "task", "single_utterance", "channels", "stream", "response_format", "include",
})  # fmt: skip
# One request of a provider's about what is as good anywhere else: the file was measured here and is sound.
_UNHEARD = ("audio file", "invalid file format", "could not be decoded", "file is too short", "corrupted")
_TOKENS_PER_SECOND = 10  # of audio, where they are sold and nobody counted
_CHARACTERS_PER_TOKEN = 4


class Manner(NamedTuple):
    """How a model is asked; as most do who run Whisper unless its name says otherwise."""

    times: bool = True  # verbose_json: segments and, where asked for, words
    by_format: bool = False  # speakers are a format of the answer and not a field of the form
    prompt: bool = True
    keywords: bool = False
    languages: bool = False
    to_english: bool = True
    by_tokens: bool = False  # sold by them
    logprobs: bool = False  # tells how likely each token was


_WHISPER = Manner()
_GPT = Manner(times=False, keywords=True, languages=True, to_english=False)
_GPT_4O = Manner(times=False, to_english=False, by_tokens=True, logprobs=True)
_DIARIZING = Manner(times=False, by_format=True, prompt=False, to_english=False, by_tokens=True)


def manner_of(model: str) -> Manner:
    if not model.startswith("gpt-"):
        return _WHISPER
    if model.endswith("-diarize"):
        return _DIARIZING
    return _GPT_4O if model.startswith("gpt-4o") else _GPT


class Form(NamedTuple):
    """Everything of a form but the file."""

    path: str
    fields: dict[str, Any]
    losses: tuple[str, ...]


def form_for(model: str, body: Mapping[str, Any], unsaid: str | None = None) -> Form:
    """`unsaid` is the language to send where none is known, to a provider that would not look for it himself."""
    manner, translates = manner_of(model), body.get("task") == "translate"
    _check(manner, body, translates=translates)
    fields: dict[str, Any] = {"model": model}
    losses: list[str] = []
    fields |= _hints(manner, body, losses)
    if not translates:
        fields |= _language(manner, body, unsaid, losses)
        fields |= _speakers(manner, body, losses)
    fields |= _format(manner, body, translates=translates)
    if body.get("include"):
        if manner.logprobs and not translates:
            fields["include"] = list(body["include"])
        else:
            losses.append("include: this model tells no logprobs")
    if body.get("channels"):
        losses.append("channels: all are heard as one")
    fields |= {name: value for name, value in body.items() if name not in _CANONICAL and value is not None}
    return Form(TRANSLATIONS if translates else TRANSCRIPTIONS, fields, tuple(losses))


def _check(manner: Manner, body: Mapping[str, Any], *, translates: bool) -> None:
    """What the model cannot tell; the plan knows this of all models in the catalogue."""
    times = body.get("timestamps") or ()
    if translates and not manner.to_english:
        raise ParameterRefused("this model does not translate", param="task")
    if body.get("diarize") and not manner.by_format and not manner.times:
        raise ParameterRefused("this model does not say who spoke", param="diarize")
    if "word" in times and (translates or not manner.times):
        what = "of a translation " if translates else ""
        raise ParameterRefused(f"this model gives no times of words {what}".strip(), param="timestamps")
    if times and not manner.times and not manner.by_format:
        raise ParameterRefused("this model gives no times", param="timestamps")


def _hints(manner: Manner, body: Mapping[str, Any], losses: list[str]) -> dict[str, Any]:
    prompt, words = body.get("prompt") or "", list(body.get("vocabulary") or ())
    if not manner.prompt:
        losses += [f"{name}: this model takes none" for name in ("prompt", "vocabulary") if body.get(name)]
        return {}
    if manner.keywords:
        return {**({"prompt": prompt} if prompt else {}), **({"keywords": words} if words else {})}
    # Whisper heeds the end of a long prompt, so the words come before what the caller wrote.
    said = " ".join(part for part in (f"{', '.join(words)}." if words else "", prompt) if part)
    return {"prompt": said} if said else {}


def _language(manner: Manner, body: Mapping[str, Any], unsaid: str | None, losses: list[str]) -> dict[str, Any]:
    several = [_code(one) for one in body.get("languages") or ()]
    one = _code(body["language"]) if body.get("language") else several[0] if len(several) == 1 else None
    if one is not None:
        return {"language": one}
    if several and manner.languages:
        return {"languages": several}
    if several:
        losses.append("languages: this model takes one, so it looks for the language itself")
    return {"language": unsaid} if unsaid else {}


def _code(language: str) -> str:
    """The language alone: regions are refused here (en-US → en)."""
    return language.replace("_", "-").partition("-")[0].lower()


def _speakers(manner: Manner, body: Mapping[str, Any], losses: list[str]) -> dict[str, Any]:
    if not body.get("diarize"):
        return {"chunking_strategy": "auto"} if manner.by_format and "chunking_strategy" not in body else {}
    counts = {name: body[name] for name in ("min_speakers", "max_speakers") if body.get(name)}
    known = body.get("known_speakers") or ()
    if not manner.by_format:
        if known:
            losses.append("known_speakers: they are told apart, and not named")
        return {"diarize": True, **counts}
    losses += [f"{name}: it finds out by itself" for name in counts]
    heard = [one for one in known if one.get("audio") is not None][:_MOST_KNOWN]
    if len(heard) < len(known):
        losses.append(f"known_speakers: {_MOST_KNOWN} at most, each with his voice")
    found: dict[str, Any] = {} if "chunking_strategy" in body else {"chunking_strategy": "auto"}
    if heard:
        found["known_speaker_names"] = [one["name"] for one in heard]
        found["known_speaker_references"] = [_data_url(one["audio"]) for one in heard]
    return found


def _data_url(audio: Audio) -> str:
    return f"data:{audio.mime};base64,{base64.b64encode(audio.data).decode()}"


def _format(manner: Manner, body: Mapping[str, Any], *, translates: bool) -> dict[str, Any]:
    if manner.by_format:
        wanted = body.get("diarize") or body.get("timestamps")
        return {"response_format": "diarized_json" if wanted else "json"}
    if not manner.times:
        return {"response_format": "json"}
    words = "word" in (body.get("timestamps") or ()) or bool(body.get("diarize"))
    if not words or translates:
        return {"response_format": "verbose_json"}  # with segments, and the language that was heard
    return {"response_format": "verbose_json", "timestamp_granularities": ["segment", "word"]}


def read_transcript(
    raw: bytes, model: str, body: Mapping[str, Any], secrets: tuple[str, ...] = ()
) -> tuple[Transcript, Usage]:
    """Malformed when it is none; refused when it lacks what was asked for, so that somebody else may say it."""
    answer = openai.read_json(raw)
    if type(answer) is not dict:
        raise Malformed("the answer is no transcript")
    if answer.get("error"):
        raise openai.read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    text = answer.get("text")
    if type(text) is not str:
        raise Malformed("the answer has no text")
    usage = read_usage(answer.get("usage"), model, body["audio"], text)
    return complete(transcript_of(answer, text, body), model, body, usage), usage


def transcript_of(answer: Mapping[str, Any], text: str, body: Mapping[str, Any]) -> Transcript:
    text, duration, told = text.strip(), body["audio"].ms / 1000, list[str]()
    if not text:
        return Transcript("", _heard(answer), duration, reason=NOBODY)
    spoken = _list(answer, "speaker_segments")
    found = tuple(_segment(one) for one in spoken or _list(answer, "segments"))
    segments, words = timed(found, tuple(_word(one) for one in _list(answer, "words")), body, told)
    return Transcript(
        text,
        _heard(answer),
        duration,
        segments,
        words,
        whisper.overall(segments),
        logprobs=_logprobs(answer),
        told=tuple(told),
    )


def _logprobs(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    found = answer.get("logprobs")
    return tuple(found) if type(found) is list else ()


def _heard(answer: Mapping[str, Any]) -> str | None:
    """The language, as the answer says."""
    listed = answer.get("languages")
    first = listed[0] if type(listed) is list and listed else None
    said = first.get("code") or first.get("language") if type(first) is dict else first
    return whisper.language(answer.get("language") or said)


def _list(table: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = table.get(name) or []
    if type(found) is not list or not all(type(one) is dict for one in found):
        raise Malformed(f"the answer's {name} are no list of objects")
    return found


def _segment(one: Mapping[str, Any]) -> Segment:
    start, end = _times(one)
    words = tuple(_word(word) for word in _list(one, "words"))
    sure = whisper.confidence(one.get("avg_logprob"))
    return Segment(_text(one, "text").strip(), start, end, _speaker(one), sure, words)


def _word(one: Mapping[str, Any]) -> Word:
    start, end = _times(one)
    sure = one.get("probability")
    confidence = float(sure) if isinstance(sure, int | float) else None
    return Word(_text(one, "word").strip(), start, end, confidence, _speaker(one))


def _speaker(one: Mapping[str, Any]) -> str | None:
    said = one.get("speaker") or one.get("speaker_id")
    return str(said) if said else None


def _text(one: Mapping[str, Any], name: str) -> str:
    found = one.get(name)
    if type(found) is not str:
        raise Malformed(f"the answer has a segment or word without {name}")
    return found


def _times(one: Mapping[str, Any]) -> tuple[float, float]:
    start, end = one.get("start"), one.get("end")
    for value in (start, end):
        if type(value) not in {float, int} or not isfinite(value):  # type: ignore[arg-type] # a number by now
            raise Malformed("the answer has a segment or word without times")
    return float(start), max(float(start), float(end))  # type: ignore[arg-type] # looked at above


def read_usage(said: Any, model: str, audio: Audio, text: str) -> Usage:
    """The seconds are measured here. Tokens are the provider's; where he sells them and says none, an estimate."""
    if type(said) is dict and said.get("type") != "duration":
        whole, output = _count(said, "input_tokens"), _count(said, "output_tokens")
        details = said.get("input_token_details")
        heard = min(_count(details, "audio_tokens"), whole) if type(details) is dict else whole
        if whole or output:
            return Usage("reported", input=whole - heard, output=output, audio_input=heard, audio_ms=audio.ms)
    if manner_of(model).by_tokens:
        output = -(-len(text) // _CHARACTERS_PER_TOKEN)
        return Usage(
            "estimated", output=output, audio_input=-(-audio.ms * _TOKENS_PER_SECOND // 1000), audio_ms=audio.ms
        )
    return Usage("reported", audio_ms=audio.ms)


def _count(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    return value if type(value) is int and value > 0 else 0


def read_error(status: int | None, raw: bytes, **about: Any) -> TargetError:
    """A refusal of the file, or of a voice, is this provider's alone: the file was looked at before he was asked."""
    error = openai.read_error(status, raw, **about)
    if not isinstance(error, RequestRefused):
        return error
    words = error.message.lower()
    cls: type[TargetError] | None = None
    if "seconds is longer than" in words:
        cls = ContextTooLong
    elif error.param in {"voice", "file", "response_format"} or any(one in words for one in _UNHEARD):
        cls = ParameterRefused
    if cls is None:
        return error
    return cls(
        error.message, provider_status=error.provider_status, code=error.code, param=error.param,
        request_id=error.request_id, retry_after=error.retry_after,
    )  # fmt: skip
