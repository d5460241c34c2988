"""A text said by one target, in one request or in several: one stream of the sound that is wanted.

What comes as it is wanted passes untouched. All else is made PCM and encoded once, so that parts join without a gap
and without a click. Work on sound is done beside the loop.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import reduce
from typing import Any

from core.errors import AdapterBroken, Malformed, StreamCut, TargetError
from core.providers.contract import FrameSource
from core.types.audio import Sound, Word
from core.types.frame import Frame, Kind
from core.types.usage import UNKNOWN_USAGE, Usage, added

Ask = Callable[[str], Awaitable[FrameSource]]  # one request for one part of the text

log = logging.getLogger("patchbay")

RATE = 24_000  # of sound whose rate nobody asked for
_HEAD = 64  # bytes of a file that need not be sound yet
_MOST_AHEAD = 4 * 2**20  # bytes of the next part that are held, before its provider has to wait
_TRIES = 2  # at a part that comes after the first, of which nothing has been heard


class Saying:
    """A FrameSource. `sound` is what its bytes are; `boundaries` are all words' times, after the end."""

    dialect = "speech"

    def __init__(
        self, ask: Ask, texts: Sequence[str], wanted: Sound, pause: Callable[[TargetError], float], *, counted: bool
    ) -> None:
        """`pause` is how long to wait after an error; `counted`: what is counted here is what is sold."""
        self.sound = wanted
        self.request_id: str | None = None
        self.boundaries: list[Word] = []
        self._parts = [_Part(ask, text, pause, counted=counted) for text in texts]
        self._at = 0
        self._pipe: _Pipe | None = None
        self._passes: bool | None = None  # untouched; not known before there is sound
        self._size = 0  # bytes given
        self._ended = self._closed = False

    async def open(self) -> "Saying":
        """The first request; until it is answered nobody can say whether anything will come of it."""
        self.request_id = await self._parts[0].open()
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(words for part in self._parts for words in part.told("warnings")))

    @property
    def losses(self) -> Sequence[str]:
        return tuple(dict.fromkeys(words for part in self._parts for words in part.told("losses")))

    @property
    def usage(self) -> Usage:
        """The sum; unknown as soon as one part's is, because it would be too low."""
        found = [usage for part in self._parts for usage in part.usages]
        total = reduce(added, found, UNKNOWN_USAGE)
        characters = sum(one.characters for one in found)
        if any(one.source == "unknown" for one in found):
            return UNKNOWN_USAGE._replace(characters=characters)
        return total._replace(characters=characters)

    @property
    def outputs(self) -> int:
        return sum(part.source.outputs for part in self._parts if part.source is not None)

    async def next(self) -> list[Frame] | None:
        part = self._parts[self._at]
        if self._ended:
            return await part.goodbye()
        if self._closed:
            raise StreamCut("the speech was given up")
        frames = await part.next()
        if self._closed:
            raise StreamCut("the speech was given up")
        if frames is None:
            raise StreamCut("the speech ended without its end")
        if self._passes is None and any(frame.kind is Kind.OUTPUT for frame in frames):
            self._passes = self._fits(part.sound)
        return self._passed(frames, part) if self._passes else await self._made(frames, part)

    def close(self) -> None:
        self._closed = True
        for part in self._parts:
            part.close()

    def _fits(self, sound: Sound) -> bool:
        if len(self._parts) > 1 or sound.kind != self.sound.kind:
            return False
        return sound == self.sound if sound.kind == "pcm" else self.sound.rate == RATE

    def _passed(self, frames: list[Frame], part: "_Part") -> list[Frame]:
        given: list[Frame] = []
        for frame in frames:
            self._size += len(frame.raw)
            head = frame.kind is Kind.OUTPUT and self._size <= _HEAD and self.sound.kind != "pcm"
            given.append(Frame(frame.raw, Kind.META) if head else frame)
            if frame.kind is Kind.END:
                self.boundaries += part.boundaries
                self._end()
        return given

    async def _made(self, frames: list[Frame], part: "_Part") -> list[Frame]:
        """Decoded, joined and encoded; of a part that is over the next one follows."""
        raw = b"".join(frame.raw for frame in frames)
        over = bool(frames) and frames[-1].kind is Kind.END
        last = over and self._at == len(self._parts) - 1
        part.heard += len(raw)
        if not over and not raw:
            return []
        if not part.heard:
            raise Malformed("the answer is no sound: it ended before any came")
        self._pipe = pipe = self._pipe or _Pipe(self.sound)
        begun = pipe.seconds
        ready = await asyncio.to_thread(pipe.add, part.sound, raw, over=over, last=last)
        if raw and self._at + 1 < len(self._parts):
            self._parts[self._at + 1].ahead()
        if over:
            start = (begun if part.start is None else part.start) - pipe.skipped
            self.boundaries += [
                word._replace(start=word.start + start, end=word.end + start) for word in part.boundaries
            ]
        elif part.start is None:
            part.start = begun
        self._size += len(ready)
        given = [Frame(ready, Kind.OUTPUT)] if ready else []
        if last:
            self._end()
            return [*given, Frame(b"", Kind.END)]
        if over:
            part.leave()
            self._at += 1
            self._parts[self._at].ahead()
        return given

    def _end(self) -> None:
        if not self._size:
            raise Malformed("the answer is no sound: it ended before any came")
        self._ended = True


class _Pipe:
    """From sound of any kind to one stream of the kind that is wanted."""

    def __init__(self, wanted: Sound) -> None:
        from core.audio.converting import Decoder  # noqa: PLC0415 - most speech is passed on as it is
        from core.audio.encoding import Encoder  # noqa: PLC0415 - as above
        from core.audio.joining import Joiner  # noqa: PLC0415 - as above

        self._decoder_of: Callable[[Sound, int], Any] = Decoder
        self._decoder: Any = None
        self._rate = wanted.rate
        self._joiner = Joiner(wanted.rate)
        self._encoder = Encoder(wanted)
        self._samples = 0
        self.skipped = 0.0  # seconds of silence that the last part began with and were left out

    @property
    def seconds(self) -> float:
        """How long what was joined so far is."""
        return self._samples / self._rate

    def add(self, sound: Sound, raw: bytes, *, over: bool, last: bool) -> bytes:
        self._decoder = self._decoder or self._decoder_of(sound, self._rate)
        pcm = self._joiner.add(self._decoder.add(raw)) if raw else b""
        if over:
            pcm += self._joiner.add(self._decoder.end())
            self.skipped = self._joiner.skipped / self._rate
            pcm += self._joiner.piece(last=last)
            self._decoder = None
        self._samples += len(pcm) // 2
        ready: bytes = self._encoder.add(pcm) if pcm else b""
        return ready + self._encoder.end() if last else ready


class _Part:
    """One request. What comes ahead of its time is held."""

    def __init__(self, ask: Ask, text: str, pause: Callable[[TargetError], float], *, counted: bool) -> None:
        self.source: FrameSource | None = None
        self.start: float | None = None  # seconds, in the whole
        self.heard = 0  # bytes
        self._ask, self._text, self._pause, self._is_counted = ask, text, pause, counted
        self._task: asyncio.Task[None] | None = None
        self._held: deque[list[Frame]] = deque()
        self._size = 0
        self._begun = False  # there is sound, which the next try would say again
        self._more, self._room = asyncio.Event(), asyncio.Event()
        self._error: TargetError | None = None
        self._over = False
        self._spent: list[Usage] = []  # by tries that came to nothing

    @property
    def usages(self) -> list[Usage]:
        return self._spent if self.source is None else [*self._spent, self._counted(self.source.usage)]

    @property
    def sound(self) -> Sound:
        found: Sound = getattr(self.source, "sound")  # noqa: B009 - of a source of speech alone
        return found

    @property
    def boundaries(self) -> Sequence[Word]:
        found: Sequence[Word] = getattr(self.source, "boundaries", ())
        return found

    def told(self, name: str) -> Sequence[str]:
        found: Sequence[str] = getattr(self.source, name, ())
        return found

    async def open(self) -> str | None:
        """Its request's id."""
        self.source = await self._ask(self._text)
        return self.source.request_id

    def ahead(self) -> None:
        """Begin now, whoever reads it later."""
        if self._task is None:
            self._task = asyncio.create_task(self._fetch())

    async def next(self) -> list[Frame] | None:
        if self._task is None:
            return None if self.source is None else await self.source.next()
        while not self._held and not self._over:
            self._more.clear()
            await self._more.wait()
        if self._held:
            frames = self._held.popleft()
            self._size -= sum(len(frame.raw) for frame in frames)
            self._room.set()
            return frames
        if self._error is not None:
            raise self._error
        return None

    async def goodbye(self) -> list[Frame] | None:
        """The end of the connection, so that it can be used again."""
        return None if self.source is None or self._task is not None else await self.source.next()

    def leave(self) -> None:
        """It is over; that of the connection is waited for beside what follows."""
        if self._task is None and self.source is not None:
            self._task = asyncio.create_task(_let_go(self.source))

    def close(self) -> None:
        self._over = True
        if self._task is not None:
            self._task.cancel()
        if self.source is not None:
            self.source.close()
        self._more.set()

    def _counted(self, usage: Usage) -> Usage:
        if usage.source != "unknown" or usage.characters:
            return usage
        return Usage("reported" if self._is_counted else "unknown", characters=len(self._text))

    async def _fetch(self) -> None:
        for left in reversed(range(_TRIES)):
            try:
                await self._read()
                break
            except TargetError as error:
                if not left or not error.again or self._begun:
                    self._error = error
                    break
                await asyncio.sleep(self._pause(error))
            except Exception as bug:
                log.exception("the adapter failed at a part of a text")
                words = f"the adapter failed ({type(bug).__name__}); the gateway's log has the trace"
                self._error = AdapterBroken(words)
                break
        self._over = True
        self._more.set()

    async def _read(self) -> None:
        """All of it. A try that fails before there is sound leaves nothing but what it used."""
        source = self.source = await self._ask(self._text)
        ended = False
        try:
            while not ended and (frames := await source.next()) is not None:
                ended = any(frame.kind is Kind.END for frame in frames)
                self._begun = self._begun or any(frame.raw for frame in frames)
                if frames:
                    self._held.append(frames)
                    self._size += sum(len(frame.raw) for frame in frames)
                    self._more.set()
                while self._size > _MOST_AHEAD and not ended:
                    self._room.clear()
                    await self._room.wait()
        except TargetError:
            if not self._begun:
                self._spent.append(self._counted(source.usage))
                self.source = None
            source.close()
            raise
        if ended:
            self._over = True
            self._more.set()
        await _let_go(source)


async def _let_go(source: FrameSource) -> None:
    """Read the end of the connection, so that it can be used again."""
    try:
        with suppress(TargetError):  # what it was for is there: how it ends does not matter
            await source.next()
    finally:
        source.close()
