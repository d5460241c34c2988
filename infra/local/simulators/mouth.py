"""Simulated speech in a file as vendors give it."""

import io
from fractions import Fraction
from typing import Any

CONTAINERS = {"mp3": ("mp3", "libmp3lame"), "flac": ("flac", "flac")}


def file_of(text: str, speaker: int, kind: str, rate: int) -> bytes:
    import av  # noqa: PLC0415 - who only writes needs no encoders

    from infra.local.simulators import signal  # noqa: PLC0415 - as in ears.py

    samples = signal.say(text, speaker, rate)
    if kind == "wav":
        return signal.wav(samples, rate)
    name, codec = CONTAINERS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=name) as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or None)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return file.getvalue()
