"""Pieces of speech said one by one, made one: no click where they meet, and no longer a pause than people make."""

from array import array

from core.audio.decoding import WIDTH

_FADE = 0.005  # seconds
_LEAD = 0.04  # of silence before a piece, after another one, that is kept
_TRAIL = 0.2  # and behind a piece
_LEVEL = 48  # up to it is silence: -57 dB
_LOOK = 64  # samples looked at in one go


class Joiner:
    """PCM of one channel at one rate. `add` what comes of a piece, `piece` when it is over: both give what is done."""

    def __init__(self, rate: int) -> None:
        self._fade = round(rate * _FADE)
        self._lead, self._trail = round(rate * _LEAD), round(rate * _TRAIL)
        self._held = array("h")  # of which it is not known yet whether the piece ends with it
        self._rest = b""
        self.skipped = 0  # samples of silence that the piece began with and were left out
        self._pieces = 0
        self._sounds = False  # whether the piece does yet

    def add(self, pcm: bytes) -> bytes:
        pcm = self._rest + pcm
        whole = len(pcm) // WIDTH * WIDTH
        self._rest = pcm[whole:]
        self._held.frombytes(pcm[:whole])
        if not self._sounds and not self._begins():
            return b""
        return self._taken(len(self._held) - max(_quiet(self._held, -1), self._fade))

    def piece(self, *, last: bool = False) -> bytes:
        """What is left of the piece that is over; the last one may be silent at its end for as long as it likes."""
        if self._sounds:
            spare = 0 if last else _quiet(self._held, -1) - self._trail
            if spare > 0:
                del self._held[-spare:]
            _fade(self._held, range(len(self._held) - 1, -1, -1), self._fade)
            self._pieces += 1
        else:
            self._held = array("h")
        self._sounds, self._rest, self.skipped = False, b"", 0
        return self._taken(len(self._held))

    def _begins(self) -> bool:
        if self._pieces:  # the first may begin as it likes, and at once
            quiet = _quiet(self._held, 1)
            silent = quiet == len(self._held)
            spare = max(quiet - self._lead, 0)
            self.skipped += spare
            del self._held[:spare]
            if silent:
                return False
        if len(self._held) < self._fade:
            return False
        _fade(self._held, range(len(self._held)), self._fade)
        self._sounds = True
        return True

    def _taken(self, count: int) -> bytes:
        ready = self._held[: max(count, 0)].tobytes()
        del self._held[: max(count, 0)]
        return ready


def _quiet(samples: "array[int]", step: int) -> int:
    """How many samples are silent from the beginning on (step 1), or before the end (-1), counted in looks."""
    count, whole = 0, len(samples)
    while count < whole:
        part = samples[count : count + _LOOK] if step > 0 else samples[max(whole - count - _LOOK, 0) : whole - count]
        if max(part) > _LEVEL or min(part) < -_LEVEL:
            break
        count += len(part)
    return count


def _fade(samples: "array[int]", way: range, count: int) -> None:
    """Make the first samples on this way grow out of silence."""
    for place, at in enumerate(way[:count]):
        samples[at] = samples[at] * place // count
