"""Beautifying: a text or a transcript cleaned by a chat model, and nothing invented."""

from functools import partial

import orjson

from core.answers import Answer
from core.execution.beautifying import Beautifying
from core.execution.deadline import Deadline
from core.providers.contract import Call, Chats, Reply
from core.steps import Steps
from core.types.caller import Caller
from core.types.plan import Candidate
from core.types.request import Request
from core.wire.beautify.parts import Beautified
from core.wire.openai import Completion


class Beautify:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[Beautified]:
        deadline = self._steps.deadline(request)
        ticket = self._steps.ticket(caller, request, deadline)
        if ticket is None:
            return await self._answer(caller, request, deadline)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                found = Beautified(**orjson.loads(stored.raw))
                return Answer(found, await self._steps.again(caller, request, stored))
            answer = await self._answer(caller, request, deadline, "miss")
            if ticket.writes and not answer.receipt.substituted:
                await ticket.write(orjson.dumps(answer.value._asdict()), answer.receipt)
            return answer

    async def _answer(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> Answer[Beautified]:
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
