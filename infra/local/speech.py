"""A text sent to the gateway, and its sound written as it comes."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.audio.finishing import finish
from core.errors import BadAudio
from infra.local.door import Refused, asked, gateway
from infra.local.outputs import Output
from infra.local.progress import Progress
from infra.local.receipts import facts_in, tell

ROUTE = "/api/ai/speak"


def spoken(
    body: Mapping[str, Any], out: Path | None, headers: Mapping[str, str], *, quiet: bool, verbose: bool
) -> None:
    progress, verbose = Progress(quiet=quiet), verbose or sys.stderr.isatty()

    async def work() -> None:
        async with gateway(verbose=verbose) as door:
            progress.say("waiting for the first sound")
            size = 0
            try:
                async with asked(door, ROUTE, headers, json=body) as answer:
                    with Output(out, _finish) as file:
                        async for part in answer.aiter_bytes():
                            size += len(part)
                            progress.say(f"receiving {size / 1e6:.1f} MB")
                            file.write(part)
                        if not size:
                            raise Refused("no sound came; ask again.")
            finally:
                progress.clear()
        tell(facts_in(answer.headers), verbose=verbose, about=[f"{len(body['text'])} characters", f"{size} bytes"])

    asyncio.run(work())


def _finish(path: Path) -> None:
    """Streams of sound begin before anybody knows how long they are; players of files want to know."""
    with suppress(BadAudio):  # whatever it is, it is what came
        finish(path)
