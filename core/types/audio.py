"""What is heard and what is said: audio as it came, transcripts in one form for all, the sound that is wanted."""

from typing import Any, NamedTuple

MIMES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "webm": "audio/webm",
    "aac": "audio/aac",
    "pcm": "audio/pcm",
}

_BEGINNINGS = ((b"OggS", "ogg"), (b"fLaC", "flac"), (b"\x1aE\xdf\xa3", "webm"), (b"ID3", "mp3"))
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"}
_SOUND_BRANDS = {b"M4A ", b"M4B "}


class Audio(NamedTuple):
    """What is to be heard, as it came and as it was measured here."""

    data: bytes | bytearray
    kind: str  # of its container: wav, mp3, m4a, mp4, ogg, flac, webm, aac
    codec: str = ""
    ms: int = 0
    rate: int = 0
    channels: int = 1
    name: str = ""  # as the caller calls it

    @property
    def mime(self) -> str:
        return MIMES.get(self.kind, "application/octet-stream")

    @property
    def filename(self) -> str:
        """A name by which a provider that looks at names knows what it is."""
        return f"audio.{self.kind}"


class Word(NamedTuple):
    text: str
    start: float  # seconds from the beginning of all audio
    end: float
    confidence: float | None = None
    speaker: str | None = None


class Segment(NamedTuple):
    text: str
    start: float
    end: float
    speaker: str | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    language: str | None = None


class Transcript(NamedTuple):
    """What was said. Segments and words are those that the provider gave, and none where it gave none."""

    text: str
    language: str | None = None
    duration: float = 0.0  # seconds of audio, as measured here
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    reason: str | None = None  # why there is no text
    locale: str | None = None  # the language with where it is spoken, where that was heard, too
    logprobs: tuple[Any, ...] = ()  # of each token, as they were told
    recogniser: str = "speech"  # what heard it: the provider's own, or whisper
    told: tuple[str, ...] = ()  # what is odd about it, though it can be used

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who spoke, in the order of their first words."""
        return tuple(dict.fromkeys(one.speaker for one in self.segments if one.speaker))


class Sound(NamedTuple):
    """What bytes of speech are."""

    kind: str = "mp3"  # mp3, opus, aac, flac, wav, pcm
    rate: int = 24000
    channels: int = 1

    @property
    def mime(self) -> str:
        return MIMES[self.kind]


def begins(head: bytes) -> str | None:
    """The kind of a file of sound that begins so, or None; frames without a header are taken by their first one."""
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return "wav"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[4:8] in _BOXES:
        return "m4a" if head[8:12] in _SOUND_BRANDS else "mp4"
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        if head[1] & 0xF6 == 0xF0:
            return "aac"  # its layer is 0, which no layer of MPEG audio is
        if head[1] & 0x06 and head[2] & 0xF0 != 0xF0:  # a known rate
            return "mp3"
    return None
