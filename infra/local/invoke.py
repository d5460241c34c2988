"""One event through one function as Lambda would run it, on what is configured here or on simulators."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from core.bootstrap import build
from core.config.settings import read_dotenv
from core.providers.registry import Registry
from infra.local.runtime_api import Outcome
from infra.local.sandbox import Say, handler_of, sandbox
from infra.local.server import DOTENV, surroundings

# The function answers nobody but this process, so it takes the key that the events in events/ carry.
KEY = "local-key"
SECONDS = 60.0


async def invoke(
    name: str, event: bytes, say: Say, environ: Mapping[str, str] = os.environ, dotenv: Path = DOTENV
) -> Outcome:
    """Start the function, give it the event, stop it."""
    registry = Registry.with_plugins()
    config = build(environ=environ, dotenv=dotenv, registry=registry).settings
    async with AsyncExitStack() as stack:
        run_time, _ = await stack.enter_async_context(surroundings(environ, dotenv, registry, config))
        values = {
            **read_dotenv(dotenv),
            **environ,
            **run_time,
            "PATCHBAY_API_KEY": KEY,
            "PATCHBAY_HOME": str(config.home.absolute()),
        }
        running = await stack.enter_async_context(sandbox(name, handler_of(name), values, say))
        return await running.invoke(event, SECONDS)
