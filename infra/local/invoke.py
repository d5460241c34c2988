"""One event through one function as Lambda would run it, on what is configured here or on simulators."""

import os
from collections.abc import Mapping
from pathlib import Path

from core.config import files
from core.config.files import read_dotenv
from core.config.settings import Settings
from infra.local.runtime_api import Outcome
from infra.local.sandbox import Say, handler_of, sandbox
from infra.local.server import DOTENV, surroundings

# The function answers nobody but this process, so it takes the key that the events in events/ carry.
KEY = "local-key"
SECONDS = 60.0


def _file(settings: Settings) -> dict[str, str]:
    """The function runs elsewhere, so it is told where this folder's configuration is."""
    there = files.find(Path(), settings.config, settings.env)
    return {"PATCHBAY_CONFIG": str(there[0][1].resolve())} if there else {}


async def invoke(
    name: str, event: bytes, say: Say, environ: Mapping[str, str] = os.environ, dotenv: Path = DOTENV
) -> Outcome:
    """Start the function, give it the event, stop it."""
    async with surroundings(environ, dotenv) as here:
        values = {
            **here.found,
            **read_dotenv(dotenv),
            **environ,
            **here.pinned,
            **_file(here.service.settings),
            "PATCHBAY_API_KEY": KEY,
            "PATCHBAY_HOME": str(here.service.settings.home.absolute()),
        }
        async with sandbox(name, handler_of(name), values, say) as running:
            return await running.invoke(event, SECONDS)
