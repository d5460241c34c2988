"""Speech that simulators say and hear: every word is in the sound itself, as tones.

A word is a row of symbols of 32 ms, one byte each: a tone of sixteen for its low half and one for its high half, both
within what a telephone carries. First a mark, then how many bytes come (and whether they go on with the word
before), then the word in UTF-8, then a check. The speaker's own tone sounds all the while. What `say` made survives
the usual encoders, resampling, other levels and a little noise; a word that is cut or drowned is not heard at all.
"""

import io
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.audio import decode

Samples = NDArray[np.int16]
Floats = NDArray[np.float32]

SYMBOL = 0.032
EDGE = 0.004  # of a symbol and of a word: without it every change of tones would click
BIN = 1 / SYMBOL
# In bins. Every second one: the analysis' window blurs a tone over its neighbours, and no further.
SPEAKERS = tuple(range(6, 18, 2))
LOW = tuple(range(20, 52, 2))
HIGH = tuple(range(54, 86, 2))
MARK = 0xC5
JOINED = 0x80  # set in the length: these bytes go on with the word before
MOST_BYTES = 60  # of a word in one breath; a longer one is said in several that are told to be one
BREATH = 0.032  # between those
PAUSE = 0.128
PAUSES = {**dict.fromkeys(".!?…。!?", 0.480), **dict.fromkeys(",;:,、;:", 0.288)}
LEVEL = 0.16  # of each of three tones

_RATE = 8000  # everything is heard at this rate
_WIDTH = round(SYMBOL * _RATE)
_STEPS = 8  # places within a symbol that are looked at: 4 ms each
_HOP = _WIDTH // _STEPS
_BLOCK = 60 * _RATE
_QUIET = 1e-3  # an amplitude below which nothing is a word
_CLEAR = 0.55  # of what sounds in a band, what the loudest tone must have
_NEAR = 3  # hops around the middle of a mark within which the word may begin


@dataclass(frozen=True, slots=True)
class Heard:
    """One word; times in seconds from the beginning of what was heard."""

    word: str
    start: float
    end: float
    speaker: int


def say(text: str, speaker: int = 0, rate: int = 16_000, speed: float = 1.0) -> Samples:
    """About 150 words a minute; what separates words is said as silence, so runs of it are not kept.

    Who speaks faster pauses for less: words themselves could not be read at another speed.
    """
    if not 0 <= speaker < len(SPEAKERS):
        raise ValueError(f"There are {len(SPEAKERS)} speakers, and {speaker} is none of them.")
    parts: list[Samples] = []
    for word in text.split():
        for last, joined, piece in _pieces(word):
            parts.append(_sung(_symbols(piece, speaker, joined=joined), speaker, rate))
            parts.append(silence(_pause(word) / speed if last else BREATH, rate))
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def silence(seconds: float, rate: int = 16_000) -> Samples:
    return np.zeros(round(seconds * rate), np.int16)


def wav(samples: Samples, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def hear(samples: Samples, rate: int = 16_000) -> list[Heard]:
    """What was said in it, with times that are right to a hundredth of a second."""
    found: list[tuple[bool, Heard]] = []
    power = np.concatenate([_TONES[:0, : len(_BINS)], *_powers(_at_our_rate(samples, rate))])
    for joined, heard in _words(power):
        if joined and found and heard.start - found[-1][1].end < PAUSE / 2:
            first = found.pop()
            heard = Heard(first[1].word + heard.word, first[1].start, heard.end, heard.speaker)  # noqa: PLW2901 (the two are one)
        found.append((joined, heard))
    return [heard for _, heard in found]


def heard(data: bytes | bytearray) -> list[Heard]:
    """What was said in a file of any kind."""
    return hear(*samples(data))


def samples(data: bytes | bytearray, rate: int = 16_000) -> tuple[Samples, int]:
    """What a file of any kind sounds like, as one channel; BadAudio where it is none."""
    return np.frombuffer(b"".join(decode(data, rate)), "<i2"), rate


def text(heard: Iterable[Heard]) -> str:
    return " ".join(each.word for each in heard)


def _pieces(word: str) -> Iterator[tuple[bool, bool, bytes]]:
    """(is it the last, does it go on with one before, its bytes); no character is broken."""
    rest, joined = word, False
    while rest:
        piece = rest.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")
        rest = rest[len(piece) :]
        yield not rest, joined, piece.encode("utf-8", "replace")
        joined = True


def _pause(word: str) -> float:
    return PAUSES.get(word.rstrip("\"'»”’)")[-1:], PAUSE)


def _symbols(piece: bytes, speaker: int, *, joined: bool) -> bytes:
    body = bytes([len(piece) | (JOINED if joined else 0)]) + piece
    return bytes([MARK]) + body + bytes([_check(body, speaker)])


def _check(body: bytes, speaker: int) -> int:
    return crc32(body, speaker + 1) & 0xFF


def _sung(symbols: bytes, speaker: int, rate: int) -> Samples:
    """Times are counted from the word's beginning, so that lengths never drift from whole samples."""
    at = np.arange(round(len(symbols) * SYMBOL * rate)) / rate
    index = np.minimum((at / SYMBOL).astype(np.intp), len(symbols) - 1)
    values = np.frombuffer(symbols, np.uint8)
    low = np.array(LOW)[values & 15][index]
    high = np.array(HIGH)[values >> 4][index]
    within = at - index * SYMBOL
    fade = np.sin(np.pi / 2 * np.clip(np.minimum(within, SYMBOL - within) / EDGE, 0, 1)) ** 2
    ends = np.sin(np.pi / 2 * np.clip(np.minimum(at, at[-1] - at) / EDGE, 0, 1)) ** 2
    turn = 2 * np.pi * BIN * at
    sound = fade * (np.sin(turn * low) + np.sin(turn * high)) + ends * np.sin(turn * SPEAKERS[speaker])
    return np.asarray(np.round(sound * LEVEL * 32767), np.int16)


def _tones() -> Floats:
    """Columns of cosines, then of sines, under a window; a tone of amplitude 1 gives 1."""
    window = np.hanning(_WIDTH + 1)[:-1]
    turn = 2 * np.pi * np.outer(np.arange(_WIDTH), _BINS) / _WIDTH
    both = np.concatenate([np.cos(turn), np.sin(turn)], axis=1) * window[:, None]
    return np.asarray(both * 2 / window.sum(), np.float32)


_BINS = np.array(SPEAKERS + LOW + HIGH)
_TONES = _tones()
_GROUPS = (slice(0, 6), slice(6, 22), slice(22, 38))


def _at_our_rate(samples: Samples, rate: int) -> Floats:
    """Each sample is the mean of what sounds in its time: the integral of the sound, read where samples begin."""
    if rate == _RATE:
        return np.multiply(samples, np.float32(1 / 32768), dtype=np.float32)
    parts: list[Floats] = []
    step = rate * 10  # ten seconds are a whole number of samples at either rate
    for first in range(0, len(samples), step):
        part = samples[first : first + step]
        total = np.concatenate([[0.0], np.cumsum(part, dtype=np.float64)])
        edges = np.arange(len(part) * _RATE // rate + 1) * (rate / _RATE)
        heard = np.diff(np.interp(edges, np.arange(len(total)), total)) * (_RATE / rate / 32768)
        parts.append(heard.astype(np.float32))
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _powers(sound: Floats) -> Iterator[Floats]:
    """The power of every tone at every hop; half a symbol of silence before, so that a word may begin at once."""
    sound = np.concatenate([np.zeros(_WIDTH // 2, np.float32), sound, np.zeros(_WIDTH, np.float32)])
    for first in range(0, len(sound) - _WIDTH + 1, _BLOCK):
        windows = sliding_window_view(sound[first : first + _BLOCK + _WIDTH - _HOP], _WIDTH)[::_HOP]
        both = windows @ _TONES
        yield np.square(both[:, : len(_BINS)]) + np.square(both[:, len(_BINS) :])


def _words(power: Floats) -> Iterator[tuple[bool, Heard]]:
    _, low, high = (power[:, group] for group in _GROUPS)
    values = low.argmax(1) | high.argmax(1) << 4
    loudest = np.minimum(low.max(1), high.max(1))
    clear = np.minimum(low.max(1) / (low.sum(1) + 1e-12), high.max(1) / (high.sum(1) + 1e-12))
    clear[loudest < _QUIET**2] = 0
    marks = np.flatnonzero((values == MARK) & (clear > _CLEAR))
    after = 0
    for run in np.split(marks, np.flatnonzero(np.diff(marks) > 1) + 1):
        if not len(run) or (middle := int(run[0] + run[-1]) // 2) < after - _NEAR:
            continue  # within a word that was heard already
        if found := _word(power, values, clear, middle):
            joined, heard, after = found
            yield joined, heard


def _word(power: Floats, values: NDArray[np.intp], clear: Floats, middle: int) -> tuple[bool, Heard, int] | None:
    """The reading around this mark that is clearest among those whose check is right."""
    best: tuple[float, int, bytes, int] | None = None
    for first in range(max(middle - _NEAR, 0), min(middle + _NEAR + 1, len(values) - _STEPS)):
        count = int(values[first + _STEPS]) & ~JOINED
        at = slice(first, first + (count + 3) * _STEPS, _STEPS)
        body, sure = bytes(values[at].astype(np.uint8)), clear[at]
        if len(body) < count + 3 or sure.min() < _CLEAR:
            continue
        speaker = int(power[at, _GROUPS[0]].sum(0).argmax())
        if body[0] == MARK and body[-1] == _check(body[1:-1], speaker) and (not best or sure.sum() > best[0]):
            best = float(sure.sum()), first, body, speaker
    if not best:
        return None
    _, first, body, speaker = best
    start = (first * _HOP - _WIDTH // 2) / _RATE
    word = body[2:-1].decode("utf-8", "replace")
    heard = Heard(word, max(round(start, 3), 0.0), round(start + len(body) * SYMBOL, 3), speaker)
    return bool(body[1] & JOINED), heard, first + len(body) * _STEPS
