"""What routing decided: who may answer, in which order, and why each other one may not."""

from dataclasses import dataclass

from core.capabilities import Capability
from core.types.target import Target


@dataclass(frozen=True, slots=True)
class Candidate:
    target: Target
    reasons: tuple[str, ...] = ()
    cost_estimate: int | None = None  # the dearest it can become, nano-USD
    drop: frozenset[str] = frozenset()  # parameters that this target does not take
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exclusion:
    target: Target
    code: str
    reason: str
    # The caller can change it (a parameter, a model), as against keys or health that the operator must mend.
    by_request: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    capability: Capability
    strategy: str
    policy: str
    candidates: tuple[Candidate, ...]
    excluded: tuple[Exclusion, ...] = ()
    warnings: tuple[str, ...] = ()
