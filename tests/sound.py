"""Files to be heard: what somebody says, in the formats people send."""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import av
import numpy as np
from av.container import OutputContainer

from infra.local.simulators.signal import Samples, say, silence, wav


class Format(NamedTuple):
    container: str
    codec: str
    rates: frozenset[int] = frozenset()  # what the codec knows; none is any
    options: tuple[tuple[str, str], ...] = ()


_OPUS = frozenset({8000, 12000, 16000, 24000, 48000})
FORMATS = {
    "mp3": Format("mp3", "libmp3lame"),
    "mp3-bare": Format("mp3", "libmp3lame", options=(("write_xing", "0"), ("id3v2_version", "0"))),
    "m4a": Format("ipod", "aac"),
    "mp4": Format("mp4", "aac"),
    "aac": Format("adts", "aac"),
    "ogg": Format("ogg", "libopus", _OPUS),
    "flac": Format("flac", "flac"),
    "webm": Format("webm", "libopus", _OPUS),
    "webm-live": Format("webm", "libopus", _OPUS, (("live", "1"),)),  # as a browser's recorder makes it: no duration
    # As phones send it: in fragments, without an index.
    "mp4-live": Format(
        "mp4", "aac", options=(("movflags", "empty_moov+default_base_moof"), ("frag_duration", "500000"))
    ),
    "alac": Format("ipod", "alac"),
    "oggflac": Format("ogg", "flac"),
    "mkv": Format("matroska", "flac"),
    "mp3-in-wav": Format("wav", "libmp3lame"),
    "mulaw": Format("wav", "pcm_mulaw"),
    "adpcm": Format("wav", "adpcm_ms"),
    "wav24": Format("wav", "pcm_s24le"),
    "wavf": Format("wav", "pcm_f32le"),
}


def spoken(turns: str | Sequence[tuple[int, str]], rate: int = 16_000, between: float = 0.3) -> Samples:
    """One speaker's text, or turns of (speaker, text) with a pause after each."""
    if isinstance(turns, str):
        return say(turns, rate=rate)
    parts = [part for speaker, text in turns for part in (say(text, speaker, rate), silence(between, rate))]
    return np.concatenate([np.zeros(0, np.int16), *parts])


def encoded(samples: Samples, kind: str = "wav", rate: int = 16_000, bitrate: int = 64_000) -> bytes:
    if kind == "wav":
        return wav(samples, rate)
    form = FORMATS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=form.container, options=dict(form.options)) as out:
        stream: Any = out.add_stream(form.codec, rate=_known(rate, form.rates))
        stream.layout = "mono"
        stream.bit_rate = bitrate
        _sound(out, stream, samples, rate)
    return file.getvalue()


def _sound(out: OutputContainer, stream: Any, samples: Samples, rate: int) -> None:
    resampler = av.AudioResampler(stream.format, "mono", stream.rate, stream.frame_size or 1024)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
    frame.sample_rate, frame.pts = rate, 0
    for ready in [*resampler.resample(frame), *resampler.resample(None)]:
        out.mux(stream.encode(ready))
    out.mux(stream.encode(None))


@lru_cache(64)
def recording(
    turns: str | tuple[tuple[int, str], ...], kind: str = "wav", rate: int = 16_000, bitrate: int = 64_000
) -> bytes:
    """The file in which that is said; made once however often it is asked for."""
    return encoded(spoken(turns, rate), kind, rate, bitrate)


def film(samples: Samples | None, container: str = "mp4", rate: int = 48_000, seconds: int = 3) -> bytes:
    """Pictures with what is said beside them, or with nothing."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        video: Any = out.add_stream("mpeg4" if container == "mp4" else "libvpx", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        if samples is not None:
            sound: Any = out.add_stream("aac" if container == "mp4" else "libopus", rate=rate, layout="mono")
            _sound(out, sound, samples, rate)
        for number in range(seconds * 10):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts = number
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
    return file.getvalue()


def _known(rate: int, rates: frozenset[int]) -> int:
    return rate if not rates or rate in rates else max(rates)
