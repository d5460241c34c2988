"""Hugging Face's feature extraction: nested arrays, one vector for a text or one for each of its tokens."""

from typing import Any

import orjson

from infra.local.simulators.answers import tokens
from infra.local.simulators.checks import RequestError
from infra.local.simulators.embeddings import UNKNOWN, vector
from infra.local.simulators.errors import invalid
from infra.local.simulators.replies import Call, Reply, json_reply

PARAMETERS = frozenset({"inputs", "normalize", "prompt_name", "truncate", "truncation_direction", "parameters"})


def feature_extraction(call: Call) -> Reply:
    names, vendor = call.names, call.vendor
    name = f"{names['owner']}/{names['name']}" if "owner" in names else names["name"]
    try:
        given = _inputs(call)
    except RequestError as error:
        return invalid(vendor, error.message, None, None)
    model = vendor.embedders.get(name, UNKNOWN)
    if any(tokens(text) > model.context for text in given):
        return invalid(vendor, f"inputs must have at most {model.context} tokens", None, None, 422)
    found: list[Any] = [_of(name, text, model.dimensions, pools=model.pools) for text in given]
    alone = isinstance(orjson.loads(call.request.body)["inputs"], str)
    return json_reply(found[0] if alone else found)


def _inputs(call: Call) -> list[str]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("the body is not JSON") from error
    given = body.get("inputs") if isinstance(body, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RequestError("Missing or wrong `inputs`: expected a string or a list of strings")
    if unknown := set(body) - PARAMETERS:
        raise RequestError(f"unknown field `{min(unknown)}`")
    return texts


def _of(model: str, text: str, size: int, *, pools: bool) -> list[Any]:
    if pools:
        return vector(model, text, size).tolist()
    # The model's own marks of beginning and end are tokens, too.
    return [vector(model, word, size).tolist() for word in ("[CLS]", *text.split(), "[SEP]")]
