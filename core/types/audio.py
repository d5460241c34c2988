"""What is heard and what is said: audio as it came, transcripts in one form for all, the sound that is wanted."""

from typing import NamedTuple

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
