"""An open stream of one provider, whatever its dialect."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from core.errors import TargetError
from core.net.transport import Incoming
from core.providers.contract import CANONICAL
from core.types.frame import Frame
from core.types.usage import Usage

_DRAIN_SECONDS = 0.05


class Reader(Protocol):
    """Bytes in, frames out; core.wire has one for each dialect. A translating one keeps its `losses`."""

    ended: bool

    @property
    def usage(self) -> Usage: ...
    @property
    def outputs(self) -> int:
        """Pieces of output so far, which is near the number of tokens."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the next `feed` raises, with no part needed."""
        ...

    @property
    def complete(self) -> bool:
        """Whether all output has come, even if the connection breaks now."""
        ...

    def feed(self, part: bytes) -> list[Frame]: ...
    def finish(self) -> list[Frame]:
        """The provider closed the stream: its last frames, or the error that it was not whole."""
        ...


class Frames:
    __slots__ = ("_answer", "_reader", "dialect", "request_id", "warnings")

    def __init__(
        self,
        answer: Incoming,
        reader: Reader,
        request_id: str | None,
        warnings: tuple[str, ...] = (),
        dialect: str = CANONICAL,
    ) -> None:
        self._answer = answer
        self._reader = reader
        self.request_id = request_id
        self.warnings = warnings
        self.dialect = dialect

    @property
    def usage(self) -> Usage:
        return self._reader.usage

    @property
    def outputs(self) -> int:
        return self._reader.outputs

    @property
    def losses(self) -> Sequence[str]:
        found: Sequence[str] = getattr(self._reader, "losses", ())
        return found

    async def next(self) -> list[Frame] | None:
        reader = self._reader
        if reader.ended:
            await self._drain()
            return None
        if reader.failed:
            return reader.feed(b"")
        try:
            part = await self._answer.part()
        except TargetError:
            if reader.complete:
                return reader.finish()  # all output is here; only the closing words are missing
            raise
        return reader.feed(part) if part else reader.finish()

    async def _drain(self) -> None:
        """Wait shortly for the end of the body, so that the connection can be used again."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._answer.part()
        except (TimeoutError, TargetError):
            return  # close() will drop the connection; the answer is whole

    def close(self) -> None:
        self._answer.close()
