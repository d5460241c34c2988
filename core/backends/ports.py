"""What state needs from a backend. Shaped by DynamoDB: keys, conditions, prefix queries, an expiry; no SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Item = dict[str, Any]  # always with pk and sk; `exp` is the second after which it is gone


class ConditionFailed(Exception):
    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition does not hold")
        self.item = item  # as it is now


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the stored item, all parts of which must hold."""

    exists: bool | None = None
    equals: Mapping[str, Any] = field(default_factory=dict)
    at_least: Mapping[str, int] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Adds to numbers (absent ones are 0) and sets the rest."""

    add: Mapping[str, int] = field(default_factory=dict)
    set: Mapping[str, Any] = field(default_factory=dict)


ALWAYS = When()


class Store(Protocol):
    async def get(self, pk: str, sk: str) -> Item | None: ...
    async def put(self, item: Item, when: When = ALWAYS) -> None:
        """Durable when it returns. Raises ConditionFailed."""
        ...

    async def append(self, item: Item) -> None:
        """Put without a condition, durable within the backend's stated window (0 on DynamoDB, 50 ms on SQLite)."""
        ...

    async def update(self, pk: str, sk: str, change: Change, when: When = ALWAYS) -> Item:
        """The item after the change; it is made if it is not there. Raises ConditionFailed."""
        ...

    async def delete(self, pk: str, sk: str, when: When = ALWAYS) -> None: ...
    async def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        limit: int = 100,
        newest_first: bool = False,
        after: str | None = None,
    ) -> Sequence[Item]:
        """Items of a partition whose sk starts with `prefix`, in order of sk."""
        ...

    async def flush(self) -> None: ...
    async def close(self) -> None: ...
