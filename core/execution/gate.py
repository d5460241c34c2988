"""Who may start an attempt now. A permit is closed exactly once, whatever happened."""

from typing import Literal, Protocol

from core.types.target import Target

PermitOutcome = Literal["ok", "failed", "cancelled"]


class Permit(Protocol):
    def close(self, outcome: PermitOutcome) -> None: ...


class Gate(Protocol):
    def admit(self, target: Target) -> Permit:
        """A permit, or Refused with the reason."""
        ...


class Refused(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InFlight:
    """Admits everybody and counts who is under way."""

    def __init__(self) -> None:
        self.counts: dict[Target, int] = {}

    def admit(self, target: Target) -> Permit:
        self.counts[target] = self.counts.get(target, 0) + 1
        return _Counted(self.counts, target)


class _Counted:
    __slots__ = ("_counts", "_open", "_target")

    def __init__(self, counts: dict[Target, int], target: Target) -> None:
        self._counts = counts
        self._target = target
        self._open = True

    def close(self, outcome: PermitOutcome) -> None:  # noqa: ARG002 - this gate only counts
        if not self._open:
            return
        self._open = False
        left = self._counts[self._target] - 1
        if left:
            self._counts[self._target] = left
        else:
            del self._counts[self._target]
