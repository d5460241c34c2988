"""Gemini by its own API, generateContent: chat, streams, vectors, models, tokens."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from yarl import URL

from core.config.settings import Account
from core.errors import Malformed, TargetError
from core.net.transport import Transport
from core.providers.api import Api, checked
from core.providers.contract import Call, Reply
from core.providers.frames import Frames
from core.providers.row import Row
from core.wire.embeddings import Embeddings, items
from core.wire.gemini import answers
from core.wire.gemini import request as wire
from core.wire.gemini.stream import GeminiStream
from core.wire.openai import Completion

_VERSIONS = ("/v1beta", "/v1")
_PAGE = 1000
_MOST_PAGES = 20
_HEAVY = 50_000  # numbers in an answer, which take milliseconds to read


class Gemini:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(row, account, transport, answers.read_error)
        self._api.root = rooted(self._api.root)

    async def chat(self, call: Call) -> Reply[Completion]:
        body, losses = wire.request_to(call.body, call.target.model)
        warnings = checked(losses, call)
        theirs, answer = await self._api.post_json(address(self._api, call, "generateContent"), body, call)
        try:
            made, left = answers.completion_from(theirs, call.target.model, int(time.time()))
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        said = tuple(f"{loss} ({call.target})" for loss in left)
        return Reply(made, made.usage, self._api.said(answer.request_id), warnings + said)

    async def chat_stream(self, call: Call) -> Frames:
        body, losses = wire.request_to(call.body, call.target.model)
        warnings = checked(losses, call)
        answer = await self._api.post(address(self._api, call, "streamGenerateContent?alt=sse"), body, call)
        return self._api.frames(answer, GeminiStream, call, warnings)

    async def embed(self, call: Call) -> Reply[Embeddings]:
        texts, model = items(call.body["input"]), call.target.model
        body = wire.embed_to(call.body, texts, model)
        theirs, answer = await self._api.post_json(address(self._api, call, "batchEmbedContents"), body, call)
        try:
            if len(texts) * (call.body.get("dimensions") or 3072) > _HEAVY:
                found = await asyncio.to_thread(answers.read_embeddings, theirs, len(texts), model)
            else:
                found = answers.read_embeddings(theirs, len(texts), model)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        return Reply(found, found.usage, self._api.said(answer.request_id))

    async def models(self) -> list[str]:
        """All pages of its list, which costs nothing to ask for."""
        names: list[str] = []
        more = ""
        for _ in range(_MOST_PAGES):
            path = f"/models?pageSize={_PAGE}" + (f"&pageToken={quote(more, safe='')}" if more else "")
            page = await self._api.get_json(self._api.url(path))
            listed = page.get("models") if type(page) is dict else None
            if type(listed) is not list:
                raise Malformed("the model list is not a list")
            found = (one.get("name") for one in listed if type(one) is dict)
            names += [name.removeprefix("models/") for name in found if type(name) is str]
            more = page.get("nextPageToken") or ""
            if not more:
                break
        return names

    async def count_tokens(self, call: Call) -> int:
        body, _ = wire.request_to(call.body, call.target.model)
        asked: Mapping[str, Any] = {"generateContentRequest": {"model": f"models/{call.target.model}", **body}}
        theirs, answer = await self._api.post_json(address(self._api, call, "countTokens"), asked, call)
        counted = theirs.get("totalTokens") if type(theirs) is dict else None
        if type(counted) is not int:
            error = Malformed("the answer has no number of tokens")
            self._api.tell(error, answer)
            raise error
        return counted


def address(api: Api, call: Call, verb: str) -> URL:
    return api.url(f"/models/{quote(call.target.model.removeprefix('models/'), safe='')}:{verb}")


def rooted(root: str) -> str:
    """With the version of the API that a user may have left out, or the address of its compatible endpoint."""
    for version in _VERSIONS:
        before, found, after = root.partition(version)
        if found and (not after or after.startswith("/")):
            return before + version
    return root + _VERSIONS[0]
