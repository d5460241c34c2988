"""Several simulated vendors, each on its own port, with faults that are switched while they run."""

import asyncio
from collections.abc import Sequence
from typing import Any

from infra.local.simulators.delivery import Waits
from infra.local.simulators.faults import FaultBook
from infra.local.simulators.httpd import Request
from infra.local.simulators.simulator import CAPABILITIES, Simulator
from infra.local.simulators.vendors import VENDORS

__all__ = ["Fleet", "Waits"]


class Fleet:
    def __init__(
        self,
        names: Sequence[str] = ("azure", "together", "openai"),
        *,
        seed: int = 0,
        waits: Waits = Waits(),  # noqa: B008 - frozen
        host: str = "127.0.0.1",
    ) -> None:
        for name in names:
            if name not in VENDORS:
                raise ValueError(f"unknown vendor {name!r}; known are {', '.join(VENDORS)}")
        self._host = host
        self._book = FaultBook(seed)
        self._running = False
        # A port that is being closed must not be opened at the same time.
        self._switching = asyncio.Lock()
        self._simulators = {name: Simulator(VENDORS[name], self._book, waits, host) for name in names}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._simulators)

    async def start(self) -> None:
        self._running = True
        try:
            for name in self._simulators:
                await self._settle(name)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        self._running = False
        async with self._switching:
            for simulator in self._simulators.values():
                await simulator.server.stop()

    def url(self, name: str) -> str:
        """The root of the host; the vendor's own path prefix follows it."""
        port = self._simulator(name).server.port
        if not port:
            raise RuntimeError("the simulators are not started")
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    def requests(self, name: str) -> list[Request]:
        """The latest requests received, at most 1000."""
        return list(self._simulator(name).received)

    async def fault(
        self,
        provider: str,
        fault: str,
        *,
        rate: float = 1.0,
        capability: str | None = None,
        times: int | None = None,
    ) -> dict[str, Any]:
        """Switch a fault on until it is cleared or spent; it covers every path unless narrowed."""
        self._simulator(provider)
        if capability is not None and capability not in CAPABILITIES:
            raise ValueError(f"unknown capability {capability!r}; known are {', '.join(sorted(CAPABILITIES))}")
        switch = self._book.add(provider, fault, rate=rate, capability=capability, times=times)
        await self._settle(provider)
        return switch.row()

    async def clear(self, provider: str | None = None) -> None:
        """Switch faults off. The counts that decide rates run on."""
        names = list(self._simulators) if provider is None else [provider]
        for name in names:
            self._simulator(name)
            self._book.clear(name)
            await self._settle(name)

    def status(self) -> dict[str, Any]:
        return {
            "seed": self._book.seed,
            "providers": {
                name: {
                    "url": self.url(name),
                    "requests": simulator.count,
                    "calls": simulator.calls,
                    "faults": self._book.status(name),
                }
                for name, simulator in self._simulators.items()
            },
        }

    async def _settle(self, name: str) -> None:
        server = self._simulator(name).server
        async with self._switching:
            if self._running and self._book.refuses(name):
                await server.refuse()
            elif self._running:
                await server.open()

    def _simulator(self, name: str) -> Simulator:
        if name not in self._simulators:
            raise LookupError(f"unknown provider {name!r}; known are {', '.join(self._simulators)}")
        return self._simulators[name]
