"""Streams of events about sound, in OpenAI's dialect: what those of speech and of transcripts have in common. Pure."""

from typing import Any

from core.errors import Malformed, StreamCut, TargetError
from core.types.frame import Frame
from core.types.usage import Usage
from core.wire import openai, sse


class SoundEvents:
    """Bytes in, frames out. What comes before a failure goes out first; a subclass says what an event is."""

    __slots__ = ("_failure", "_secrets", "_splitter", "ended", "outputs", "usage")

    what = "the stream"  # as errors call it

    def __init__(self, *, limit: int, usage: Usage, secrets: tuple[str, ...] = ()) -> None:
        self._splitter = sse.Splitter(limit)
        self._secrets = secrets
        self._failure: TargetError | None = None
        self.ended = False
        self.outputs = 0
        self.usage = usage

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

    def feed(self, part: bytes) -> list[Frame]:
        self._raise()
        frames: list[Frame] = []
        for event in sse.events(self._splitter.feed(part)):
            try:
                frame = self._read(event)
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
        frames = [frame for event in sse.events(rest) if (frame := self._read(event)) is not None]
        if not self.ended:
            raise StreamCut(f"{self.what} ended without its end")
        return frames

    def _read(self, event: bytes) -> Frame | None:
        data = sse.data_of(event)
        if data is None:
            return None
        if data == b"[DONE]":
            return self._done()
        said = openai.read_json(data)
        if type(said) is not dict:
            raise Malformed("a stream event is not an object")
        if said.get("error") or said.get("type") == "error":
            raise openai.read_error(None, data, secrets=self._secrets)
        return self._event(said, data)

    def _event(self, said: dict[str, Any], data: bytes) -> Frame | None:
        """What it gives; None for what a reader would not miss."""
        raise NotImplementedError

    def _done(self) -> Frame:
        """At the end marker that streams of text have."""
        raise NotImplementedError
