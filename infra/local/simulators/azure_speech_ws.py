"""Azure Speech over its own protocol on WebSockets (USP): recognition while audio comes, and speech with its times."""

import asyncio
import struct
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import orjson

from infra.local.simulators.azure_speech import LOCALE, MADE, Said, SsmlError, encoded, said_in, spoken, sung
from infra.local.simulators.checks import RequestError
from infra.local.simulators.course import Course, OverError
from infra.local.simulators.replies import Call, Reply, Socket, Talk
from infra.local.simulators.signal import Heard, hear
from infra.local.simulators.websocket import WebSocket

TICKS = 10_000_000
RATE = 16_000
RIFF = struct.Struct("<4sI4s4sIHHIIHH4sI")
GAP = 0.4  # seconds without a word that end a phrase
LONGEST = 15.0
SILENCE = 20.0  # kept of what nobody speaks in
KEPT = 4.0
EVERY = RATE * 2 // 2  # bytes of audio between two times of listening: half a second
CHUNK = 4000


def recognise(call: Call) -> Reply | Socket:
    async def talk(socket: WebSocket, course: Course) -> None:
        await Listener(call, socket, course).run()

    return _opened(call, talk)


def synthesise(call: Call) -> Reply | Socket:
    async def talk(socket: WebSocket, course: Course) -> None:
        await _speak(call, socket, course)

    return _opened(call, talk)


def _opened(call: Call, talk: Talk) -> Reply | Socket:
    if call.request.headers.get("upgrade", "").lower() != "websocket":
        return Reply(400, {}, b"")
    return Socket(call.request, talk)


def parsed(message: str | bytes) -> tuple[dict[str, str], Any]:
    """Headers by small names, and what follows them: text, or the bytes of audio."""
    body: str | bytes
    if isinstance(message, str):
        head, _, body = message.partition("\r\n\r\n")
    else:
        (size,) = struct.unpack_from(">H", message)
        head, body = message[2 : 2 + size].decode("latin-1"), message[2 + size :]
    pairs = (line.split(":", 1) for line in head.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}, body


def text_message(path: str, request: str, content: Any) -> str:
    head = f"X-RequestId:{request}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n"
    return head + orjson.dumps(content).decode()


def audio_message(request: str, stream: str, data: bytes) -> bytes:
    head = f"X-RequestId:{request}\r\nContent-Type:audio/x-wav\r\nX-StreamId:{stream}\r\nPath:audio\r\n".encode()
    return struct.pack(">H", len(head)) + head + data


class Listener:
    """One connection; each of its turns has an id, what it is told, and audio."""

    def __init__(self, call: Call, socket: WebSocket, course: Course) -> None:
        self._call, self._socket, self._course = call, socket, course
        self._query = {name: values[-1] for name, values in parse_qs(call.request.query).items()}
        self._turn: Turn | None = None

    async def run(self) -> None:
        configured = False
        while (message := await self._socket.receive()) is not None:
            head, body = parsed(message)
            path = head.get("path", "").lower()
            if path == "speech.config":
                configured = True
            elif path == "speech.context" and configured and "x-requestid" in head:
                self._turn = await self._begin(head["x-requestid"], orjson.loads(body))
            elif path == "audio" and self._turn is not None and isinstance(body, bytes):
                await self._turn.hear(body)
            elif path not in {"telemetry", "audio"} or self._turn is None:
                await self._socket.close(1007, f"Unexpected message {path}.")
                return

    async def _begin(self, request: str, context: Mapping[str, Any]) -> "Turn":
        self._call.kept["speech.context"] = context
        detection = context.get("phraseDetection", {})
        languages = context.get("languageId", {}).get("languages")
        languages = languages or [detection.get("language") or self._query.get("language") or ""]
        for one in languages:
            if not LOCALE.fullmatch(one):
                await self._socket.close(1007, f"Unsupported language {one}.")
                raise OverError
        once = "interactive" in (str(detection.get("mode", "")).lower(), *self._call.request.path.split("/"))
        output = context.get("phraseOutput", {})
        detailed = "detailed" in {str(output.get("format", "")).lower(), self._query.get("format")}
        timed = "WordTimings" in output.get("detailed", {}).get("options", []) or "wordLevelTimestamps" in self._query
        return Turn(
            self._socket, self._course, request, languages,
            once=once, detailed=detailed, timed=timed, diarizes="speakerDiarization" in detection,
        )  # fmt: skip


class Turn:
    def __init__(
        self,
        socket: WebSocket,
        course: Course,
        request: str,
        languages: list[str],
        *,
        once: bool,
        detailed: bool,
        timed: bool,
        diarizes: bool,
    ) -> None:
        self._socket, self._course, self._request, self._languages = socket, course, request, languages
        self._once, self._detailed, self._timed, self._diarizes = once, detailed, timed, diarizes
        self._audio = bytearray()  # not yet part of a phrase
        self._base = 0  # samples before it
        self._fresh = 0  # bytes nobody listened to
        self._started = self._spoke = self._over = False
        self._covered = 0.0
        self._guests: dict[int, str] = {}

    async def hear(self, data: bytes) -> None:
        if self._over:
            return
        if not self._started:
            self._started = True
            await self._send("turn.start", {"context": {"serviceTag": self._request}})
            await self._course.begin()
            data = await self._format(data)
        elif not data:
            await self._end()
            return
        self._audio += data
        self._fresh += len(data)
        if self._fresh >= EVERY:
            await self._listen()

    async def _format(self, data: bytes) -> bytes:
        """The header of the audio, without which it is not taken."""
        fields = RIFF.unpack_from(data) if len(data) >= RIFF.size else ()
        if not fields or fields[0] != b"RIFF" or fields[5:8] != (1, 1, RATE) or fields[10] != 16:
            await self._socket.close(1007, "Unsupported audio format.")
            raise OverError
        return data[RIFF.size :]

    async def _listen(self, *, last: bool = False) -> None:
        self._fresh = 0
        samples = np.frombuffer(bytes(self._audio[: len(self._audio) // 2 * 2]), "<i2").astype(np.int16)
        length = len(samples) / RATE
        words = hear(samples, RATE)
        while words:
            if not self._spoke:
                self._spoke = True
                await self._send("speech.startDetected", {"Offset": self._ticks(words[0].start)})
            count = _phrase(words, length, last=last)
            if count is None:
                await self._hypothesis(words)
                return
            phrase, words = words[:count], words[count:]
            await self._phrase(phrase, length if last and not words else phrase[-1].end)
            if self._once:
                await self._finish()
                return
            self._drop((phrase[-1].end + words[0].start) / 2 if words else phrase[-1].end + GAP / 2)
            moved = (len(samples) - len(self._audio) // 2) / RATE
            samples = samples[-(len(self._audio) // 2) :] if self._audio else samples[:0]
            length -= moved
            words = [Heard(one.word, one.start - moved, one.end - moved, one.speaker) for one in words]
        if length > SILENCE:
            self._drop(length - KEPT)

    def _drop(self, seconds: float) -> None:
        count = min(max(round(seconds * RATE), 0), len(self._audio) // 2)
        del self._audio[: 2 * count]
        self._base += count

    async def _hypothesis(self, words: list[Heard]) -> None:
        start, text = words[0].start, " ".join(map(_lexical, words))
        guest = {"SpeakerId": "Unknown"} if self._diarizes else {}
        found = {"Text": text, "Offset": self._ticks(start), "Duration": _span(words[-1].end - start)}
        await self._send("speech.hypothesis", {**found, **self._primary(text), **guest, "Channel": 0})

    async def _phrase(self, words: list[Heard], end: float) -> None:
        await self._fail()
        await self._course.step()
        text = " ".join(one.word for one in words)
        start = words[0].start
        self._covered = self._base / RATE + end
        found: dict[str, Any] = {
            "RecognitionStatus": "Success", "Offset": self._ticks(start), "Duration": _span(end - start),
            **self._primary(text), "Channel": 0, "DisplayText": text,
        }  # fmt: skip
        if self._diarizes:
            found |= {"Type": "ConversationTranscription", "SpeakerId": self._guest(words[0].speaker)}
        if self._detailed:
            plain = " ".join(map(_lexical, words))
            best: dict[str, Any] = {
                "Confidence": 0.91, "Lexical": plain, "ITN": plain, "MaskedITN": plain, "Display": text,
            }  # fmt: skip
            if self._timed:
                best["Words"] = [
                    {"Word": _lexical(one), "Offset": self._ticks(one.start), "Duration": _span(one.end - one.start),
                     "Confidence": 0.9}
                    for one in words
                ]  # fmt: skip
            found["NBest"] = [best]
        message = text_message("speech.phrase", self._request, found)
        if self._course.name == "truncated_json":
            message = message[: -len(message) // 4]
        await self._socket.send(message)

    async def _fail(self, *, last: bool = False) -> None:
        """The service's own failure, told as a phrase."""
        if self._course.name in {"stream_error", "phrase"} and (last or self._course.strikes):
            status = self._course.word or "Error"
            await self._send("speech.phrase", {"RecognitionStatus": status, "Offset": 0, "Duration": 0})
            await self._socket.left()
            raise OverError

    async def _end(self) -> None:
        """The audio is over: what is left of it is answered, so that all of it is."""
        await self._listen(last=True)
        if self._over:
            return
        total = self._base / RATE + len(self._audio) / 2 / RATE
        if self._covered < total - 0.001:
            await self._fail()
            await self._course.step()
            status = "NoMatch" if self._spoke else "InitialSilenceTimeout"
            length = _span(total - self._covered)
            await self._send(
                "speech.phrase",
                {"RecognitionStatus": status, "Offset": _span(self._covered), "Duration": length, "Channel": 0},
            )
        await self._finish()

    async def _finish(self) -> None:
        self._over = True
        await self._fail(last=True)
        await self._course.strike(last=True)
        await self._send("speech.endDetected", {"Offset": _span(self._covered)})
        await self._send("turn.end", {})

    def _primary(self, text: str) -> dict[str, Any]:
        return {"PrimaryLanguage": {"Language": spoken(text, self._languages), "Confidence": "High"}}

    def _guest(self, speaker: int) -> str:
        return self._guests.setdefault(speaker, f"Guest-{len(self._guests) + 1}")

    def _ticks(self, seconds: float) -> int:
        return _span(self._base / RATE + seconds)

    async def _send(self, path: str, content: Any) -> None:
        await self._socket.send(text_message(path, self._request, content))


def _phrase(words: list[Heard], length: float, *, last: bool) -> int | None:
    """How many words are a phrase that is over; None while it may go on."""
    for place, (one, after) in enumerate(pairwise(words), 1):
        whole = after.end - words[0].start
        if after.start - one.end > GAP or after.speaker != one.speaker or whole > LONGEST:
            return place
    return len(words) if last or length - words[-1].end > GAP + 0.2 else None


def _lexical(word: Heard) -> str:
    return word.word.lower().strip(".,;:!?…") or word.word


def _span(seconds: float) -> int:
    return round(seconds * TICKS)


async def _speak(call: Call, socket: WebSocket, course: Course) -> None:
    name, configured = "", False
    while (message := await socket.receive()) is not None:
        head, body = parsed(message)
        path, request = head.get("path", "").lower(), head.get("x-requestid", "")
        if path == "speech.config":
            configured = True
        elif path == "synthesis.context":
            name = orjson.loads(body).get("synthesis", {}).get("audio", {}).get("outputFormat", "")
        elif path == "ssml" and configured and request:
            call.kept["ssml"] = body
            await _said(socket, course, request, body, name)
        elif path != "telemetry":
            await socket.close(1007, f"Unexpected message {path}.")
            return


async def _said(socket: WebSocket, course: Course, request: str, ssml: str, name: str) -> None:
    async def send(path: str, content: Any) -> None:
        await socket.send(text_message(path, request, content))

    try:
        spoken = said_in(ssml)
        if name not in MADE:
            raise SsmlError(f"Unsupported output format {name}.")  # noqa: TRY301 - one way to refuse
    except (SsmlError, RequestError) as error:
        await socket.close(1007, str(error))
        return
    await send("turn.start", {"context": {"serviceTag": request}})
    await course.begin()
    await send("response", {"context": {"serviceTag": request}, "audio": {"type": "inline", "streamId": request}})
    data, words = await asyncio.to_thread(_sounded, spoken, name)
    for start in range(0, len(data), CHUNK):
        if course.name == "stream_error" and course.strikes:
            await socket.close(1011, "Internal server error.")
            raise OverError
        await course.step()
        await socket.send(audio_message(request, request, data[start : start + CHUNK]))
    await course.strike(last=True)
    await send("audio.metadata", {"Metadata": [*words, {"Type": "SessionEnd", "Data": {"Offset": _span(1)}}]})
    await socket.send(audio_message(request, request, b""))
    await send("turn.end", {})


def _sounded(spoken: Said, name: str) -> tuple[bytes, list[dict[str, Any]]]:
    """The sound, and when each word of it is."""
    samples = sung(spoken, MADE[name].rate)
    words = [
        {
            "Type": "WordBoundary",
            "Data": {
                "Offset": _span(one.start), "Duration": _span(one.end - one.start),
                "text": {"Text": one.word, "Length": len(one.word), "BoundaryType": "WordBoundary"},
            },
        }
        for one in hear(samples, MADE[name].rate)
    ]  # fmt: skip
    return encoded(samples, MADE[name]), words
