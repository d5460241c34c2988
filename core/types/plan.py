"""What routing decided: who may answer, in which order, and why each other one may not."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from core.capabilities import Capability
from core.types.target import Place, Target

# How JSON is asked for: by what the provider has for it, by its JSON mode with the schema in words, by a function.
Means = Literal["native", "json_mode", "tool"]


class Candidate(NamedTuple):
    target: Target
    reasons: tuple[str, ...] = ()
    drop: frozenset[str] = frozenset()  # parameters that this target does not take
    warnings: tuple[str, ...] = ()
    instead_of: str | None = None  # the retired model that was asked for
    defaults: tuple[tuple[str, Any], ...] = ()  # parameters for a request that does not name them
    space: str = ""  # whose vectors it gives: those of equal spaces can be compared
    means: Means | None = None  # to the JSON that is asked for
    asks: Capability | None = None  # what of its provider it asks for, where that is not what the request wants
    voice: str | None = None  # the provider's name of the one that says it
    voices: tuple[tuple[str, str], ...] = ()  # and of those that a document names


class Exclusion(NamedTuple):
    target: Target
    code: str
    reason: str
    # The caller can change it (a parameter, a model), as against keys or health that the operator must mend.
    by_request: bool = False
    param: str | None = None  # which of the caller's fields


@dataclass(frozen=True, slots=True)
class Plan:
    capability: Capability
    strategy: str
    policy: str
    candidates: tuple[Candidate, ...]
    excluded: tuple[Exclusion, ...] = ()
    warnings: tuple[str, ...] = ()
    named: Place | None = None  # whom the caller wants first
    # What others derived from this plan; plans are memoised, so it is derived once for many requests.
    derived: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
