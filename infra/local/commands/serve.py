"""`patchbay serve`: the gateway in this process."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable

import click

from core.errors import PatchbayError
from infra.local.terminal import fail


@click.command()
def serve() -> None:
    r"""Run the gateway in this process.

    \b
    PORT=9000 patchbay serve
    HOST=0.0.0.0 PATCHBAY_API_KEY=... patchbay serve
    """
    from infra.local.server import serve as run  # noqa: PLC0415 - a command imports what it needs

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run())
    except PatchbayError as error:
        fail(error.message)
    except KeyboardInterrupt:
        sys.exit(130)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where there is one: all but Windows."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - see above

    return uvloop.new_event_loop
