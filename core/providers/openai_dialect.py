"""Every provider that speaks OpenAI's dialect; what differs between them stands in their rows."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from yarl import URL

from core.config.settings import Account
from core.errors import Malformed, TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.api import Api, credentials, root_of
from core.providers.contract import Call, Reply, lost
from core.providers.frames import Frames
from core.providers.row import Row
from core.types.request import Native
from core.wire import embeddings
from core.wire import openai as wire
from core.wire.embeddings import Embeddings

if TYPE_CHECKING:  # who never ranks need not load it
    from core.wire.rerank import Ranking

_LENGTHS = ("max_tokens", "max_completion_tokens")  # two names of one parameter


_CHAT, _EMBEDDINGS, _RERANK, _RESPONSES = "/chat/completions", "/embeddings", "/rerank", "/responses"


class OpenAIDialect:
    read_error = staticmethod(wire.read_error)
    base_url = staticmethod(root_of)

    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        base = self.base_url(row, account)
        key = account.key.reveal() if account.key else ""
        token = account.token.reveal() if account.token else ""
        version = account.api_version or ""
        query = f"?api-version={version}" if version else ""
        dated = row.dated_prefix if row.is_dated(version) else ""
        self._row = row
        self._api = Api(transport, base, credentials(row, key, token), (key, token), self.read_error)
        # A template where the path names the model.
        self._dated_root = base.removesuffix(row.path_prefix) + dated if dated else ""
        self._query = query
        paths = (_CHAT, _EMBEDDINGS, _RERANK, _RESPONSES)
        self._urls = {path: address(base + path + query) for path in paths}
        self._models_url = address(base + "/models")

    async def chat(self, call: Call) -> Reply[wire.Completion]:
        if call.native is not None:
            return await self._respond(call, call.native)
        answer = await self._post(call, _CHAT, self.chat_body(call, stream=False))
        try:
            raw = await answer.read(call.max_bytes)
            completion = wire.read_completion(raw, self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        warnings = lost(completion.losses, call.target, strict=False)
        return Reply(completion, completion.usage, self._api.said(answer.request_id), warnings)

    async def _respond(self, call: Call, native: Native) -> Reply[wire.Completion]:
        from core.providers import native_responses  # noqa: PLC0415 - for who is asked in this dialect

        body, warnings = native_responses.body_for(call, native)
        answer = await self._post(call, native_responses.PATH, body)
        return await native_responses.whole(self._api, answer, call, warnings)

    async def embed(self, call: Call) -> Reply[Embeddings]:
        body = {**call.body, "model": call.target.model}
        body.pop("encoding_format", None)
        if self._row.base64:
            body["encoding_format"] = "base64"  # a quarter of the bytes, and numbers need no parsing
        count = len(embeddings.items(body["input"]))
        answer = await self._post(call, _EMBEDDINGS, body)
        try:
            raw = await answer.read(call.max_bytes)
            if len(raw) > embeddings.HEAVY:
                found = await asyncio.to_thread(embeddings.read_embeddings, raw, count, self._api.secrets)
            else:
                found = embeddings.read_embeddings(raw, count, self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        return Reply(found, found.usage, self._api.said(answer.request_id))

    async def rerank(self, call: Call) -> Reply["Ranking"]:
        """Not OpenAI's, but what servers that speak its dialect have beside it, in the form that most share."""
        from core.wire.rerank import read_ranking  # noqa: PLC0415 - see above

        count = len(call.body["documents"])
        answer = await self._post(call, _RERANK, {**call.body, "model": call.target.model, "return_documents": False})
        try:
            raw = await answer.read(call.max_bytes)
            found = read_ranking(raw, count, call.body.get("top_n") or count, self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        return Reply(found, found.usage, self._api.said(answer.request_id))

    async def chat_stream(self, call: Call) -> Frames:
        if call.native is not None:
            return await self._respond_in_stream(call, call.native)
        answer = await self._post(call, _CHAT, self.chat_body(call, stream=True))
        self._api.must_stream(answer)
        # What a search costs is seen in its citations, which come amid the words.
        several = (call.body.get("n") or 1) > 1 or bool(call.body.get("web_search_options"))
        stream = wire.ChatStream(
            limit=call.max_bytes, keep_usage=call.wants_usage, secrets=self._api.secrets, several=several
        )
        return Frames(answer, stream, self._api.said(answer.request_id))

    async def _respond_in_stream(self, call: Call, native: Native) -> Frames:
        from core.providers import native_responses  # noqa: PLC0415 - for who is asked in this dialect

        body, warnings = native_responses.body_for(call, native)
        answer = await self._post(call, native_responses.PATH, body)
        return native_responses.streamed(self._api, answer, call, native, warnings)

    async def models(self) -> list[str]:
        body = await self._api.get_json(self._models_url)
        listed = body.get("data") if type(body) is dict else body  # some send a bare list
        if type(listed) is not list:
            raise Malformed("the model list is not a list")
        return [item["id"] for item in listed if type(item) is dict and type(item.get("id")) is str]

    def chat_body(self, call: Call, *, stream: bool) -> dict[str, Any]:
        """The canonical body in this provider's own spelling."""
        body: dict[str, Any] = {**call.body, "model": call.target.model}
        wanted = self._row.max_tokens_param
        for name in _LENGTHS:
            if name != wanted and name in body:
                value = body.pop(name)
                body.setdefault(wanted, value)
        if stream:
            body["stream"] = True
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        else:
            body.pop("stream", None)
            body.pop("stream_options", None)
        return body

    async def _post(self, call: Call, path: str, body: Mapping[str, Any]) -> Incoming:
        try:
            return await self._api.post(self._url(call, path), body, call)
        except TargetError as refusal:
            if refusal.param in _LENGTHS and refusal.param not in call.body:
                refusal.param = next((name for name in _LENGTHS if name in call.body), None)  # as the caller spells it
            raise

    def _url(self, call: Call, path: str) -> URL:
        if not self._dated_root:
            return self._urls[path]
        return address(self._dated_root.replace("{model}", quote(call.target.model, safe="")) + path + self._query)
