"""A stream is ours to replace until its first semantic output; from then on it is the answer."""

import asyncio
from dataclasses import dataclass

from core.errors import FirstTokenTimeout
from core.providers.contract import FrameSource
from core.types.frame import Frame, Kind


@dataclass(frozen=True, slots=True)
class Committed:
    """An open stream with what it has sent so far, its first output being the last of it."""

    source: FrameSource
    held: list[Frame]


async def commit(source: FrameSource, first_token: float) -> Committed:
    """Wait for output, holding back everything before it. Until then any failure is the next target's chance."""
    held: list[Frame] = []
    try:
        async with asyncio.timeout(first_token):
            while (frames := await source.next()) is not None:
                held += frames
                # A proper end without output is an answer too: an empty one.
                if any(frame.kind in (Kind.OUTPUT, Kind.END) for frame in frames):
                    break
    except TimeoutError as error:
        source.close()
        raise FirstTokenTimeout(f"no output within {first_token:g} s") from error
    except BaseException:
        source.close()
        raise
    return Committed(source, held)
