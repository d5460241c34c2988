"""Reranking in each vendor's form: a document is worth as much as it has of the query's words."""

import re
from hashlib import blake2b
from typing import Any

import orjson

from infra.local.simulators import cohere
from infra.local.simulators.answers import tokens
from infra.local.simulators.checks import RequestError, typed
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.replies import Call, Reply, json_reply

UNIT = 100  # documents that are one search
CHUNK = 500  # tokens; of a longer document each part counts as one
MOST_DOCUMENTS = {"together": 1024, "local": 1024}
COHERE = frozenset({"model", "query", "documents", "top_n", "max_tokens_per_doc", "relevant_spans", "priority"})
COHERE_MOST = 10_000


def score(model: str, query: str, text: str) -> float:
    """From 0 to 1, the same for the same texts; models differ in what two alike texts are worth."""
    words = set(_words(query))
    found = len(words & set(_words(text))) / max(1, len(words))
    mark = blake2b(f"{model}\0{query}\0{text}".encode(), digest_size=4).digest()
    return round(0.9 * found + 0.1 * int.from_bytes(mark, "big") / 2**32, 6)


def ranked(model: str, query: str, texts: list[str]) -> list[tuple[int, float]]:
    scores = [(index, score(model, query, text)) for index, text in enumerate(texts)]
    return sorted(scores, key=lambda one: -one[1])


def respond_cohere(call: Call) -> Reply:
    try:
        body = cohere.decoded(call, COHERE, "model", "query", "documents")
        documents = body["documents"]
        if not documents or not all(isinstance(one, str) for one in documents):
            raise cohere.RefusedError("invalid request: documents must be a list of texts, at least one")  # noqa: TRY301 - answered below
        if len(documents) > COHERE_MOST:
            words = f"list of documents must not contain more than {COHERE_MOST} elements"
            raise cohere.RefusedError(f"invalid request: {words}")  # noqa: TRY301 - answered below
    except cohere.RefusedError as error:
        return cohere.refused(call, error)
    query = tokens(body["query"])
    chunks = sum(max(1, -(-tokens(one) // max(1, CHUNK - query))) for one in documents)
    found = ranked(body["model"], body["query"], documents)[: body.get("top_n")]
    results = [{"index": index, "relevance_score": worth} for index, worth in found]
    billed = {"billed_units": {"search_units": float(-(-chunks // UNIT))}}
    return json_reply({"id": call.id, "results": results, "meta": {**cohere.META, **billed}})


def respond(call: Call) -> Reply:
    """Together's, and that of servers such as vLLM, which take Cohere's first version and Jina's."""
    vendor = call.vendor
    try:
        body = _decoded(call)
        texts = [_text(one) for one in body["documents"]]
    except RequestError as error:
        return invalid(vendor, error.message, error.param, error.code)
    if body["model"] not in vendor.rerankers:
        message = f"The model `{body['model']}` does not exist or does not rank."
        return json_reply(error_body(vendor, 404, message), 404)
    returns = body.get("return_documents", vendor.name != "together")
    results = []
    for index, worth in ranked(body["model"], body["query"], texts)[: body.get("top_n") or None]:
        document = {"document": {"text": texts[index]}} if returns else {}
        results.append({"index": index, "relevance_score": worth, **document})
    count = sum(map(tokens, texts)) + tokens(body["query"]) * len(texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    if vendor.name == "together":
        usage["completion_tokens"] = 0
        return json_reply({"object": "rerank", "id": call.id, "model": body["model"], "results": results,
                           "usage": usage})  # fmt: skip
    return json_reply({"id": f"rerank-{call.id}", "model": body["model"], "usage": usage, "results": results})


def _decoded(call: Call) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise RequestError("We expected a JSON object as the body of your request.")
    for name in ("model", "query", "documents"):
        if not body.get(name):
            raise RequestError(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    typed("query", body["query"], (str,), "a string")
    typed("documents", body["documents"], (list,), "an array")
    typed("top_n", body.get("top_n"), (int,), "an integer")
    most = MOST_DOCUMENTS[call.vendor.name]
    if len(body["documents"]) > most:
        raise RequestError(f"Invalid 'documents': array too long, at most {most}.", "documents", None)
    return body


def _text(document: Any) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        raise RequestError("Each document must be a string or an object.", "documents", "invalid_type")
    return str(document.get("text") or orjson.dumps(document).decode())


def similarity(call: Call) -> Reply:
    """Hugging Face's task sentence-similarity: a list of numbers, in the order of the sentences."""
    source, sentences = None, list[Any]()
    try:
        inputs = orjson.loads(call.request.body)["inputs"]
        source, sentences = inputs["source_sentence"], inputs["sentences"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        sentences = []
    if not isinstance(source, str) or not sentences or not all(isinstance(one, str) for one in sentences):
        words = "Received invalid inputs: expected source_sentence (a string) and sentences (an array of strings)"
        return json_reply(error_body(call.vendor, 400, words), 400)
    model = f"{call.names['owner']}/{call.names['name']}"
    return json_reply([score(model, source, one) for one in sentences])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
