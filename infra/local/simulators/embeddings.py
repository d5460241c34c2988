"""Embeddings in the OpenAI dialect: the same text has the same vector of a model, at every vendor that has it."""

from array import array
from base64 import b64encode
from hashlib import shake_256
from math import hypot
from typing import Any

import orjson

from infra.local.simulators.answers import tokens
from infra.local.simulators.checks import RequestError, known, typed
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.replies import Call, Reply, json_reply
from infra.local.simulators.vendor import Embedder, Vendor

PARAMETERS = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
UNKNOWN = Embedder(1536)  # of a deployment, or whatever a test calls a model of its own


def respond(call: Call) -> Reply:
    vendor = call.vendor
    try:
        body = _decoded(call)
        model, items, size = _checked(vendor, body)
    except RequestError as error:
        return invalid(vendor, error.message, error.param, error.code)
    if model is None:
        message = "You are not allowed to generate embeddings from this model"
        return json_reply(error_body(vendor, 403, message), 403)
    counts = [len(item) if isinstance(item, list) else tokens(item) for item in items]
    if any(count > model.context for count in counts) and not vendor.cuts_inputs:
        first = next(place for place, count in enumerate(counts) if count > model.context)
        words = f"Invalid 'input[{first}]': maximum input length is {model.context} tokens."
        return invalid(vendor, words, None, None)
    if vendor.max_embed_tokens is not None and sum(counts) > vendor.max_embed_tokens:
        words = f"Requested {sum(counts)} tokens, max {vendor.max_embed_tokens} tokens per request"
        limit = "max_tokens_per_request"
        return json_reply({"error": {"message": words, "type": limit, "param": None, "code": limit}}, 400)
    packed = vendor.packs and body.get("encoding_format") == "base64"
    content: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _shown(vector(body["model"], item, size), packed)}
            for index, item in enumerate(items)
        ],
        "model": body["model"],
    }
    if vendor.counts_embeddings:
        content["usage"] = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return json_reply(content)


def _decoded(call: Call) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise RequestError("We expected a JSON object as the body of your request.")
    body = {name: value for name, value in body.items() if name not in call.vendor.ignored}
    return body | ({"model": call.names["deployment"]} if "deployment" in call.names else {})


def _checked(vendor: Vendor, body: dict[str, Any]) -> tuple[Embedder | None, list[Any], int]:
    """The model, or None when it is one for chat; the inputs; and how long the vectors are to be."""
    if vendor.strict:
        known(body, PARAMETERS)
    for name in ("model", "input"):
        if body.get(name) is None:
            raise RequestError(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    typed("model", body["model"], (str,), "a string")
    typed("dimensions", body.get("dimensions"), (int,), "an integer")
    if body.get("encoding_format") not in (None, "float", "base64"):
        message = f"Invalid value: '{body['encoding_format']}'. Supported values are: 'float' and 'base64'."
        raise RequestError(message, "encoding_format", "invalid_value")
    items = _items(vendor, body["input"])
    model = vendor.embedders.get(body["model"], None if body["model"] in vendor.models else UNKNOWN)
    if model is None:
        return None, items, 0
    size = body.get("dimensions") or model.dimensions
    if size != model.dimensions and not (model.shortens and 0 < size < model.dimensions):
        raise RequestError("This model does not support specifying dimensions.", "dimensions", None)
    return model, items, size


def _items(vendor: Vendor, given: Any) -> list[Any]:
    typed("input", given, (str, list), "a string or an array")
    whole = isinstance(given, str) or (given and all(type(one) is int for one in given))
    items = [given] if whole else given
    if not items:
        raise RequestError("Invalid 'input': expected a non-empty array.", "input", "empty_array")
    if vendor.max_inputs is not None and len(items) > vendor.max_inputs:
        message = (
            f"Invalid 'input': array too long. Expected an array with maximum length {vendor.max_inputs},"
            f" but got an array with length {len(items)} instead."
        )
        raise RequestError(message, "input", "array_above_max_length")
    for place, item in enumerate(items):
        if not item:
            raise RequestError(f"Invalid 'input[{place}]': input cannot be an empty string.", "input", None)
        token_ids = isinstance(item, list) and all(type(one) is int for one in item)
        if not isinstance(item, str) and not (vendor.takes_token_ids and token_ids):
            raise RequestError(f"Invalid type for 'input[{place}]'.", f"input[{place}]", "invalid_type")
    return items


def vector(model: str, item: str | list[int], size: int) -> "array[float]":
    """Of unit length, in single precision as every vendor sends it."""
    said = f"{model}\0{orjson.dumps(item).decode()}".encode()
    numbers = array("h", shake_256(said).digest(2 * size))
    length = hypot(*numbers) or 1.0
    return array("f", [number / length for number in numbers])


def _shown(numbers: "array[float]", packed: bool) -> str | list[float]:  # noqa: FBT001 - which of the two it is
    return b64encode(numbers.tobytes()).decode() if packed else numbers.tolist()
