"""A verb whose answers are kept: the one from before, or a new one for the next."""

from typing import Generic, TypeVar

from core.answers import Answer
from core.cache.layered import Ticket
from core.cache.memory import Stored
from core.execution.deadline import Deadline
from core.steps import Steps
from core.types.caller import Caller
from core.types.request import Request

T = TypeVar("T")


class Kept(Generic[T]):
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[T]:
        deadline = self._steps.deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._answer(caller, request, deadline, "off")
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                return Answer(await self._read(request, stored), await self._steps.again(caller, request, stored))
            answer = await self._answer(caller, request, deadline, "miss")
            # What stands in for who was named and failed is none to be given again.
            if ticket.writes and not answer.receipt.substituted:
                raw = await self._written(answer.value)
                if raw is not None:
                    await ticket.write(raw, answer.receipt)
            return answer

    def _ticket(self, caller: Caller, request: Request, deadline: Deadline) -> Ticket | None:
        return self._steps.ticket(caller, request, deadline)

    async def _answer(self, caller: Caller, request: Request, deadline: Deadline, cache: str) -> Answer[T]:
        """A new one; `cache` is what its receipt says of the one from before."""
        raise NotImplementedError

    async def _read(self, request: Request, stored: Stored) -> T:
        raise NotImplementedError

    async def _written(self, value: T) -> bytes | None:
        """None for what is too large to be kept."""
        raise NotImplementedError
