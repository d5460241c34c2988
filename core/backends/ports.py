"""What state needs from a backend. Shaped by DynamoDB, S3 and SQS: keys, conditions, an expiry, no SQL, no order."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Item = dict[str, Any]  # always with pk and sk; `exp` is the second after which it is gone


class ConditionFailed(Exception):
    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition does not hold")
        self.item = item  # as it is now


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the stored item, all parts of which must hold. What is compared by size are ints."""

    exists: bool | None = None
    equals: Mapping[str, Any] = field(default_factory=dict)
    at_least: Mapping[str, int] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)

    def holds(self, item: Item | None) -> bool:
        if self.exists is not None and self.exists != (item is not None):
            return False
        found = item or {}
        return (
            all(found.get(name) == value for name, value in self.equals.items())
            and all(name in found and found[name] >= value for name, value in self.at_least.items())
            and all(name in found and found[name] < value for name, value in self.below.items())
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Adds to ints (absent ones are 0) and sets the rest."""

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


class Blobs(Protocol):
    """Bodies too large for an item. Raises ValueError for a key that is not one."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Durable when it returns; nobody ever reads half of it."""
        ...

    async def get(self, key: str) -> bytes | None: ...
    async def delete(self, key: str) -> None: ...
    async def list(self, prefix: str = "") -> Sequence[str]:
        """All keys that start with `prefix`, in order."""
        ...

    async def close(self) -> None: ...


Body = Mapping[str, Any]  # JSON; what is large belongs into Blobs, and its key into the body


class Queue(Protocol):
    """Sends, and no more: who takes what was sent is a Consumer (messages.py), in another process or function."""

    async def send(self, *bodies: Body, delay: int = 0) -> None:
        """Durable when it returns; nobody gets them before `delay` seconds. All may come twice, in any order.

        Raises ValueError for a body that is too large or no JSON, and then sends none. After StoreUnavailable
        some may have been sent.
        """
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """What was sent, once more than once: whoever handles it must stand a second time."""

    id: str
    body: Body
    attempt: int  # 1 the first time
    sent_at: float
    v: int | None  # the schema it was sent in; None for what somebody else put into the queue


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    """It may work later: after so many seconds, or when the backoff says."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Poison:
    """It will never work. It goes to the dead letters with this reason, which people read."""

    reason: str


Handled = Done | Retry | Poison
Handler = Callable[[Message], Awaitable[Handled]]


_LONGEST = 200  # characters; a file name has 255 bytes
_KEY = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*")


def checked_key(key: str) -> str:
    """Names between slashes, none of which begins with a dot: no `..`, nothing absolute, nothing hidden."""
    if len(key) > _LONGEST or not _KEY.fullmatch(key):
        raise ValueError(f"{key[:_LONGEST]!r} is not a key of a blob")
    return key


def checked_prefix(prefix: str) -> str:
    """The beginning of a key."""
    if prefix:
        checked_key(prefix.removesuffix("/"))
    return prefix
