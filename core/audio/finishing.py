"""A stream that is whole now: how long it is, said in its head, where its maker could not know."""

from pathlib import Path
from struct import pack
from typing import BinaryIO

from core.audio.measuring import length_of

_RIFF, _CHUNK = 12, 8  # bytes of the head of a WAV, and of one of its chunks
_LEAST_ENDLESS = 0x7FFFFFFF - 1024
_FLAC, _INFO = b"fLaC", 8  # where the facts of a FLAC begin
_TOTAL = 13  # bytes into them: the low half of one, and four more, say how many samples there are


def finished(data: bytes) -> bytes:
    """The same with its length in its head, if it is a WAV or FLAC that says none."""
    found = _patch(data[:4096], len(data), data)
    return data if found is None else data[: found[0]] + found[1] + data[found[0] + len(found[1]) :]


def finish(path: Path) -> None:
    """The same of a file where it lies."""
    with path.open("r+b") as file:
        found = _patch(file.read(4096), path.stat().st_size, file)
        if found is not None:
            file.seek(found[0])
            file.write(found[1])


def _patch(head: bytes, size: int, source: bytes | BinaryIO) -> tuple[int, bytes] | None:
    """Where which bytes have to stand in place of others."""
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return _of_wav(head, size)
    if head.startswith(_FLAC) and len(head) > _INFO + _TOTAL + 5:
        return _of_flac(head, source)
    return None


def _of_wav(head: bytes, size: int) -> tuple[int, bytes] | None:
    at = _RIFF
    while at + _CHUNK <= len(head) and head[at : at + 4] != b"data":
        at += _CHUNK + int.from_bytes(head[at + 4 : at + 8], "little")
    told = int.from_bytes(head[at + 4 : at + 8], "little")
    if at + _CHUNK > len(head) or 0 < told < _LEAST_ENDLESS or size > _LEAST_ENDLESS:
        return None
    made = bytearray(head[4 : at + _CHUNK])
    made[:4] = pack("<I", size - 8)
    made[-4:] = pack("<I", size - at - _CHUNK)
    return 4, bytes(made)


def _of_flac(head: bytes, source: bytes | BinaryIO) -> tuple[int, bytes] | None:
    at = _INFO + _TOTAL
    rate = int.from_bytes(head[_INFO + 10 : _INFO + 13], "big") >> 4
    if head[at] & 0x0F or any(head[at + 1 : at + 5]):
        return None
    total = round(length_of(source) * rate)
    return at, bytes([head[at] | (total >> 32 & 0x0F)]) + (total & 0xFFFFFFFF).to_bytes(4, "big")
