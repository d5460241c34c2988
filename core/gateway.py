"""One verb per capability, every verb the same steps: plan → walk → settle → answer with a receipt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from core import log as lines
from core.accounting import pricing
from core.accounting.ledger import Ledger
from core.accounting.report import Report
from core.answers import Answer, LiveAnswer, ReplayedAnswer
from core.cache.layered import LARGEST, Cache, Ticket
from core.cache.memory import Stored
from core.clock import Clock, Ids
from core.config.catalog import Catalog, Model
from core.config.run_time import InForce
from core.config.settings import Settings
from core.errors import (
    AllTargetsFailed,
    NoTarget,
    PatchbayError,
    StoreUnavailable,
    TargetError,
)
from core.execution.deadline import Deadline
from core.execution.retry import Step
from core.execution.streaming import Committed, commit
from core.execution.walk import Walk, Won, failed
from core.health.stats import Stats
from core.providers.contract import Call, Chats, Embeds, Reply
from core.providers.registry import Registry
from core.routing.planner import Planner
from core.types.attempt import Attempt, Outcome
from core.types.caller import Caller
from core.types.plan import Candidate, Plan
from core.types.receipt import Again, Receipt, ReceiptOutcome
from core.types.request import Request
from core.types.target import Place, Target
from core.types.usage import UNKNOWN_COST, UNKNOWN_USAGE, Cost, Usage
from core.wire.assembly import completion_of
from core.wire.chat import with_defaults, without
from core.wire.openai import Completion, read_completion

if TYPE_CHECKING:
    from core.wire.embeddings import Embeddings

T = TypeVar("T")

_LONG = 256 * 1024  # bytes of a stream; to add up more would hold up everybody else on this loop

log = logging.getLogger("patchbay")


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
        self._walk = walk
        self._ids = ids
        # Simulators stand in for all providers or for none.
        self.simulated = settings.simulated

    def plan(self, request: Request) -> Plan:
        """The plan alone: what would be tried, and why."""
        return self.planner.plan(request, self.clock.now())

    async def chat(self, caller: Caller, request: Request) -> Answer[Completion]:
        deadline = self._deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._chat(caller, request, deadline)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                return Answer(read_completion(stored.raw), await self._again(caller, request, stored))
            answer = await self._chat(caller, request, deadline, "miss")
            await self._keep(ticket, answer.value.raw, answer.value.body, answer.receipt)
            return answer

    async def embed(self, caller: Caller, request: Request) -> Answer["Embeddings"]:
        from core.wire import embeddings  # noqa: PLC0415 - whoever only chats need not load it

        deadline = self._deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._embed(caller, request, deadline)
        async with ticket:
            stored = await ticket.read()
            if stored is not None:
                reading = partial(embeddings.read_embeddings, stored.raw, request.facts.inputs)
                found = await _beside(reading, len(stored.raw))
                return Answer(found, await self._again(caller, request, stored))
            answer = await self._embed(caller, request, deadline, "miss")
            if ticket.writes and not answer.receipt.substituted and answer.value.size <= LARGEST:
                writing = partial(embeddings.write_embeddings, answer.value, "base64")
                await ticket.write(await _beside(writing, answer.value.size), answer.receipt)
            return answer

    async def chat_stream(self, caller: Caller, request: Request) -> LiveAnswer | ReplayedAnswer:
        """A committed stream: its frames must be read to their end or closed."""
        deadline = self._deadline(request)
        ticket = self._ticket(caller, request, deadline)
        if ticket is None:
            return await self._chat_stream(caller, request, deadline)
        stored = await ticket.read()
        if stored is not None:
            completion = read_completion(stored.raw)
            return ReplayedAnswer(completion.body, await self._again(caller, request, stored))
        live = await self._chat_stream(caller, request, deadline, "miss")
        if ticket.writes:
            live.keep(partial(self._keep_stream, ticket))
        return live

    async def _chat(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> Answer[Completion]:
        async def attempt(candidate: Candidate) -> Reply[Completion]:
            reply = await self._chats(candidate).chat(self._call(candidate, request))
            return reply if reply.usage.source != "unknown" else reply._replace(usage=_estimated(request, reply.value))

        receipt, won = await self._win(caller, request, attempt, deadline, cache)
        await self.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def _embed(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> Answer["Embeddings"]:
        from core.execution.batch import Batch, room_at  # noqa: PLC0415 - see embed

        batch = Batch(request.body["input"])

        async def attempt(candidate: Candidate) -> Reply["Embeddings"]:
            adapter: Embeds = self.registry.adapter(candidate.target.provider, candidate.target.account)
            call = self._call(candidate, request)
            row, model = self.registry.rows[candidate.target.provider], self._model(candidate.target)
            room = room_at(row, model, request.body.get("dimensions"), call.max_bytes)

            async def send(given: Any) -> Reply["Embeddings"]:
                return await adapter.embed(call._replace(body={**call.body, "input": given}))

            return await batch.at(candidate, room, send)

        receipt, won = await self._win(caller, request, attempt, deadline, cache, batch.spent)
        receipt.warnings += batch.warnings
        await self.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def _chat_stream(
        self, caller: Caller, request: Request, deadline: Deadline, cache: str = "off"
    ) -> LiveAnswer:
        first_token = self.settings.first_token_timeout

        async def attempt(candidate: Candidate) -> Committed:
            return await commit(self._chats(candidate).chat_stream(self._call(candidate, request)), first_token)

        receipt, won = await self._win(caller, request, attempt, deadline, cache)
        receipt.first_ms = (self.clock.monotonic() - receipt.started) * 1000
        receipt.target = won.candidate.target
        return LiveAnswer(self.finish, self.clock, receipt, won, deadline)

    def _ticket(self, caller: Caller, request: Request, deadline: Deadline) -> Ticket | None:
        return None if self._cache is None else self._cache.ticket(caller, request, deadline.at)

    async def _again(self, caller: Caller, request: Request, stored: Stored) -> Receipt:
        """The receipt of an answer from the cache: nobody was asked, nothing is owed."""
        receipt = self._receipt(caller, request, "hit")
        receipt.again = Again(stored.decision, max(0.0, receipt.at - stored.at), stored.cost_nano)
        receipt.target, receipt.usage = stored.target, stored.usage
        receipt.warnings += stored.warnings
        await self._settle(receipt, "ok")
        return receipt

    async def _keep(self, ticket: Ticket, raw: bytes, body: Mapping[str, Any], receipt: Receipt) -> None:
        """Not what stands in for a model that was named and failed, nor what is no whole answer."""
        if receipt.substituted or not all(_is_whole(choice) for choice in body["choices"]):
            return
        await ticket.write(raw, receipt)

    async def _keep_stream(self, ticket: Ticket, raws: list[bytes], receipt: Receipt) -> None:
        if sum(map(len, raws)) > _LONG:
            raw = await asyncio.to_thread(completion_of, raws, receipt.usage)
        else:
            raw = completion_of(raws, receipt.usage)
        if raw is not None:
            await self._keep(ticket, raw, orjson.loads(raw), receipt)

    async def _win(
        self,
        caller: Caller,
        request: Request,
        attempt: Callable[[Candidate], Awaitable[T]],
        deadline: Deadline,
        cache: str,
        spent: Callable[[], Usage] = lambda: UNKNOWN_USAGE,
    ) -> tuple[Receipt, Won[T]]:
        """Plan and walk. Whatever fails here is settled with its receipt; `spent` is what a failed attempt used."""

        def observe(failed_one: Attempt) -> None:
            usage = spent()
            if usage.source != "unknown":
                failed_one = failed_one._replace(usage=usage, cost=self._cost(failed_one.target, usage))
            self._observe(receipt, failed_one)

        receipt = self._receipt(caller, request, cache)
        plan = receipt.plan = self.planner.plan(request, receipt.at)
        receipt.warnings += plan.warnings
        try:
            if not plan.candidates:
                raise NoTarget(plan.excluded)  # noqa: TRY301 - settled like every other failure
            won = await self._walk.first(plan, attempt, deadline, observe)
        except PatchbayError as error:
            if isinstance(error, AllTargetsFailed):
                error.attempts = tuple(receipt.attempts)
            error.receipt = receipt
            await self._settle(receipt, "error", error)
            raise
        except BaseException:
            await self._settle(receipt, "cancelled")
            raise
        receipt.warnings += won.candidate.warnings
        substitution = self._substitution(request, won.candidate, plan.named)
        receipt.substituted = bool(substitution)
        receipt.warnings += substitution
        return receipt, won

    async def finish(
        self,
        receipt: Receipt,
        won: Won[T],
        outcome: ReceiptOutcome,
        usage: Usage,
        request_id: str | None,
        *,
        error: TargetError | None = None,
        first_ms: float | None = None,
    ) -> None:
        """The attempt that won is over, well or not: permit, statistics, cost, settlement."""
        target, ms = won.candidate.target, (self.clock.monotonic() - won.started) * 1000
        cost = self._cost(target, usage)
        if error is None:
            ended: Outcome = "ok" if outcome == "ok" else "cancelled"
            attempt = Attempt(
                won.number, target, ended, won.started_at, ms,
                first_ms=first_ms, request_id=request_id, usage=usage, cost=cost,
            )  # fmt: skip
        else:
            attempt = failed(won.number, won.candidate, error, won.started_at, ms, Step("stop"))
            attempt = attempt._replace(
                first_ms=first_ms, request_id=error.request_id or request_id, usage=usage, cost=cost
            )
        won.permit.close(attempt.outcome)
        receipt.target, receipt.usage = target, usage
        self._observe(receipt, attempt)
        await self._settle(receipt, outcome, error)

    def _observe(self, receipt: Receipt, attempt: Attempt) -> None:
        receipt.attempts.append(attempt)
        self.stats.observe(attempt)
        lines.attempt(receipt.id, attempt)

    async def _settle(self, receipt: Receipt, outcome: ReceiptOutcome, error: PatchbayError | None = None) -> None:
        """Exactly once per request: sums, the durable item, the log line."""
        receipt.outcome = outcome
        receipt.ms = (self.clock.monotonic() - receipt.started) * 1000
        receipt.cost = _total(receipt.attempts)
        receipt.warnings += receipt.doubts
        if error is not None:
            receipt.error, receipt.error_message = type(error).__name__, error.message
        try:
            await self.ledger.settle(receipt)
        except StoreUnavailable as failure:
            # The answer stands; that its record is lost must be seen by the operator.
            log.error("no ledger item for decision %s: %s", receipt.id, failure.message)  # noqa: TRY400 - no trace needed
        lines.request(receipt)

    def _chats(self, candidate: Candidate) -> Chats:
        adapter: Chats = self.registry.adapter(candidate.target.provider, candidate.target.account)
        return adapter

    def _call(self, candidate: Candidate, request: Request) -> Call:
        body = request.body
        if candidate.drop:
            body = without(body, candidate.drop)
        if candidate.defaults:
            body = with_defaults(body, candidate.defaults)
        return Call(
            candidate.target,
            body,
            self.settings.idle_timeout,
            self.settings.max_answer_bytes,
            request.wants_usage,
        )

    def _receipt(self, caller: Caller, request: Request, cache: str) -> Receipt:
        started = self.clock.monotonic()
        return Receipt(
            self._ids.decision(), self.clock.now(), started, caller, request, cache=cache, simulated=self.simulated
        )

    def _deadline(self, request: Request) -> Deadline:
        allowed = self.settings.total_timeout
        if request.allowed is not None:
            allowed = min(allowed, request.allowed)
        asked = request.timeout or allowed
        return Deadline(self.clock.monotonic() + min(allowed, asked), by_caller=asked < allowed)

    def _cost(self, target: Target, usage: Usage) -> Cost:
        if self.registry.rows[target.provider].free:
            return Cost(0)
        return pricing.cost_of(usage, self._model(target), self.clock.now())

    def _model(self, target: Target) -> Model | None:
        return self.catalog.find(target.provider, target.model)

    @staticmethod
    def _substitution(request: Request, candidate: Candidate, named: Place | None) -> tuple[str, ...]:
        """Never let another answer for who was named without saying so."""
        model, target = request.options.model or "", candidate.target
        if named is not None and not named.covers(Place(target.provider, target.account)):
            return (f"answered by {target} instead of {request.options.provider or model}",)
        if model.rpartition("/")[2].lower() == "auto" or not model:
            return ()
        # That a retired model has a successor is already said by the plan.
        if not {model, model.partition("/")[2]}.isdisjoint({target.model, candidate.instead_of}):
            return ()
        return (f"answered by {target} instead of {model}",)


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


def _total(attempts: list[Attempt]) -> Cost:
    """What is owed as far as providers said what was used; unknown when that says nothing of what is owed."""
    known = [one.cost.nano for one in attempts if one.cost.nano is not None]
    unpriced = any(one.usage.source != "unknown" and one.cost.nano is None for one in attempts)
    if unpriced or (not known and any(one.billed for one in attempts)):
        return UNKNOWN_COST
    return Cost(sum(known))
