"""Cohere's embeddings, version 2, by the canonical form's request and to its vectors. Pure."""

from collections.abc import Mapping
from typing import Any

from core.errors import Malformed
from core.wire.cohere.answers import read_usage
from core.wire.embeddings import Embeddings, checked, items

_INPUT_TYPES = {"query": "search_query", "document": "search_document"}


def embed_to(body: Mapping[str, Any], model: str) -> dict[str, Any]:
    """It must be told what vectors are for: unless somebody says it, for texts that are to be found."""
    purpose = body.get("input_type") or "document"
    made: dict[str, Any] = {
        "model": model,
        "texts": items(body["input"]),
        "input_type": _INPUT_TYPES.get(purpose, purpose),
        "embedding_types": ["base64"],  # a quarter of the bytes, and numbers need no parsing
    }
    if body.get("dimensions") is not None:
        made["output_dimension"] = body["dimensions"]
    if (cut := body.get("truncate")) is not None:
        made["truncate"] = cut.upper() if isinstance(cut, str) else "END" if cut else "NONE"
    return made


def embeddings_from(body: Any, count: int, model: str) -> Embeddings:
    """Malformed when these are not so many vectors of one length."""
    found = body.get("embeddings") if type(body) is dict else None
    vectors = (found.get("base64") or found.get("float")) if type(found) is dict else None
    if type(vectors) is not list:
        raise Malformed("the answer has no embeddings")
    if len(vectors) != count:
        raise Malformed(f"the answer has {len(vectors)} embeddings for {count} inputs")
    made, dimensions = checked(vectors)
    return Embeddings(made, dimensions, read_usage(body.get("meta")), model)
