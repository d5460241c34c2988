"""Events of a transcription that is told while it is made, in OpenAI's dialect. Pure."""

from collections.abc import Mapping
from typing import Any

from core.errors import Malformed, StreamCut, TargetError
from core.types.audio import Transcript
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import openai, sse
from core.wire.sound.openai_audio import checked, read_usage, transcript_of


class TranscriptStream:
    """Bytes in, frames out: each is the JSON of one event, as it came."""

    __slots__ = (
        "_body", "_failure", "_model", "_secrets", "_segments", "_splitter", "_usage", "ended", "outputs",
        "transcript",
    )  # fmt: skip

    def __init__(self, *, model: str, body: Mapping[str, Any], limit: int, secrets: tuple[str, ...] = ()) -> None:
        self._splitter = sse.Splitter(limit)
        self._model = model
        self._body = body
        self._secrets = secrets
        self._segments: list[Mapping[str, Any]] = []
        self._usage = Usage()
        self._failure: TargetError | None = None
        self.ended = False
        self.outputs = 0
        self.transcript: Transcript | None = None

    def _raise(self) -> None:
        """Once: an error knows where it was raised, and a reader that still knew it would be kept alive by it."""
        try:
            if self._failure:
                raise self._failure
        finally:
            self._failure = None

    @property
    def failed(self) -> bool:
        return self._failure is not None

    @property
    def complete(self) -> bool:
        return self.ended

    @property
    def usage(self) -> Usage:
        return self._usage

    def feed(self, part: bytes) -> list[Frame]:
        self._raise()
        frames: list[Frame] = []
        for event in sse.events(self._splitter.feed(part)):
            try:
                frame = self._event(event)
            except TargetError as error:
                if not frames:
                    raise
                self._failure = error
                break
            if frame is not None:
                frames.append(frame)
            if self.ended:
                break
        return frames

    def finish(self) -> list[Frame]:
        self._raise()
        rest = self._splitter.flush()
        frames = [frame for event in sse.events(rest) if (frame := self._event(event)) is not None]
        if not self.ended:
            raise StreamCut("the stream of the transcript ended without its end")
        return frames

    def _event(self, event: bytes) -> Frame | None:
        data = sse.data_of(event)
        if data is None:
            return None
        if data == b"[DONE]":
            raise StreamCut("the stream of the transcript ended without its last event")
        said = openai.read_json(data)
        if type(said) is not dict:
            raise Malformed("a stream event is not an object")
        if said.get("error") or said.get("type") == "error":
            raise openai.read_error(None, data, secrets=self._secrets)
        match said.get("type"):
            case "transcript.text.delta":
                self.outputs += 1
                return Frame(data, Kind.OUTPUT)
            case "transcript.text.segment":
                self.outputs += 1
                self._segments.append(said)
                return Frame(data, Kind.OUTPUT)
            case "transcript.text.done":
                self._end(said)
                return Frame(data, Kind.END)
        return None  # what a reader would not miss

    def _end(self, said: Mapping[str, Any]) -> None:
        text = said.get("text")
        if type(text) is not str:
            raise Malformed("the last event of the transcript has no text")
        self._usage = read_usage(said.get("usage"), self._model, self._body["audio"], text)
        found = transcript_of({**said, "segments": self._segments}, text, self._body)
        self.transcript = checked(found, self._model, self._body, self._usage)
        self.ended = True
