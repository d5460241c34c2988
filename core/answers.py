"""What the gateway gives back: a whole answer, a stream under way, a stream played again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Any, Generic, NamedTuple, Self, TypeVar

from core.clock import Clock
from core.errors import AttemptTimeout, StreamCut, TargetError
from core.execution.deadline import Deadline
from core.execution.streaming import Committed
from core.execution.structured import Judge
from core.execution.walk import Won
from core.providers.contract import CANONICAL, lost
from core.types.frame import Frame, Kind
from core.types.receipt import Receipt, ReceiptOutcome
from core.types.target import Target
from core.types.usage import Usage
from core.wire.assembly import frames_of

T = TypeVar("T")
Finish = Callable[..., Awaitable[None]]  # Steps.finish
Keep = Callable[[list[bytes], Receipt], Awaitable[None]]

_LONGEST_RECORDING = 8 * 2**20  # bytes; of longer streams nothing is kept
_BATCH = 50  # frames of a replayed stream that are sent at once


class Answer(NamedTuple, Generic[T]):
    value: T
    receipt: Receipt


class Counted(NamedTuple):
    tokens: int
    reported: bool  # by the target; else it is our estimate
    target: Target
    warnings: tuple[str, ...] = ()


class LiveAnswer:
    """A stream under way. Enter it, read its frames; on leaving it is settled, and `error` says what broke it."""

    def __init__(
        self,
        finish: Finish,
        clock: Clock,
        receipt: Receipt,
        won: Won[Committed],
        deadline: Deadline,
        judge: Judge | None = None,
    ) -> None:
        self.receipt = receipt
        self.error: TargetError | None = None
        self._settle = finish
        self._won = won
        self._first_ms = (clock.monotonic() - won.started) * 1000
        self.dialect = won.value.dialect
        # Another dialect's events are not read; who streams them was asked in it, and keeps to it.
        self._judge = judge if self.dialect == CANONICAL else None
        self._recording = None if self._judge is None else _Recording()
        self._keep: Keep | None = None
        self._late: AttemptTimeout | None = None
        self._reading = False
        self._deadline = deadline
        remaining = deadline.remaining(clock.monotonic())
        self._alarm = asyncio.get_running_loop().call_later(remaining, self._expire)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        source = self._won.value.source
        try:
            if self.receipt.outcome == "pending":
                await self.stop()
            elif self.receipt.outcome == "ok":
                await source.next()  # reads the provider's goodbye, so that the connection can be used again
        finally:
            source.close()

    def keep(self, store: Keep) -> None:
        """Hand all that is read to `store` when it is whole."""
        self._recording = self._recording or _Recording()
        self._keep = store

    async def broken(self, error: TargetError) -> None:
        """What was read turned out to be no answer."""
        if self.receipt.outcome == "pending":
            self.error = error
            await self._finish("cut")

    async def stop(self) -> None:
        """Nobody reads on: settled with what it has come to."""
        if self.receipt.outcome == "pending":
            await self._finish("cancelled")

    async def frames(self) -> AsyncIterator[list[Frame]]:
        """Frames as they come, without the end marker. The last ones are settled before they are handed out."""
        batch: list[Frame] | None = self._won.value.held
        try:
            while batch is not None:
                ended = bool(batch) and batch[-1].kind is Kind.END
                if self._recording is not None:
                    self._recording.add(batch)
                if ended:
                    await self._end()
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

    async def _end(self) -> None:
        raws = [] if self._recording is None else self._recording.raws
        if self._judge is not None:
            said = await self._judge(raws)
            self.receipt.unmet = bool(said)
            self.receipt.warnings += said
        await self._finish("ok")
        if self._keep is not None and raws:
            await self._keep(raws, self.receipt)

    def _expire(self) -> None:
        self._late = AttemptTimeout("the deadline passed in the middle of the answer")
        # A deadline that finds nobody waiting for the provider was used up by a caller who does not read.
        self._late.fault = self._deadline.fault if self._reading else "caller"
        self._won.value.source.close()  # which ends the wait for its next frames

    async def _finish(self, outcome: ReceiptOutcome) -> None:
        self._alarm.cancel()
        source = self._won.value.source
        target = self._won.candidate.target
        self.receipt.warnings += lost(self._won.value.losses, target, strict=False)
        usage = source.usage
        if usage.source == "unknown" and not usage.characters:
            usage = Usage(
                "estimated", input=self.receipt.request.facts.input_tokens, output=source.outputs, run_ms=usage.run_ms,
                extras=usage.extras,
            )  # fmt: skip
        request_id, error = source.request_id, self.error
        await self._settle(self.receipt, self._won, outcome, usage, request_id, error=error, first_ms=self._first_ms)


class ReplayedAnswer:
    """A stream out of an answer that is already there; settled before it begins."""

    error: TargetError | None = None
    dialect = CANONICAL

    def __init__(self, body: dict[str, Any], receipt: Receipt) -> None:
        self.receipt = receipt
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def broken(self, error: TargetError) -> None:
        """It is settled: whoever was asked for it was paid."""

    async def stop(self) -> None:
        """It is settled."""

    async def frames(self) -> AsyncIterator[list[Frame]]:
        frames = frames_of(self._body, wants_usage=self.receipt.request.wants_usage)
        while batch := list(islice(frames, _BATCH)):
            yield batch


class _Recording:
    """What a stream has sent, until it is too much."""

    def __init__(self) -> None:
        self.raws: list[bytes] = []
        self._size = 0

    def add(self, batch: list[Frame]) -> None:
        self._size += sum(len(frame.raw) for frame in batch)
        if self._size <= _LONGEST_RECORDING:
            self.raws += [frame.raw for frame in batch]
        else:
            self.raws.clear()
