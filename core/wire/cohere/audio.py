"""Cohere's transcription: a form with a file, an answer of text alone. Pure."""

from collections.abc import Mapping
from typing import Any

from core.errors import Malformed, ParameterRefused
from core.types.audio import Audio, Transcript
from core.wire.sound.recognisers import NOBODY, base_of, left_out

_TELLS = frozenset({"language", "languages", "temperature"})


def fields_of(body: Mapping[str, Any], model: str) -> tuple[dict[str, str], list[str]]:
    """The fields of the form, and what of the request cannot be told."""
    if body.get("diarize") or body.get("timestamps") or body.get("task") == "translate":
        raise ParameterRefused("it gives the text alone: no times, no speakers, no translation", param="timestamps")
    languages = [body["language"]] if body.get("language") else list(body.get("languages") or ())
    if len(languages) != 1:
        words = "it has to be told which language is spoken, one alone: set language"
        raise ParameterRefused(words, param="language", code="language_required")
    fields = {"model": model, "language": base_of(languages[0])}
    if body.get("temperature") is not None:
        fields["temperature"] = f"{body['temperature']:g}"
    return fields, left_out(body, _TELLS)


def transcript_from(theirs: Any, body: Mapping[str, Any]) -> Transcript:
    audio: Audio = body["audio"]
    text = theirs.get("text") if type(theirs) is dict else None
    if type(text) is not str:
        raise Malformed("the answer has no text")
    text = text.strip()
    return Transcript(text, duration=audio.ms / 1000, reason=None if text else NOBODY)
