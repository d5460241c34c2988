"""Replicate's models for sound: predictions that hear what was put there, or say what is fetched from there."""

import asyncio
import logging
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from core.errors import BrokenOff, Dropped, Malformed, MediaUnavailable, TargetError
from core.net.fetch import Fetch
from core.providers.api import checked
from core.providers.contract import Call, Reply
from core.providers.replicate import Prediction, Replicate
from core.types.audio import Audio, Transcript
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire.canonical import having_used
from core.wire.forms import form
from core.wire.replicate.answers import failure_of, usage_of
from core.wire.replicate.audio import heard_to, place_of_speech, said_to, transcript_from, version_of
from core.wire.sound.sounds import sound_of

_INLINE = 256 * 1024  # bytes that go along with a request; more is put there first
_REMOVE_SECONDS = 10.0
_WAIT = {"prefer": "wait=5"}
_PIECE = 64 * 1024

log = logging.getLogger("patchbay")


class ReplicateAudio(Replicate):
    async def transcribe(self, call: Call) -> Reply[Transcript]:
        audio: Audio = call.body["audio"]
        _, losses = heard_to(call.body, call.target.model, "")
        warnings = checked(losses, call)  # before anything is sent anywhere
        place, ident = await self._put(audio, call)
        try:
            given, _ = heard_to(call.body, call.target.model, place)
            prediction = await self._predicted(call, given)
        finally:
            if ident:
                self.aside(self._removed(ident))
        usage = _used(prediction)._replace(audio_ms=audio.ms)
        made = self._read(prediction, usage, lambda: transcript_from(prediction.get("output"), call.body))
        return Reply(made, usage, prediction["id"], warnings)

    async def speak(self, call: Call) -> "Spoken":
        given, losses = said_to(call.body, call.target.model)
        warnings = checked(losses, call)
        prediction = await self._predicted(call, given)
        usage = _used(prediction)._replace(characters=len(call.body["input"]))
        place = self._read(prediction, usage, lambda: place_of_speech(prediction.get("output")))
        try:
            with having_used(usage):
                return Spoken(await self._fetched(place, call.max_bytes), usage, prediction["id"], warnings)
        except TargetError as error:
            error.request_id = prediction["id"]
            raise

    async def _predicted(self, call: Call, given: dict[str, Any]) -> Prediction:
        target = call.target._replace(model=version_of(call.target.model))
        prediction = await self.created(call._replace(target=target), {"input": given}, _WAIT)
        return await self.done(prediction, call.idle)

    def _read(self, prediction: Prediction, usage: Usage, reading: Any) -> Any:
        """What a prediction that is over came to, or why to nothing."""
        try:
            with having_used(usage):
                if error := failure_of(prediction, BrokenOff, *self._api.secrets):
                    raise error
                return reading()
        except TargetError as error:
            error.request_id = prediction["id"]
            raise

    async def _put(self, audio: Audio, call: Call) -> tuple[str, str]:
        """Where a model finds the audio: in the request itself, or as a file of the account, whose id comes along."""
        if len(audio.data) <= _INLINE:
            return f"data:{audio.mime};base64,{b64encode(audio.data).decode()}", ""
        kind, body = form({}, "content", audio.filename, audio.mime, audio.data, token_hex(16))
        made, _ = await self._api.post_file(self._api.url("/v1/files"), body, kind, call)
        urls = made.get("urls") if type(made) is dict else None
        place, ident = (urls.get("get") if type(urls) is dict else None), made.get("id") if urls else None
        if type(place) is not str or type(ident) is not str:
            raise Malformed("the answer names no file")
        return place, ident

    async def _removed(self, ident: str) -> None:
        """What was put there is nobody's any more. There it would be kept for a day."""
        try:
            async with asyncio.timeout(_REMOVE_SECONDS):
                url = self._api.url(f"/v1/files/{quote(ident, safe='')}")
                answer = await self._transport.send("DELETE", url, self._credentials)
                answer.close()
        except (TargetError, TimeoutError, RuntimeError) as error:  # the last: the gateway was closed meanwhile
            log.warning("file %s could not be removed: %s", ident, type(error).__name__)

    async def _fetched(self, place: str, most: int) -> bytes:
        """The speech, from wherever its address leads, but never from where users must not reach."""
        if place.startswith("data:"):
            try:
                return b64decode(place.partition(";base64,")[2], validate=True)
            except NotBase64:
                raise Malformed("the speech is no base64") from None
        left = most

        def take(size: int) -> None:
            nonlocal left
            left -= size
            if left < 0:
                raise Malformed(f"the speech is larger than {most} bytes")

        own = self._api.url("").host or ""  # of an account that leads to a server of one's own, its files may, too
        try:
            return await Fetch([own]).get(place, take)
        except MediaUnavailable as error:
            raise Dropped(f"the speech could not be fetched: {error.why}") from error


class Spoken:
    """Speech that is whole before its first piece goes out."""

    boundaries = ()

    def __init__(self, data: bytes, usage: Usage, ident: str, warnings: tuple[str, ...]) -> None:
        self.sound = sound_of(data)
        self.usage, self.request_id, self.warnings = usage, ident, warnings
        self.outputs = 0
        self._data = memoryview(data)
        self._ended = False

    async def next(self) -> list[Frame] | None:
        if self._ended:
            return None
        if self._data:
            piece, self._data = bytes(self._data[:_PIECE]), self._data[_PIECE:]
            self.outputs += 1
            return [Frame(piece, Kind.OUTPUT)]
        self._ended = True
        return [Frame(b"", Kind.END)]

    def close(self) -> None:
        self._ended = True


def _used(prediction: Prediction) -> Usage:
    """What it is sold by: how long it ran, or tokens where it reports any."""
    usage = usage_of(prediction)
    return usage._replace(source="reported") if usage.run_ms else usage
