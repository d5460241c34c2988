"""Beautifying: a text or a transcript cleaned by a chat model, and nothing invented."""

from functools import partial

import orjson

from core.answers import Answer
from core.cache.memory import Stored
from core.execution.beautifying import Beautifying
from core.execution.deadline import Deadline
from core.providers.contract import Call, Chats, Reply
from core.types.caller import Caller
from core.types.plan import Candidate
from core.types.request import Request
from core.verbs.kept import Kept
from core.wire.beautify.parts import Beautified
from core.wire.openai import Completion


class Beautify(Kept[Beautified]):
    async def _answer(self, caller: Caller, request: Request, deadline: Deadline, cache: str) -> Answer[Beautified]:
        work = Beautifying(request.context, partial(self._steps.affords, request))

        async def attempt(candidate: Candidate) -> Reply[Beautified]:
            adapter: Chats = self._steps.registry.adapter(candidate.target.provider, candidate.target.account)

            async def send(call: Call) -> Reply[Completion]:
                return await adapter.chat(call)

            return await work.at(candidate, self._steps.call(candidate, request), send)

        receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, work.spent)
        receipt.warnings += won.value.warnings
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def _read(self, request: Request, stored: Stored) -> Beautified:  # noqa: ARG002 - it says all of itself
        return Beautified(**orjson.loads(stored.raw))

    async def _written(self, value: Beautified) -> bytes:
        return orjson.dumps(value._asdict())
