"""Speech as OpenAI's API asks for it, and what else can be said of it here: checked once, for all providers. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.audio import Sound
from core.types.request import Facts
from core.wire.languages import tag_of
from core.wire.shapes import check_type
from core.wire.sound import ssml
from core.wire.tokens import tokens_in

Body = dict[str, Any]

KINDS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
GENDERS = ("female", "male", "neutral")
MOST_CHARACTERS = 100_000  # two hours
RATE = 24_000  # of samples, where nobody says another
# What can be asked, and as which JSON types.
SPEECH_PARAMS: dict[str, tuple[type, ...]] = {
    "model": (str,), "input": (str,), "voice": (str, dict), "response_format": (str,), "speed": (int, float),
    "instructions": (str,), "stream_format": (str,), "language": (str,), "gender": (str,), "style": (str,),
    "ssml": (bool,), "boundaries": (bool,), "sample_rate": (int,),
}  # fmt: skip
_WORDS = {"response_format": KINDS, "stream_format": ("audio", "sse"), "gender": GENDERS}
_SPEEDS = (0.25, 4.0)
_RATES = (8000, 48_000)
_LONGEST_NAME = 300
# What a provider may be asked or not: the rest says what is said, by whom, and as which sound.
_PARAMS = frozenset({"speed", "instructions"})
# Names that are the gateway's own in what an adapter gets.
_OURS = frozenset({*SPEECH_PARAMS, "sound", "stream"})


class Asked(NamedTuple):
    body: Body
    facts: Facts
    in_events: bool  # the sound in events, not as it is


def speech_of(given: Mapping[str, Any]) -> Asked:
    """A body of anybody's, without the fields that are for us, as adapters get it; with what routing must know."""
    _check(given)
    if given.get("language"):
        given = {**given, "language": tag_of(given["language"])}
    text, voice = given.get("input"), _voice(given.get("voice"))
    if not text or not text.strip():
        raise BadRequest("input must be a text to be said", param="input", code="missing")
    if len(text) > MOST_CHARACTERS:
        words = f"input has {len(text)} characters, and {MOST_CHARACTERS} at most are said at once: send it in parts"
        raise BadRequest(words, param="input", code="too_long")
    document = ssml.read(text, given.get("language", "")) if given.get("ssml", ssml.is_ssml(text)) else None
    language = given.get("language") or (document.language if document else "")
    voice = (document.voice if document else "") or voice  # a voice beside the document is for who names none in it
    said = document.text if document else text
    body: Body = {
        "input": document.document if document else text,
        "ssml": document is not None,
        "sound": Sound(given.get("response_format", "mp3"), given.get("sample_rate", RATE)),
        "boundaries": given.get("boundaries", False),
        "voice": voice or None,
        "language": language or None,
        **{name: given[name] for name in ("gender", "style", "speed", "instructions") if given.get(name)},
        **{name: value for name, value in given.items() if name not in _OURS},
    }
    features = {Feature.BOUNDARIES} if body["boundaries"] else set()
    if document is not None and not document.plain:
        features.add(Feature.SSML)
    idle = {"speed"} if body.get("speed") == 1 else set()
    facts = Facts(
        features=frozenset(features),
        params=_PARAMS.intersection(body) - idle,
        unknown_params=frozenset(body) - _OURS,
        idle_params=frozenset(idle),
        input_tokens=tokens_in(said),
        characters=len(said),
        voice=voice,
        voices=document.voices if document else (),
        own_voice=isinstance(given.get("voice"), dict) and voice == _voice(given["voice"]),
        language=language,
    )
    return Asked(body, facts, in_events=given.get("stream_format") == "sse")


def plain(body: Mapping[str, Any]) -> Body:
    """The same for who reads no SSML, where nothing is lost by that."""
    return {**body, "input": ssml.read(body["input"]).text, "ssml": False}


def _check(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in SPEECH_PARAMS:
            if len(name) > _LONGEST_NAME:
                raise BadRequest("a parameter's name is too long", param=name[:50], code="unknown_parameter")
            continue
        check_type(name, value, SPEECH_PARAMS[name])
        if name in _WORDS and value not in _WORDS[name]:
            _refuse(name, f"must be one of {', '.join(_WORDS[name])}")
    _check_range(given, "speed", *_SPEEDS)
    _check_range(given, "sample_rate", *_RATES)
    if len(given.get("style", "")) > _LONGEST_NAME:
        _refuse("style", f"is longer than {_LONGEST_NAME} characters")


def _check_range(given: Mapping[str, Any], name: str, least: float, most: float) -> None:
    if name in given and not least <= given[name] <= most:
        _refuse(name, f"must be from {least:g} to {most:g}")


def _voice(given: str | dict[str, Any] | None) -> str:
    """A name, or an object with the id of one's own."""
    if given is None:
        return ""
    name: Any = given.get("id") if isinstance(given, dict) else given
    if not isinstance(name, str) or not name.strip():
        _refuse("voice", "must be a voice's name, or an object with its id")
    if len(name) > _LONGEST_NAME:
        _refuse("voice", f"is longer than {_LONGEST_NAME} characters")
    return str(name).strip()


def _refuse(name: str, why: str) -> None:
    raise BadRequest(f"{name} {why}", param=name, code="invalid_value")
