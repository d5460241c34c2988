"""What traffic says about targets: a few numbers for each, in this process, bounded."""

from dataclasses import dataclass

from core.errors import SchemaMissed, SessionsFull
from core.types.attempt import Attempt
from core.types.target import Target

_MAX_TARGETS = 2000
_WEIGHT = 0.2  # of the newest sample in the moving averages
# A failure of these kinds says nothing about the provider's health.
_CALLERS_OWN = "caller"
_NOT_ASKED = {SessionsFull.__name__}  # there was no place here to ask from
_NO_ILLNESS = {SchemaMissed.__name__}  # who misses a schema is up and answers; a schema may be beyond everybody


@dataclass(slots=True)
class TargetStats:
    ok: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    ms: float | None = None
    last_error: str | None = None
    last_at: float | None = None
    nano: int = 0  # nano-USD, as far as it is known

    @property
    def healthy(self) -> bool | None:
        """None while nothing is known."""
        if not self.ok and not self.failed:
            return None
        return self.failed_in_a_row == 0


class Stats:
    def __init__(self) -> None:
        self.targets: dict[Target, TargetStats] = {}

    def observe(self, attempt: Attempt) -> None:
        if attempt.outcome == "cancelled" or attempt.fault == _CALLERS_OWN or attempt.error in _NOT_ASKED:
            return
        stats = self.targets.pop(attempt.target, None) or TargetStats()
        if len(self.targets) >= _MAX_TARGETS:
            self.targets.pop(next(iter(self.targets)))  # the one not heard of for longest
        self.targets[attempt.target] = stats
        stats.last_at = attempt.started_at
        stats.nano += attempt.cost.nano or 0
        if attempt.outcome == "ok":
            stats.ok += 1
            stats.failed_in_a_row = 0
            stats.ms = attempt.ms if stats.ms is None else stats.ms + _WEIGHT * (attempt.ms - stats.ms)
        else:
            stats.failed += 1
            stats.failed_in_a_row += attempt.error not in _NO_ILLNESS
            stats.last_error = f"{attempt.error}: {attempt.why}"

    def healthy(self, provider: str) -> bool | None:
        """Whether the last word from any of its targets was good; None without traffic."""
        words = [stats.healthy for target, stats in self.targets.items() if target.provider == provider]
        known = [word for word in words if word is not None]
        return any(known) if known else None
