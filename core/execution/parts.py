"""What they share who ask one target several times: a few requests side by side, and what all of them used."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from core.errors import TargetError, TooManyInputs
from core.providers.contract import Reply
from core.types.usage import UNKNOWN_USAGE, Usage, added

_AT_ONCE = 4  # requests to one target
_TOO_LARGE = 413
# By an attempt with nothing left to ask for: the last part came just as the time of who made it ran out.
NOTHING = Usage("reported")

T = TypeVar("T")


class Spending:
    """What the requests of the latest attempt have used."""

    def __init__(self) -> None:
        self._usage = UNKNOWN_USAGE
        self._request_id: str | None = None
        self._told: dict[str, None] = {}  # what adapters warn of, each once

    def spent(self) -> Usage:
        """Once; unknown when that is nothing."""
        usage, self._usage = self._usage, UNKNOWN_USAGE
        return usage

    def _count(self, reply: Reply[Any], usage: Usage) -> None:
        self._usage = added(self._usage, usage)
        self._request_id = self._request_id or reply.request_id
        self._told |= dict.fromkeys(reply.warnings)


async def side_by_side(parts: Sequence[T], work: Callable[[T], Awaitable[object]], at_once: int = _AT_ONCE) -> None:
    """A few at once. After a failure none is begun, and those under way may end: they are paid for."""
    waiting, failures = iter(parts), list[TargetError]()

    async def worker() -> None:
        for part in waiting:
            if failures:
                return
            try:
                await work(part)
            except TargetError as error:
                failures.append(error)

    await asyncio.gather(*(worker() for _ in range(min(at_once, len(parts)))))
    if failures:
        raise failures[0]


async def beside(work: Callable[[], T], *, heavy: bool) -> T:
    """What is heavy is done beside the loop, which others wait for."""
    return await asyncio.to_thread(work) if heavy else work()


def is_too_large(error: TargetError) -> bool:
    """Whether half of it may be taken where all of it was not."""
    return isinstance(error, TooManyInputs) or error.provider_status == _TOO_LARGE
