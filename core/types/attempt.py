"""One try at one target; health, cost, log and receipt all derive from it."""

from typing import Literal, NamedTuple

from core.types.target import Target
from core.types.usage import UNKNOWN_COST, UNKNOWN_USAGE, Cost, Usage

Outcome = Literal["ok", "failed", "cancelled"]
Decision = Literal["done", "again", "next", "stop"]


class Attempt(NamedTuple):
    number: int
    target: Target
    outcome: Outcome
    started_at: float  # wall clock, seconds
    ms: float
    decision: Decision = "done"
    first_ms: float | None = None
    error: str | None = None  # the class in core/errors.py
    fault: str | None = None
    why: str | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    billed: bool = False  # it may cost something that nobody reported
    usage: Usage = UNKNOWN_USAGE
    cost: Cost = UNKNOWN_COST
