"""Cohere's embeddings, and its list of models."""

from base64 import b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from infra.local.simulators import cohere
from infra.local.simulators.answers import CHARS_PER_TOKEN, IMAGE_TOKENS, tokens
from infra.local.simulators.embeddings import UNKNOWN, vector
from infra.local.simulators.replies import Call, Reply, json_reply

MOST_TEXTS = 96
DIMENSIONS = (256, 512, 1024, 1536)
INPUT_TYPES = ("search_document", "search_query", "classification", "clustering", "image")
TYPES = ("float", "int8", "uint8", "binary", "ubinary", "base64")
PARAMETERS = frozenset({
    "model", "texts", "images", "inputs", "input_type", "max_tokens", "output_dimension", "embedding_types",
    "truncate", "priority",
})  # fmt: skip


def respond(call: Call) -> Reply:
    try:
        body = cohere.decoded(call, PARAMETERS, "model", "input_type")
        items, images = _items(body)
        size, kinds = _sizes(call, body)
        shown = _cut(call, body, items)
    except cohere.RefusedError as error:
        return cohere.refused(call, error)
    vectors = [vector(body["model"], one, size) for one in [*shown, *images]]
    found: dict[str, list[Any]] = {}
    for kind in kinds:
        if kind == "float":
            found[kind] = [one.tolist() for one in vectors]
        elif kind == "base64":
            found[kind] = [b64encode(one.tobytes()).decode() for one in vectors]
        else:
            found[kind] = [[round(number * 127) for number in one] for one in vectors]
    billed = {"input_tokens": float(sum(map(tokens, shown)))} if shown else {}
    billed |= {"images": float(len(images)), "image_tokens": float(len(images) * IMAGE_TOKENS)} if images else {}
    return json_reply(
        {
            "id": call.id,
            "embeddings": found,
            "texts": items,
            "meta": {**cohere.META, "billed_units": billed},
            "response_type": "embeddings_by_type",
        }
    )


def _items(body: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Texts and pictures."""
    given = [name for name in ("texts", "images", "inputs") if body.get(name)]
    if len(given) != 1:
        raise cohere.RefusedError("invalid request: exactly one of texts, images or inputs must be given")
    items = body[given[0]]
    if len(items) > MOST_TEXTS:
        words = f"total number of {given[0]} must be at most {MOST_TEXTS} - received {len(items)}"
        raise cohere.RefusedError(f"invalid request: {words}")
    if given[0] == "inputs":
        parts = [part for one in items for part in one["content"]]
        if any(part["type"] != "text" for part in parts):
            raise cohere.RefusedError("inputs with images are not simulated")
        return [" ".join(part["text"] for part in one["content"]) for one in items], []
    if not all(isinstance(one, str) and one for one in items):
        raise cohere.RefusedError("invalid request: each of the inputs must be a text that is not empty")
    if given[0] == "images":
        if not all(one.startswith("data:image/") for one in items):
            raise cohere.RefusedError("invalid request: images must be data URIs")
        return [], items
    return items, []


def _sizes(call: Call, body: dict[str, Any]) -> tuple[int, list[str]]:
    if body["input_type"] not in INPUT_TYPES:
        raise cohere.RefusedError(f"invalid request: input_type must be one of {', '.join(INPUT_TYPES)}")
    kinds = body.get("embedding_types") or ["float"]
    if not set(kinds) <= set(TYPES):
        raise cohere.RefusedError(f"invalid request: embedding_types must be of {', '.join(TYPES)}")
    model = call.vendor.embedders.get(body["model"], replace(UNKNOWN, shortens=True))
    size = body.get("output_dimension") or model.dimensions
    if size != model.dimensions and not (model.shortens and size in DIMENSIONS):
        raise cohere.RefusedError(f"invalid request: valid output_dimensions are {', '.join(map(str, DIMENSIONS))}")
    return size, kinds


def _cut(call: Call, body: dict[str, Any], items: list[str]) -> list[str]:
    """What is too long is cut unless it is to be refused."""
    model = call.vendor.embedders.get(body["model"], UNKNOWN)
    most = min(body.get("max_tokens") or model.context, model.context) * CHARS_PER_TOKEN
    truncate = body.get("truncate") or "END"
    if truncate not in ("NONE", "START", "END"):
        raise cohere.RefusedError("invalid request: truncate must be one of NONE, START, END")
    if truncate == "NONE" and any(len(one) > most for one in items):
        raise cohere.RefusedError("too many tokens: an input is longer than the maximum input length of this model")
    return [one[-most:] if truncate == "START" else one[:most] for one in items]


def models(call: Call) -> Reply:
    vendor = call.vendor
    asked = parse_qs(call.request.query)
    kinds = (
        ("chat", vendor.models), ("embed", tuple(vendor.embedders)), ("rerank", vendor.rerankers),
        ("transcriptions", tuple(vendor.listeners)),
    )  # fmt: skip
    rows = [
        {
            "name": name,
            "is_deprecated": False,
            "endpoints": [kind],
            "finetuned": False,
            "context_length": 128000.0,
            "tokenizer_url": "",
            "default_endpoints": [],
            "features": None,
        }
        for kind, names in kinds
        if asked.get("endpoint", [kind]) == [kind]
        for name in names
    ]
    size = int(asked.get("page_size", ["20"])[0])
    start = int(asked.get("page_token", ["0"])[0])
    more = {"next_page_token": str(start + size)} if start + size < len(rows) else {}
    return json_reply({"models": rows[start : start + size], **more})
