"""One absolute end for a request; every attempt gets a share of what is left."""

from dataclasses import dataclass

from core.errors import Fault


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock."""

    at: float
    by_caller: bool = False

    @property
    def fault(self) -> Fault:
        """Whose it is when this passes: a caller in a hurry says nothing about the provider."""
        return "caller" if self.by_caller else "provider"

    def remaining(self, now: float) -> float:
        return max(0.0, self.at - now)

    def share(self, now: float, targets_left: int) -> float:
        """Seconds for the next attempt, so that each target after it still gets as much."""
        return self.remaining(now) / max(1, targets_left)


def span(seconds: float) -> str:
    """A time that was waited, for messages."""
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds * 1000:.0f} ms"
