"""Events of a transcription that is told while it is made, in OpenAI's dialect. Pure."""

from collections.abc import Mapping
from typing import Any

from core.errors import Malformed, StreamCut
from core.types.audio import Transcript
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire.sound.openai_audio import read_usage, transcript_of
from core.wire.sound.openai_events import SoundEvents
from core.wire.sound.recognisers import complete


class TranscriptStream(SoundEvents):
    """Each frame is the JSON of one event, as it came."""

    __slots__ = ("_body", "_model", "_segments", "transcript")

    what = "the stream of the transcript"

    def __init__(self, *, model: str, body: Mapping[str, Any], limit: int, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(limit=limit, usage=Usage(), secrets=secrets)
        self._model = model
        self._body = body
        self._segments: list[Mapping[str, Any]] = []
        self.transcript: Transcript | None = None

    @property
    def complete(self) -> bool:
        return self.ended

    def _done(self) -> Frame:
        raise StreamCut("the stream of the transcript ended without its last event")

    def _event(self, said: dict[str, Any], data: bytes) -> Frame | None:
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
        self.usage = read_usage(said.get("usage"), self._model, self._body["audio"], text)
        found = transcript_of({**said, "segments": self._segments}, text, self._body)
        self.transcript = complete(found, self._model, self._body, self.usage)
        self.ended = True
