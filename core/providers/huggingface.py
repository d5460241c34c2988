"""Hugging Face: OpenAI's dialect at its router, and tasks of models at its own inference."""

from typing import TYPE_CHECKING

from core.errors import TargetError
from core.net.transport import address
from core.providers.contract import Call, Reply
from core.providers.openai_dialect import OpenAIDialect

if TYPE_CHECKING:  # who only chats need not load it
    from core.wire.rerank import Ranking


class HuggingFace(OpenAIDialect):
    async def rerank(self, call: Call) -> Reply["Ranking"]:
        """By how alike texts are to the query, as models for retrieval see it."""
        from core.wire import similarity  # noqa: PLC0415 - see above

        count = len(call.body["documents"])
        url = address(self._api.root.rstrip("/").removesuffix("/v1") + similarity.path_of(call.target.model))
        scores, answer = await self._api.post_json(url, similarity.similarity_to(call.body), call)
        try:
            found = similarity.ranking_from(scores, count, call.body.get("top_n") or count)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        return Reply(found, found.usage, self._api.said(answer.request_id))
