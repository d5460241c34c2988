"""A caller's own provider as an adapter: it takes part in plans, fallback, receipts and costs like any other."""

import inspect
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from core.capabilities import Capability, Feature
from core.errors import AttemptTimeout, BadRequest, Malformed, ServerFault, TargetError, Unreachable
from core.library import bases
from core.library.requests import ChatMessage, ChatRequest, EmbeddingRequest
from core.library.results import ModelInfo
from core.providers.contract import Call, Reply
from core.providers.table import Row
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import openai as wire
from core.wire import sse
from core.wire.chat import CHAT_PARAMS
from core.wire.embeddings import Embeddings, items, read_embeddings
from core.wire.faults import classify, redact

_LONGEST = 500  # characters of an exception's words that are passed on
_TALK = frozenset({Feature.STREAM})
_CONVERSATION = _TALK | {Feature.VISION, Feature.TOOLS, Feature.JSON_MODE, Feature.JSON_SCHEMA}
_NOT_PASSED = frozenset({"model", "messages", "stream", "stream_options"})
_REQUEST_FIELDS = frozenset({"temperature", "max_tokens"})
_SKIPPED = {"self", "model", "prompt", "messages", "context", "request", "stream"}


class Own:
    """What a caller's object can do, found by its methods' names and parameters."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self._talks = _method(provider, "chat_completion")
        self._generates = _method(provider, "generate")
        self._embeds = _method(provider, "embed") or _method(provider, "generate_embedding")
        self._verb = self._talks or self._generates
        if self._verb is None and self._embeds is None:
            raise BadRequest(
                f"{type(provider).__name__} has neither generate() nor chat_completion() nor embed() of its own",
                param="provider",
                code="no_verb",
            )
        self._takes = inspect.signature(self._verb or _nothing).parameters
        self._everything = any(one.kind is one.VAR_KEYWORD for one in self._takes.values())
        # generate(model, prompt) sees the words alone; all others see the conversation.
        self._prompts = self._talks is None and "messages" not in self._takes and len(self._positional()) > 1

    @property
    def models(self) -> list[ModelInfo]:
        verb = _method(self.provider, "list_models")
        listed = verb() if verb else getattr(self.provider, "available_models", None)
        return [one for one in listed or () if isinstance(one, ModelInfo)]

    def row(self, name: str) -> Row:
        models = self.models
        does = {Capability.CHAT: self._verb, Capability.EMBED: self._embeds}
        takes = frozenset(CHAT_PARAMS) if self._everything else self._named()
        default = getattr(self.provider, "model_name", None) or (models[0].model_id if models else name)
        return Row(
            name=name,
            title=name,
            adapter=lambda *_: _Adapter(self),
            capabilities=frozenset(one for one, verb in does.items() if verb is not None),
            features=_CONVERSATION if self._everything and not self._prompts else _TALK,
            default_models={Capability.CHAT: str(default), Capability.EMBED: self._embedding_model or name},
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
                "features": sorted(row.features) if one.capability == Capability.CHAT else [],
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


class _Adapter:
    def __init__(self, own: Own) -> None:
        self._own = own

    async def chat(self, call: Call) -> Reply[wire.Completion]:
        if not self._own.ready:
            raise Unreachable(f"{call.target.provider} says that it is not available")
        try:
            said = await self._own.answer(call)
            if inspect.isasyncgen(said) or isinstance(said, AsyncIterator):
                said = "".join([_text_in(piece) or "" async for piece in said])
        except TargetError:
            raise
        except Exception as error:
            raise _failure(error, self._own.secret) from error
        text = _text_in(said)
        if text is None:
            raise Malformed(f"{call.target.provider} returned {type(said).__name__} without any content")
        return Reply(_completion(call.target.model, text, _usage_in(said)), _usage_in(said))

    async def embed(self, call: Call) -> Reply[Embeddings]:
        try:
            said = await self._own.vectors(call)
        except TargetError:
            raise
        except Exception as error:
            raise _failure(error, self._own.secret) from error
        listed = said.get("embeddings") if isinstance(said, Mapping) else getattr(said, "embeddings", said)
        if not isinstance(listed, list | tuple):
            raise Malformed(f"{call.target.provider} returned {type(said).__name__} in place of vectors")
        data = [{"index": place, "embedding": vector} for place, vector in enumerate(listed)]
        try:
            raw = orjson.dumps({"object": "list", "data": data})
        except orjson.JSONEncodeError as error:
            raise Malformed(f"{call.target.provider} returned vectors that are no lists of numbers") from error
        read = read_embeddings(raw, len(items(call.body["input"])))._replace(raw=None, usage=_usage_in(said))
        return Reply(read, read.usage)

    async def chat_stream(self, call: Call) -> "_OnePiece":
        return _OnePiece(await self.chat(call))

    async def models(self) -> list[str]:
        return [one.model_id for one in self._own.models]


class _OnePiece:
    """A whole answer as a stream."""

    def __init__(self, reply: Reply[wire.Completion]) -> None:
        self.request_id: str | None = None
        self.usage = reply.usage
        self.outputs = 1
        body = reply.value.body
        message, finish = reply.value.message, reply.value.finish_reason
        chunk = {"id": body["id"], "object": "chat.completion.chunk", "model": body["model"], "created": 0}
        first = {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}
        last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        kinds = ((first, Kind.OUTPUT if message["content"] else Kind.META), (last, Kind.META))
        self._frames: list[Frame] | None = [
            *(Frame(sse.event(orjson.dumps(one)), kind) for one, kind in kinds),
            Frame(sse.DONE, Kind.END),
        ]

    async def next(self) -> list[Frame] | None:
        frames, self._frames = self._frames, None
        return frames

    def close(self) -> None:
        self._frames = None


def _method(provider: Any, name: str) -> Callable[..., Any] | None:
    """The provider's own method; one that it only inherits from a seed's interface is none."""
    own = getattr(type(provider), name, None)
    inherited = any(own is vars(base).get(name) for base in (bases.LLMProvider, bases.AIProvider))
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


def _text_in(said: Any) -> str | None:
    if isinstance(said, str):
        return said
    found = said.get("content") if isinstance(said, Mapping) else getattr(said, "content", None)
    return found if isinstance(found, str) else None


def _usage_in(said: Any) -> Usage:
    """Token counts in either spelling; unknown when it gives none."""
    usage = said.get("usage") if isinstance(said, Mapping) else getattr(said, "usage", None)
    counts = usage if isinstance(usage, Mapping) else getattr(usage, "__dict__", {})
    given, made = (
        next((counts[name] for name in names if isinstance(counts.get(name), int)), None)
        for names in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
    )
    if given is None and made is None:
        return Usage()
    return Usage("reported", input=given or 0, output=made or 0)


def _completion(model: str, text: str, usage: Usage) -> wire.Completion:
    body = {
        "id": "own",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }
    return wire.Completion(orjson.dumps(body), body, usage)


def _failure(error: Exception, secret: str) -> TargetError:
    """What a caller's own code raised, in our tree: by its status where it has one, as vendors' libraries do."""
    words = redact(f"{type(error).__name__}: {error}", secret)[:_LONGEST]
    if isinstance(error, TimeoutError):
        return AttemptTimeout(words)
    if isinstance(error, ConnectionError):
        return Unreachable(words)
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    if isinstance(status, int):
        return classify(status, None, None, str(error))(words, provider_status=status)
    return ServerFault(words)


def _price(one: ModelInfo) -> dict[str, Any]:
    costs = {"input": one.cost_per_1k_input, "output": one.cost_per_1k_output}
    if not all(math.isfinite(cost) and cost > 0 for cost in costs.values()):
        return {}  # not known; all that is free is said by its row
    return {"usd_per_mtok": {name: f"{Decimal(str(cost)) * 1000:f}" for name, cost in costs.items()}}
