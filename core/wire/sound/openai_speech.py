"""Speech in OpenAI's dialect: what is asked, and sound as it comes, plain or in events. Pure."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import Malformed, StreamCut
from core.types.audio import Sound, begins
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire.sound.openai_events import SoundEvents

PATH = "/audio/speech"
_RATE = 24_000  # of all that they say
_CANONICAL = frozenset({
    "model", "input", "voice", "language", "gender", "style", "speed", "instructions", "ssml", "sound", "boundaries",
    "stream", "response_format", "stream_format",
})  # fmt: skip
# Who says it where nobody was chosen, by how a model's name begins.
_VOICES = {
    "canopylabs/orpheus-arabic": "noura",
    "canopylabs/orpheus-v1": "autumn",
    "canopylabs/": "tara",
    "hexgrad/": "af_heart",
    "cartesia/": "helpful woman",
}
_VOICE = "alloy"
_EVENTS = "gpt-"  # models that give sound in events, with what was used at their end
_DEAF = ("tts-1",)  # which overlook instructions
_LOOK = 12  # bytes by which a kind of sound is known, and the length of a WAV
_ENDLESS = 0x7FFFFFFF - 1024  # from here on a WAV says that it was begun before it was made


def voice_for(model: str, voice: Any = None) -> Any:
    return voice or next((one for start, one in _VOICES.items() if model.startswith(start)), _VOICE)


def given(wanted: Sound, says: Sequence[str]) -> Sound:
    """What to ask for: the kind that is wanted if they have it, else one that loses nothing."""
    kind = (
        wanted.kind if wanted.kind in says else next((one for one in ("pcm", "wav", "flac") if one in says), says[0])
    )
    return Sound(kind, _RATE)


def in_events(model: str) -> bool:
    return model.startswith(_EVENTS)


def request_for(
    model: str, body: Mapping[str, Any], sound: Sound, voice: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The request, and what it does not say."""
    losses: list[str] = []
    made: dict[str, Any] = {
        "model": model,
        "input": body["input"],
        "voice": voice_for(model, body.get("voice") or voice),
        "response_format": sound.kind,
    }
    if body.get("speed") is not None:
        made["speed"] = body["speed"]
    if body.get("instructions"):
        if model.startswith(_DEAF):
            losses.append("instructions: this model takes none")
        else:
            made["instructions"] = body["instructions"]
    if in_events(model):
        made["stream_format"] = "sse"
    made |= {name: value for name, value in body.items() if name not in _CANONICAL and value is not None}
    return made, losses


class SoundStream:
    """Sound as it is: its end is that of the body, which HTTP tells from a connection that broke."""

    __slots__ = ("_due", "_head", "_limit", "_size", "_sound", "ended", "outputs", "usage")

    failed = False
    complete = False

    def __init__(self, *, sound: Sound, limit: int, usage: Usage) -> None:
        self._sound = sound
        self._limit = limit
        self._size = 0
        self._due = 0  # bytes that it says it has, where it does
        self._head = b""  # until it is long enough to be looked at
        self.ended = False
        self.outputs = 0
        self.usage = usage

    def feed(self, part: bytes) -> list[Frame]:
        if self._size < _LOOK:
            part, self._head = self._head + part, b""
            if len(part) < _LOOK:
                self._head = part
                return []
            _check(part, self._sound)
            self._due = _due(part)
        self._size += len(part)
        if self._size > self._limit:
            raise Malformed(f"the sound is larger than {self._limit} bytes")
        self.outputs += 1
        return [Frame(part, Kind.OUTPUT)]

    def finish(self) -> list[Frame]:
        if not self._size:
            raise Malformed(f"the answer is no sound ({len(self._head)} bytes)")
        if self._size < self._due:
            raise StreamCut(f"the sound ended after {self._size} of {self._due} bytes")
        self.ended = True
        return [Frame(b"", Kind.END)]


class SpeechEvents(SoundEvents):
    """Sound in events, in base64. They end with what was used, or with the end marker that streams of text have."""

    __slots__ = ("_limit", "_size")

    what = "the sound"
    complete = False

    def __init__(self, *, limit: int, usage: Usage, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(limit=limit, usage=usage, secrets=secrets)
        self._limit = limit
        self._size = 0

    def _event(self, said: dict[str, Any], data: bytes) -> Frame | None:  # noqa: ARG002 - others hand it on
        if said.get("type") == "speech.audio.done":
            self._count(said.get("usage"))
            return self._done()
        packed = next((said[name] for name in ("audio", "b64", "delta") if said.get(name)), None)
        return None if packed is None else self._sound(packed)

    def _sound(self, packed: Any) -> Frame:
        try:
            sound = b64decode(packed, validate=True)
        except (TypeError, ValueError):
            raise Malformed("a stream event has sound that is no base64") from None
        self._size += len(sound)
        if self._size > self._limit:
            raise Malformed(f"the sound is larger than {self._limit} bytes")
        self.outputs += 1
        return Frame(sound, Kind.OUTPUT)

    def _done(self) -> Frame:
        if not self._size:
            raise Malformed("the answer is no sound: it ended before any came")
        self.ended = True
        return Frame(b"", Kind.END)

    def _count(self, said: Any) -> None:
        if type(said) is dict and type(said.get("input_tokens")) is int and type(said.get("output_tokens")) is int:
            read, made = max(0, said["input_tokens"]), max(0, said["output_tokens"])
            self.usage = self.usage._replace(source="reported", input=read, audio_output=made)


def _due(head: bytes) -> int:
    """How long a WAV says it is, if it was made before it was sent."""
    size = int.from_bytes(head[4:8], "little") if head.startswith(b"RIFF") else 0
    return size + 8 if 0 < size < _ENDLESS else 0


def _check(head: bytes, sound: Sound) -> None:
    """What begins is the sound that was asked for, and not somebody's page or another kind."""
    if sound.kind == "pcm" or (sound.kind == "aac" and head.startswith(b"ID3")):
        return
    if begins(head) != ("ogg" if sound.kind == "opus" else sound.kind):
        raise Malformed(f"the answer is not the {sound.kind} that was asked for")
