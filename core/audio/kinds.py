"""What a file of sound is, by how it begins: names and headers only say what somebody thinks. Pure."""

from collections.abc import Callable

from core.errors import BadAudio
from core.types.audio import begins

# kind → who takes it apart. Nobody else is let near it: libav also knows playlists that lead to other files.
DEMUXERS = {
    "wav": "wav",
    "mp3": "mp3",
    "m4a": "mov",
    "mp4": "mov",
    "ogg": "ogg",
    "flac": "flac",
    "webm": "matroska",
    "aac": "aac",
}
TAKEN = "wav, mp3, m4a, mp4, ogg (opus, vorbis), flac, webm and aac"
HEAD = 1 << 16  # bytes that say what it is, after its tags

_ID3 = 10  # bytes of a tag's header
_FRAMES = 3  # that follow each other are no accident

# MPEG audio: kbit/s by (first version?, layer), then samples per second by version.
_RATES_1 = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_RATES_2 = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HERTZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}
_ADTS_HEAD = 7


def sniff(head: bytes) -> str | None:
    """The kind of what begins so, or None; tags before it are to be taken off with `tagged`."""
    kind = begins(head)
    return _framed(head) if kind in {None, "mp3", "aac"} else kind  # one frame may be an accident


def tagged(head: bytes) -> int:
    """How many bytes an ID3 tag takes at this place; 0 where none is."""
    if head[:3] != b"ID3" or len(head) < _ID3 or any(size & 0x80 for size in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return _ID3 + size + (_ID3 if head[5] & 0x10 else 0)


def refusal(head: bytes) -> BadAudio:
    """Why something that is none of them is not taken."""
    if not head:
        return BadAudio("The audio is empty: 0 bytes came. Send the file itself.", code="empty_audio")
    if not head.strip(b"\0"):
        return BadAudio("The audio is nothing but zero bytes. Send the file itself.", code="bad_audio")
    what = "It looks like text" if _texts(head[:512]) else "How it begins is not how such a file begins"
    return BadAudio(f"This is no audio that can be read here. {what}. Taken are {TAKEN}.", code="bad_audio")


def _texts(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in text)


def _framed(head: bytes) -> str | None:
    """Bare frames of MPEG audio or AAC; what comes before the first may be the rest of a broken one."""
    at = head.find(b"\xff")
    while 0 <= at < len(head) - _ADTS_HEAD:
        for kind, length in (("mp3", _mpeg_frame), ("aac", _adts_frame)):
            if _follow(head, at, length):
                return kind
        at = head.find(b"\xff", at + 1)
    return None


def _follow(head: bytes, at: int, length: Callable[[bytes, int], int]) -> bool:
    for found in range(_FRAMES):
        if at > len(head) - _ADTS_HEAD:
            return found > 0  # the file ends with it
        if not (step := length(head, at)):
            return False
        at += step
    return True


def _mpeg_frame(head: bytes, at: int) -> int:
    """Bytes of the frame that begins here; 0 where none does."""
    second, third = head[at + 1], head[at + 2]
    version, layer, rate = second >> 3 & 3, 4 - (second >> 1 & 3), third >> 2 & 3
    if head[at] != 0xFF or second < 0xE0 or version == 1 or layer == 4 or rate == 3 or not 0 < third >> 4 < 15:
        return 0
    kbits = (_RATES_1 if version == 3 else _RATES_2)[layer][third >> 4]
    slot = 4 if layer == 1 else 1
    per_frame = 12 if layer == 1 else 72 if layer == 3 and version != 3 else 144
    return (per_frame * kbits * 1000 // _HERTZ[version][rate] + (third >> 1 & 1)) * slot


def _adts_frame(head: bytes, at: int) -> int:
    if head[at] != 0xFF or head[at + 1] & 0xF6 != 0xF0 or head[at + 2] >> 2 & 15 > 12:
        return 0
    length = (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5
    return length if length > _ADTS_HEAD else 0
