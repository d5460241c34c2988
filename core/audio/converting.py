"""A stream of speech as it comes from a provider, taken apart while it comes."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from struct import unpack_from
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from core.audio.decoding import WIDTH, Mono, decode
from core.audio.kinds import sniff
from core.audio.opening import MOST_CHANNELS, RATES
from core.errors import BadAudio, Malformed
from core.types.audio import Sound

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.audio.codeccontext import AudioCodecContext

_FRAMED = {"mp3": "mp3float", "aac": "aac"}  # kinds whose every frame says what it is, and their decoders
_PCM = {0x0001, 0xFFFE}  # formats of a wav file that are plain samples
_HEAD = 12  # bytes that tell a wav file
_MOST_HEADER = 65_536
_ENDLESS = 1 << 62
_UNSAID = 0x7FFF_0000  # sizes from here on stand in headers of streams, whose writers did not know them


class _Reader(Protocol):
    def add(self, data: bytes) -> Iterator[bytes]: ...

    def end(self) -> Iterator[bytes]: ...


class Decoder:
    """PCM of one channel at `rate`, of a stream in pieces of any size.

    It is ready as it comes for pcm, mp3, aac and wav of 16 bits; other kinds are taken apart at their end.
    """

    def __init__(self, sound: Sound, rate: int | None = None) -> None:
        self._sound, self._mono = sound, Mono(rate or sound.rate, at_once=True)
        self._reader: _Reader | None = None
        self._head = b""
        self._made = 0

    def add(self, data: bytes) -> bytes:
        if self._reader is None:
            self._head += data
            if len(self._head) < _HEAD:
                return b""
            self._reader, data = self._chosen(), self._head
        return self._given(self._reader.add(data))

    def end(self) -> bytes:
        """The rest; Malformed where bytes came and no sound was in them."""
        pcm = b""
        if self._reader is None and self._head:
            self._reader = self._chosen()
            pcm = self._given(self._reader.add(self._head))
        if self._reader:
            pcm += self._given(self._reader.end())
            if not self._made:
                raise Malformed(
                    f"The provider's speech should be {self._sound.kind}, and no sound can be decoded from it."
                )
        return pcm

    def _given(self, pcm: Iterable[bytes]) -> bytes:
        found = b"".join(pcm)
        self._made += len(found)
        return found

    def _chosen(self) -> _Reader:
        """By its own first bytes, where they tell; by what was said of it else."""
        kind, rate, channels = self._sound
        if kind == "pcm":
            return _Plain(self._mono, rate, channels)
        kind = sniff(self._head) or kind
        if kind == "wav":
            return _Wav(self._mono)
        return _Framed(self._mono, _FRAMED[kind]) if kind in _FRAMED else _Whole(self._mono)


class _Plain:
    def __init__(self, mono: Mono, rate: int, channels: int) -> None:
        self._mono, self._rate, self._channels = mono, rate, channels
        self._rest = b""

    def add(self, data: bytes) -> Iterator[bytes]:
        data = self._rest + data
        count = len(data) // (WIDTH * self._channels)
        whole = count * WIDTH * self._channels
        self._rest = data[whole:]
        if count:
            yield from self._mono.add(self._frame(data[:whole], count))

    def end(self) -> Iterator[bytes]:
        return self._mono.end()

    def _frame(self, data: bytes, count: int) -> "AudioFrame":
        import av  # noqa: PLC0415 - who says nothing needs no codecs

        frame = av.AudioFrame("s16", "mono" if self._channels == 1 else f"{self._channels} channels", count)
        frame.planes[0].update(data)
        frame.sample_rate = self._rate
        return frame


class _Wav:
    """Its header, then what follows as the plain samples it is."""

    def __init__(self, mono: Mono) -> None:
        self._mono = mono
        self._head = b""
        self._left = _ENDLESS
        self._reader: _Reader | None = None

    def add(self, data: bytes) -> Iterator[bytes]:
        if self._reader is None:
            self._head += data
            found = _samples(self._head)
            if not found and len(self._head) < _MOST_HEADER:
                return
            self._reader, data = _Whole(self._mono), self._head
            if found and found.plain:
                self._reader, data = _Plain(self._mono, found.rate, found.channels), self._head[found.at :]
                self._left = found.size
        yield from self._reader.add(data[: self._left])
        self._left = max(self._left - len(data), 0)

    def end(self) -> Iterator[bytes]:
        return self._reader.end() if self._reader else iter(())


class _Samples(NamedTuple):
    """Where they are in a wav file."""

    at: int
    size: int
    plain: bool
    rate: int
    channels: int


def _samples(head: bytes) -> _Samples | None:
    """None while the header is not all there."""
    at, form = _HEAD, None
    while at + 8 <= len(head):
        name, size = unpack_from("<4sI", head, at)
        at += 8
        if name == b"fmt " and at + 16 <= len(head):
            form = unpack_from("<HHIIHH", head, at)
        if name == b"data" and form:
            coding, channels, rate, _, _, bits = form
            plain = coding in _PCM and bits == 8 * WIDTH and 0 < channels <= MOST_CHANNELS and rate in RATES
            return _Samples(at, size if 0 < size < _UNSAID else _ENDLESS, plain, rate, channels)
        at += size + size % 2
    return None


class _Framed:
    """Frames one after another; one that is damaged is left out."""

    def __init__(self, mono: Mono, codec: str) -> None:
        import av  # noqa: PLC0415 - who says nothing needs no codecs

        self._mono, self._codec = mono, cast("AudioCodecContext", av.CodecContext.create(codec, "r"))

    def add(self, data: bytes) -> Iterator[bytes]:
        return self._decoded(self._codec.parse(data)) if data else iter(())

    def end(self) -> Iterator[bytes]:
        yield from self._decoded([*self._codec.parse(None), None])
        yield from self._mono.end()

    def _decoded(self, packets: "Iterable[Packet[AudioStream] | None]") -> Iterator[bytes]:
        import av  # noqa: PLC0415 - as above

        for packet in packets:
            frames: list[AudioFrame] = []
            with suppress(av.FFmpegError):
                frames = self._codec.decode(packet)
            for frame in frames:
                yield from self._mono.add(frame)


class _Whole:
    """A kind of which nothing can be told before it has ended."""

    def __init__(self, mono: Mono) -> None:
        self._rate = mono.rate
        self._held = bytearray()

    def add(self, data: bytes) -> Iterator[bytes]:
        self._held += data
        return iter(())

    def end(self) -> Iterator[bytes]:
        with suppress(BadAudio):  # who reads the stream finds that nothing was in it, and whose fault that is
            yield from decode(self._held, self._rate)
