"""Anthropic: the Messages API, by our own transport; token counts and the list of models by the official SDK."""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from core.config.settings import Account
from core.errors import AttemptTimeout, Malformed, Misconfigured, TargetError, Unreachable
from core.net.transport import Transport, retry_after
from core.providers.api import Api, checked
from core.providers.contract import HOP, Call, Reply, lost
from core.providers.frames import Frames
from core.providers.row import Row
from core.wire.anthropic import chat as wire
from core.wire.anthropic.native import fitted
from core.wire.anthropic.rules import NEWEST, version_for
from core.wire.anthropic.stream import MessagesStream, PassedStream
from core.wire.messages.errors import DIALECT, without_foreign_thoughts
from core.wire.openai import Completion

Body = dict[str, Any]

_VERSION = "anthropic-version"
_PATIENCE = 30.0  # seconds for what is asked through the SDK
_STUMBLES = (ValueError, AttributeError, TypeError)  # of the client, which reads whatever comes as an answer
_COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
)


class Anthropic:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        self._api = Api.of(row, account, transport, wire.read_error)
        self._api.root = self._api.root.removesuffix("/v1")  # users give either
        self._url = self._api.url("/v1/messages")
        self._version = account.api_version
        self._transport = transport

    async def chat(self, call: Call) -> Reply[Completion]:
        body, headers, warnings = self._request(call, stream=False)
        answer = await self._api.post(self._url, body, call, headers)
        try:
            raw = await answer.read(call.max_bytes)
            native = call.native is not None
            made = wire.completion_from(raw, names=_names(call), native=native, **self._about())
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        warnings += lost(made.losses, call.target, strict=False)
        return Reply(made, made.usage, self._api.said(answer.request_id), warnings)

    async def chat_stream(self, call: Call) -> Frames:
        body, headers, warnings = self._request(call, stream=True)
        answer = await self._api.post(self._url, body, call, headers)
        self._api.must_stream(answer)
        how = {"model": call.target.model, "limit": call.max_bytes, "keep_usage": call.wants_usage, **self._about()}
        request_id = self._api.said(answer.request_id)
        if call.native:
            return Frames(answer, PassedStream(**how), request_id, warnings, DIALECT)
        return Frames(answer, MessagesStream(names=_names(call), **how), request_id, warnings)

    async def count_tokens(self, call: Call) -> int:
        """With what is refused in a request that is only counted left out."""
        body, headers, _ = self._request(call, stream=False)
        counted = {name: value for name, value in body.items() if name in _COUNTED}
        model, messages = counted.pop("model"), counted.pop("messages")
        async with self._client({**headers, HOP: str(call.hop + 1)}) as client:
            found = await client.messages.count_tokens(model=model, messages=messages, extra_body=counted)
        count = getattr(found, "input_tokens", None)  # it gives back whatever came
        if type(count) is not int:
            raise Malformed("the count of tokens is no number")
        return count

    async def models(self) -> list[str]:
        async with self._client({_VERSION: self._version or NEWEST, HOP: "1"}) as client:
            listed = [model async for model in client.models.list(limit=1000)]
        return [str(model.id) for model in listed if getattr(model, "lifecycle", None) != "retired"]

    def _request(self, call: Call, *, stream: bool) -> tuple[Body, dict[str, str], tuple[str, ...]]:
        """What is sent, with its headers, and what could not be said in it."""
        body: Body = {**call.body, "model": call.target.model, "stream": stream}
        if call.native is not None:
            own, foreign = without_foreign_thoughts(call.native.body)
            passed = _passed(own, call.target.model, stream=stream)
            headers = {_VERSION: self._version or version_for(passed), **dict(call.native.headers)}
            passed, losses = fitted(passed, headers[_VERSION])
            return passed, headers, checked([*foreign, *losses], call)
        version = self._version or version_for(body)
        made, losses = wire.request_to(body, version=version)
        return made, {_VERSION: version}, checked(losses, call)

    def _about(self) -> Body:
        return {"created": int(time.time()), "secrets": self._api.secrets}

    @asynccontextmanager
    async def _client(self, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        """The official client; what it raises is told in our words."""
        sdk = await asyncio.to_thread(_sdk)
        key, token = self._api.secrets
        credentials = {"auth_token": token} if token else {"api_key": key}
        http = sdk.DefaultAsyncHttpxClient(trust_env=self._transport.proxy)
        connect = min(self._transport.connect_timeout or _PATIENCE, _PATIENCE)
        patience = sdk.Timeout(_PATIENCE, connect=connect)
        try:
            async with sdk.AsyncAnthropic(
                **credentials, base_url=self._api.root, max_retries=0, timeout=patience, http_client=http,
                default_headers=dict(headers),
            ) as client:  # fmt: skip
                yield client
        except sdk.APIStatusError as error:
            raise self._refusal(error) from None  # its request holds the key
        except sdk.APITimeoutError:
            raise AttemptTimeout(f"no answer within {_PATIENCE:g} s") from None
        except sdk.APIConnectionError as error:
            raise Unreachable(f"no connection to the provider ({type(error.__cause__).__name__})") from None
        except (sdk.APIError, *_STUMBLES):
            raise Malformed("the answer is not what the API says it is") from None

    def _refusal(self, error: Any) -> TargetError:
        response = error.response
        return wire.read_error(
            error.status_code,
            response.content,
            secrets=self._api.secrets,
            request_id=self._api.said(error.request_id),
            retry_after=retry_after(response.headers),
        )


def _sdk() -> Any:
    """Half a second of imports, in a thread and only for who needs it."""
    try:
        return importlib.import_module("anthropic")
    except ImportError:
        raise Misconfigured("this needs the package anthropic: pip install anthropic") from None


def _passed(own: Mapping[str, Any], model: str, *, stream: bool) -> Body:
    body = {**own, "model": model}
    body.pop("stream", None)
    return {**body, "stream": True} if stream else body


def _names(call: Call) -> list[str]:
    """What the caller calls his documents, which come before all others."""
    documents = call.body.get("documents") or ()
    return [
        str(one.get("id") or index) if isinstance(one, dict) else str(index) for index, one in enumerate(documents)
    ]
