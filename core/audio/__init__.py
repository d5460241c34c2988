"""Sound: what it is, how long it is, taken apart, put together. Sync and pure; PyAV is imported on first use."""

from core.audio.converting import Converter, Decoder, convert, is_other
from core.audio.cutting import Part, cut, kind_for
from core.audio.decoding import decode, silent
from core.audio.encoding import Encoder, encode, wav_header
from core.audio.joining import Joiner
from core.audio.kinds import sniff
from core.audio.measuring import Measured, measure
from core.audio.opening import Source

__all__ = [
    "Converter",
    "Decoder",
    "Encoder",
    "Joiner",
    "Measured",
    "Part",
    "Source",
    "convert",
    "cut",
    "decode",
    "encode",
    "is_other",
    "kind_for",
    "measure",
    "silent",
    "sniff",
    "wav_header",
]
