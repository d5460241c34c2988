"""Chat: whole, in a stream, or its input counted."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from core.answers import Answer, Counted, LiveAnswer, ReplayedAnswer
from core.cache.layered import Ticket
from core.errors import MediaUnavailable, NoTarget, PatchbayError
from core.execution.deadline import Deadline
from core.execution.media import NO_MEDIA, Media, Room, wanted
from core.execution.streaming import Committed, commit
from core.execution.structured import FREE, Free, Structured, WholeSource, form_of
from core.providers.contract import CANONICAL, Call, Chats, CountsTokens, Reply
from core.steps import Steps
from core.types.caller import Caller
from core.types.plan import Candidate
from core.types.receipt import Receipt
from core.types.request import Request
from core.wire.assembly import completion_of
from core.wire.openai import Completion, read_completion
from core.wire.tokens import estimated

_COUNTING = 10.0  # seconds that counting tokens may take before an estimate does
_LONG = 256 * 1024  # bytes of a stream; to add up more would hold up everybody else on this loop


class Chat:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._room: Room | None = None

    async def answer(self, caller: Caller, request: Request) -> Answer[Completion]:
        deadline = self._steps.deadline(request)
        ticket = self._steps.ticket(caller, request, deadline)
        if ticket is None:
            return await self._answer(caller, request, deadline)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                return Answer(read_completion(stored.raw), await self._steps.again(caller, request, stored))
            answer = await self._answer(caller, request, deadline, "miss")
            if answer.value.native is None:  # what it says beyond our dialect would be lost to the next one
                await self._keep(ticket, answer.value.raw, answer.value.body, answer.receipt)
            return answer

    async def stream(self, caller: Caller, request: Request) -> LiveAnswer | ReplayedAnswer:
        """A committed stream: its frames must be read to their end or closed."""
        deadline = self._steps.deadline(request)
        ticket = self._steps.ticket(caller, request, deadline)
        if ticket is None:
            return await self._stream(caller, request, deadline)
        stored = await ticket.read()
        if stored is not None:
            completion = read_completion(stored.raw)
            return ReplayedAnswer(completion.body, await self._steps.again(caller, request, stored))
        live = await self._stream(caller, request, deadline, "miss")
        if ticket.writes and live.dialect == CANONICAL:
            live.keep(partial(self._keep_stream, ticket))
        return live

    async def count_tokens(self, request: Request) -> Counted:
        """The input's tokens, by who would answer first, else estimated. Nobody generates, so there is no receipt."""
        plan = self._steps.plan(request)
        if not plan.candidates:
            raise NoTarget(plan.excluded)
        candidate = plan.candidates[0]
        target, estimate = candidate.target, request.facts.input_tokens
        adapter = self._steps.registry.adapter(target.provider, target.account)
        if not isinstance(adapter, CountsTokens):
            return Counted(estimate, reported=False, target=target)
        try:
            async with asyncio.timeout(min(_COUNTING, request.timeout or _COUNTING)):
                counted = await adapter.count_tokens(self._steps.call(candidate, request))
        except (TimeoutError, PatchbayError) as error:
            why = error.message if isinstance(error, PatchbayError) else "no answer in time"
            return Counted(estimate, reported=False, target=target, warnings=(f"{target} did not count: {why}",))
        return Counted(counted, reported=True, target=target)

    async def _answer(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> Answer[Completion]:
        form, media = self._form(request), self._media(request, deadline)

        async def attempt(candidate: Candidate) -> Reply[Completion]:
            call = self._call(candidate, request, media)
            return await form.at(candidate, call, partial(self._ask, candidate, request))

        ready = None if media is NO_MEDIA else partial(self._ready, request, media)
        with media:
            receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, form.spent, ready)
        receipt.warnings += self._steps.told(won.candidate, request, won.value.warnings)
        receipt.unmet = form.unmet
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def _stream(self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off") -> LiveAnswer:
        form, media = self._form(request), self._media(request, deadline)
        first_token = self._steps.settings.first_token_timeout

        async def attempt(candidate: Candidate) -> Committed:
            call = self._call(candidate, request, media)
            if form.streams(candidate):
                form.admit(candidate)
                return await commit(self._chats(candidate).chat_stream(call), first_token)
            reply = await form.at(candidate, call, partial(self._ask, candidate, request))
            return Committed(WholeSource(reply, wants_usage=request.wants_usage), [])

        ready = None if media is NO_MEDIA else partial(self._ready, request, media)
        with media:
            receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, form.spent, ready)
        receipt.warnings += self._steps.told(won.candidate, request, won.value.warnings)
        receipt.unmet = form.unmet
        receipt.first_ms = (self._steps.clock.monotonic() - receipt.started) * 1000
        receipt.target = won.candidate.target
        judge = form.watch(won.candidate)
        return LiveAnswer(self._steps.finish, self._steps.clock, receipt, won, deadline, judge)

    def _form(self, request: Request) -> Free | Structured:
        if not request.body.get("response_format"):
            return FREE
        return form_of(request.body, partial(self._steps.affords, request))

    async def _ask(self, candidate: Candidate, request: Request, call: Call) -> Reply[Completion]:
        reply = await self._chats(candidate).chat(call)
        if reply.usage.source != "unknown":
            return reply
        said = reply.value.message.get("content")
        return reply._replace(usage=estimated(request.facts.input_tokens, said, reply.usage.run_ms))

    def _media(self, request: Request, deadline: Deadline) -> Media:
        """Half of the time that is there, or of what one answer may take, is left for who answers."""
        if not request.facts.links:
            return NO_MEDIA
        settings = self._steps.settings
        if self._room is None:
            from core.net.fetch import Fetch  # noqa: PLC0415 - few requests need it

            self._room = Room(Fetch(settings.fetch_private).get, settings.fetch_bytes)
        left = deadline.remaining(self._steps.clock.monotonic())
        return Media(self._room, min(left, settings.answer_timeout) / 2)

    async def _ready(self, request: Request, media: Media, candidate: Candidate) -> None:
        takes, native = self._steps.images(candidate, request), request.native
        if native is not None and native.bound and wanted(request.body, takes):
            words = f"{candidate.target} is not sent addresses, and {native.bound[0]} cannot be said without them"
            raise MediaUnavailable(words).at(None)
        await media.ready(request.body, takes)

    def _call(self, candidate: Candidate, request: Request, media: Media) -> Call:
        call = self._steps.call(candidate, request)
        if media is NO_MEDIA:
            return call
        return call._replace(body=media.given(call.body, self._steps.images(candidate, request)))

    async def _keep(self, ticket: Ticket, raw: bytes, body: Mapping[str, Any], receipt: Receipt) -> None:
        """Not what stands in for a model that was named and failed, nor what is no whole answer, or not as asked."""
        if receipt.substituted or receipt.unmet or not all(_is_whole(choice) for choice in body["choices"]):
            return
        await ticket.write(raw, receipt)

    async def _keep_stream(self, ticket: Ticket, raws: list[bytes], receipt: Receipt) -> None:
        if sum(map(len, raws)) > _LONG:
            raw = await asyncio.to_thread(completion_of, raws, receipt.usage)
        else:
            raw = completion_of(raws, receipt.usage)
        if raw is not None:
            await self._keep(ticket, raw, orjson.loads(raw), receipt)

    def _chats(self, candidate: Candidate) -> Chats:
        adapter: Chats = self._steps.registry.adapter(candidate.target.provider, candidate.target.account)
        return adapter


def _is_whole(choice: Any) -> bool:
    """Ended by itself, and not by a filter."""
    if type(choice) is not dict or type(choice.get("message")) is not dict:
        return False
    return choice.get("finish_reason") not in (None, "", "content_filter")
