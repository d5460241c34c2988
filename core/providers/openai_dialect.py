"""Every provider that speaks OpenAI's dialect; what differs between them stands in their rows."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from yarl import URL

from core.config.settings import Account
from core.errors import Malformed, RequestRefused, TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.contract import HOP, Call, Reply
from core.providers.table import Row
from core.types.frame import Frame
from core.types.usage import Usage
from core.wire import embeddings
from core.wire import openai as wire
from core.wire.embeddings import Embeddings
from core.wire.faults import cut

_MAX_ERROR_BYTES = 64 * 1024
_DRAIN_SECONDS = 0.05
_LONGEST_HEADER = 200
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_LENGTHS = ("max_tokens", "max_completion_tokens")  # two names of one parameter


_CHAT, _EMBEDDINGS = "/chat/completions", "/embeddings"


class OpenAIDialect:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        base = self.base_url(row, account)
        key = account.key.reveal() if account.key else ""
        token = account.token.reveal() if account.token else ""
        version = account.api_version or ""
        query = f"?api-version={version}" if version else ""
        dated = row.dated_prefix if _DATED.match(version) else ""
        self._row = row
        self._transport = transport
        self._secrets = (key, token)
        # A template where the path names the model.
        self._dated_root = base.removesuffix(row.path_prefix) + dated if dated else ""
        self._query = query
        self._urls = {path: address(base + path + query) for path in (_CHAT, _EMBEDDINGS)}
        self._models_url = address(base + "/models")
        self._headers = {"accept": "*/*", "user-agent": "patchbay", **self._credentials(row, key, token)}
        self._post_headers = {**self._headers, "content-type": "application/json", HOP: "1"}

    @staticmethod
    def base_url(row: Row, account: Account) -> str:
        """The API's root; a user may give the host alone, or any address below it as a portal shows it."""
        base = account.base_url or row.base_url or ""
        if not row.path_prefix:
            return base
        scheme, _, rest = base.partition("?")[0].partition("://")
        host, slash, path = rest.partition("/")
        first = "/" + row.path_prefix.split("/")[1]
        return f"{scheme}://{host}{(slash + path).partition(first)[0].rstrip('/')}{row.path_prefix}"

    @staticmethod
    def _credentials(row: Row, key: str, token: str) -> dict[str, str]:
        if token:
            return {"authorization": f"Bearer {token}"}
        if not key:
            return {}
        return {row.key_header: f"Bearer {key}" if row.key_header == "authorization" else key}

    async def chat(self, call: Call) -> Reply[wire.Completion]:
        answer = await self._post(call, _CHAT, self.chat_body(call, stream=False))
        try:
            raw = await answer.read(call.max_bytes)
            completion = wire.read_completion(raw, self._secrets)
        except TargetError as error:
            self._tell(error, answer)
            raise
        finally:
            answer.close()
        return Reply(completion, completion.usage, self._said(answer.request_id))

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
                found = await asyncio.to_thread(embeddings.read_embeddings, raw, count, self._secrets)
            else:
                found = embeddings.read_embeddings(raw, count, self._secrets)
        except TargetError as error:
            self._tell(error, answer)
            raise
        finally:
            answer.close()
        return Reply(found, found.usage, self._said(answer.request_id))

    async def chat_stream(self, call: Call) -> "ChatFrames":
        answer = await self._post(call, _CHAT, self.chat_body(call, stream=True))
        kind, request_id = (
            self._said(answer.header("content-type")) or "no content type",
            self._said(answer.request_id),
        )
        if "text/event-stream" not in kind:
            answer.close()
            raise Malformed(f"the answer is not an event stream ({kind})", request_id=request_id)
        several = (call.body.get("n") or 1) > 1
        stream = wire.ChatStream(
            limit=call.max_bytes, keep_usage=call.wants_usage, secrets=self._secrets, several=several
        )
        return ChatFrames(answer, stream, request_id)

    async def models(self) -> list[str]:
        answer = await self._transport.send("GET", self._models_url, self._headers)
        if answer.status != 200:
            raise await self._refusal(answer)
        raw = await answer.read(4 * 2**20)
        answer.close()
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise Malformed("the model list is not JSON") from None
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
            raw = orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise RequestRefused(f"the body cannot be sent on: {error}") from error
        headers = self._post_headers
        if call.hop:
            headers = {**headers, HOP: str(call.hop + 1)}
        answer = await self._transport.send("POST", self._url(call, path), headers, raw, idle=call.idle)
        if not 200 <= answer.status < 300:
            refusal = await self._refusal(answer)
            if refusal.param in _LENGTHS and refusal.param not in call.body:
                refusal.param = next((name for name in _LENGTHS if name in call.body), None)  # as the caller spells it
            raise refusal
        return answer

    def _url(self, call: Call, path: str) -> URL:
        if not self._dated_root:
            return self._urls[path]
        return address(self._dated_root.replace("{model}", quote(call.target.model, safe="")) + path + self._query)

    def _tell(self, error: TargetError, answer: Incoming) -> None:
        """Add what the head of the answer said."""
        error.request_id, error.provider_status = self._said(answer.request_id), answer.status

    def _said(self, words: str | None) -> str | None:
        """A header of the provider's, without a key that it may quote."""
        return words and cut(words, *self._secrets)[:_LONGEST_HEADER]

    async def _refusal(self, answer: Incoming) -> TargetError:
        try:
            raw = await answer.read(_MAX_ERROR_BYTES)
        except TargetError:
            raw = b""  # the status alone still says what happened
        finally:
            answer.close()
        return wire.read_error(
            answer.status,
            raw,
            secrets=self._secrets,
            request_id=self._said(answer.request_id),
            retry_after=answer.retry_after,
        )


class ChatFrames:
    """An open chat stream of one provider."""

    __slots__ = ("_answer", "_stream", "request_id")

    def __init__(self, answer: Incoming, stream: wire.ChatStream, request_id: str | None) -> None:
        self._answer = answer
        self._stream = stream
        self.request_id = request_id

    @property
    def usage(self) -> Usage:
        return self._stream.usage

    @property
    def outputs(self) -> int:
        return self._stream.outputs

    async def next(self) -> list[Frame] | None:
        stream = self._stream
        if stream.ended:
            await self._drain()
            return None
        if stream.failed:
            return stream.feed(b"")
        try:
            part = await self._answer.part()
        except TargetError:
            if stream.complete:
                return stream.finish()  # all output is here; only the closing words are missing
            raise
        return stream.feed(part) if part else stream.finish()

    async def _drain(self) -> None:
        """Wait shortly for the end of the body, so that the connection can be used again."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._answer.part()
        except (TimeoutError, TargetError):
            return  # close() will drop the connection; the answer is whole

    def close(self) -> None:
        self._answer.close()
