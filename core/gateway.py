"""One verb per capability: from the cache, or by the steps that all share (steps.py)."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from core.accounting.ledger import Ledger
from core.accounting.report import Report
from core.answers import Answer, Counted, LiveAnswer, ReplayedAnswer
from core.cache.key import mode_of
from core.cache.layered import LARGEST, Cache, Ticket
from core.clock import Clock, Ids
from core.config.catalog import Catalog
from core.config.run_time import InForce
from core.config.settings import Settings
from core.errors import NoTarget, PatchbayError
from core.execution.deadline import Deadline
from core.execution.media import NO_MEDIA, Media
from core.execution.streaming import Committed, commit
from core.execution.structured import WholeSource, form_of
from core.execution.walk import Walk
from core.health.stats import Stats
from core.providers.contract import CANONICAL, Call, Chats, CountsTokens, Embeds, Reply, Reranks
from core.providers.registry import Registry
from core.routing.planner import Planner
from core.steps import Steps
from core.types.caller import Caller
from core.types.plan import Candidate, Plan
from core.types.receipt import Receipt
from core.types.request import Request
from core.types.usage import Usage
from core.wire.assembly import completion_of
from core.wire.openai import Completion, read_completion

if TYPE_CHECKING:
    from core.wire.embeddings import Embeddings
    from core.wire.rerank import Ranking

T = TypeVar("T")

_COUNTING = 10.0  # seconds that counting tokens may take before an estimate does
_MANY = 16  # embeddings; fewer are never too large to be kept
_LONG = 256 * 1024  # bytes of a stream; to add up more would hold up everybody else on this loop


class Gateway:
    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        catalog: Catalog,
        planner: Planner,
        walk: Walk,
        ledger: Ledger,
        report: Report,
        stats: Stats,
        cache: Cache | None,
        clock: Clock,
        ids: Ids,
        in_force: InForce,
    ) -> None:
        self.settings = settings
        self.in_force = in_force
        self.registry = registry
        self.catalog = catalog
        self.planner = planner
        self.ledger = ledger
        self.report = report
        self.stats = stats
        self.clock = clock
        self._cache = cache
        self._steps = Steps(
            settings=settings, registry=registry, catalog=catalog, planner=planner, walk=walk, ledger=ledger,
            stats=stats, clock=clock, ids=ids,
        )  # fmt: skip
        self.simulated = settings.simulated

    def plan(self, request: Request) -> Plan:
        """The plan alone: what would be tried, and why."""
        return self.planner.plan(request, self.clock.now())

    async def chat(self, caller: Caller, request: Request) -> Answer[Completion]:
        deadline = self._steps.deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._chat(caller, request, deadline)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                return Answer(read_completion(stored.raw), await self._steps.again(caller, request, stored))
            answer = await self._chat(caller, request, deadline, "miss")
            if answer.value.native is None:  # what it says beyond our dialect would be lost to the next one
                await self._keep(ticket, answer.value.raw, answer.value.body, answer.receipt)
            return answer

    async def embed(self, caller: Caller, request: Request) -> Answer["Embeddings"]:
        from core.wire import embeddings  # noqa: PLC0415 - whoever only chats need not load it

        deadline = self._steps.deadline(request)
        large = self._too_large(request)
        ticket = None if large else self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._embed(caller, request, deadline, large=large)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                reading = partial(embeddings.read_embeddings, stored.raw, request.facts.inputs)
                found = await _beside(reading, len(stored.raw))
                return Answer(found, await self._steps.again(caller, request, stored))
            answer = await self._embed(caller, request, deadline, "miss")
            if ticket.writes and not answer.receipt.substituted and answer.value.size <= LARGEST:
                writing = partial(embeddings.write_embeddings, answer.value, "base64")
                await ticket.write(await _beside(writing, answer.value.size), answer.receipt)
            return answer

    async def rerank(self, caller: Caller, request: Request) -> Answer["Ranking"]:
        from core.wire import rerank  # noqa: PLC0415 - see embed

        deadline = self._steps.deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._rerank(caller, request, deadline)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                count = request.facts.inputs
                found = rerank.read_ranking(stored.raw, count, request.body.get("top_n") or count)
                found = found._replace(usage=stored.usage)
                return Answer(found, await self._steps.again(caller, request, stored))
            answer = await self._rerank(caller, request, deadline, "miss")
            if ticket.writes and not answer.receipt.substituted:
                await ticket.write(orjson.dumps(rerank.answer_of(answer.value)), answer.receipt)
            return answer

    async def chat_stream(self, caller: Caller, request: Request) -> LiveAnswer | ReplayedAnswer:
        """A committed stream: its frames must be read to their end or closed."""
        deadline = self._steps.deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._chat_stream(caller, request, deadline)
        stored = await ticket.read()
        if stored is not None:
            completion = read_completion(stored.raw)
            return ReplayedAnswer(completion.body, await self._steps.again(caller, request, stored))
        live = await self._chat_stream(caller, request, deadline, "miss")
        if ticket.writes and live.dialect == CANONICAL:
            live.keep(partial(self._keep_stream, ticket))
        return live

    async def count_tokens(self, request: Request) -> Counted:
        """The input's tokens, by who would answer first, else estimated. Nobody generates, so there is no receipt."""
        plan = self.plan(request)
        if not plan.candidates:
            raise NoTarget(plan.excluded)
        candidate = plan.candidates[0]
        target, estimate = candidate.target, request.facts.input_tokens
        adapter = self.registry.adapter(target.provider, target.account)
        if not isinstance(adapter, CountsTokens):
            return Counted(estimate, reported=False, target=target)
        try:
            async with asyncio.timeout(min(_COUNTING, request.timeout or _COUNTING)):
                counted = await adapter.count_tokens(self._steps.call(candidate, request))
        except (TimeoutError, PatchbayError) as error:
            why = error.message if isinstance(error, PatchbayError) else "no answer in time"
            return Counted(estimate, reported=False, target=target, warnings=(f"{target} did not count: {why}",))
        return Counted(counted, reported=True, target=target)

    async def _chat(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> Answer[Completion]:
        form, media = form_of(request.body, partial(self._steps.affords, request)), self._media(request)

        async def attempt(candidate: Candidate) -> Reply[Completion]:
            call = await self._call(candidate, request, media)
            return await form.at(candidate, call, partial(self._ask, candidate, request))

        with media:
            receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, form.spent)
        receipt.warnings += won.value.warnings
        receipt.unmet = form.unmet
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def _embed(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off", *, large: bool = False
    ) -> Answer["Embeddings"]:
        from core.execution.batch import Batch, room_at  # noqa: PLC0415 - see embed

        batch = Batch(request.body["input"])

        async def attempt(candidate: Candidate) -> Reply["Embeddings"]:
            adapter: Embeds = self.registry.adapter(candidate.target.provider, candidate.target.account)
            call = self._steps.call(candidate, request)
            row, model = self.registry.rows[candidate.target.provider], self._steps.model(candidate.target)
            room = room_at(row, model, request.body.get("dimensions"), call.max_bytes)

            async def send(given: Any) -> Reply["Embeddings"]:
                return await adapter.embed(call._replace(body={**call.body, "input": given}))

            return await batch.at(candidate, room, send)

        receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, batch.spent)
        receipt.warnings += batch.warnings
        if large and self._cache is not None and request.options.cache not in {None, "off"}:
            receipt.warnings.append(f"cache={request.options.cache} had no effect: so many embeddings are not kept")
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        value = won.value.value
        if receipt.usage != value.usage:
            value = value._replace(usage=receipt.usage, raw=None)  # others made a part of it, and are paid for theirs
        return Answer(value, receipt)

    async def _rerank(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> Answer["Ranking"]:
        from core.execution.ranking import Ranks  # noqa: PLC0415 - see embed
        from core.wire.rerank import asked_of  # noqa: PLC0415 - see embed

        ranks = Ranks(request.body)

        async def attempt(candidate: Candidate) -> Reply["Ranking"]:
            adapter: Reranks = self.registry.adapter(candidate.target.provider, candidate.target.account)
            call = self._steps.call(candidate, request)

            async def send(texts: list[str]) -> Reply["Ranking"]:
                return await adapter.rerank(call._replace(body=asked_of(call.body, texts)))

            return await ranks.at(self.registry.rows[candidate.target.provider].max_documents, send)

        receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, ranks.spent)
        receipt.warnings += won.value.warnings
        target, first = won.candidate.target, receipt.plan.candidates[0].target if receipt.plan else None
        if first is not None and first.model != target.model:
            receipt.warnings.append(f"scores are those of {target} and not comparable with those of {first}")
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        value = won.value.value
        return Answer(value if value.model else value._replace(model=target.model), receipt)

    async def _chat_stream(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> LiveAnswer:
        form, media = form_of(request.body, partial(self._steps.affords, request)), self._media(request)
        first_token = self.settings.first_token_timeout

        async def attempt(candidate: Candidate) -> Committed:
            call = await self._call(candidate, request, media)
            if form.streams(candidate):
                form.admit(candidate)
                return await commit(self._chats(candidate).chat_stream(call), first_token)
            reply = await form.at(candidate, call, partial(self._ask, candidate, request))
            return Committed(WholeSource(reply, wants_usage=request.wants_usage), [])

        with media:
            receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, form.spent)
        receipt.warnings += won.value.warnings
        receipt.unmet = form.unmet
        receipt.first_ms = (self.clock.monotonic() - receipt.started) * 1000
        receipt.target = won.candidate.target
        judge = form.watch(won.candidate)
        return LiveAnswer(self._steps.finish, self.clock, receipt, won, deadline, judge)

    async def _ask(self, candidate: Candidate, request: Request, call: Call) -> Reply[Completion]:
        reply = await self._chats(candidate).chat(call)
        if reply.usage.source != "unknown":
            return reply
        return reply._replace(usage=_estimated(request, reply.value)._replace(run_ms=reply.usage.run_ms))

    def _media(self, request: Request) -> Media:
        if not request.facts.links:
            return NO_MEDIA
        from core.net.fetch import Fetch  # noqa: PLC0415 - few requests need it

        return Media(Fetch(self.settings.fetch_private).get, self.settings.fetch_bytes)

    async def _call(self, candidate: Candidate, request: Request, media: Media) -> Call:
        call = self._steps.call(candidate, request)
        return await media.given(call, self.registry.rows[candidate.target.provider].images)

    def _too_large(self, request: Request) -> bool:
        """Whether it is known beforehand that the answer cannot be kept, so that nobody need look or wait for it."""
        from core.wire import embeddings  # noqa: PLC0415 - see embed

        count, dimensions = request.facts.inputs, request.body.get("dimensions")
        if self._cache is None or count < _MANY or mode_of(request) == "off":
            return False
        if dimensions is None:
            first = next(iter(self.plan(request).candidates), None)
            model = None if first is None else self._steps.model(first.target)
            dimensions = None if model is None else model.dimensions
        return dimensions is not None and count * embeddings.vector_bytes(dimensions, packed=True) > LARGEST

    def _ticket(self, caller: Caller, request: Request, deadline: Deadline) -> Ticket | None:
        # What comes from a gateway may come from this one, and would then wait for itself.
        return None if self._cache is None or request.hop else self._cache.ticket(caller, request, deadline.at)

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
        adapter: Chats = self.registry.adapter(candidate.target.provider, candidate.target.account)
        return adapter


async def _beside(work: Callable[[], T], size: int) -> T:
    """Heavy work is done beside the loop, which others wait for."""
    from core.wire import embeddings  # noqa: PLC0415 - see embed

    return work() if size < embeddings.HEAVY else await asyncio.to_thread(work)


def _estimated(request: Request, completion: Completion) -> Usage:
    """Four characters to a token, where the provider did not say."""
    text = completion.message.get("content")
    output = len(text) // 4 if isinstance(text, str) else 0
    return Usage("estimated", input=request.facts.input_tokens, output=output)


def _is_whole(choice: Any) -> bool:
    """Ended by itself, and not by a filter."""
    if type(choice) is not dict or type(choice.get("message")) is not dict:
        return False
    return choice.get("finish_reason") not in (None, "", "content_filter")
