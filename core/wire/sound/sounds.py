"""What bytes of speech are, by how they begin. Pure."""

from core.errors import Malformed
from core.types.audio import Sound

_RIFF, _FMT = b"RIFF", 12


def sound_of(data: bytes) -> Sound:
    """Their kind and, where the first bytes say it, their rate."""
    if data.startswith(_RIFF) and data[8:12] == b"WAVE":
        return _wave(data)
    if data.startswith(b"OggS") and b"OpusHead" in data[:64]:
        return Sound("opus", 48000)
    if data.startswith(b"fLaC"):
        return Sound("flac")
    if data.startswith(b"ID3"):
        return Sound("mp3")
    if data[:1] == b"\xff" and len(data) > 1:
        if data[1] & 0xF6 == 0xF0:
            return Sound("aac")  # its layer is 0, which no layer of MPEG audio is
        if data[1] & 0xE0 == 0xE0:
            return Sound("mp3")
    raise Malformed("what came is no speech in a format that is known here")


def _wave(data: bytes) -> Sound:
    if data[_FMT : _FMT + 4] != b"fmt ":
        return Sound("wav")
    channels, rate = int.from_bytes(data[22:24], "little"), int.from_bytes(data[24:28], "little")
    return Sound("wav", rate, channels)
