"""Hugging Face's speech recognition: audio as it is, or in JSON where something is asked of it. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from core.errors import Malformed, ParameterRefused, ServerFault
from core.types.audio import Audio, Segment, Transcript
from core.types.pieces import Pieces
from core.wire.forms import hole, json_with
from core.wire.openai import read_error
from core.wire.sound.recognisers import NOBODY, complete, joined, left_out, placed, seconds_of

_WINDOW_MS = 30_000  # what such models hear at once; of longer audio they have to say when


def path_of(model: str) -> str:
    return f"/hf-inference/models/{quote(model)}"


def heard_to(body: Mapping[str, Any]) -> tuple[str, Pieces, list[str]]:
    """The content type, the body, and what of the request cannot be told."""
    if body.get("diarize") or "word" in (body.get("timestamps") or ()) or body.get("task") == "translate":
        raise ParameterRefused(
            "it tells no speakers and no times of words, and translates nothing", param="timestamps"
        )
    audio: Audio = body["audio"]
    parameters: dict[str, Any] = {}
    if body.get("timestamps") or audio.ms > _WINDOW_MS:
        parameters["return_timestamps"] = True
    if body.get("temperature") is not None:
        parameters["generation_parameters"] = {"temperature": body["temperature"]}
    losses = left_out(body, {"temperature"})
    if not parameters:
        return audio.mime, Pieces(len(audio.data), (audio.data,)), losses
    return "application/json", json_with({"inputs": hole(), "parameters": parameters}, audio.data), losses


def transcript_from(theirs: Any, body: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> Transcript:
    audio: Audio = body["audio"]
    duration, needed = audio.ms / 1000, "segment" in (body.get("timestamps") or ())
    if type(theirs) is list and len(theirs) == 1:
        theirs = theirs[0]  # as some of its servers wrap it
    if type(theirs) is dict and theirs.get("error"):
        raise read_error(None, orjson.dumps(theirs), secrets=secrets, otherwise=ServerFault)
    if type(theirs) is not dict or type(theirs.get("text")) is not str:
        raise Malformed("the answer has no text")
    chunks, text = theirs.get("chunks") or [], theirs["text"].strip()
    if type(chunks) is not list:
        raise Malformed("the answer has chunks that are no list")
    found, told = [_segment(one, duration) for one in chunks], list[str]()
    segments = placed(found, duration, told, needed=needed)
    text = text or joined(one.text for one in found)
    made = Transcript(text, None, duration, segments, reason=None if text else NOBODY, told=tuple(told))
    return complete(made, "this model", body)


def _segment(one: Any, duration: float) -> Segment:
    times = one.get("timestamp") if type(one) is dict else None
    if type(times) is not list or len(times) != 2 or type(one.get("text")) is not str:
        raise Malformed("the answer has a chunk without its text and two times")
    start, end = seconds_of(times[0]), seconds_of(times[1])
    # The last one may have no end: it is that of the audio.
    end = duration if times[1] is None else end
    known = (float("inf"), float("inf")) if start is None or end is None else (start, end)
    return Segment(one["text"].strip(), *known)
