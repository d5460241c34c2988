"""Transcription as OpenAI's API asks for it, and as others do: one canonical body and its facts. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import orjson

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.audio import Audio
from core.types.request import Facts
from core.wire.languages import tag_of
from core.wire.shapes import check_type
from core.wire.tokens import tokens_in

Body = dict[str, Any]

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
SUBTITLES = frozenset({"srt", "vtt"})
TEXTS = SUBTITLES | {"text"}
GRANULARITIES = ("segment", "word")
_TEXT, _NUMBER, _WHOLE, _FLAG, _LIST = (str,), (int, float), (int,), (bool,), (list,)

# What callers may send, under the names that the APIs have which they come from.
PARAMS: dict[str, tuple[type, ...]] = {
    "model": _TEXT, "language": _TEXT, "languages": _LIST, "prompt": _TEXT, "temperature": _NUMBER,
    "response_format": _TEXT, "timestamp_granularities": _LIST, "timestamps": (bool, str, list),
    "enable_timestamps": _FLAG, "stream": _FLAG, "task": _TEXT,
    "vocabulary": _LIST, "keywords": _LIST, "phrase_list": (list, dict), "phraseList": (list, dict),
    "diarize": _FLAG, "min_speakers": _WHOLE, "max_speakers": _WHOLE, "known_speakers": _LIST,
    "single_utterance": _FLAG, "channels": _FLAG,
}  # fmt: skip
# Where the audio is, and what is said of it: taken out before the rest is looked at.
SOURCES: dict[str, tuple[type, ...]] = {
    "audio_base64": _TEXT, "audio_url": _TEXT, "audio_s3": _TEXT, "audio_uri": _TEXT, "url": _TEXT,
}  # fmt: skip
ABOUT: dict[str, tuple[type, ...]] = {
    "audio_format": _TEXT, "filename": _TEXT, "known_speaker_names": _LIST, "known_speaker_references": _LIST,
}  # fmt: skip
TOLD = " told"  # where what is odd about a request, and answered all the same, is kept; no caller's field begins so
_VOCABULARY = ("vocabulary", "keywords", "phrase_list", "phraseList")
# What is said of the answer's form, or in other words in the canonical body.
_OURS = frozenset({
    "response_format", "timestamp_granularities", "enable_timestamps", "stream", "language", "languages", *_VOCABULARY,
})  # fmt: skip
_TASKS = ("transcribe", "translate")
# What the answer's form shows beside the text; all that there is where it is not said here.
_SHOWS: Mapping[str, frozenset[str]] = {
    "json": frozenset(), "text": frozenset(), "srt": frozenset({"speakers", "segment", "word"}),
    "vtt": frozenset({"speakers", "segment", "word"}), "diarized_json": frozenset({"speakers", "segment"}),
}  # fmt: skip
PROFANITY = ("raw", "none", "masked", "removed", "tags")
INCLUDES = ("logprobs",)
# What decides what is needed of a provider, so that it is no parameter that one may lack.
_NEEDS = frozenset({"audio", "timestamps", "diarize", "task", "single_utterance"})
MOST_PHRASES = 1000
_LONGEST_PHRASE = 200
_MOST_SPEAKERS = 64
_TOKENS_A_SECOND = 10  # of sound, where that is sold in tokens; of its text hardly more than half
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
_OFF = frozenset({"", "auto", "none"})


class Wanted(NamedTuple):
    """The answer's form."""

    format: str = "json"
    segments: bool = False
    words: bool = False
    task: str = "transcribe"
    temperature: float = 0.0
    language: str | None = None  # as the caller says
    told: tuple[str, ...] = ()  # what he asked for and will not be shown


def from_form(fields: Iterable[tuple[str, str]], kinds: Mapping[str, tuple[type, ...]]) -> Body:
    """A form's fields as JSON would have them: lists (`name[]`), objects (`name[key]`), numbers and flags.

    Clients send a field without a value where they mean none.
    """
    body: Body = {}
    for given, text in fields:
        if not text.strip():
            continue
        name, _, rest = given.partition("[")
        wanted = kinds.get(name, _TEXT)
        if not rest and bool in wanted and list in wanted and text.lower() in _FLAGS:
            body[name] = _FLAGS[text.lower()]
        elif rest == "]" or (not rest and list in wanted and dict not in wanted):
            items = body.setdefault(name, [])
            if type(items) is not list:
                raise _twice(name)
            items += [text] if rest else _listed(name, text)
        elif rest:
            table = body.setdefault(name, {})
            if type(table) is not dict or rest.rstrip("]") in table:
                raise _twice(given)
            table[rest.rstrip("]")] = text
        elif name in body:
            raise _twice(name)
        else:
            body[name] = _value(name, text, wanted)
    return body


def check_about(given: Mapping[str, Any]) -> None:
    """The types of what says where the audio is."""
    for name, kinds in {**SOURCES, **ABOUT}.items():
        if name in given:
            check_type(name, given[name], kinds)


def canonical(
    given: Mapping[str, Any], *, task: str = "transcribe", diarize: bool = False, shows_all: bool = True
) -> tuple[Body, Wanted]:
    """The body of all adapters, and the form of the answer. `task` and `diarize` are what a route says.

    `shows_all`: the route's JSON shows all that there is, whatever its form is called.
    """
    for name, value in given.items():
        if name in PARAMS:
            check_type(name, value, PARAMS[name])
    body = {name: value for name, value in given.items() if name not in _OURS}
    form = _format(given)
    if diarize and form == "text":
        raise _wrong("response_format", "text does not show who spoke: ask for json, diarized_json, srt or vtt")
    speakers = diarize or given.get("diarize") is True or form == "diarized_json" or _tells_speakers(given)
    told: list[str] = []
    shown = None if given.get("stream") or (shows_all and form not in TEXTS) else _SHOWS.get(form)
    granularities = tuple(one for one in _granularities(given, form) if _is_shown(one, form, shown, told))
    body["diarize"] = speakers
    body["task"] = _one_of("task", given.get("task") or task, _TASKS)
    body["timestamps"] = granularities
    if phrases := vocabulary_of(given):
        body["vocabulary"] = phrases
    _languages(given, body)
    _speakers(given, body)
    if not 0 <= given.get("temperature", 0) <= 1:
        raise _wrong("temperature", "must be from 0 to 1")
    if body["diarize"] and body["task"] == "translate":
        raise _wrong("task", "cannot be translate where speakers are wanted: nobody does both at once")
    if body["diarize"] and given.get("channels"):
        raise _wrong("channels", "says who spoke by itself: leave it out, or what is said of speakers")
    if given.get("stream") and form in SUBTITLES:
        raise _wrong("response_format", f"{form} comes whole: leave stream out, or ask for json")
    if speakers and not _is_shown("speakers", form, shown, told):
        body["diarize"] = False
        _speakers(given, body)
    temperature = float(given.get("temperature", 0))
    for name, words in (("profanity", PROFANITY), ("include", INCLUDES)):
        _check_choice(name, given.get(name), words)
    return body, Wanted(
        form, "segment" in granularities, "word" in granularities, body["task"], temperature,
        body.get("language"), tuple(told),
    )  # fmt: skip


def _is_shown(what: str, form: str, shown: frozenset[str] | None, told: list[str]) -> bool:
    """What is asked for and not shown decides nothing about who may answer; the caller is told."""
    if shown is None or what in shown:
        return True
    names = {"speakers": "who spoke", "word": "the times of words", "segment": "the times of segments"}
    instead = "diarized_json" if what == "speakers" else "verbose_json"
    told.append(f"{names[what]} was not asked for: {form} does not show it; {instead} does")
    return False


def _check_choice(name: str, given: Any, words: Sequence[str]) -> None:
    """Of what only some are told, but which has few values."""
    if given is None:
        return
    several = name == "include"
    check_type(name, given, _LIST if several else _TEXT)
    for one in given if several else [given]:
        check_type(name, one, _TEXT)
        _one_of(name, one.lower(), words)


def transcript_facts(body: Mapping[str, Any]) -> Facts:
    """What routing must know of a canonical body."""
    audio: Audio = body["audio"]
    params = frozenset(body) - _NEEDS
    seconds = -(-audio.ms // 1000)
    return Facts(
        features=_features(body),
        params=params,
        unknown_params=frozenset(params - PARAMS.keys()),
        input_tokens=seconds * _TOKENS_A_SECOND + (tokens_in(body["prompt"]) if body.get("prompt") else 0),
        max_output=seconds * _TOKENS_A_SECOND + 100,
        longest=0,  # what is too long for a model is heard in parts
        audio_ms=audio.ms,
        audio_bytes=len(audio.data),
        audio_kind=audio.kind,
        language=body.get("language", ""),
    )


def vocabulary_of(given: Mapping[str, Any]) -> list[str]:
    """The phrases that are to be expected, under whichever names."""
    found: dict[str, None] = {}
    for name in _VOCABULARY:
        phrases = given.get(name) or ()
        if isinstance(phrases, dict):
            phrases = phrases.get("phrases") or ()
        check_type(name, list(phrases) if isinstance(phrases, tuple) else phrases, _LIST)
        for index, phrase in enumerate(phrases):
            check_type(f"{name}[{index}]", phrase, _TEXT)
            if len(phrase) > _LONGEST_PHRASE:
                raise _wrong(name, f"must not hold phrases longer than {_LONGEST_PHRASE} characters")
        found |= dict.fromkeys(one.strip() for one in phrases if one.strip())
        if len(found) > MOST_PHRASES:
            raise _wrong(name, f"must not hold more than {MOST_PHRASES} phrases")
    return list(found)


def with_vocabulary(body: Body, phrases: Sequence[str]) -> Body:
    """With an organisation's own phrases behind those of the request, as far as there is room."""
    if not phrases:
        return body
    merged = list(dict.fromkeys([*body.get("vocabulary", ()), *phrases]))[:MOST_PHRASES]
    return {**body, "vocabulary": merged}


def known_speakers(given: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Names of people who may speak, and where they are heard: base64 or a data: URL."""
    named, heard = given.get("known_speaker_names"), given.get("known_speaker_references")
    for name, value in (("known_speaker_names", named), ("known_speaker_references", heard)):
        for index, one in enumerate(value or ()):
            check_type(f"{name}[{index}]", one, _TEXT)
    if heard and len(heard) != len(named or ()):
        raise _wrong("known_speaker_references", "must be as many as known_speaker_names")
    found: list[tuple[str, str | None]] = [
        (one, heard[index] if heard else None) for index, one in enumerate(named or ())
    ]
    for index, one in enumerate(given.get("known_speakers") or ()):
        where = f"known_speakers[{index}]"
        check_type(where, one, (str, dict))
        table = {"name": one} if isinstance(one, str) else one
        check_type(f"{where}.name", table.get("name"), _TEXT)
        if table.get("audio_base64") is not None:
            check_type(f"{where}.audio_base64", table["audio_base64"], _TEXT)
        found.append((table["name"], table.get("audio_base64")))
    if len(found) > _MOST_SPEAKERS:
        raise _wrong("known_speakers", f"must not be more than {_MOST_SPEAKERS}")
    if not all(name.strip() for name, _ in found) or len({name for name, _ in found}) < len(found):
        raise _wrong("known_speakers", "must each have a name of their own")
    return found


def _features(body: Mapping[str, Any]) -> frozenset[Feature]:
    wanted = {
        Feature.SPEAKERS: body["diarize"],
        Feature.SEGMENTS: "segment" in body["timestamps"] and not body["diarize"],  # who spoke is told by segments
        Feature.WORDS: "word" in body["timestamps"],
        Feature.TO_ENGLISH: body["task"] == "translate",
        Feature.ONE_UTTERANCE: body.get("single_utterance"),
    }
    return frozenset(name for name, is_wanted in wanted.items() if is_wanted)


def _format(given: Mapping[str, Any]) -> str:
    return _one_of("response_format", given.get("response_format", "json"), FORMATS)


def _granularities(given: Mapping[str, Any], form: str) -> tuple[str, ...]:
    """When what was said has to be known."""
    asked = given.get("timestamps", given.get("enable_timestamps"))
    listed = given.get("timestamp_granularities")
    if asked is True or (not listed and not asked and form == "verbose_json"):
        asked = ["segment"]
    found: list[Any] = [*(listed or ()), *([asked] if isinstance(asked, str) else asked or ())]
    name = "timestamp_granularities" if listed else "timestamps"
    for one in found:
        check_type(name, one, _TEXT)
        _one_of(name, one.removesuffix("s"), GRANULARITIES)
    if form in SUBTITLES:
        found.append("segment")
    return tuple(one for one in GRANULARITIES if one in {each.removesuffix("s") for each in found})


def _tells_speakers(given: Mapping[str, Any]) -> bool:
    """Whoever says how many there are, or who, wants to know who spoke, unless he says that he does not."""
    if given.get("diarize") is False:
        return False
    return any(given.get(name) for name in ("min_speakers", "max_speakers", "known_speakers"))


def _languages(given: Mapping[str, Any], body: Body) -> None:
    language = given.get("language", "").strip().lower()
    if language not in _OFF:
        body["language"] = tag_of(given["language"])
    tags = []
    for index, one in enumerate(given.get("languages") or ()):
        check_type(f"languages[{index}]", one, _TEXT)
        tags.append(tag_of(one, "languages"))
    if len(tags) == 1 and "language" not in body:
        body["language"] = tags[0]
    elif tags:
        body["languages"] = list(dict.fromkeys(tags))


def _speakers(given: Mapping[str, Any], body: Body) -> None:
    if not body["diarize"]:
        for name in ("min_speakers", "max_speakers", "known_speakers"):
            body.pop(name, None)
        return
    least, most = given.get("min_speakers"), given.get("max_speakers")
    for name, value in (("min_speakers", least), ("max_speakers", most)):
        if value is not None and not 1 <= value <= _MOST_SPEAKERS:
            raise _wrong(name, f"must be from 1 to {_MOST_SPEAKERS}")
    if least and most and least > most:
        raise _wrong("min_speakers", "must not be more than max_speakers")


def _value(name: str, text: str, kinds: tuple[type, ...]) -> Any:
    if bool in kinds and text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    if str in kinds:
        return text
    if list in kinds or dict in kinds:
        return _json(name, text)
    number = None if bool in kinds else _number(text, whole=float not in kinds)
    if number is None:
        wanted = "true or false" if bool in kinds else "a number"
        raise BadRequest(f"{name} must be {wanted}", param=name, code="invalid_type")
    return number


def _number(text: str, *, whole: bool) -> int | float | None:
    try:
        found: int | float = int(text) if whole or text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None
    return found if isfinite(found) else None


def _listed(name: str, text: str) -> list[Any]:
    """A list in one field: JSON, or with commas."""
    if text.lstrip().startswith("["):
        found = _json(name, text)
        return found if type(found) is list else [found]
    return [part.strip() for part in text.split(",") if part.strip()] if "," in text else [text]


def _json(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(f"{name} must be JSON in a form", param=name, code="invalid_type") from None


def _one_of(name: str, value: str, words: Sequence[str]) -> str:
    if value not in words:
        raise _wrong(name, f"must be one of {', '.join(words)}")
    return value


def _twice(name: str) -> BadRequest:
    return BadRequest(f"{name} is there twice, or in two forms", param=name, code="invalid_value")


def _wrong(name: str, words: str) -> BadRequest:
    return BadRequest(f"{name} {words}", param=name, code="invalid_value")
