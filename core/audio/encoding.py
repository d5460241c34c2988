"""PCM made a file or a stream of any kind that is sent or asked for."""

import io
from collections.abc import Iterable
from fractions import Fraction
from struct import pack
from typing import TYPE_CHECKING, NamedTuple, cast

from core.audio.decoding import WIDTH
from core.audio.resampling import Resampler
from core.types.audio import Sound

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream

_UNKNOWN = 0xFFFFFFFF  # the length of a stream, in a header that must give one
_HEADER = 44  # bytes of that of a wav file


class _Form(NamedTuple):
    container: str
    codec: str
    rates: tuple[int, ...] = ()  # what the codec knows; none is any
    bits: int = 0  # a second and channel; 0 where the codec needs what it needs
    options: tuple[tuple[str, str], ...] = ()
    effort: tuple[tuple[str, str], ...] = ()  # of the codec


_MPEG_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)
# A tag, and a first frame that tells of the others, are for files.
_BARE = (("id3v2_version", "0"), ("write_xing", "0"))
# Pages of a second, which Ogg has by itself, would hold a stream back for as long.
_PAGES = (("page_duration", "60000"),)
# An index at the end, with a way to it from the beginning, cannot be streamed.
_FRAGMENTS = (("movflags", "empty_moov+default_base_moof"), ("frag_duration", "500000"))
# What only recognisers hear: half an hour takes 4 s of CPU and not 14, and they understand it as well.
_QUICK = (("compression_level", "5"),)
_FORMS = {
    "mp3": _Form("mp3", "libmp3lame", _MPEG_RATES, 64_000, _BARE),
    "opus": _Form("ogg", "libopus", _OPUS_RATES, 48_000, _PAGES),
    "ogg": _Form("ogg", "libopus", _OPUS_RATES, 48_000, effort=_QUICK),
    "webm": _Form("webm", "libopus", _OPUS_RATES, 48_000),
    "aac": _Form("adts", "aac", _MPEG_RATES, 64_000),
    "m4a": _Form("ipod", "aac", _MPEG_RATES, 64_000, _FRAGMENTS),
    "flac": _Form("flac", "flac"),
    "wav": _Form("s16le", "pcm_s16le"),  # its header is made here: libav's has room for what nobody asked for
    "pcm": _Form("s16le", "pcm_s16le"),
}


class _Way:
    """Where a stream is written to and taken from; nobody goes back in it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        found = bytes(self._held)
        self._held.clear()
        return found


class Encoder:
    """One continuous stream of PCM of one channel, which comes at `rate` in pieces of any size.

    A whole file comes at its end, with a header that knows how long it is; a stream as soon as anything is ready.
    """

    def __init__(self, sound: Sound, rate: int | None = None, *, whole: bool = False) -> None:
        import av  # noqa: PLC0415 - who says nothing needs no encoders

        form = _FORMS[sound.kind]
        self._sound = sound._replace(rate=_known(form, sound.rate))
        self._rate = rate or sound.rate
        self._file: io.BytesIO | _Way = io.BytesIO() if whole else _Way()
        self._head = wav_header(self._sound, None) if sound.kind == "wav" and not whole else b""
        self._rest = b""  # of a sample, where a piece ended within one
        self._samples = 0
        options = {"flush_packets": "0" if whole else "1", **({} if whole else dict(form.options))}
        self._container = av.open(self._file, "w", format=form.container, options=options)
        layout = "mono" if sound.channels == 1 else "stereo"
        made = self._container.add_stream(form.codec, rate=self._sound.rate, layout=layout, options=dict(form.effort))
        self._stream = cast("AudioStream", made)
        if form.bits:
            self._stream.bit_rate = form.bits * sound.channels
        self._container.start_encoding()
        self._resampler = Resampler(
            self._stream.format.name, layout, self._sound.rate, self._stream.frame_size or None
        )

    def add(self, pcm: bytes) -> bytes:
        pcm = self._rest + pcm if self._rest else pcm
        whole = len(pcm) // WIDTH * WIDTH
        self._rest = pcm[whole:]
        if whole:
            self._encode(self._frame(pcm[:whole]))
        return self._taken()

    def end(self) -> bytes:
        self._encode(None)
        self._container.mux(self._stream.encode(None))
        self._container.close()
        if isinstance(self._file, _Way):
            return self._taken()
        data = self._file.getvalue()
        return wav_header(self._sound, len(data)) + data if self._sound.kind == "wav" else data

    def _encode(self, frame: "AudioFrame | None") -> None:
        for ready in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(ready))

    def _frame(self, pcm: bytes) -> "AudioFrame":
        import av  # noqa: PLC0415 - as above

        frame = av.AudioFrame("s16", "mono", len(pcm) // WIDTH)
        frame.planes[0].update(pcm)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._samples
        self._samples += frame.samples
        return frame

    def _taken(self) -> bytes:
        head, self._head = self._head, b""
        return head + self._file.taken() if isinstance(self._file, _Way) else b""


def encode(blocks: Iterable[bytes], sound: Sound, rate: int | None = None) -> bytes:
    """A whole file."""
    encoder = Encoder(sound, rate, whole=True)
    for block in blocks:
        encoder.add(block)
    return encoder.end()


def wav_header(sound: Sound, size: int | None) -> bytes:
    """Of so many bytes of PCM; None is a stream, of which nobody knows."""
    data = _UNKNOWN if size is None else size
    step = sound.channels * WIDTH
    form = pack("<4sIHHIIHH", b"fmt ", 16, 1, sound.channels, sound.rate, sound.rate * step, step, WIDTH * 8)
    whole = min(data + _HEADER - 8, _UNKNOWN)
    return pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + pack("<4sI", b"data", data)


def _known(form: _Form, rate: int) -> int:
    return rate if not form.rates else min((each for each in form.rates if each >= rate), default=form.rates[-1])
