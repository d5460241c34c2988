"""Cohere by its own API, version 2: chat with documents, streams, vectors, ranks, models."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from core.config.settings import Account
from core.errors import Malformed, TargetError
from core.net.transport import Incoming, Transport
from core.providers.api import Api, checked
from core.providers.contract import Call, Reply
from core.providers.frames import Frames
from core.providers.row import Row
from core.wire.cohere.answers import completion_from
from core.wire.cohere.request import request_to
from core.wire.cohere.stream import CohereStream
from core.wire.embeddings import Embeddings, items
from core.wire.openai import Completion

if TYPE_CHECKING:  # who only chats need not load it
    from core.wire.rerank import Ranking

T = TypeVar("T")

_VERSIONS = ("/v1", "/v2", "/compatibility")  # what an address may end in that somebody copied
_PAGE = 1000
_MOST_PAGES = 20


class Cohere:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(row, replace(account, base_url=root_of(row, account)), transport)
        self._chat, self._embed, self._rerank = (self._api.url(f"/v2/{verb}") for verb in ("chat", "embed", "rerank"))

    async def chat(self, call: Call) -> Reply[Completion]:
        body, losses = request_to({**call.body, "model": call.target.model, "stream": False})
        warnings = checked(losses, call)
        found, answer = await self._api.post_json(self._chat, body, call)
        made = self._read(answer, lambda: completion_from(found, call.target.model, int(time.time())))
        return Reply(made, made.usage, self._api.said(answer.request_id), warnings)

    async def chat_stream(self, call: Call) -> Frames:
        body, losses = request_to({**call.body, "model": call.target.model, "stream": True})
        warnings = checked(losses, call)
        answer = await self._api.post(self._chat, body, call)
        return self._api.frames(answer, CohereStream, call, warnings)

    async def embed(self, call: Call) -> Reply[Embeddings]:
        from core.wire.cohere.vectors import embed_to, embeddings_from  # noqa: PLC0415 - see above

        model, count = call.target.model, len(items(call.body["input"]))
        found, answer = await self._api.post_json(self._embed, embed_to(call.body, model), call)
        made = self._read(answer, lambda: embeddings_from(found, count, model))
        return Reply(made, made.usage, self._api.said(answer.request_id))

    async def rerank(self, call: Call) -> Reply["Ranking"]:
        from core.wire.rerank import ranking_of  # noqa: PLC0415 - see above

        count = len(call.body["documents"])
        found, answer = await self._api.post_json(self._rerank, {**call.body, "model": call.target.model}, call)
        made = self._read(answer, lambda: ranking_of(found, count, call.body.get("top_n") or count))
        return Reply(made, made.usage, self._api.said(answer.request_id))

    async def models(self) -> list[str]:
        """All pages of its list, which costs nothing to ask for."""
        names: list[str] = []
        more = ""
        for _ in range(_MOST_PAGES):
            after = f"&page_token={quote(more, safe='')}" if more else ""
            page = await self._api.get_json(self._api.url(f"/v1/models?page_size={_PAGE}{after}"))
            listed = page.get("models") if type(page) is dict else None
            if type(listed) is not list:
                raise Malformed("the model list is not a list")
            found = (one.get("name") for one in listed if type(one) is dict)
            names += [name for name in found if type(name) is str]
            more = page.get("next_page_token") or ""
            if not more:
                break
        return names

    def _read(self, answer: Incoming, reading: Callable[[], T]) -> T:
        """What came, or why it is no answer, with what its head said."""
        try:
            return reading()
        except TargetError as error:
            self._api.tell(error, answer)
            raise


def root_of(row: Row, account: Account) -> str:
    """Its address without the version of the API that somebody copied along."""
    root = (account.base_url or row.base_url or "").rstrip("/")
    for version in _VERSIONS:
        root = root.partition(version)[0]
    return root
