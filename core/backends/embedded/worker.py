"""Takes messages from the embedded queue and has them handled, a few at a time, until it is stopped."""

import asyncio
import logging
from contextlib import suppress

from core.backends.embedded.queue import Leased, SqliteQueue
from core.backends.messages import UNREADABLE, Consumer
from core.backends.ports import Handled
from core.clock import Clock
from core.errors import StoreUnavailable

log = logging.getLogger("patchbay")

_LOOK = 1.0  # seconds between looks at what other processes sent
_LEAST = 0.01  # seconds; two who wait for the same moment do not spin for it
_BEATS = 3  # within one lease


class Worker:
    """A lease says how soon the messages of a worker that died come back; it is renewed while one is handled."""

    def __init__(
        self, queue: SqliteQueue, consumer: Consumer, clock: Clock, *, at_once: int = 4, lease: float = 30.0
    ) -> None:
        self._queue = queue
        self._consumer = consumer
        self._clock = clock
        self._at_once = at_once
        self._lease = lease
        self._bell = asyncio.Event()
        self._stopping = False
        self._renewed = 0.0
        self._hands: dict[asyncio.Task[None], Leased] = {}
        queue.listen(self._bell.set)

    async def run(self, grace: float = 5.0) -> None:
        """Until stop(). Then what is in hand has `grace` seconds to end; the rest is given back at once."""
        beats = asyncio.create_task(self._beat())
        try:
            while not self._stopping:
                self._bell.clear()
                if not await self._take():
                    await self._wait()
            if self._hands:
                await asyncio.wait(list(self._hands), timeout=grace)
        finally:
            beats.cancel()
            for task in list(self._hands):
                task.cancel()
            await asyncio.gather(beats, *self._hands, return_exceptions=True)

    def stop(self) -> None:
        self._stopping = True
        self._bell.set()

    async def _take(self) -> bool:
        """Whether there was something; if so, there may be more."""
        free = self._at_once - len(self._hands)
        if not free:
            return False
        try:
            if self._clock.now() - self._renewed > self._lease / _BEATS:
                await self._renew()  # else a laptop that slept would take a second time what it still has
            taken = await self._queue.take(free, self._lease, self._consumer.most)
        except StoreUnavailable as error:
            log.error("no message could be taken: %s", error)  # noqa: TRY400 - the words say it all
            return False
        for leased in taken:
            task = asyncio.create_task(self._handle(leased))
            self._hands[task] = leased
            task.add_done_callback(self._put_down)
        return bool(taken)

    def _put_down(self, task: "asyncio.Task[None]") -> None:
        del self._hands[task]
        self._bell.set()

    async def _wait(self) -> None:
        """For a message sent here, a hand that is free again, the next due one, or the next look."""
        bell = asyncio.create_task(self._bell.wait())
        waits: set[asyncio.Task[object]] = {bell}
        if len(self._hands) < self._at_once:
            waits.add(asyncio.create_task(self._pause()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _pause(self) -> None:
        seconds = _LOOK
        with suppress(StoreUnavailable):  # said when messages are taken
            seconds = min(_LOOK, max(_LEAST, await self._queue.next_due() - self._clock.now()))
        await self._clock.sleep(seconds)

    async def _handle(self, leased: Leased) -> None:
        try:
            settled = await self._queue.settle(leased, await self._outcome(leased))
        except asyncio.CancelledError:
            await self._give_back(leased)
            raise
        except StoreUnavailable as error:
            # It is not lost: it comes again when its lease ends.
            log.error("message %s could not be put away: %s", leased.id, error)  # noqa: TRY400 - see above
            return
        if not settled:
            log.warning("message %s was handled here, but its lease had ended: it may be handled twice", leased.id)

    async def _give_back(self, leased: Leased) -> None:
        try:
            await self._queue.release(leased)
        except StoreUnavailable as error:
            log.error("message %s comes back when its lease ends: %s", leased.id, error)  # noqa: TRY400 - see above

    async def _outcome(self, leased: Leased) -> Handled:
        if leased.message is None:
            return self._consumer.poison(leased.id, UNREADABLE)
        return await self._consumer.outcome(leased.message)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(self._lease / _BEATS)
            try:
                await self._renew()
            except StoreUnavailable as error:
                log.error("leases could not be renewed: %s", error)  # noqa: TRY400 - see above

    async def _renew(self) -> None:
        self._renewed = self._clock.now()
        if self._hands:
            await self._queue.extend(list(self._hands.values()), self._lease)
