"""`patchbay serve`: the gateway in this process."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable

import click

from core.errors import PatchbayError
from infra.local.terminal import INTERRUPTED, fail


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (url, pid) in place of the banner.")
def serve(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Run the gateway in this process.

    \b
    PORT=9000 patchbay serve
    HOST=0.0.0.0 PATCHBAY_API_KEY=... patchbay serve
    PORT=0 patchbay serve --json
    """
    from infra.local.server import serve as run  # noqa: PLC0415 - a command imports what it needs

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run(as_json=as_json))
    except PatchbayError as error:
        fail(error.message)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where there is one: all but Windows."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - see above

    return uvloop.new_event_loop
