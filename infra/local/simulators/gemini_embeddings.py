"""Gemini's embeddings, one by one and in batches."""

from typing import Any

from infra.local.simulators import gemini_checks as checks
from infra.local.simulators.answers import tokens
from infra.local.simulators.checks import RequestError
from infra.local.simulators.embeddings import vector
from infra.local.simulators.gemini_requests import invalid, read
from infra.local.simulators.replies import Call, Reply, json_reply

BATCH = 100


def embed(call: Call) -> Reply:
    try:
        found, counted = _embedded(call, read(call, checks.EMBED), "")
    except RequestError as error:
        return invalid(error.message, error.param)
    return json_reply({"embedding": found, **_embed_usage(call, counted)})


def batch(call: Call) -> Reply:
    try:
        requests = read(call, checks.BATCH).get("requests") or []
        if not 1 <= len(requests) <= BATCH:
            words = f"* BatchEmbedContentsRequest.requests: at most {BATCH} requests can be in one batch\n"
            raise RequestError(words, "requests")  # noqa: TRY301 - all of them are answered in one place
        made = [_embedded(call, one, f"requests[{index}].") for index, one in enumerate(requests)]
    except RequestError as error:
        return invalid(error.message, error.param)
    counted = sum(size for _, size in made)
    return json_reply({"embeddings": [found for found, _ in made], **_embed_usage(call, counted)})


def _embedded(call: Call, request: dict[str, Any], at: str) -> tuple[dict[str, Any], int]:
    model = call.vendor.embedders.get(call.names["model"])
    if model is None:
        raise RequestError(f"models/{call.names['model']} does not support embedContent.", "model")
    if request.get("model", f"models/{call.names['model']}") != f"models/{call.names['model']}":
        raise RequestError("The model of each request must match the model of the batch.", f"{at}model")
    task = {**request, **request.get("embedContentConfig", {})}
    if task.get("taskType", checks.TASKS[0]) not in checks.TASKS:
        raise RequestError(f"Invalid value at '{at}task_type' (TYPE_ENUM), {task['taskType']!r}", f"{at}task_type")
    text = "".join(part.get("text", "") for part in (request.get("content") or {}).get("parts") or ())
    if not text:
        raise RequestError(f"* EmbedContentRequest.{at}content: contents is not specified\n", f"{at}content")
    size = task.get("outputDimensionality") or model.dimensions
    if not 0 < size <= model.dimensions:
        words = f"Invalid output_dimensionality: it must be between 1 and {model.dimensions}."
        raise RequestError(words, f"{at}output_dimensionality")
    whole = vector(call.names["model"], text, model.dimensions)
    # A part of a longer vector, which has no unit length any more.
    return {"values": whole[:size].tolist()}, min(tokens(text), model.context)


def _embed_usage(call: Call, counted: int) -> dict[str, Any]:
    """The first of these models does not say what it read."""
    if call.names["model"] == "gemini-embedding-001":
        return {}
    return {"usageMetadata": {"promptTokenCount": counted}}
