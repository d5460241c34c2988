"""Hugging Face: OpenAI's dialect for chat; embeddings and ranks by tasks of its own inference."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from core.config.settings import Account
from core.errors import ParameterRefused, TargetError
from core.net.transport import Transport, address
from core.providers.contract import Call, Reply
from core.providers.openai_dialect import OpenAIDialect
from core.providers.row import Row
from core.wire import embeddings
from core.wire.embeddings import Embeddings
from core.wire.huggingface.feature_extraction import PATH, read_error, read_features

if TYPE_CHECKING:  # who never ranks need not load it
    from core.wire.rerank import Ranking


class HuggingFace(OpenAIDialect):
    read_error = staticmethod(read_error)

    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        super().__init__(row, account, transport)
        self._extraction = self.base_url(row, account).rstrip("/").removesuffix("/v1") + PATH

    async def embed(self, call: Call) -> Reply[Embeddings]:
        model, asked = call.target.model, call.body.get("dimensions")
        texts = embeddings.items(call.body["input"])
        url = address(self._extraction.replace("{model}", quote(model)))
        answer = await self._api.post(url, {"inputs": texts}, call)
        try:
            raw = await answer.read(call.max_bytes)
            given = (raw, len(texts), model, self._api.secrets)
            # Numbers in text take three times the time of those in base64.
            found, pooled = await asyncio.to_thread(read_features, *given)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        if asked and asked != found.dimensions:
            raise ParameterRefused(f"its vectors have {found.dimensions} dimensions", param="dimensions")
        warnings = (f"{model} gives a vector for each token: these are their means",) if pooled else ()
        return Reply(found, found.usage, self._api.said(answer.request_id), warnings)

    async def rerank(self, call: Call) -> Reply["Ranking"]:
        """By how alike texts are to the query, as models for retrieval see it."""
        from core.wire.huggingface import similarity  # noqa: PLC0415 - see above

        count = len(call.body["documents"])
        url = address(self._api.root.rstrip("/").removesuffix("/v1") + similarity.path_of(call.target.model))
        scores, answer = await self._api.post_json(url, similarity.similarity_to(call.body), call)
        try:
            found = similarity.ranking_from(scores, count, call.body.get("top_n") or count)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        return Reply(found, found.usage, self._api.said(answer.request_id))
