"""What bytes of speech are, by how they begin. Pure."""

from core.errors import Malformed
from core.types.audio import Sound, begins

_FMT = 12
_SPOKEN = frozenset({"flac", "mp3", "aac"})


def sound_of(data: bytes) -> Sound:
    """Their kind and, where the first bytes say it, their rate."""
    kind = begins(data[:64])
    if kind == "wav":
        return _wave(data)
    if kind == "ogg" and b"OpusHead" in data[:64]:
        return Sound("opus", 48000)
    if kind in _SPOKEN:
        return Sound(kind)
    raise Malformed("what came is no speech in a format that is known here")


def _wave(data: bytes) -> Sound:
    if data[_FMT : _FMT + 4] != b"fmt ":
        return Sound("wav")
    channels, rate = int.from_bytes(data[22:24], "little"), int.from_bytes(data[24:28], "little")
    return Sound("wav", rate, channels)
