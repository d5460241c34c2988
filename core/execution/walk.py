"""The fallback loop: plan → attempts → the first answer. Knows no capability and no provider."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Generic, NamedTuple, TypeVar, cast

from core.clock import Clock
from core.errors import (
    AdapterBroken,
    AllTargetsFailed,
    AttemptTimeout,
    DeadlinePassed,
    MediaUnavailable,
    NoTarget,
    PatchbayError,
    TargetError,
)
from core.execution.deadline import Deadline, span
from core.execution.gate import Gate, Permit, PermitOutcome, Refused
from core.execution.retry import Retry, Step
from core.net.sessions import WAITED, Waited
from core.types.attempt import Attempt
from core.types.plan import Candidate, Exclusion, Plan
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE

T = TypeVar("T")
Ready = Callable[[Candidate], Awaitable[None]]

_LEAST = 0.001  # seconds; in less nobody can be asked

log = logging.getLogger("patchbay")


class Won(NamedTuple, Generic[T]):
    """An answer, or the beginning of one; whoever holds it closes the permit when it is over."""

    value: T
    candidate: Candidate
    permit: Permit
    number: int
    started_at: float
    started: float


@dataclass(frozen=True, slots=True)
class Walk:
    clock: Clock
    chance: Random
    gate: Gate
    retry: Retry
    # Seconds for an attempt while another target is left: a silent provider must not use up the caller's patience.
    patience: float = float("inf")

    async def first(
        self,
        plan: Plan,
        attempt: Callable[[Candidate], Awaitable[T]],
        deadline: Deadline,
        observe: Callable[[Attempt], None],
        ready: Ready | None = None,
    ) -> Won[T]:
        """The first answer along the plan; every failed try is observed as an Attempt.

        `ready` waits for what an attempt needs before it begins; whom it refuses was not asked.
        """
        return await _Run(self, plan, attempt, deadline, observe, ready).first()


class _Run(Generic[T]):
    """One request on its way through its plan."""

    def __init__(
        self,
        walk: Walk,
        plan: Plan,
        attempt: Callable[[Candidate], Awaitable[T]],
        deadline: Deadline,
        observe: Callable[[Attempt], None],
        ready: Ready | None,
    ) -> None:
        self._walk = walk
        self._plan = plan
        self._attempt = attempt
        self._deadline = deadline
        self._observe = observe
        self._ready = ready
        self._unready: list[MediaUnavailable] = []
        self._started = 0
        self._attempts: list[Attempt] = []
        self._errors: list[TargetError] = []
        self._refused: list[Exclusion] = []
        self._mended: set[Target] = set()

    async def first(self) -> Won[T]:
        left = len(self._plan.candidates)
        for candidate in self._plan.candidates:
            left -= 1
            tries = 1
            while isinstance(step := await self._try(candidate, tries, left), Step) and step.decision == "again":
                await self._walk.clock.sleep(step.wait)
                tries += 1
            if isinstance(step, Won):
                return step
            if step.decision == "stop":
                break
        raise self._failure()

    async def _try(self, candidate: Candidate, tries: int, left: int) -> Won[T] | Step:
        if self._ready is not None:
            try:
                await self._ready(candidate)
            except MediaUnavailable as missing:
                self._unready.append(missing)
                return Step("next")
        clock = self._walk.clock
        started = clock.monotonic()
        share = self._deadline.share(started, left + 1)
        if left:
            share = min(share, self._walk.patience)
        if share < _LEAST:
            return Step("stop")
        try:
            permit = self._walk.gate.admit(candidate.target)
        except Refused as refusal:
            self._refused.append(Exclusion(candidate.target, "gate", refusal.reason))
            return Step("next")
        self._started += 1  # attempts may overlap: the number is taken at the start
        started_at, number = clock.now(), self._started
        outcome: PermitOutcome = "cancelled"
        try:
            value, error = await self._answer(candidate, share)
            outcome = "failed"
            if error is not None:
                return self._fail(candidate, error, number, tries, left, started_at, started)
            outcome = "ok"
            return Won(cast("T", value), candidate, permit, number, started_at, started)
        except asyncio.CancelledError:
            ms = self._ms(started)
            self._record(Attempt(number, candidate.target, "cancelled", started_at, ms, billed=True))
            raise
        finally:
            if outcome != "ok":
                permit.close(outcome)

    async def _answer(self, candidate: Candidate, share: float) -> tuple[T | None, TargetError | None]:
        """The answer or what went wrong, never both."""
        waited = Waited()
        here = WAITED.set(waited)
        try:
            async with asyncio.timeout(share):
                return await self._attempt(candidate), None
        except TargetError as error:
            return None, error
        except TimeoutError:
            if full := waited.full(asyncio.get_running_loop().time(), share):
                return None, full
            late = AttemptTimeout(f"no answer within {span(share)}, its share of the deadline")
            late.fault = self._deadline.fault
            return None, late
        except Exception as bug:
            # An adapter's bug, most likely a plug-in's, must not take the whole chain down with it.
            log.exception("the adapter of %s failed", candidate.target)
            return None, AdapterBroken(f"the adapter failed ({type(bug).__name__}); the gateway's log has the trace")
        finally:
            WAITED.reset(here)

    def _fail(
        self,
        candidate: Candidate,
        error: TargetError,
        number: int,
        tries: int,
        left: int,
        started_at: float,
        started: float,
    ) -> Step:
        remaining = self._deadline.remaining(self._walk.clock.monotonic())
        mended = candidate.target in self._mended
        step = self._walk.retry.after(
            error, tries=tries, targets_left=left, remaining=remaining, chance=self._walk.chance, mended=mended
        )
        if error.mends:
            self._mended.add(candidate.target)
        self._errors.append(_bare(error))
        self._record(failed(number, candidate, error, started_at, self._ms(started), step))
        return step

    def _record(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)
        self._observe(attempt)

    def _ms(self, started: float) -> float:
        return (self._walk.clock.monotonic() - started) * 1000

    def _failure(self) -> PatchbayError:
        if self._errors:
            return AllTargetsFailed(self._attempts, self._errors)
        if self._unready:
            return self._unready[0]  # which the caller can mend
        if self._refused:
            return NoTarget(self._refused)
        late = DeadlinePassed(
            "the deadline passed before an attempt could start; allow more time", code="deadline_passed"
        )
        late.fault = "caller" if self._deadline.by_caller else late.fault
        return late


def _bare(error: TargetError) -> TargetError:
    """Without the frames it came through: they hold the request and what was read of the answer."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def failed(number: int, candidate: Candidate, error: TargetError, started_at: float, ms: float, step: Step) -> Attempt:
    """The attempt that an error ended."""
    usage = error.usage or UNKNOWN_USAGE
    return Attempt(
        number=number,
        target=candidate.target,
        outcome="failed",
        started_at=started_at,
        ms=ms,
        decision=step.decision,
        error=type(error).__name__,
        fault=error.fault,
        why=error.message,
        status=error.provider_status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        billed=error.billed and usage.source != "reported",
        usage=usage,
    )
