"""The sound of a file as PCM, a block at a time: 16 bits, one channel."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from core.audio.measuring import too_long
from core.audio.opening import Source, opened, undecodable
from core.audio.resampling import Resampler

if TYPE_CHECKING:
    from av import AudioFrame

HEARD_AT = 16_000  # samples a second: what recognisers listen at
WIDTH = 2  # bytes of a sample
MOST_SECONDS = 24 * 3600.0
_GAP = 0.2  # seconds that are missing in a file's own time, and are then silence


def decode(source: Source, rate: int = HEARD_AT, most_seconds: float = MOST_SECONDS) -> Iterator[bytes]:
    """Blocks of about a second. What cannot be decoded is left out; BadAudio where that is all, or it does not end."""
    made = 0
    for block in _blocks(source, rate):
        made += len(block)
        if made > most_seconds * rate * WIDTH:
            raise too_long(made / rate / WIDTH, most_seconds)
        yield block


def silent(source: Source, level: int = 32) -> bool:
    """Whether nothing in it is louder than this: a microphone that was off, or nobody in the room (-60 dB)."""
    samples = (memoryview(block).cast("h") for block in decode(source))
    return all(max(block) <= level and min(block) >= -level for block in samples)


def _blocks(source: Source, rate: int) -> Iterator[bytes]:
    import av  # noqa: PLC0415 - who hears nothing needs no decoders

    mono = Mono(rate)
    heard = 0.0
    begun: float | None = None  # the file's own time at which what was heard would have begun
    with opened(source) as file:
        for packet in file.container.demux(file.stream):
            frames: list[AudioFrame] = []
            with suppress(av.FFmpegError):
                frames = packet.decode()
            for frame in frames:
                if frame.time is not None:
                    begun = frame.time if begun is None else begun
                    missing = frame.time - begun - heard
                    if missing > _GAP:  # a recorder that was paused, or that sends nothing while nobody speaks
                        yield from mono.end()
                        yield from _silence(missing, rate)
                        heard += missing
                    elif missing < -_GAP:  # another stream, which counts its own time
                        begun = frame.time - heard
                heard += frame.samples / frame.sample_rate
                yield from mono.add(frame)
        yield from mono.end()
        if not heard:
            raise undecodable(file.kind)


class Mono:
    """Frames of any form, which may change on the way, as one channel of 16 bits."""

    def __init__(self, rate: int, *, at_once: bool = False) -> None:
        """Blocks are of a second, or as they come."""
        self.rate = rate
        self._size = None if at_once else rate
        self._form: tuple[str, str, int] | None = None
        self._resampler: Resampler | None = None

    def add(self, frame: "AudioFrame") -> Iterator[bytes]:
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form != self._form or self._resampler is None:
            yield from self.end()
            self._form, self._resampler = form, Resampler("s16", "mono", self.rate, self._size)
        frame.pts = None
        yield from _pcm(self._resampler.resample(frame))

    def end(self) -> Iterator[bytes]:
        resampler, self._resampler = self._resampler, None
        if resampler:
            yield from _pcm(resampler.resample(None))


def _pcm(frames: "Iterable[AudioFrame]") -> Iterator[bytes]:
    for frame in frames:
        yield bytes(frame.planes[0])[: frame.samples * WIDTH]


def _silence(seconds: float, rate: int) -> Iterator[bytes]:
    left = round(seconds * rate)
    while left > 0:
        yield bytes(min(left, rate) * WIDTH)
        left -= rate
