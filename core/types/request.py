"""A decoded call: what goes to the provider, and what the caller told us about who should answer."""

from dataclasses import dataclass, field
from typing import Any

from core.capabilities import Capability, Feature


@dataclass(frozen=True, slots=True)
class Options:
    """Fields for Patchbay itself; none of them reaches a provider."""

    provider: str | None = None
    model: str | None = None
    models: tuple[str, ...] = ()
    fallback: bool = True
    strategy: str | None = None
    cache: str | None = None
    tier: str | None = None
    max_cost: float | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What routing may know of a request: never its words."""

    features: frozenset[Feature] = frozenset()
    params: frozenset[str] = frozenset()
    unknown_params: frozenset[str] = frozenset()
    input_tokens: int = 0  # an estimate
    max_output: int | None = None
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    capability: Capability
    body: dict[str, Any]
    options: Options = field(default_factory=Options)
    facts: Facts = field(default_factory=Facts)
    stream: bool = False
    wants_usage: bool = False  # the caller asked for the stream's usage chunk
    route: str = ""
    timeout: float | None = None  # seconds, from the caller
