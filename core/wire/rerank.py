"""Reranking as Cohere's and Jina's APIs have it: the request validated once, answers read and written. Pure."""

from collections.abc import Mapping, Sequence
from math import ceil, isfinite
from typing import Any, NamedTuple

import orjson

from core.errors import BadRequest, Malformed, ServerFault
from core.types.request import Facts
from core.types.usage import Usage
from core.wire.openai import read_error, read_json, read_usage
from core.wire.shapes import check_type
from core.wire.tokens import tokens_in

Body = dict[str, Any]

# What the reranking APIs take, and as which JSON types.
RERANK_PARAMS: dict[str, tuple[type, ...]] = {
    "model": (str,), "query": (str,), "documents": (list,), "top_n": (int,), "return_documents": (bool,),
    "rank_fields": (list,),
}  # fmt: skip
# What some providers take beyond it.
FURTHER_PARAMS: dict[str, tuple[type, ...]] = {"max_tokens_per_doc": (int,)}
# What nobody is sent: documents go out as texts, and come back as the caller sent them.
_OURS = frozenset({"return_documents", "rank_fields"})
_LEAST = {"top_n": 1, "max_tokens_per_doc": 1}
_LONGEST_NAME = 300
_UNIT = 100  # documents that are one search, as searches are sold
_CHUNK = 500  # tokens; of a longer document, with the query, each part counts as one


class Ranked(NamedTuple):
    place: int  # in the list of documents
    score: float


def order(one: Ranked) -> tuple[float, int]:
    """The best first; equals stay as they were."""
    return -one.score, one.place


class Ranking(NamedTuple):
    """The best first. Scores of one model can be compared, those of two cannot."""

    results: list[Ranked]
    usage: Usage
    model: str


def rerank_facts(body: Mapping[str, Any]) -> Facts:
    """Validate a body once and say what routing must know of it."""
    unknown = _check_params(body)
    if not body.get("query"):
        raise BadRequest("query must be a text", param="query", code="missing")
    texts = texts_of(body)
    query, sizes = tokens_in(body["query"]), [tokens_in(text) for text in texts]
    return Facts(
        params=frozenset(body) - _OURS,
        unknown_params=frozenset(unknown),
        input_tokens=query * len(sizes) + sum(sizes),  # each document is read beside the query
        inputs=len(sizes),
        longest=0,  # what is too long is cut by those who rank it
        searches=searches(2 * query, [2 * size for size in sizes]),  # estimates of tokens err by as much
    )


def _check_params(body: Mapping[str, Any]) -> list[str]:
    """The names of what is not everybody's."""
    unknown = []
    for name, value in body.items():
        kinds = RERANK_PARAMS.get(name) or FURTHER_PARAMS.get(name)
        if name not in RERANK_PARAMS:
            if len(name) > _LONGEST_NAME:
                raise BadRequest("a parameter's name is too long", param=name[:50], code="unknown_parameter")
            unknown.append(name)
        if kinds is not None and value is not None:
            check_type(name, value, kinds)
        if name in _LEAST and value is not None and value < _LEAST[name]:
            raise BadRequest(f"{name} must be at least {_LEAST[name]}", param=name, code="invalid_value")
    for index, field in enumerate(body.get("rank_fields") or ()):
        check_type(f"rank_fields[{index}]", field, (str,))
    return unknown


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """What is read of each document."""
    documents = body.get("documents")
    if not documents:
        raise BadRequest("documents must be a list of texts or objects", param="documents", code="missing")
    return [_text(one, f"documents[{index}]", body.get("rank_fields")) for index, one in enumerate(documents)]


def _text(document: Any, where: str, fields: Sequence[str] | None) -> str:
    """Of an object its text, if there is nothing else to it; else its fields by name, a line each."""
    check_type(where, document, (str, dict))
    text = document
    if type(document) is dict:
        chosen = {name: document[name] for name in fields or document if document.get(name) is not None}
        text = "\n".join(f"{name}: {_shown(value)}" for name, value in chosen.items())
        if chosen.keys() == {"text"}:
            text = _shown(chosen["text"])
    if not text:
        raise BadRequest(f"{where} has nothing to read", param=where, code="invalid_value")
    return str(text)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def searches(query: int, sizes: Sequence[int]) -> int:
    """How many searches these are where they are sold by the search; sizes are in tokens."""
    room = max(1, _CHUNK - query)
    return -(-sum(-(-size // room) for size in sizes) // _UNIT)


def asked_of(body: Mapping[str, Any], texts: Sequence[str]) -> Body:
    """What a provider is asked about some of the documents."""
    made = {name: value for name, value in body.items() if name not in _OURS and value is not None}
    if "top_n" in made:
        made["top_n"] = min(made["top_n"], len(texts))
    return {**made, "documents": list(texts)}


def read_ranking(raw: bytes, count: int, wanted: int, secrets: tuple[str, ...] = ()) -> Ranking:
    """Malformed when it does not rank that many documents."""
    body = read_json(raw)
    if type(body) is dict and body.get("error"):
        raise read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    return ranking_of(body, count, wanted)


def ranking_of(body: Any, count: int, wanted: int) -> Ranking:
    """Of `count` documents the best `wanted`."""
    listed = body.get("results") if type(body) is dict else None
    if type(listed) is not list or not all(type(one) is dict for one in listed):
        raise Malformed("the answer has no list of results")
    found = ranked([(one.get("index"), one.get("relevance_score")) for one in listed], count, wanted)
    model = body.get("model")
    return Ranking(found, _usage_of(body), model if type(model) is str else "")


def ranked(pairs: Sequence[tuple[Any, Any]], count: int, wanted: int) -> list[Ranked]:
    """Checked and sorted; who was asked for a few may send all."""
    for index, score in pairs:
        if type(index) is not int or not 0 <= index < count:
            raise Malformed("the answer ranks what is none of the documents")
        if type(score) not in {int, float} or not isfinite(score):
            raise Malformed("the answer has a document without a score")
    if len({index for index, _ in pairs}) < max(len(pairs), min(wanted, count)):
        raise Malformed(f"the answer does not rank {min(wanted, count)} documents, each once")
    found = [Ranked(index, float(score)) for index, score in pairs]
    return sorted(found, key=order)[:wanted]


def _usage_of(body: Mapping[str, Any]) -> Usage:
    """In searches, which some report as a float, or in tokens, of which some only give the sum."""
    meta = body.get("meta")
    billed = meta.get("billed_units") if type(meta) is dict else None
    units = billed.get("search_units") if type(billed) is dict else None
    if isinstance(units, int | float) and units > 0:
        return Usage("reported", searches=ceil(units))
    said = body.get("usage")
    if type(said) is dict and type(said.get("total_tokens")) is int and "prompt_tokens" not in said:
        said = {"prompt_tokens": said["total_tokens"]}
    return read_usage(said)


def answer_of(ranking: Ranking, documents: Sequence[Any] | None = None) -> Body:
    """The answer in everybody's form; with the documents where they were asked for.

    An estimate of usage is ours and does not go in it.
    """
    usage, said = ranking.usage, Body()
    meta: Body = {"api_version": {"version": "2"}}
    if usage.source == "reported":
        billed = {"search_units": usage.searches, "input_tokens": usage.input_total}
        meta["billed_units"] = {name: count for name, count in billed.items() if count}
        if usage.input_total:
            said = {"usage": {"prompt_tokens": usage.input_total, "total_tokens": usage.total}}
    return {"model": ranking.model, "results": results_of(ranking, documents), "meta": meta, **said}


def results_of(ranking: Ranking, documents: Sequence[Any] | None = None) -> list[Body]:
    return [
        {
            "index": one.place,
            "relevance_score": one.score,
            **({} if documents is None else {"document": _returned(documents[one.place])}),
        }
        for one in ranking.results
    ]


def _returned(document: Any) -> Any:
    return {"text": document} if isinstance(document, str) else document
