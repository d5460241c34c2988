"""The seeds' provider classes, one for each row of the table: calls that go to this provider and to nobody else."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Self

from core.capabilities import Capability
from core.config.catalog import Query
from core.errors import BadRequest, Misconfigured, NotFound
from core.library import calls, members, questions, scope, sound
from core.library.bases import AIProvider, LLMProvider, Ready, STTProvider, TranslationProvider, TTSProvider
from core.library.requests import (
    Body,
    ChatRequest,
    EmbeddingRequest,
    LLMRequest,
    Messages,
    ProviderConfig,
    TranscriptionRequest,
    VisionRequest,
    chat_body,
    embed_body,
    prompt_body,
    vision_body,
)
from core.library.results import (
    ChatResponse,
    EmbeddingResponse,
    GenerationResult,
    LLMResponse,
    LLMResult,
    ModelInfo,
    VisionResponse,
)
from core.library.scope import Member, Scope
from core.library.sound_results import STTResult, TranscriptionResponse, TranslationResult, TTSResult
from core.library.words import SPOKEN, ProviderCapability, text_of
from core.providers.registry import Registry

_SUFFIXES = ("Provider", "Client")


class Provider(AIProvider, LLMProvider, STTProvider, TTSProvider, TranslationProvider):
    """A provider by name. Without a configuration of its own it is the one that the environment configures."""

    named: ClassVar[str] = ""  # by its class

    def __init__(
        self,
        config: ProviderConfig | None = None,
        capability: object = None,
        *,
        endpoint: str | None = None,
        **given: Any,
    ) -> None:
        if endpoint is not None:
            given["base_url"] = endpoint
        if given:
            config = replace(config, **given) if config else ProviderConfig(**given)
        self.capability = capability
        self._given = config
        self._asked = self.named or text_of((config and config.provider_type) or (config and config.name) or "")
        self._home: Scope | None = None
        if not self._asked:
            raise BadRequest("name a provider: ProviderConfig(provider_type=…)", param="provider_type", code="missing")

    @classmethod
    def create(cls, config: ProviderConfig) -> Self:
        return cls(config)

    @classmethod
    def from_env(cls, text_model: str | None = None, embedding_model: str | None = None) -> Self:
        """As the environment configures it, with models of your choice. Refuses when a setting is missing."""
        made = cls()
        made._models = text_model, embedding_model
        desk = made.scope.desk
        row = desk.registry.rows[made.name]
        for account in desk.registry.accounts(row.name):
            if missing := desk.registry.missing(row, account):
                raise Misconfigured(f"{row.title}: set {' and '.join(missing)}", param=missing[0])
        return made

    @classmethod
    def of(cls, name: str, config: ProviderConfig | None = None) -> "Provider":
        """By name; without a configuration, as the environment configures it."""
        made = cls(ProviderConfig(provider_type=name))
        made._given, made._asked = config, name
        return made

    @classmethod
    def member_of(cls, where: Scope, name: str) -> "Provider":
        """Somebody who is in a scope already."""
        made = (_Owned if where.owner(name) else Provider).of(name)
        made._home = where  # noqa: SLF001 - its own class
        return made

    _models: tuple[str | None, str | None] = (None, None)  # for text and for embeddings

    def member(self, where: Scope) -> Member:
        """What joins another scope."""
        for one in self._home.members if self._home else ():
            if one.row.name == self._asked:
                return one
        return members.from_row(where, members.row_of(where, self._asked), self._given)

    @property
    def scope(self) -> Scope:
        """Where its calls go: the surrounding scope, or a private one when it has a configuration of its own."""
        if self._home is not None:
            return self._home
        here = scope.current()
        if here.owner(self._asked):
            return here
        row = members.row_of(here, self._asked)
        if self._given is None and (here.desk.registry.is_live(row.name) or not row.detect):
            return here
        member = members.from_row(here, row, self._given)
        self._home, self._asked = here.sub(member), member.row.name
        return self._home

    @property
    def name(self) -> str:
        return self.scope.desk.registry.canonical(self._asked) or self._asked

    # What it is

    @property
    def config(self) -> ProviderConfig:
        """Its settings without the key, and what has been seen of it."""
        return questions.config_of(self.scope, self.name, self._given)

    @property
    def model_name(self) -> str | None:
        return self._models[0] or self.config.model

    @property
    def _capabilities(self) -> list[ProviderCapability]:
        row = self.scope.desk.registry.rows.get(self.name)
        return [SPOKEN[one] for one in SPOKEN if row and one in row.capabilities]

    @property
    def available_models(self) -> list[ModelInfo]:
        """The chat models that the catalogue knows."""
        return [one for one in self.list_models() if one.capability == Capability.CHAT]

    def list_models(self) -> list[ModelInfo]:
        return questions.listed(self.scope, Query(), [self.name])

    def get_model_info(self, model: str) -> ModelInfo:
        found = questions.info(self.scope, self.name, model)
        if found is None:
            raise NotFound(
                f"{self.name} has no model {model!r} in the catalogue", param="model", code="model_not_found"
            )
        return found

    def is_available(self) -> Ready:
        return Ready(self.name in self.scope.available())

    async def is_model_available(self, model: str) -> bool:
        """Whether the provider lists it now."""
        return model in await calls.models(self.scope, self.name)

    async def health_check(self) -> bool:
        return bool(self.is_available()) and await calls.health(self.scope, self.name)

    # What it does

    async def generate(
        self,
        model: str | Messages | None = None,
        prompt: str | None = None,
        context: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> GenerationResult:
        """`generate(model=…, prompt=…)`, or `generate(messages)`."""
        if prompt is not None:
            wanted = model if isinstance(model, str) else None
            body = prompt_body(prompt, context, model=wanted, **more)
        else:
            given = more.pop("messages", None) or model
            if not given or isinstance(given, str):
                raise BadRequest("give a prompt, or messages", param="prompt", code="missing")
            body = chat_body(given, **more)
        return GenerationResult.of(await calls.chat(self.scope, self._body(body)))

    async def chat_completion(
        self,
        request: Messages | ChatRequest | LLMRequest | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stream: bool = False,  # noqa: FBT001, FBT002 - the seed's signature
        *,
        messages: Messages | None = None,
        **more: Any,
    ) -> Any:
        """A request of any seed, answered in its own form; with `stream` the text as it comes."""
        wanted = request if request is not None else messages or []
        body = chat_body(wanted, temperature=temperature, max_tokens=max_tokens, **more)
        body.pop("provider", None)  # it is this one
        stream = stream or getattr(wanted, "stream", False)
        return await calls.answered(self.scope, self._body(body), form_of(wanted), stream=stream)

    async def vision_completion(self, request: VisionRequest) -> VisionResponse:
        body = await asyncio.to_thread(vision_body, request)
        return VisionResponse.of(await calls.chat(self.scope, self._body(body)))

    async def transcribe(self, request: TranscriptionRequest, **more: Any) -> TranscriptionResponse:
        body = self._alone(sound.transcription_body(request, **more))
        return TranscriptionResponse.of(await sound.transcribe(self.scope, body))

    async def speech_to_text(self, audio_data: bytes, audio_format: str | None = None, **more: Any) -> STTResult:
        body = self._alone(sound.speech_body(audio_data, audio_format, **more))
        return STTResult.of(await sound.transcribe(self.scope, body))

    async def text_to_speech(self, text: str, voice: str | None = None, **more: Any) -> TTSResult:
        return TTSResult.of(await sound.speak(self.scope, self._alone(sound.text_body(text, voice, **more))))

    async def translate_text(
        self, text: str | Sequence[str], target_language: str | Sequence[str], **more: Any
    ) -> TranslationResult:
        body = self._alone(sound.translation_body(text, target_language, **more))
        return TranslationResult.of(await sound.translate(self.scope, body), sound.targets_of(body))

    async def generate_embedding(
        self, request: EmbeddingRequest | str | Sequence[str], **more: Any
    ) -> EmbeddingResponse:
        body = {"fallback": False, **embed_body(request, **more), "provider": self.name}
        if self._models[1]:
            body.setdefault("model", self._models[1])
        return await calls.embed(self.scope, body)

    async def embed(self, texts: str | Sequence[str], **more: Any) -> EmbeddingResponse:
        return await self.generate_embedding(texts, **more)

    def _alone(self, body: Body) -> Body:
        """The same of what is not chat: the model of its configuration is one for chats."""
        return {"fallback": False, **body, "provider": self.name}

    def _body(self, body: Body) -> Body:
        """The request for this provider alone, with what its own configuration says where the caller does not."""
        usual = self._given.said if self._given else {}
        if "max_completion_tokens" in body:
            usual.pop("max_tokens", None)
        if self._models[0]:
            usual["model"] = self._models[0]
        return {"fallback": False, **usual, **body, "provider": self.name}


class _Owned(Provider):
    """A caller's own provider in a scope: what it is asked to do goes through the gateway, all else is its own."""

    def __getattr__(self, name: str) -> Any:
        home = self.__dict__.get("_home")
        own = home and home.owner(self._asked)
        if not own or name.startswith("__"):
            raise AttributeError(name)
        return getattr(own.provider, name)


def form_of(request: object) -> Any:
    """What a request of each seed is answered with."""
    if isinstance(request, LLMRequest):
        return lambda said: LLMResponse.of(said, request.metadata)
    return ChatResponse.of if isinstance(request, ChatRequest) else LLMResult.of


@cache
def provider_class(title: str) -> type[Provider] | None:
    """The class that a seed calls `<Name>Provider` or `<Name>Client`; None when nobody has the name."""
    stem = next((title.removesuffix(one) for one in _SUFFIXES if title.endswith(one)), "").lower()
    names = {
        name.replace("-", ""): row.name
        for row in Registry.with_plugins().rows.values()
        for name in (row.name, *row.aliases)
    }
    named = names.get(stem)
    if not stem or named is None:
        return None
    return type(title, (Provider,), {"named": named, "__module__": __name__, "__doc__": f"{named}, as a class."})
