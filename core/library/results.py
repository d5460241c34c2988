"""What the seeds' verbs return, with their literal fields; each is made from one answer and its receipt."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Self

from core.answers import Answer
from core.capabilities import Feature
from core.config.catalog import SKILLS, Model
from core.errors import BadRequest
from core.http.surfaces import summary
from core.library.words import ModelTier, capability_of, text_of
from core.types.receipt import Receipt
from core.wire.embeddings import Embeddings, as_floats
from core.wire.openai import Completion
from core.wire.rerank import Ranking

_PER_1K = 1_000_000_000  # from picodollars a token to USD a thousand
_BESIDE_TEXT = ("tool_calls", "refusal", "reasoning_content")


class Said(NamedTuple):
    """A whole answer, streamed or not: its words, and what its receipt says."""

    content: str
    receipt: Receipt
    more: Mapping[str, Any] = {}

    @classmethod
    def of(cls, answer: Answer[Completion]) -> Self:
        message = answer.value.message
        more = {name: message[name] for name in _BESIDE_TEXT if message.get(name)}
        return cls(message.get("content") or "", answer.receipt, {"finish_reason": answer.value.finish_reason} | more)

    @property
    def facts(self) -> dict[str, Any]:
        """The receipt as every answer over HTTP has it, too."""
        return {**self.more, **summary(self.receipt)}

    @property
    def provider(self) -> str:
        return self.receipt.target.provider if self.receipt.target else ""

    @property
    def model(self) -> str:
        return self.receipt.target.model if self.receipt.target else ""

    @property
    def counts(self) -> dict[str, int]:
        """Token counts; none when nobody counted."""
        usage = self.facts["usage"] or {}
        return {name: count for name, count in usage.items() if isinstance(count, int)}


@dataclass(frozen=True)
class Usage:
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class GenerationResult:
    content: str
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Said, **more: Any) -> Self:
        used, known = said.receipt.usage, said.receipt.usage.source != "unknown"
        usage = Usage(used.input_total, used.output_total) if known else None
        return cls(said.content, usage, said.model, said.provider, {**said.facts, **more})


@dataclass(frozen=True)
class LLMResult:
    content: str
    model: str | None = None
    provider: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    duration_ms: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Said) -> Self:
        return cls(said.content, said.model, said.provider, said.counts, round(said.receipt.ms, 1), said.facts)


@dataclass(frozen=True)
class ChatResponse:
    content: str
    provider: str | None = None
    model: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    processing_time: float = 0.0  # seconds
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Said) -> Self:
        return cls(said.content, said.provider, said.model, said.counts, said.receipt.ms / 1000, said.facts)


@dataclass(frozen=True)
class VisionResponse(ChatResponse):
    pass


@dataclass(frozen=True)
class LLMResponse:
    content: str
    model: str
    provider: str
    usage: dict[str, int]
    cost_estimate: float | None  # USD; None when the price is not known
    response_time_ms: float
    timestamp: float
    metadata: dict[str, Any] | None = None

    @classmethod
    def of(cls, said: Said, metadata: Mapping[str, Any] | None = None) -> Self:
        receipt = said.receipt
        facts = {**(metadata or {}), **said.facts}
        return cls(
            said.content, said.model, said.provider, said.counts, receipt.cost.usd, round(receipt.ms, 1), receipt.at,
            facts,
        )  # fmt: skip


@dataclass(frozen=True)
class EmbeddingResponse:
    embeddings: list[list[float]] = field(repr=False)
    provider: str | None = None
    model: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    processing_time: float = 0.0  # seconds
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Answer[Embeddings]) -> Self:
        said = Said("", answer.receipt)
        vectors = [as_floats(vector) for vector in answer.value.vectors]
        facts = {"dimensions": answer.value.dimensions, **said.facts}
        return cls(vectors, said.provider, said.model, said.counts, answer.receipt.ms / 1000, facts)

    @property
    def embedding(self) -> list[float]:
        """The first, which is the only one when one text was given."""
        return self.embeddings[0]


@dataclass(frozen=True)
class RankedDocument:
    index: int  # in the list that was given
    relevance_score: float
    document: Any  # as it was given


@dataclass(frozen=True)
class RerankResponse:
    """The best first. Scores of two models cannot be compared."""

    results: list[RankedDocument]
    provider: str | None = None
    model: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    processing_time: float = 0.0  # seconds
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Answer[Ranking]) -> Self:
        said, documents = Said("", answer.receipt), answer.receipt.request.body["documents"]
        found = [RankedDocument(one.place, one.score, documents[one.place]) for one in answer.value.results]
        return cls(found, said.provider, said.model, said.counts, answer.receipt.ms / 1000, said.facts)


@dataclass(frozen=True)
class RoutingDecision:
    model_id: str
    provider: str
    rationale: str
    estimated_cost: float


@dataclass(frozen=True)
class ModelInfo:
    """A price that nobody knows is infinite: it sorts last, is within no limit, and is not taken for free."""

    provider: str
    model_id: str
    display_name: str = ""
    capabilities: list[str] = field(default_factory=list)
    context_window: int = 0  # 0: not known
    cost_per_1k_input: float = math.inf
    cost_per_1k_output: float = math.inf
    tier: ModelTier = ModelTier.STANDARD
    capability: str = "chat"
    features: tuple[str, ...] = ()
    lifecycle: str = "active"  # or deprecated, retired

    def supports(self, capability: str | Enum) -> bool:
        """A skill (code, planning, …), a feature (vision, tools, …) or what the model is for, in any seed's words."""
        word = text_of(capability)
        if word in self.capabilities or word in self.features:
            return True
        if word == Feature.VISION:
            return False
        try:
            return capability_of(word).value == self.capability
        except BadRequest:
            return False  # a skill that this model has not

    @classmethod
    def of(cls, model: Model, at: float, *, free: bool) -> Self:
        rates = model.rates(at)
        unknown = 0.0 if free else math.inf
        return cls(
            provider=model.provider,
            model_id=model.id,
            display_name=model.display_name or model.id,
            capabilities=[skill for skill in SKILLS if skill in model.skills] or sorted(model.skills),
            context_window=model.context or 0,
            cost_per_1k_input=unknown if free or rates is None else rates.input / _PER_1K,
            # An embedding has no output to pay for.
            cost_per_1k_output=unknown if free or rates is None else (rates.output or 0) / _PER_1K,
            tier=ModelTier(model.level),
            capability=model.capability.value,
            features=tuple(sorted(model.features)),
            lifecycle=model.lifecycle,
        )
