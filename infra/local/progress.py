"""How far something is, on one line of a terminal."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from infra.local.terminal import clean

_EVERY = 0.25  # seconds between two looks at how long it takes


class Progress:
    """One line on a terminal that says how far it is, and is gone at the end; elsewhere nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._seen = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._said = ""

    def say(self, words: str) -> None:
        if self._seen and words != self._said:
            click.echo(f"\r\x1b[K{clean(words)}", err=True, nl=False)
            self._said = words

    def clear(self) -> None:
        if self._said:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._said = ""

    @asynccontextmanager
    async def waiting(self, words: str) -> AsyncIterator[None]:
        """While something is awaited: what, and for how many seconds by now."""
        task = asyncio.create_task(self._count(words)) if self._seen else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
            self.clear()

    async def _count(self, words: str) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(_EVERY)
            if not self._said.startswith("sending") or self._said.endswith("100 %"):
                self.say(f"{words} {loop.time() - began:.0f} s")
