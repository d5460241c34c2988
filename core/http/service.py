"""What a web app holds on to: a gateway that is opened on the loop that serves."""

import asyncio
from typing import Any, Protocol

from starlette.types import Scope

from core.clock import Clock
from core.config.settings import Settings
from core.gateway import Gateway


class Service(Protocol):
    settings: Settings
    gateway: Gateway | None
    clock: Clock
    due: float
    under_way: set[asyncio.Task[Any]]

    async def open(self) -> Gateway: ...
    async def current(self) -> Gateway: ...
    async def close(self) -> None: ...


async def gateway_of(scope: Scope) -> Gateway:
    """The app's gateway. A server opens it at start, Lambda at the first request."""
    service: Service = scope["app"].state.service
    gateway = service.gateway
    # Most requests pay no more than this for seeing settings that were changed at run time.
    if gateway is None or service.clock.monotonic() >= service.due:
        gateway = await service.current()
    return gateway
