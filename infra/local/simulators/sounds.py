"""What simulators say, in each kind of sound."""

import io

import av

from infra.local.simulators.signal import Samples, wav

CODECS = {"mp3": ("mp3", "libmp3lame"), "opus": ("ogg", "libopus"), "aac": ("adts", "aac"), "flac": ("flac", "flac")}


def encoded(samples: Samples, rate: int, kind: str) -> bytes:
    if kind == "wav":
        return wav(samples, rate)
    if kind not in CODECS:
        return samples.astype("<i2").tobytes()
    container, codec = CODECS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        if not isinstance(stream, av.AudioStream):
            raise TypeError(f"{codec} encodes no sound")
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        out.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()
