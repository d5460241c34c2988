"""The steps that every verb shares: a receipt, a plan, the walk along it, its settlement."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import reduce
from typing import TypeVar

from core import log as lines
from core.accounting import pricing
from core.accounting.ledger import Ledger
from core.cache.layered import Cache, Ticket
from core.cache.memory import Stored
from core.clock import Clock, Ids
from core.config.catalog import Catalog, Model
from core.config.settings import Settings
from core.errors import AllTargetsFailed, MediaUnavailable, NoTarget, PatchbayError, StoreUnavailable, TargetError
from core.execution.deadline import Deadline
from core.execution.media import wanted
from core.execution.retry import Step
from core.execution.walk import Ready, Walk, Won, failed
from core.health.stats import Stats
from core.providers.contract import Call, lost
from core.providers.registry import Registry
from core.providers.row import Images
from core.routing.planner import Planner
from core.types.attempt import Attempt, Outcome
from core.types.caller import Caller
from core.types.plan import Candidate, Plan
from core.types.receipt import Again, Receipt, ReceiptOutcome
from core.types.request import Native, Request
from core.types.target import Place, Target
from core.types.usage import NANO_PER_USD, UNKNOWN_COST, UNKNOWN_USAGE, Cost, Usage, added
from core.wire.chat import with_defaults, without

T = TypeVar("T")

log = logging.getLogger("patchbay")


class Steps:
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
        cache: Cache | None,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.walk = walk
        self.settings = settings
        self.registry = registry
        self.catalog = catalog
        self.planner = planner
        self.ledger = ledger
        self.stats = stats
        self.clock = clock
        self.simulated = settings.simulated  # simulators stand in for all providers or for none
        self._cache = cache
        self._ids = ids

    @property
    def keeps(self) -> bool:
        """Whether answers are kept at all."""
        return self._cache is not None

    def plan(self, request: Request) -> Plan:
        """Who is to be tried now, in order, and why nobody else."""
        return self.planner.plan(request, self.clock.now())

    def deadline(self, request: Request) -> Deadline:
        allowed = self.settings.total_timeout
        if request.allowed is not None:
            allowed = min(allowed, request.allowed)
        asked = request.timeout or allowed
        return Deadline(self.clock.monotonic() + min(allowed, asked), by_caller=asked < allowed)

    def ticket(self, caller: Caller, request: Request, deadline: Deadline) -> Ticket | None:
        """To the answer from before; None where nothing is kept."""
        # What comes from a gateway may come from this one, and would then wait for itself.
        return None if self._cache is None or request.hop else self._cache.ticket(caller, request, deadline.at)

    async def win(
        self,
        caller: Caller,
        request: Request,
        attempt: Callable[[Candidate], Awaitable[T]],
        deadline: Deadline,
        cache: str,
        spent: Callable[[], Usage] = lambda: UNKNOWN_USAGE,
        ready: Ready | None = None,
    ) -> tuple[Receipt, Won[T]]:
        """Plan and walk. Whatever fails is settled with its receipt; `spent` adds to what a failed attempt used."""

        def observe(failed_one: Attempt) -> None:
            usage = added(failed_one.usage, spent())
            if usage.source != "unknown":
                failed_one = failed_one._replace(usage=usage, cost=self._cost(failed_one.target, usage))
            self._observe(receipt, failed_one)

        async def readied(candidate: Candidate) -> None:
            if ready is None:
                return
            try:
                await ready(candidate)
            except MediaUnavailable as error:
                receipt.warnings += (f"{candidate.target} was not asked: {error.cause}",)
                raise

        receipt = self._receipt(caller, request, cache)
        plan = receipt.plan = self.planner.plan(request, receipt.at)
        receipt.warnings += [*request.warnings, *plan.warnings]
        try:
            if not plan.candidates:
                raise NoTarget(plan.excluded)  # noqa: TRY301 - settled like every other failure
            won = await self.walk.first(plan, attempt, deadline, observe, readied if ready else None)
        except PatchbayError as error:
            if isinstance(error, AllTargetsFailed):
                error.attempts = tuple(receipt.attempts)
            error.receipt = receipt
            await self._settle(receipt, "error", error)
            raise
        except BaseException:
            await self._settle(receipt, "cancelled")
            raise
        self._tell(receipt, won.candidate, plan.named)
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
                first_ms=first_ms, request_id=request_id, billed=ended == "cancelled" and cost.nano is None,
                usage=usage, cost=cost,
            )  # fmt: skip
        else:
            attempt = failed(won.number, won.candidate, error, won.started_at, ms, Step("stop"))
            attempt = attempt._replace(
                first_ms=first_ms, request_id=error.request_id or request_id, usage=usage, cost=cost
            )
        won.permit.close(attempt.outcome)
        receipt.target = target
        self._observe(receipt, attempt)
        await self._settle(receipt, outcome, error)

    async def again(self, caller: Caller, request: Request, stored: Stored) -> Receipt:
        """The receipt of an answer from the cache: nobody was asked, nothing is owed."""
        receipt = self._receipt(caller, request, "hit")
        receipt.again = Again(stored.decision, max(0.0, receipt.at - stored.at), stored.cost_nano)
        receipt.target, receipt.usage = stored.target, stored.usage
        receipt.warnings += stored.warnings
        await self._settle(receipt, "ok")
        return receipt

    def call(self, candidate: Candidate, request: Request) -> Call:
        body = request.body
        if candidate.drop:
            body = without(body, candidate.drop)
        if candidate.defaults:
            body = with_defaults(body, candidate.defaults)
        native = request.native
        if native is not None:
            passed = self._native(candidate, request, native)
            if passed is None:
                lost(native.losses, candidate.target, strict=request.options.strict)  # who is strict goes elsewhere
            native = passed
        return Call(
            candidate.target,
            body,
            self.settings.idle_timeout,
            self.settings.max_answer_bytes,
            request.wants_usage,
            request.hop,
            request.options.strict,
            native,
        )

    def told(self, candidate: Candidate, request: Request, warnings: tuple[str, ...]) -> tuple[str, ...]:
        """Warnings by the names that the caller knows."""
        native = request.native
        if native is None or native.named is None or self._native(candidate, request, native) is not None:
            return warnings
        return tuple(map(native.named, warnings))

    def images(self, candidate: Candidate, request: Request) -> Images:
        """How an account takes what is named by address. In the vendor's newer dialect that is documents as well."""
        target, native = candidate.target, request.native
        takes = self.registry.images(target.provider, target.account)
        if native is None or not takes.urls or not self.registry.takes(target.place, native.dialect):
            return takes
        return takes._replace(documents=True)

    def _native(self, candidate: Candidate, request: Request, native: Native) -> Native | None:
        """The caller's own body, without what the target does not take; None where it has to be translated."""
        if not self.registry.takes(candidate.target.place, native.dialect):
            return None
        if request.facts.links and wanted(request.body, self.images(candidate, request)):
            return None  # there are addresses in it
        if candidate.drop.isdisjoint(native.body):
            return native
        return native._replace(body={name: one for name, one in native.body.items() if name not in candidate.drop})

    def _tell(self, receipt: Receipt, candidate: Candidate, named: Place | None) -> None:
        """What the caller should know of who won."""
        request = receipt.request
        receipt.warnings += self.told(candidate, request, candidate.warnings)
        if request.native is not None:
            self._tell_of_native(receipt, candidate, request.native)
        substitution = self._substitution(request, candidate, named)
        receipt.substituted = bool(substitution)
        receipt.warnings += substitution

    def _tell_of_native(self, receipt: Receipt, candidate: Candidate, native: Native) -> None:
        """What became of a body in another dialect: its translation's losses, or that its answer is not kept."""
        request, cache = receipt.request, receipt.request.options.cache
        if self._native(candidate, request, native) is None:
            receipt.warnings += lost(native.losses, candidate.target, strict=request.options.strict)
            return
        if receipt.cache == "miss":
            receipt.cache = "off"
        if cache in {"write", "on"}:
            words = f"cache={cache} had no effect: {candidate.target} answers in the caller's dialect"
            receipt.warnings.append(f"{words}, and only answers in ours are kept")

    def affords(self, request: Request, candidate: Candidate, before: Sequence[tuple[Target, Usage]]) -> bool:
        """Whether the cap allows an attempt after those that gave no answer and are paid for."""
        cap = self.planner.costs.cap(request.options)
        if cap is None:
            return True
        facts = request.facts
        most = facts.max_output or dict(candidate.defaults).get("max_tokens")
        worst = self.planner.costs.estimate(candidate.target, facts._replace(max_output=most), self.clock.now())
        spent = sum(self._cost(target, usage).nano or 0 for target, usage in before)
        return spent + (worst or 0) <= cap * NANO_PER_USD

    def model(self, target: Target) -> Model | None:
        return self.catalog.find(target.provider, target.model)

    def _receipt(self, caller: Caller, request: Request, cache: str) -> Receipt:
        started = self.clock.monotonic()
        return Receipt(
            self._ids.decision(),
            self.clock.now(),
            started,
            caller,
            request,
            cache=cache,
            simulated=self.simulated,
        )

    def _observe(self, receipt: Receipt, attempt: Attempt) -> None:
        receipt.attempts.append(attempt)
        self.stats.observe(attempt)
        lines.attempt(receipt.id, attempt)

    async def _settle(self, receipt: Receipt, outcome: ReceiptOutcome, error: PatchbayError | None = None) -> None:
        """Exactly once per request: sums, the durable item, the log line."""
        receipt.outcome = outcome
        receipt.ms = (self.clock.monotonic() - receipt.started) * 1000
        receipt.cost = _total(receipt.attempts)
        if receipt.attempts:
            receipt.usage = reduce(added, [one.usage for one in receipt.attempts])
        receipt.warnings += receipt.doubts
        if error is not None:
            receipt.error, receipt.error_message = type(error).__name__, error.message
        try:
            await self.ledger.settle(receipt)
        except StoreUnavailable as failure:
            # The answer stands; that its record is lost must be seen by the operator.
            log.error("no ledger item for decision %s: %s", receipt.id, failure.message)  # noqa: TRY400 - no trace needed
        lines.request(receipt)

    def _cost(self, target: Target, usage: Usage) -> Cost:
        model, now = self.model(target), self.clock.now()
        if pricing.is_free(model, now, own=self.registry.rows[target.provider].free):
            return Cost(0)
        return pricing.cost_of(usage, model, now)

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


def _total(attempts: list[Attempt]) -> Cost:
    """What is owed as far as providers said what was used; unknown when that says nothing of what is owed."""
    known = [one.cost.nano for one in attempts if one.cost.nano is not None]
    unpriced = any(
        one.cost.nano is None and (one.outcome == "ok" or one.usage.source != "unknown") for one in attempts
    )
    if unpriced or (not known and any(one.billed for one in attempts)):
        return UNKNOWN_COST
    return Cost(sum(known))
