"""The faces of reranking: the one that most of its APIs share, and ours with its receipt."""

from collections.abc import Sequence
from typing import Any

import orjson

from core.answers import Answer
from core.capabilities import Capability
from core.http import options
from core.http.surfaces import Body, Face, marks, summary
from core.types.request import Request
from core.wire import rerank
from core.wire.rerank import Ranking


class PlainRerank(Face):
    """/v1/rerank: as clients of most reranking APIs read it."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return rerank_request(body, route, timeout)

    def answer(self, answer: Answer[Ranking]) -> bytes:
        said = rerank.answer_of(answer.value, _returned(answer))
        return orjson.dumps({"id": answer.receipt.id, "object": "rerank", **said, **marks(answer.receipt)})


class NativeRerank(PlainRerank):
    """/api/ai/rerank: the ranks and their receipt in one flat object."""

    shows_receipt = True

    def answer(self, answer: Answer[Ranking]) -> bytes:
        return orjson.dumps({"results": rerank.results_of(answer.value, _returned(answer)), **summary(answer.receipt)})


def rerank_request(body: Body, route: str, timeout: float | None = None) -> Request:
    body = {name: value for name, value in body.items() if value is not None}
    chosen = options.take(body)
    facts = rerank.rerank_facts(body)
    return Request(Capability.RERANK, body, chosen, facts, route=route, timeout=timeout)


def _returned(answer: Answer[Ranking]) -> Sequence[Any] | None:
    """The caller's documents, for who wants them back."""
    body = answer.receipt.request.body
    found: list[Any] = body["documents"]
    return found if body.get("return_documents") else None
