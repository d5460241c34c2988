"""Sound: what it is, how long it is, taken apart, put together. Sync and pure; PyAV is imported on first use."""

from core.audio.converting import Decoder
from core.audio.cutting import Part, cut
from core.audio.decoding import decode, silent
from core.audio.encoding import Encoder, encode, wav_header
from core.audio.joining import Joiner
from core.audio.measuring import Measured, measure

__all__ = [
    "Decoder",
    "Encoder",
    "Joiner",
    "Measured",
    "Part",
    "cut",
    "decode",
    "encode",
    "measure",
    "silent",
    "wav_header",
]
