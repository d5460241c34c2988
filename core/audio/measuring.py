"""How long a file of sound really is, what is in it, and whether there is anything to hear."""

import io
import re
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from core.audio.opening import Opened, Source, opened, reading, undecodable
from core.audio.whole import missing
from core.errors import BadAudio

if TYPE_CHECKING:
    from av import AudioStream, Packet

_CLOSE = 0.25  # seconds that an encoder's own padding explains
_TRIES = 200  # packets in which something must be heard
_OGG = b"OggS"
_OGG_PAGE = re.compile(rb"OggS\0[\0-\7]")  # and its flags
_BEGINS = 2  # the flag of a stream's first page
_CLUSTER = re.compile(
    rb"(?=\x1fC\xb6u(?:\x01.{7}|[\x08-\xff].{0,4}?)(?:\xbf.{5})?\xe7)", re.DOTALL
)  # its size, its time
_PIECE = 1 << 20


class Measured(NamedTuple):
    kind: str  # of the container: wav, mp3, m4a, mp4, ogg, flac, webm, aac
    codec: str
    ms: int
    rate: int
    channels: int
    missing: str = ""  # what of the file is not there


def measure(source: Source, most_seconds: float | None = None) -> Measured:
    """By what is in it, not by what its header claims; BadAudio where nothing can be heard, or too much."""
    chained = _is_chained(source)
    with opened(source) as file:
        codec = file.stream.codec_context.name
        told = _told(file)
        length = _by_packets(file) if chained else _by_its_end(file, told, _last_cluster(source, file.kind))
        if length <= 0:
            raise BadAudio(
                f"The {file.kind} file holds no sound: it is a header and nothing after it.", code="empty_audio"
            )
        rate, channels = _heard(file)
    if most_seconds is not None and length > most_seconds:
        raise too_long(length, most_seconds)
    lacks = missing(source, file.kind, told, length)
    return Measured(file.kind, _CODECS.get(codec, codec), round(length * 1000), rate, channels, lacks)


def length_of(source: Source) -> float:
    """In seconds, by where its last packet ends; BadAudio where it holds nothing."""
    with opened(source) as file:
        return _by_its_end(file, _told(file), b"")


def too_long(seconds: float, most_seconds: float) -> BadAudio:
    return BadAudio(
        f"The audio is {seconds:.0f} s long; at most {most_seconds:.0f} s are taken. Send it in parts.",
        code="too_long",
    )


_CODECS = {"mp3float": "mp3", "mp2float": "mp2", "mp1float": "mp1", "libopus": "opus", "libvorbis": "vorbis"}


def _told(file: Opened) -> float:
    """Seconds, as its header says."""
    duration, base = file.stream.duration, file.stream.time_base
    if file.kind == "webm" and not duration:
        duration, base = file.container.duration, Fraction(1, 1_000_000)
    return float(duration * base) if duration and base else 0.0


def _by_its_end(file: Opened, told: float, last_cluster: bytes) -> float:
    """Where its last packet ends. Going there costs a few ms; headers are only believed where they are close to it."""
    stream, base = file.stream, file.stream.time_base
    if file.kind == "wav" and stream.codec_context.name.startswith("pcm_"):
        return told  # libav reckons it from the bytes that are there
    found = 0.0
    if last_cluster:
        with suppress(BadAudio), opened(last_cluster) as end:
            found = _last(end)
    if not found and not (found := _last(file)):
        file.container.seek(0)
        return _by_packets(file)
    if file.kind == "mp3":  # alone says what its encoder added before and after the sound
        return told if abs(told - found) < _CLOSE else found
    begun = float((stream.start_time or 0) * base) if base else 0.0
    return found - begun if begun > _CLOSE else found


def _last(file: Opened) -> float:
    import av  # noqa: PLC0415 - who hears nothing needs no decoders

    with suppress(av.FFmpegError):
        file.container.seek(2**62 // (file.stream.time_base or Fraction(1)).denominator, stream=file.stream)
        return max((_end(packet) for packet in file.container.demux(file.stream)), default=0.0)
    return 0.0


def _last_cluster(source: Source, kind: str) -> bytes:
    """The header of a WebM file and its last piece: recorders write no index, and looking for the end costs 50 ms."""
    if kind != "webm":
        return b""
    with reading(source) as file:
        head = _CLUSTER.split(file.read(_PIECE >> 2), 1)
        size = file.seek(0, io.SEEK_END)
        for count in (_PIECE >> 2, _PIECE << 1):
            file.seek(max(size - count, 0))
            tail = file.read()
            at = max((found.start() for found in _CLUSTER.finditer(tail)), default=-1)
            if at >= 0 and len(head) > 1:
                return head[0] + tail[at:]
    return b""


def _by_packets(file: Opened) -> float:
    import av  # noqa: PLC0415 - as above

    total = 0.0
    with suppress(av.FFmpegError):  # a file that is cut off ends with one
        for packet in file.container.demux(file.stream):
            total += float((packet.duration or 0) * packet.time_base)
    file.container.seek(0)
    return total


def _end(packet: "Packet[AudioStream]") -> float:
    return 0.0 if packet.pts is None else float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _heard(file: Opened) -> tuple[int, int]:
    """Rate and channels of what is really in it: headers of some kinds know only half of either."""
    import av  # noqa: PLC0415 - as above

    file.container.seek(0)
    for _, packet in zip(range(_TRIES), file.container.demux(file.stream), strict=False):
        with suppress(av.FFmpegError):
            for frame in packet.decode():
                return frame.sample_rate, len(frame.layout.channels)
    raise undecodable(file.kind)


def _is_chained(source: Source) -> bool:
    """Ogg streams may follow each other in one file, and each counts its time anew."""
    with reading(source) as file:
        if file.read(len(_OGG)) != _OGG:
            return False
        file.seek(0)
        rest, going = b"", False
        while piece := file.read(_PIECE):
            for page in _OGG_PAGE.finditer(rest + piece):
                first = page[0][-1] & _BEGINS
                if first and going:
                    return True
                going = going or not first
            rest = piece[-len(_OGG) - 1 :]
    return False
