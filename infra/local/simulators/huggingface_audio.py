"""Hugging Face's speech recognition: audio as it is, or in JSON with what is asked of it."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

import orjson

from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import invalid
from infra.local.simulators.recognition import DeafError, Recording, recording
from infra.local.simulators.replies import Call, Reply, json_reply

KINDS = ("audio/", "application/octet-stream", "video/mp4", "video/webm")
WINDOW = 30.0  # seconds that are heard at once
GENERATION = frozenset({
    "temperature", "top_k", "top_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "max_length", "max_new_tokens",
    "min_length", "min_new_tokens", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "penalty_alpha",
    "use_cache",
})  # fmt: skip


def recognise(call: Call) -> Reply:
    names, vendor = call.names, call.vendor
    model = f"{names['owner']}/{names['name']}"
    if model not in vendor.listeners:
        return invalid(vendor, f"Model {model} does not exist", None, None, 404)
    try:
        data, parameters = _asked(call)
        heard = recording(data)
        timed = parameters.get("return_timestamps", False)
    except RequestError as error:
        return invalid(vendor, error.message, None, None)
    except DeafError:
        return invalid(vendor, "Malformed soundfile", None, None)
    if heard.seconds > WINDOW and not timed:
        words = "You have passed more than 3000 mel input features (> 30 seconds): set return_timestamps"
        return invalid(vendor, words, None, None)
    return json_reply(
        {"text": f" {heard.text}" if heard.text else "", **({"chunks": _chunks(heard)} if timed else {})}
    )


def _asked(call: Call) -> tuple[bytes, dict[str, Any]]:
    kind = call.request.headers.get("content-type", "")
    if not kind or kind.startswith(KINDS):  # its own client names none
        return call.request.body, {}
    if not kind.startswith("application/json"):
        raise RequestError(
            f'Content type "{kind}" not supported. Supported content types are: application/json, audio/*'
        )
    try:
        body = orjson.loads(call.request.body)
        data = b64decode(body["inputs"], validate=True)
    except (orjson.JSONDecodeError, TypeError, KeyError, NotBase64):
        raise RequestError("Missing or wrong `inputs`: expected base64 of an audio file") from None
    if unknown := body.keys() - {"inputs", "parameters"}:
        raise RequestError(f"unknown field `{min(unknown)}`")
    parameters = body.get("parameters") or {}
    if unknown := parameters.keys() - {"return_timestamps", "generation_parameters"}:
        raise RequestError(f"unknown parameter `{min(unknown)}`")
    if unknown := (parameters.get("generation_parameters") or {}).keys() - GENERATION:
        raise RequestError(f"unknown generation parameter `{min(unknown)}`")
    if not isinstance(parameters.get("return_timestamps", False), bool):
        raise RequestError("`return_timestamps` must be a boolean")
    return data, parameters


def _chunks(heard: Recording) -> list[dict[str, Any]]:
    """Times to two hundredths of a second; the last one may have no end, where the sound ends with it."""
    found: list[dict[str, Any]] = []
    for sentence in heard.sentences:
        end: float | None = round(sentence.end / 0.02) * 0.02
        if heard.seconds - sentence.end < 0.02:
            end = None
        found.append({"text": f" {sentence.text}", "timestamp": [round(sentence.start / 0.02) * 0.02, end]})
    return found
