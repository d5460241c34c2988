"""The one way from a verb to the gateway: a body in, an answer or a stream of text out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

import orjson

from core.errors import TargetError
from core.http.ranks import rerank_request
from core.http.surfaces import chat_request
from core.http.vectors import embed_request
from core.library.requests import Body
from core.library.results import EmbeddingResponse, RerankResponse, Said
from core.library.scope import Scope
from core.providers.contract import ListsModels
from core.types.caller import ALL_SCOPES, Caller
from core.types.request import Request
from core.wire import sse
from core.wire.embeddings import HEAVY

T = TypeVar("T")

log = logging.getLogger("patchbay")

# The program itself: nobody else can call this way.
CALLER = Caller(org="local", project="default", key="library", scopes=ALL_SCOPES)
ROUTE = "library"
_PROBE_SECONDS = 10


def request_of(body: Body) -> Request:
    """The same checks and the same fields of ours as over HTTP, and `timeout` in seconds."""
    body = dict(body)
    timeout = body.pop("timeout", None)
    if "input" in body:
        return embed_request(body, ROUTE, timeout)
    if "query" in body:
        return rerank_request(body, ROUTE, timeout)
    return chat_request(body, ROUTE, timeout, wants_usage=False)


async def chat(scope: Scope, body: Body) -> Said:
    async with scope.gateway() as gateway:
        return Said.of(await gateway.chat(CALLER, request_of(body)))


async def embed(scope: Scope, body: Body) -> EmbeddingResponse:
    async with scope.gateway() as gateway:
        answer = await gateway.embed(CALLER, request_of(body))
    if answer.value.size > HEAVY:
        return await asyncio.to_thread(EmbeddingResponse.of, answer)
    return EmbeddingResponse.of(answer)


async def rerank(scope: Scope, body: Body) -> RerankResponse:
    async with scope.gateway() as gateway:
        return RerankResponse.of(await gateway.rerank(CALLER, request_of(body)))


class TextStream(Generic[T]):
    """The answer's text as it comes; asked for when it is first read. Afterwards `result` is the whole of it."""

    def __init__(self, scope: Scope, body: Body, make: Callable[[Said], T]) -> None:
        self._scope = scope
        self._body = {**body, "stream": True}
        self._make = make
        self.result: T | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        parts: list[str] = []
        async with self._scope.gateway() as gateway:
            live = await gateway.chat_stream(CALLER, request_of(self._body))
            async with live:
                async for batch in live.frames():
                    for frame in batch:
                        for text in _texts(frame.raw):
                            parts.append(text)
                            yield text
                if live.error is not None:
                    live.error.receipt = live.receipt
                    raise live.error
            self.result = self._make(Said("".join(parts), live.receipt))


async def answered(scope: Scope, body: Body, make: Callable[[Said], T], *, stream: bool) -> T | TextStream[T]:
    return TextStream(scope, body, make) if stream else make(await chat(scope, body))


async def health(scope: Scope, name: str) -> bool:
    """Whether the provider answers now, by its list of models, which costs nothing."""
    own = scope.owner(name)
    if own is not None:
        try:
            return await asyncio.wait_for(own.healthy(), _PROBE_SECONDS)
        except Exception as error:  # noqa: BLE001 - a caller's own code may raise anything, and is not healthy then
            _say(name, error)
            return False
    try:
        await models(scope, name)
    except (TargetError, TimeoutError) as error:
        _say(name, error)
        return False
    return True


async def models(scope: Scope, name: str) -> list[str]:
    """What the provider lists itself."""
    async with scope.gateway() as gateway:
        account = next(one for one in gateway.registry.accounts(name) if one.enabled)
        adapter = gateway.registry.adapter(name, account.name)
        if not isinstance(adapter, ListsModels):
            return [model.id for model in gateway.catalog.models if model.provider == name]
        async with asyncio.timeout(_PROBE_SECONDS):
            return await adapter.models()


def _texts(raw: bytes) -> list[str]:
    """The words in a block of events, of the first choice."""
    found = []
    for event in sse.events(raw):
        data = sse.data_of(event)
        choices = orjson.loads(data).get("choices") if data and data != b"[DONE]" else None
        for choice in choices or ():
            text = (choice.get("delta") or {}).get("content")
            if text and not choice.get("index"):
                found.append(text)
    return found


def _say(name: str, error: BaseException) -> None:
    log.warning("%s is not healthy: %s", name, str(error) or type(error).__name__)
