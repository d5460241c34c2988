"""Embeddings: any number of inputs, in one vector space."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from core.answers import Answer
from core.cache.key import mode_of
from core.cache.layered import LARGEST
from core.execution.batch import Batch, room_at
from core.execution.deadline import Deadline
from core.providers.contract import Embeds, Reply
from core.steps import Steps
from core.types.caller import Caller
from core.types.plan import Candidate
from core.types.request import Request
from core.wire import embeddings
from core.wire.embeddings import Embeddings

T = TypeVar("T")

_MANY = 16  # fewer are never too large to be kept


class Embed:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[Embeddings]:
        deadline = self._steps.deadline(request)
        large = self._too_large(request)
        ticket = None if large else self._steps.ticket(caller, request, deadline)
        if ticket is None:
            return await self._answer(caller, request, deadline, large=large)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                reading = partial(embeddings.read_embeddings, stored.raw, request.facts.inputs)
                found = await _beside(reading, len(stored.raw))
                return Answer(found, await self._steps.again(caller, request, stored))
            answer = await self._answer(caller, request, deadline, "miss")
            if ticket.writes and not answer.receipt.substituted and answer.value.size <= LARGEST:
                writing = partial(embeddings.write_embeddings, answer.value, "base64")
                await ticket.write(await _beside(writing, answer.value.size), answer.receipt)
            return answer

    async def _answer(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off", *, large: bool = False
    ) -> Answer[Embeddings]:
        batch = Batch(request.body["input"])

        async def attempt(candidate: Candidate) -> Reply[Embeddings]:
            adapter: Embeds = self._steps.registry.adapter(candidate.target.provider, candidate.target.account)
            call = self._steps.call(candidate, request)
            row, model = self._steps.registry.rows[candidate.target.provider], self._steps.model(candidate.target)
            room = room_at(row, model, request.body.get("dimensions"), call.max_bytes)

            async def send(given: Any) -> Reply[Embeddings]:
                return await adapter.embed(call._replace(body={**call.body, "input": given}))

            return await batch.at(candidate, room, send)

        receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, batch.spent)
        receipt.warnings += batch.warnings
        if large and self._steps.keeps and request.options.cache not in {None, "off"}:
            receipt.warnings.append(f"cache={request.options.cache} had no effect: so many embeddings are not kept")
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        value = won.value.value
        if receipt.usage != value.usage:
            value = value._replace(usage=receipt.usage, raw=None)  # others made a part of it, and are paid for theirs
        return Answer(value, receipt)

    def _too_large(self, request: Request) -> bool:
        """Whether it is known beforehand that the answer cannot be kept, so that nobody need look or wait for it."""
        count, dimensions = request.facts.inputs, request.body.get("dimensions")
        if not self._steps.keeps or count < _MANY or mode_of(request) == "off":
            return False
        if dimensions is None:
            first = next(iter(self._steps.plan(request).candidates), None)
            model = None if first is None else self._steps.model(first.target)
            dimensions = None if model is None else model.dimensions
        return dimensions is not None and count * embeddings.vector_bytes(dimensions, packed=True) > LARGEST


async def _beside(work: Callable[[], T], size: int) -> T:
    """Heavy work is done beside the loop, which others wait for."""
    return work() if size < embeddings.HEAVY else await asyncio.to_thread(work)
