"""Embeddings: any number of inputs, in one vector space."""

from functools import partial
from typing import Any

from core.answers import Answer
from core.cache.key import mode_of
from core.cache.layered import LARGEST, Ticket
from core.cache.memory import Stored
from core.execution.batch import Batch, room_at
from core.execution.deadline import Deadline
from core.execution.parts import beside
from core.providers.contract import Embeds, Reply
from core.types.caller import Caller
from core.types.plan import Candidate
from core.types.request import Request
from core.verbs.kept import Kept
from core.wire import embeddings
from core.wire.embeddings import Embeddings

_MANY = 16  # fewer are never too large to be kept


class Embed(Kept[Embeddings]):
    async def _answer(self, caller: Caller, request: Request, deadline: Deadline, cache: str) -> Answer[Embeddings]:
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
        if request.options.cache not in {None, "off"} and self._too_large(request):
            receipt.warnings.append(f"cache={request.options.cache} had no effect: so many embeddings are not kept")
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        value = won.value.value
        if receipt.usage != value.usage:
            value = value._replace(usage=receipt.usage, raw=None)  # others made a part of it, and are paid for theirs
        return Answer(value, receipt)

    async def _read(self, request: Request, stored: Stored) -> Embeddings:
        reading = partial(embeddings.read_embeddings, stored.raw, request.facts.inputs)
        return await beside(reading, heavy=len(stored.raw) >= embeddings.HEAVY)

    async def _written(self, value: Embeddings) -> bytes | None:
        if value.size > LARGEST:
            return None
        writing = partial(embeddings.write_embeddings, value, "base64")
        return await beside(writing, heavy=value.size >= embeddings.HEAVY)

    def _ticket(self, caller: Caller, request: Request, deadline: Deadline) -> Ticket | None:
        return None if self._too_large(request) else super()._ticket(caller, request, deadline)

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
