"""A caller's own provider: what it can do, found by its methods, so that it takes part like any other."""

import inspect
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from core.capabilities import Capability, Feature
from core.errors import BadRequest
from core.library import bases
from core.library.own_adapter import OwnAdapter
from core.library.requests import ChatMessage, ChatRequest, EmbeddingRequest
from core.library.results import ModelInfo
from core.providers.contract import Call
from core.providers.row import Row
from core.wire.chat import CHAT_PARAMS
from core.wire.embeddings import items

_TALK = frozenset({Feature.STREAM})
_TIMES = frozenset({Feature.SEGMENTS})
_CONVERSATION = _TALK | {Feature.VISION, Feature.TOOLS, Feature.JSON_MODE, Feature.JSON_SCHEMA}
_NOT_PASSED = frozenset({"model", "messages", "stream", "stream_options"})
_REQUEST_FIELDS = frozenset({"temperature", "max_tokens"})
_VERBS = (
    "generate", "chat_completion", "embed", "generate_embedding", "speech_to_text", "transcribe", "text_to_speech",
    "translate_text",
)  # fmt: skip
_SKIPPED = {"self", "model", "prompt", "messages", "context", "request", "stream"}


class Own:
    """What a caller's object can do, found by its methods' names and parameters."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self._talks = _method(provider, "chat_completion")
        self._generates = _method(provider, "generate")
        self._embeds = _method(provider, "embed") or _method(provider, "generate_embedding")
        self._verb = self._talks or self._generates
        self.hears, self.speaks = _method(provider, "speech_to_text"), _method(provider, "text_to_speech")
        self.translates = _method(provider, "translate_text")
        # Of a file, which a request names: the seeds' own interface.
        self.hears_files = None if self.hears else _method(provider, "transcribe")
        if not any(self._does.values()):
            raise BadRequest(
                f"{type(provider).__name__} has no method of its own by one of the names {', '.join(_VERBS)}",
                param="provider",
                code="no_verb",
            )
        self._takes = inspect.signature(self._verb or _nothing).parameters
        self._everything = any(one.kind is one.VAR_KEYWORD for one in self._takes.values())
        # generate(model, prompt) sees the words alone; all others see the conversation.
        self._prompts = self._talks is None and "messages" not in self._takes and len(self._positional()) > 1

    @property
    def _does(self) -> dict[Capability, Callable[..., Any] | None]:
        return {
            Capability.CHAT: self._verb,
            Capability.EMBED: self._embeds,
            Capability.TRANSCRIBE: self.hears or self.hears_files,
            Capability.SPEAK: self.speaks,
            Capability.TRANSLATE: self.translates,
        }

    @property
    def models(self) -> list[ModelInfo]:
        verb = _method(self.provider, "list_models")
        listed = verb() if verb else getattr(self.provider, "available_models", None)
        return [one for one in listed or () if isinstance(one, ModelInfo)]

    def row(self, name: str) -> Row:
        models = self.models
        takes = frozenset(CHAT_PARAMS) if self._everything else self._named()
        default = getattr(self.provider, "model_name", None) or (models[0].model_id if models else name)
        return Row(
            name=name,
            title=name,
            adapter=lambda *_: OwnAdapter(self),
            capabilities=frozenset(one for one, verb in self._does.items() if verb is not None),
            features=(_CONVERSATION if self._everything and not self._prompts else _TALK)
            | (
                {Feature.SEGMENTS} if self.hears or self.hears_files else set()
            ),  # its answer shows whether it has them
            default_models={
                **dict.fromkeys((Capability.TRANSCRIBE, Capability.SPEAK, Capability.TRANSLATE), name),
                Capability.CHAT: str(default),
                Capability.EMBED: self._embedding_model or name,
            },
            base64=False,
            needs=(),
            extra_params=frozenset(self._takes) - _SKIPPED,
            lacks_params=frozenset(CHAT_PARAMS) - takes - _NOT_PASSED,
            free=bool(models) and all(one.cost_per_1k_input == one.cost_per_1k_output == 0 for one in models),
        )

    def entries(self, row: Row) -> tuple[Mapping[str, Any], ...]:
        """Its models as the catalogue writes them, so that tiers, skills and prices hold for them, too."""
        return tuple(
            {
                "provider": row.name,
                "id": one.model_id,
                "capability": one.capability,
                "display_name": one.display_name,
                "tier": str(one.tier),
                "skills": list(one.capabilities),
                "context": one.context_window or None,
                "features": sorted(row.features if one.capability == Capability.CHAT else row.features & _TIMES),
                **_price(one),
            }
            for one in self.models
        )

    @property
    def _embedding_model(self) -> str:
        own = getattr(getattr(self.provider, "config", None), "embedding_model", None)
        listed = [one.model_id for one in self.models if one.capability == Capability.EMBED]
        return str(own or next(iter(listed), ""))

    @property
    def secret(self) -> str:
        return str(getattr(getattr(self.provider, "config", None), "api_key", None) or "")

    @property
    def ready(self) -> bool:
        """What it says of itself without being waited for."""
        verb = getattr(self.provider, "is_available", None)
        if verb is None or inspect.iscoroutinefunction(verb):
            return True
        return bool(verb())

    async def healthy(self) -> bool:
        for name in ("health_check", "is_available"):
            verb = _method(self.provider, name)
            if verb is not None:
                said = verb()
                return bool(await said if inspect.isawaitable(said) else said)
        return True

    async def answer(self, call: Call) -> Any:
        """Its method's result for a call, asked in its own way."""
        body = call.body
        verb: Callable[..., Any] = self._verb or _nothing
        more = {name: value for name, value in body.items() if name not in _NOT_PASSED and self._wants(name)}
        if "max_tokens" in self._takes and (length := _length(body)):
            more["max_tokens"] = length
        model = call.target.model
        if self._prompts:
            said = verb(model=model, prompt=_words(body["messages"]), **more)
        elif "messages" in self._takes:
            known = {"model": model} if self._wants("model") else {}
            # The first seed's signature has no defaults: what the caller did not say is None.
            unsaid = [one.name for one in self._positional() if one.default is one.empty and one.name != "messages"]
            blank: dict[str, Any] = {name: False if name == "stream" else None for name in unsaid}
            said = verb(**{**blank, **known, **more, "messages": list(body["messages"])})
        else:
            messages = [ChatMessage(one["role"], one.get("content")) for one in body["messages"]]
            request = ChatRequest(messages, model, body.get("temperature"), _length(body))
            said = verb(request)
        return await said if inspect.isawaitable(said) else said

    async def vectors(self, call: Call) -> Any:
        """Of the texts in a call, from a method that takes them or one that takes a request."""
        verb: Callable[..., Any] = self._embeds or _nothing
        given = items(call.body["input"])
        first = next(iter(inspect.signature(verb).parameters), "")
        asked = EmbeddingRequest(list(map(str, given)), call.target.model, call.body.get("dimensions"))
        said = verb(asked if first == "request" else asked.input)
        return await said if inspect.isawaitable(said) else said

    def _wants(self, name: str) -> bool:
        return self._everything or name in self._takes

    def _named(self) -> frozenset[str]:
        if not self._prompts and "messages" not in self._takes:
            return _REQUEST_FIELDS | {"max_completion_tokens"}
        length = {"max_completion_tokens"} if "max_tokens" in self._takes else set()
        return frozenset(self._takes) | length

    def _positional(self) -> list[inspect.Parameter]:
        return [one for one in self._takes.values() if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]


def _method(provider: Any, name: str) -> Callable[..., Any] | None:
    """The provider's own method; one that it only inherits from a seed's interface is none."""
    own = getattr(type(provider), name, None)
    inherited = any(own is vars(base).get(name) for base in bases.INTERFACES)
    verb = None if inherited else getattr(provider, name, None)
    return verb if callable(verb) else None


def _nothing() -> None:
    """Stands for a method that is not there; a plan asks nobody for what he has not."""


def _words(messages: list[dict[str, Any]]) -> str:
    """A conversation for who takes a prompt: one message as it is, several with who said them."""
    texts = [(one["role"], _plain(one.get("content"))) for one in messages]
    if len(texts) == 1:
        return texts[0][1]
    return "\n\n".join(f"{role}: {text}" for role, text in texts)


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


def _length(body: Mapping[str, Any]) -> int | None:
    return body.get("max_tokens") or body.get("max_completion_tokens")


def _price(one: ModelInfo) -> dict[str, Any]:
    costs = {"input": one.cost_per_1k_input, "output": one.cost_per_1k_output}
    if not all(math.isfinite(cost) and cost > 0 for cost in costs.values()):
        return {}  # not known; all that is free is said by its row
    return {"usd_per_mtok": {name: f"{Decimal(str(cost)) * 1000:f}" for name, cost in costs.items()}}
