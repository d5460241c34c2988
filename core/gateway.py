"""One verb per capability, every verb the same steps: plan → walk → settle → answer with a receipt."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Generic, NamedTuple, Self, TypeVar

from core import log as lines
from core.accounting import pricing
from core.accounting.ledger import Ledger
from core.clock import Clock, Ids
from core.config.catalog import Catalog
from core.config.settings import Settings
from core.errors import (
    AttemptTimeout,
    NoTarget,
    PatchbayError,
    StoreUnavailable,
    StreamCut,
    TargetError,
)
from core.execution.deadline import Deadline
from core.execution.retry import Step
from core.execution.streaming import Committed, commit
from core.execution.walk import Walk, Won, failed
from core.health.stats import Stats
from core.providers.contract import Call, Chats, Reply
from core.providers.registry import Registry
from core.routing.planner import Planner
from core.types.attempt import Attempt, Outcome
from core.types.caller import Caller
from core.types.frame import Frame, Kind
from core.types.plan import Candidate, Plan
from core.types.receipt import Receipt, ReceiptOutcome
from core.types.request import Request
from core.types.target import Place, Target
from core.types.usage import UNKNOWN_COST, Cost, Usage
from core.wire.chat import with_defaults, without
from core.wire.openai import Completion

T = TypeVar("T")

log = logging.getLogger("patchbay")


class Answer(NamedTuple, Generic[T]):
    value: T
    receipt: Receipt


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
        stats: Stats,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.catalog = catalog
        self.planner = planner
        self.ledger = ledger
        self.stats = stats
        self.clock = clock
        self._walk = walk
        self._ids = ids
        # Simulators stand in for all providers or for none.
        self.simulated = settings.simulated

    def plan(self, request: Request) -> Plan:
        """The plan alone: what would be tried, and why."""
        return self.planner.plan(request, self.clock.now())

    async def chat(self, caller: Caller, request: Request) -> Answer[Completion]:
        async def attempt(candidate: Candidate) -> Reply[Completion]:
            reply = await self._chats(candidate).chat(self._call(candidate, request))
            return reply if reply.usage.source != "unknown" else reply._replace(usage=_estimated(request, reply.value))

        receipt, won = await self._win(caller, request, attempt, self._deadline(request))
        await self.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def chat_stream(self, caller: Caller, request: Request) -> "LiveAnswer":
        """A committed stream: its frames must be read to their end or closed."""
        first_token, deadline = self.settings.first_token_timeout, self._deadline(request)

        async def attempt(candidate: Candidate) -> Committed:
            return await commit(self._chats(candidate).chat_stream(self._call(candidate, request)), first_token)

        receipt, won = await self._win(caller, request, attempt, deadline)
        receipt.first_ms = (self.clock.monotonic() - receipt.started) * 1000
        receipt.target = won.candidate.target
        return LiveAnswer(self, receipt, won, deadline)

    async def _win(
        self, caller: Caller, request: Request, attempt: Callable[[Candidate], Awaitable[T]], deadline: Deadline
    ) -> tuple[Receipt, Won[T]]:
        """Plan and walk. Whatever fails here is settled with its receipt."""
        receipt = Receipt(self._ids.decision(), self.clock.now(), self.clock.monotonic(), caller, request)
        plan = receipt.plan = self.planner.plan(request, receipt.at)
        receipt.warnings += plan.warnings
        receipt.simulated = self.simulated
        try:
            if not plan.candidates:
                raise NoTarget(plan.excluded)  # noqa: TRY301 - settled like every other failure
            won = await self._walk.first(plan, attempt, deadline, partial(self._observe, receipt))
        except PatchbayError as error:
            error.receipt = receipt
            await self._settle(receipt, "error", error)
            raise
        except BaseException:
            await self._settle(receipt, "cancelled")
            raise
        receipt.warnings += won.candidate.warnings
        receipt.warnings += self._substitution(request, won.candidate, plan.named)
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
        receipt.warnings += [
            f"attempt {one.number} at {one.target} gave no usable answer ({one.error}) but may be billed"
            for one in receipt.attempts
            if one.billed and one.usage.source == "unknown"
        ]
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

    def _deadline(self, request: Request) -> Deadline:
        allowed = self.settings.total_timeout
        asked = request.timeout or allowed
        return Deadline(self.clock.monotonic() + min(allowed, asked), by_caller=asked < allowed)

    def _cost(self, target: Target, usage: Usage) -> Cost:
        if self.registry.rows[target.provider].free:
            return Cost(0)
        return pricing.cost_of(usage, self.catalog.find(target.provider, target.model), self.clock.now())

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


class LiveAnswer:
    """A stream under way. Enter it, read its frames; on leaving it is settled, and `error` says what broke it."""

    def __init__(self, gateway: Gateway, receipt: Receipt, won: Won[Committed], deadline: Deadline) -> None:
        self.receipt = receipt
        self.error: TargetError | None = None
        self._gateway = gateway
        self._won = won
        self._first_ms = (gateway.clock.monotonic() - won.started) * 1000
        self._late: AttemptTimeout | None = None
        self._reading = False
        self._deadline = deadline
        remaining = deadline.remaining(gateway.clock.monotonic())
        self._alarm = asyncio.get_running_loop().call_later(remaining, self._expire)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        source = self._won.value.source
        try:
            if self.receipt.outcome == "pending":
                await self._finish("cancelled")
            elif self.receipt.outcome == "ok":
                await source.next()  # reads the provider's goodbye, so that the connection can be used again
        finally:
            source.close()

    async def frames(self) -> AsyncIterator[list[Frame]]:
        """Frames as they come, without the end marker. The last ones are settled before they are handed out."""
        batch: list[Frame] | None = self._won.value.held
        try:
            while batch is not None:
                ended = bool(batch) and batch[-1].kind is Kind.END
                if ended:
                    await self._finish("ok")
                    batch.pop()
                if batch:
                    yield batch
                if ended:
                    return
                self._reading = True
                batch = await self._won.value.source.next()
                self._reading = False
            raise StreamCut("the stream ended without its end marker")
        except TargetError as error:
            self.error = self._late or error.with_traceback(None)
            await self._finish("cut")

    def _expire(self) -> None:
        self._late = AttemptTimeout("the deadline passed in the middle of the answer")
        # A deadline that finds nobody waiting for the provider was used up by a caller who does not read.
        self._late.fault = self._deadline.fault if self._reading else "caller"
        self._won.value.source.close()  # which ends the wait for its next frames

    async def _finish(self, outcome: ReceiptOutcome) -> None:
        self._alarm.cancel()
        source = self._won.value.source
        usage = source.usage
        if usage.source == "unknown":
            usage = Usage("estimated", input=self.receipt.request.facts.input_tokens, output=source.outputs)
        request_id, error = source.request_id, self.error
        await self._gateway.finish(
            self.receipt, self._won, outcome, usage, request_id, error=error, first_ms=self._first_ms
        )


def _estimated(request: Request, completion: Completion) -> Usage:
    """Four characters to a token, where the provider did not say."""
    text = completion.message.get("content")
    output = len(text) // 4 if isinstance(text, str) else 0
    return Usage("estimated", input=request.facts.input_tokens, output=output)


def _total(attempts: list[Attempt]) -> Cost:
    """What is owed as far as providers said what was used; unknown when that says nothing of what is owed."""
    known = [one.cost.nano for one in attempts if one.cost.nano is not None]
    unpriced = any(one.usage.source != "unknown" and one.cost.nano is None for one in attempts)
    if unpriced or (not known and any(one.billed for one in attempts)):
        return UNKNOWN_COST
    return Cost(sum(known))
