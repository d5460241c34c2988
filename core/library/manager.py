"""The seeds' manager: a chain that its owner composes, or the one that the environment configures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Self

from core.capabilities import Capability
from core.config.catalog import Query
from core.errors import NotYet
from core.library import calls, members, questions, scope, sound
from core.library.provider import Provider, form_of, provider_class
from core.library.registry import member_of
from core.library.requests import (
    Body,
    ChatRequest,
    EmbeddingRequest,
    LLMRequest,
    ManagerConfig,
    Messages,
    ProviderConfig,
    TranscriptionRequest,
    VisionRequest,
    chat_body,
    embed_body,
    vision_body,
)
from core.library.results import EmbeddingResponse, GenerationResult, ModelInfo, RerankResponse, VisionResponse
from core.library.scope import Scope
from core.library.sound_results import TranscriptionResponse
from core.library.words import capability_of, text_of
from core.routing.strategies import STRATEGIES


class _ByProvider(type):
    """`ProviderManager.new_<provider>(config)`, for whoever the table has."""

    def __getattr__(cls, name: str) -> Callable[..., ProviderManager]:
        kind = provider_class(name[4:].capitalize() + "Provider") if name.startswith("new_") else None
        if kind is None:
            raise AttributeError(name)
        return lambda config=None: cls().with_fallback(kind(config))


class ProviderManager(metaclass=_ByProvider):
    def __init__(self, config: ManagerConfig | Mapping[str, Any] | None = None, *, scope: Scope | None = None) -> None:
        self._scope = scope
        self._own: Scope | None = None
        self._strategy: str | None = None
        if config is not None:
            self.with_config(config)

    @property
    def scope(self) -> Scope:
        return self._own or self._scope or scope.current()

    def register_provider(self, provider_type: Any, config: Any = None) -> None:
        """By name with a configuration, or an object or class of your own. Its chain is who is registered."""
        if config is not None and not isinstance(config, ProviderConfig):
            self._join(config, name=text_of(provider_type))
        elif isinstance(provider_type, str | Enum):
            self._join(Provider.of(text_of(provider_type), config))
        else:
            self._join(provider_type, config=config)

    def with_fallback(self, provider: Any) -> Self:
        """Next in the chain, whatever priority it has elsewhere."""
        self._join(provider, ranked=False)
        return self

    def with_config(self, config: ManagerConfig | Mapping[str, Any]) -> Self:
        config = ManagerConfig.of(config)
        self._mine().configure(
            ENABLE_FALLBACK=str(config.enable_fallback).lower(),
            MAX_RETRIES=str(config.max_retries),
            RETRY_DELAY_MS=str(config.retry_delay_ms),
        )
        return self

    @property
    def strategy(self) -> str:
        return self._strategy or self.scope.desk.settings.strategy

    def set_strategy(self, strategy: object) -> None:
        name = text_of(strategy)
        if name not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise NotYet(f"This version has no strategy {name!r} yet; known: {known}.", param="strategy", code=name)
        self._strategy = name

    async def generate(self, messages: Messages | str, **more: Any) -> GenerationResult:
        return GenerationResult.of(await calls.chat(self.scope, self._body(chat_body(messages, **more))))

    async def chat_completion(
        self, request: ChatRequest | LLMRequest | Messages, provider_type: object = None, **more: Any
    ) -> Any:
        """The provider named goes first and the chain follows."""
        body = self._body(chat_body(request, **more), provider_type)
        stream = more.get("stream") or getattr(request, "stream", False)
        return await calls.answered(self.scope, body, form_of(request), stream=bool(stream))

    async def vision_completion(self, request: VisionRequest, provider_type: object = None) -> VisionResponse:
        body = self._body(await asyncio.to_thread(vision_body, request), provider_type)
        return VisionResponse.of(await calls.chat(self.scope, body))

    async def transcribe(
        self, request: TranscriptionRequest, provider_type: object = None, **more: Any
    ) -> TranscriptionResponse:
        """A file; `diarize`, `vocabulary` and the like go along."""
        body = self._body(sound.transcription_body(request, **more), provider_type)
        return TranscriptionResponse.of(await sound.transcribe(self.scope, body))

    async def generate_embedding(
        self, request: EmbeddingRequest | str | Sequence[str], provider_type: object = None, **more: Any
    ) -> EmbeddingResponse:
        """Fallback stays at the same model and dimensions: vectors of others cannot be compared."""
        return await calls.embed(self.scope, self._body(embed_body(request, **more), provider_type))

    async def rerank(
        self, query: str, documents: Sequence[Any], provider_type: object = None, **more: Any
    ) -> RerankResponse:
        """Documents (texts or objects) by their relevance; `top_n` bounds them."""
        asked = {name: value for name, value in more.items() if value is not None}
        body = {"query": query, "documents": list(documents), **asked}
        return await calls.rerank(self.scope, self._body(body, provider_type))

    async def health_check_all(self) -> dict[str, bool]:
        """All who are configured, asked at the same time."""
        names = self.scope.available()
        return dict(zip(names, await asyncio.gather(*(calls.health(self.scope, one) for one in names)), strict=True))

    async def estimate_cost(self, request: Any, provider: object) -> dict[str, Any]:
        return questions.estimate(self.scope, _body_of(request), text_of(provider))

    async def compare_providers(self, request: Any, capability: object = Capability.CHAT) -> dict[str, Any]:
        """What the request would cost at each provider; a price that nobody knows is None and never the cheapest."""
        body = _body_of(request)
        wanted = Capability.TRANSCRIBE if sound.is_heard(body) else capability_of(capability)
        names = self.scope.available(wanted)
        costs = {one: questions.estimate(self.scope, body, one) for one in names}
        known = {one: cost["total_cost"] for one, cost in costs.items() if cost["total_cost"] is not None}
        return {
            "cheapest": min(known, key=known.__getitem__, default=None),
            "providers": [{"provider": one, "cost": cost} for one, cost in costs.items()],
        }

    def list_models(self) -> list[ModelInfo]:
        return questions.listed(self.scope, Query(), self.scope.available())

    def _mine(self) -> Scope:
        if self._own is None:
            self._own = self.scope.sub()
        return self._own

    def _join(
        self, provider: Any, name: str | None = None, config: ProviderConfig | None = None, *, ranked: bool = True
    ) -> None:
        mine = self._mine()
        member = member_of(mine, provider, name, config)
        mine.add(member if ranked else members.unranked(member))

    def _body(self, body: Body, provider_type: object = None) -> Body:
        wanted = {"strategy": self._strategy, "provider": provider_type and text_of(provider_type)}
        return {**body, **{name: value for name, value in wanted.items() if value}}


def _body_of(request: Any) -> Body:
    """What would be sent, for an estimate."""
    if isinstance(request, TranscriptionRequest):
        return sound.transcription_body(request)
    return embed_body(request) if isinstance(request, EmbeddingRequest) else chat_body(request)


class _Shared(ProviderManager):
    """What is changed here, is changed for all module-level verbs."""

    def _mine(self) -> Scope:
        return self.scope


@cache
def get_provider_manager() -> ProviderManager:
    """The one of this process: what the environment configures, and who is registered on top."""
    return _Shared()
