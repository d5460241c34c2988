"""Nested arrays of a feature extraction → embeddings: a text's vector, or the mean of its tokens'. Pure."""

from array import array
from typing import Any

import orjson

from core.errors import Malformed, ServerFault, TargetError
from core.types.usage import Usage
from core.wire import openai
from core.wire.embeddings import Embeddings, checked
from core.wire.openai import read_json

# Below the address of the router, whose other providers have other ways.
PATH = "/hf-inference/models/{model}/pipeline/feature-extraction"
_LONGEST = 86_400  # seconds


def read_features(raw: bytes, count: int, model: str, secrets: tuple[str, ...] = ()) -> tuple[Embeddings, bool]:
    """So many vectors, and whether they are means of the tokens' own."""
    body = read_json(raw)
    if type(body) is dict and body.get("error"):
        raise openai.read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    if type(body) is not list:
        raise Malformed("the answer has no list of embeddings")
    if len(body) != count:
        raise Malformed(f"the answer has {len(body)} embeddings for {count} inputs")
    pooled = any(_depth(one) > 1 for one in body)
    vectors, length = checked([_pooled(one) for one in body])
    return Embeddings(vectors, length, Usage(), model), pooled


def read_error(status: int | None, raw: bytes, *, retry_after: float | None = None, **facts: Any) -> TargetError:
    """A refusal; a model that is being loaded says in the body how long that takes."""
    error = openai.read_error(status, raw, **facts)
    error.retry_after = _loading(raw) if status == 503 and retry_after is None else retry_after
    return error


def _loading(raw: bytes) -> float | None:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    seconds = body.get("estimated_time") if type(body) is dict else None
    return float(seconds) if isinstance(seconds, int | float) and 0 < seconds < _LONGEST else None


def _depth(given: Any) -> int:
    depth = 0
    while type(given) is list and given:
        given, depth = given[0], depth + 1
    return depth


def _pooled(given: Any) -> Any:
    """A vector as it is; of the vectors of tokens their mean; some put a list of one text around those."""
    if _depth(given) == 3 and len(given) == 1:
        given = given[0]
    if _depth(given) < 2:
        return given
    try:
        rows = [array("d", row) for row in given]
        return array("d", [sum(column) / len(rows) for column in zip(*rows, strict=True)])
    except (TypeError, ValueError, OverflowError):
        raise Malformed("the answer has vectors of tokens that are no lists of as many numbers") from None
