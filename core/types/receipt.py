"""What happened to one request: shown to the caller, logged, and kept as its one durable item."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from core.types.attempt import Attempt
from core.types.caller import Caller
from core.types.plan import Plan
from core.types.request import Request
from core.types.target import Target
from core.types.usage import UNKNOWN_COST, UNKNOWN_USAGE, Cost, Usage

# cut: failed after output had begun; cancelled: the caller left.
ReceiptOutcome = Literal["pending", "ok", "error", "cut", "cancelled"]


class Again(NamedTuple):
    """An answer from the cache: which decision's it was, how old it is, what asking again would have cost."""

    decision: str
    age: float  # seconds
    saved_nano: int | None


@dataclass(slots=True)
class Receipt:
    id: str
    at: float  # wall clock, seconds
    started: float  # monotonic clock
    caller: Caller
    request: Request
    plan: Plan | None = None
    attempts: list[Attempt] = field(default_factory=list)
    outcome: ReceiptOutcome = "pending"
    target: Target | None = None
    usage: Usage = UNKNOWN_USAGE
    cost: Cost = UNKNOWN_COST
    cache: str = "off"  # hit, miss
    again: Again | None = None  # of a hit
    substituted: bool = False  # somebody answered for who was named
    unmet: bool = False  # the answer is not the JSON that was asked for
    simulated: bool = False
    ms: float = 0.0
    first_ms: float | None = None
    voice: str | None = None  # that said it
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    error_message: str | None = None

    @property
    def told(self) -> list[str]:
        """The warnings, by the names that the caller knows."""
        native = self.request.native
        if not self.warnings or native is None or native.names is None:
            return self.warnings
        return [native.names(words) for words in self.warnings]

    @property
    def doubts(self) -> list[str]:
        """Which attempts may cost what nobody reported."""
        return [
            f"attempt {one.number} at {one.target} {_ended(one)} but may be billed"
            for one in self.attempts
            if one.billed and (one.usage.source == "unknown" or not self.request.stream)
        ]


def _ended(one: Attempt) -> str:
    return "was cancelled" if one.error is None else f"gave no usable answer ({one.error})"
