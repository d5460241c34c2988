"""Whether all of a file of sound is there, by what it says of itself."""

import io

from core.audio.opening import Readable, Source, reading

_LOST = 0.5  # seconds that no encoder's padding explains
_TAIL = 1 << 17  # in which the last page of Ogg begins
_HEAD = 1 << 18  # in which an mp3 says how long it is
_LAST = 4  # the flag of a stream's last page
_ENDLESS = 0x7FFF_0000  # sizes from which on they are written by who did not know them yet
_TELLS = (b"Xing", b"Info", b"VBRI")  # where an mp3 says it; else its length is reckoned from its first frames


def missing(source: Source, kind: str, told: float, found: float) -> str:
    """What lacks, in words; nothing where nothing does, or where nobody can know. `told` and `found` are seconds."""
    with reading(source) as file:
        if kind == "wav":
            return _of_wav(file)
        if kind == "ogg":
            return _of_ogg(file)
        if told - found < _LOST:
            return ""
        head = file.read(_HEAD) if kind == "mp3" else b""
        if kind == "mp3" and not any(one in head for one in _TELLS):
            return ""
    return f"its header says {told:.1f} s, and {found:.1f} s are there"


def _of_wav(file: Readable) -> str:
    read, seek = file.read, file.seek
    size = seek(0, io.SEEK_END)
    at = 12
    while at + 8 <= size:
        seek(at)
        head = read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            there = size - at - 8
            cut = there < length < _ENDLESS
            return f"its header says {length} bytes of sound, and {there} are there" if cut else ""
        at += 8 + length + length % 2
    return ""


def _of_ogg(file: Readable) -> str:
    read, seek = file.read, file.seek
    size = seek(0, io.SEEK_END)
    seek(max(0, size - _TAIL))
    tail = read()
    at = tail.rfind(b"OggS")
    return "" if at < 0 or at + 5 >= len(tail) or tail[at + 5] & _LAST else "its last page is missing"
