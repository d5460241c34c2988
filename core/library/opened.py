"""A service that is open on one loop, for as long as requests need it and at most as long as the loop."""

import asyncio
import atexit
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from core.bootstrap import Service
from core.gateway import Gateway


class Opened:
    """A service on one loop. The loop's own end closes it: it lives in an asynchronous generator."""

    def __init__(self, service: Service, version: int, loop: asyncio.AbstractEventLoop) -> None:
        self.version = version
        self.users = 0
        self.stale = False
        self.ended = False
        self._service = service
        self._loop = loop
        self._life = self._live()
        self._opening = loop.create_task(anext(self._life))
        self._closing: asyncio.Task[None] | None = None
        _OPEN.add(self)

    @property
    def good(self) -> bool:
        """Whether it serves, or will."""
        opening = self._opening
        failed = opening.done() and (opening.cancelled() or opening.exception() is not None)
        return not self.ended and not failed

    async def gateway(self) -> Gateway:
        """As settings are now, which may have been changed at run time."""
        # Many may wait for it; that one of them is cancelled is nothing to the others.
        await asyncio.shield(self._opening)
        service = self._service
        if service.gateway is None or service.clock.monotonic() >= service.due:
            return await service.current()
        return service.gateway

    async def let_go(self) -> None:
        if self.stale and not self.users:
            await self.close()

    async def close(self) -> None:
        if self.good:
            await asyncio.shield(self._opening)
        await self._life.aclose()

    def abandon(self) -> None:
        """Nobody can ask it any more; from any thread."""
        if not self.ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close_soon)

    def _close_soon(self) -> None:
        self._closing = self._loop.create_task(self.close())

    def close_at_exit(self) -> None:
        """For a loop that nobody ended; one that still runs, in another thread, is left alone."""
        if not self._loop.is_closed() and not self._loop.is_running():
            self._loop.set_default_executor(_InPlace())
            self._loop.run_until_complete(self.close())

    async def _live(self) -> AsyncGenerator[Gateway, None]:
        try:
            yield await self._service.open()
        finally:
            self.ended = True
            _OPEN.discard(self)
            try:
                await self._service.close()
            except asyncio.CancelledError:
                await self._service.close()  # an ending loop cancels everybody once, and this has to be done
                raise


_OPEN: set[Opened] = set()  # they keep themselves until they are closed: a service must not vanish unclosed


@atexit.register
def _close_all() -> None:
    for one in list(_OPEN):
        one.close_at_exit()


class _InPlace(ThreadPoolExecutor):
    """Work for other threads, where none can be started any more because the program ends."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done
