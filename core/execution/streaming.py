"""A stream is ours to replace until its first semantic output; from then on it is the answer."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from core.errors import FirstTokenTimeout, Malformed, TargetError
from core.net.sessions import WAITED
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
    def losses(self) -> Sequence[str]:
        """All that is known of at its end."""
        found: Sequence[str] = getattr(self.source, "losses", ())
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
        waited = WAITED.get()
        if waited and (full := waited.full(asyncio.get_running_loop().time(), first_token)):
            raise full from error
        late = FirstTokenTimeout(f"no output within {first_token:g} s")
        _tell(late, source, held)
        raise late from error
    except TargetError as error:
        _abandon(source)
        _tell(error, source, held)
        raise
    except BaseException:
        _abandon(source)
        raise
    return Committed(source, held)


def _tell(error: TargetError, source: FrameSource | None, held: list[Frame]) -> None:
    """Add what is known of the stream that it ended: whoever had begun may have worked for it."""
    if source is None:
        return
    error.request_id = error.request_id or source.request_id
    if error.usage is None and source.usage.source != "unknown":
        error.usage = source.usage
    error.billed = error.billed or bool(held) or error.usage is not None


def _abandon(source: FrameSource | None) -> None:
    if source is not None:
        source.close()
