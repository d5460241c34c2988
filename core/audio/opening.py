"""A file of sound opened by libav: no more of it than what is needed, and nothing that it leads to."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from core.audio.kinds import DEMUXERS, HEAD, TAKEN, refusal, sniff, tagged
from core.errors import BadAudio

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import InputContainer

# What is in memory, where it lies, or a file that can be sought in.
Source = bytes | bytearray | memoryview | str | Path | BinaryIO

RATES = range(2000, 768_001)
MOST_CHANNELS = 64
_NOWHERE = -1  # what libav takes for a place that cannot be gone to
_TAGS = 4  # more than one is rare, and any number would be a way to keep us busy
# Of films only the sound is looked at: a picture of a cover may be as large as its maker liked.
_DECODERS = (
    "aac", "ac3", "alac", "amrnb", "amrwb", "eac3", "flac", "gsm_ms", "mp1float", "mp2float", "mp3float", "mp3",
    "opus", "speex", "vorbis", "wmav2",
)  # fmt: skip


class Opened(NamedTuple):
    kind: str
    container: "InputContainer"
    stream: "AudioStream"


class _Held:
    """Bytes as a file, without a copy of them."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        end = len(self._view) if size < 0 else self._at + size
        found = bytes(self._view[self._at : end])
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + (0, self._at, len(self._view))[whence]
        if at < 0:
            return _NOWHERE
        self._at = at
        return at

    def tell(self) -> int:
        return self._at


class _File:
    """A file where it lies. Damaged ones send their readers to places before their beginning."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return _NOWHERE


Readable = _Held | _File


@contextmanager
def reading(source: Source) -> Iterator[Readable]:
    """The source as a file at its beginning; one that was handed in stays open."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield _Held(source)
    elif isinstance(source, (str, Path)):
        with Path(source).open("rb") as file:
            yield _File(file)
    else:
        source.seek(0)
        yield _File(source)


def kind_of(file: Readable) -> str:
    """What it is by its first bytes behind all tags; the file is at its beginning again after it."""
    at, head = 0, file.read(HEAD)
    for _ in range(_TAGS):
        if not (size := tagged(head)):
            break
        at += size
        file.seek(at)
        head = file.read(HEAD)
    file.seek(0)
    if found := sniff(head):
        return found
    raise refusal(head) if head or not at else _cut_off()


@contextmanager
def opened(source: Source) -> Iterator[Opened]:
    import av  # noqa: PLC0415 - who hears nothing needs no decoders

    with reading(source) as file:
        kind = kind_of(file)
        try:
            container = av.open(
                file, "r", format=DEMUXERS[kind], metadata_errors="replace", options={"codec_whitelist": _decoders()}
            )
        except (av.FFmpegError, ValueError) as error:
            raise _unreadable(kind, error) from None
        with container:
            track = _track(container)
            try:
                yield Opened(kind, container, track)
            except av.FFmpegError as error:
                raise _unreadable(kind, error) from None


def _track(container: "InputContainer") -> "AudioStream":
    if not container.streams.audio:
        raise BadAudio("There is no audio track in this file, only pictures or data.", code="bad_audio")
    stream = container.streams.audio[0]
    sound = stream.codec_context
    if sound is None:
        raise BadAudio(
            f"The sound in this file is of a kind that is not known here. Taken are {TAKEN}.", code="bad_audio"
        )
    if sound.rate and sound.rate not in RATES:
        raise BadAudio(f"The file claims {sound.rate} samples a second, which no sound has.", code="bad_audio")
    if sound.channels > MOST_CHANNELS:
        raise BadAudio(
            f"The file claims {sound.channels} channels; at most {MOST_CHANNELS} are taken.", code="bad_audio"
        )
    return stream


def _unreadable(kind: str, error: Exception) -> BadAudio:
    return BadAudio(
        f"It begins as {kind} and cannot be read as that: the file is cut off, or damaged"
        f" ({getattr(error, 'strerror', None) or type(error).__name__}).",
        code="bad_audio",
    )


def undecodable(kind: str) -> BadAudio:
    return BadAudio(f"It begins as {kind}, but no sound can be decoded from it: it is damaged.", code="bad_audio")


def _cut_off() -> BadAudio:
    return BadAudio("The file ends within its tags, before any sound.", code="bad_audio")


@cache
def _decoders() -> str:
    import av  # noqa: PLC0415 - as above

    raw = [name for name in av.codecs_available if name.startswith(("pcm_", "adpcm_"))]
    return ",".join([*_DECODERS, *sorted(raw)])
