"""Hugging Face's task sentence-similarity, read as a ranking: a number for each text. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from core.errors import Malformed
from core.types.usage import Usage
from core.wire.rerank import Ranking, ranked


def path_of(model: str) -> str:
    """Beside its router's own path."""
    return f"/hf-inference/models/{quote(model)}/pipeline/sentence-similarity"


def similarity_to(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"inputs": {"source_sentence": body["query"], "sentences": body["documents"]}}


def ranking_from(scores: Any, count: int, wanted: int) -> Ranking:
    """The scores come in the order of the texts, and nothing is said of what was used."""
    if type(scores) is not list or len(scores) != count:
        raise Malformed(f"the answer is no list of {count} scores")
    return Ranking(ranked(list(enumerate(scores)), count, wanted), Usage(), "")
