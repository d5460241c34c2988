"""One absolute end for a request; every attempt gets a share of what is left."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock."""

    at: float

    def remaining(self, now: float) -> float:
        return max(0.0, self.at - now)

    def share(self, now: float, targets_left: int) -> float:
        """Seconds for the next attempt, so that each target after it still gets as much."""
        return self.remaining(now) / max(1, targets_left)
