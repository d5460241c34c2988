"""The nearest layer: answers in this process, the longest unused leaving first."""

from collections import OrderedDict
from typing import NamedTuple

from core.types.target import Target
from core.types.usage import Usage

_OVERHEAD = 1500  # bytes that an entry takes beside its answer
_SKEW = 60.0  # seconds that two clocks may differ


class Stored(NamedTuple):
    """An answer kept for who asks the same again."""

    raw: bytes  # in the canonical dialect
    target: Target
    usage: Usage
    cost_nano: int | None  # what it cost when it was made
    decision: str
    at: float  # wall clock, seconds
    until: int
    warnings: tuple[str, ...] = ()

    def is_good(self, now: float) -> bool:
        """Not over, and not from a future that a clock put right has taken back."""
        return self.at - _SKEW <= now < self.until

    @property
    def size(self) -> int:
        return len(self.raw) + sum(map(len, self.warnings)) + _OVERHEAD


class Memory:
    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._entries: OrderedDict[str, Stored] = OrderedDict()

    def get(self, key: str, now: float) -> Stored | None:
        found = self._entries.get(key)
        if found is None:
            return None
        if not found.is_good(now):
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return found

    def put(self, key: str, stored: Stored) -> None:
        self._drop(key)
        self._entries[key] = stored
        self._size += stored.size
        while self._size > self._most and self._entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        old = self._entries.pop(key, None)
        if old is not None:
            self._size -= old.size
