"""A stream is ours to replace until its first semantic output; from then on it is the answer."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from core.errors import FirstTokenTimeout, Malformed, TargetError
from core.providers.contract import CANONICAL, FrameSource
from core.types.frame import Frame, Kind

_MOST_HELD = 8 * 2**20  # bytes before output; more is not a beginning but a fault


@dataclass(frozen=True, slots=True)
class Committed:
    """An open stream with what it has sent so far, its first output being the last of it."""

    source: FrameSource
    held: list[Frame]

    @property
    def warnings(self) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self.source, "warnings", ())
        return found

    @property
    def dialect(self) -> str:
        found: str = getattr(self.source, "dialect", CANONICAL)
        return found


async def commit(opening: Awaitable[FrameSource], first_token: float) -> Committed:
    """Open and wait for output, holding back everything before it. Until then any failure is the next one's chance."""
    source: FrameSource | None = None
    held: list[Frame] = []
    size = 0
    try:
        async with asyncio.timeout(first_token):
            source = await opening
            while (frames := await source.next()) is not None:
                held += frames
                size += sum(len(frame.raw) for frame in frames)
                if size > _MOST_HELD:
                    raise Malformed(f"{_MOST_HELD} bytes came before any output")  # noqa: TRY301 - one way out
                # A proper end without output is an answer too: an empty one.
                if any(frame.kind in {Kind.OUTPUT, Kind.END} for frame in frames):
                    break
    except TimeoutError as error:
        _abandon(source)
        request_id = source.request_id if source else None
        raise FirstTokenTimeout(f"no output within {first_token:g} s", request_id=request_id) from error
    except TargetError as error:
        _abandon(source)
        error.request_id = error.request_id or (source.request_id if source else None)
        raise
    except BaseException:
        _abandon(source)
        raise
    return Committed(source, held)


def _abandon(source: FrameSource | None) -> None:
    if source is not None:
        source.close()
