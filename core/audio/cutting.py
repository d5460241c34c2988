"""Long sound in parts that fit one request each, cut where nobody speaks."""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from core.audio.decoding import HEARD_AT, MOST_SECONDS, WIDTH, decode
from core.audio.encoding import Encoder
from core.audio.measuring import measure
from core.audio.opening import Source
from core.audio.pauses import STEP_MS, best, levels
from core.types.audio import Audio, Sound

_STEP = HEARD_AT * STEP_MS // 1000  # samples
_SPAN = 30_000 // STEP_MS  # how far from the even share a better pause is looked for
_ROOM = 0.9  # of what fits a part, when shares are reckoned: pauses lie where they lie
_PADDING = 0.25  # seconds that an encoder may put around what it is given
_HEADERS = 16_384  # bytes of a part that are no sound
# The most bytes that a second of it can take, and its codec.
_SIZES = {
    "flac": (2 * HEARD_AT, "flac"),
    "wav": (2 * HEARD_AT, "pcm_s16le"),
    "mp3": (8_000, "mp3"),
    "m4a": (12_000, "aac"),
    "ogg": (12_000, "opus"),
    "webm": (12_000, "opus"),
    "aac": (12_000, "aac"),
}


class Part(NamedTuple):
    start_ms: int  # in the whole
    audio: Audio


class _Share(NamedTuple):
    """Where a part may end and where it best would, in steps from its beginning."""

    first: int
    aim: int
    last: int


def cut(
    source: Source,
    most_seconds: float | None = None,
    most_bytes: int | None = None,
    kind: str = "flac",
    most_in_all: float = MOST_SECONDS,
) -> Iterator[Part]:
    """Parts one after another, each made when it is asked for; all of it is in them, and none is longer than allowed.

    They are of one channel at the rate at which recognisers listen, whatever the whole is.
    """
    total = measure(source, most_in_all).ms // STEP_MS
    limit = _limit(most_seconds, most_bytes, kind)
    cutter = _Cutter(kind, _share(total, limit))
    for block in decode(source, HEARD_AT, most_in_all):
        cutter.add(block)
        while part := cutter.cut():
            yield part
            cutter.begin(_share(total - cutter.begun, limit))
    if last := cutter.end():
        yield last


class _Cutter:
    """The part that is being made, and the sound behind it of which nobody knows yet where it belongs."""

    def __init__(self, kind: str, share: _Share) -> None:
        self._sound = Sound(kind, HEARD_AT)
        self._held = bytearray()
        self.begun = 0  # in steps of the whole
        self.begin(share)

    def begin(self, share: _Share) -> None:
        self._share = share
        self._encoder = Encoder(self._sound, whole=True)
        self._bytes = 0  # of its PCM that are encoded

    def add(self, pcm: bytes) -> None:
        self._held += pcm

    def cut(self) -> Part | None:
        """The part, once there is more sound than may be in it."""
        first, aim, last = self._share
        if (sure := first * _STEP * WIDTH - self._bytes) > 0:
            self._encode(min(sure, len(self._held)))
        most = last * _STEP * WIDTH - self._bytes
        if len(self._held) <= most:
            return None
        with memoryview(self._held) as held, held[:most] as window:
            at = max(best(levels(window, _STEP), aim - first), 1)
        self._encode(at * _STEP * WIDTH)
        return self._finish()

    def end(self) -> Part | None:
        self._encode(len(self._held))
        return self._finish() if self._bytes else None

    def _encode(self, count: int) -> None:
        with memoryview(self._held) as held:
            self._encoder.add(bytes(held[:count]))
        del self._held[:count]
        self._bytes += count

    def _finish(self) -> Part:
        kind, start = self._sound.kind, self.begun * STEP_MS
        ms = round(self._bytes * 1000 / (HEARD_AT * WIDTH))
        self.begun += self._bytes // (_STEP * WIDTH)
        return Part(start, Audio(self._encoder.end(), kind, _SIZES[kind][1], ms, HEARD_AT))


def _limit(most_seconds: float | None, most_bytes: int | None, kind: str) -> int:
    """The most steps of a part; a second, where less than that would fit, for a word has to."""
    seconds = [MOST_SECONDS if most_seconds is None else most_seconds - _PADDING]
    if most_bytes is not None:
        seconds.append((most_bytes - _HEADERS) / _SIZES[kind][0])
    return int(max(min(seconds), 1.0) * 1000) // STEP_MS


def _share(left: int, limit: int) -> _Share:
    """Parts of about the same length are done at about the same time."""
    if left <= limit:
        return _Share(max(limit - _SPAN, 1), limit, limit)  # it ends before, unless it is longer than was measured
    count = ceil(left / (limit * _ROOM))
    aim = left // count
    return _Share(max(aim - _SPAN, left - (count - 1) * limit, 1), aim, min(aim + _SPAN, limit))
