"""A caller's own provider as the gateway asks it: what its methods give and raise, in the canonical dialect."""

import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from core.errors import AttemptTimeout, BadAudio, Malformed, OwnCodeFailed, TargetError, Unreachable
from core.library.own_sound import OneSound, heard, spoken, transcript_of, translated
from core.providers.contract import Call, Reply
from core.types.audio import Transcript
from core.types.frame import Frame, Kind
from core.types.translation import Translation
from core.types.usage import Usage
from core.wire import openai as wire
from core.wire import sse
from core.wire.embeddings import Embeddings, items, read_embeddings
from core.wire.faults import classify, redact

if TYPE_CHECKING:
    from core.library.own import Own

T = TypeVar("T")

_LONGEST = 500  # characters of an exception's words that are passed on


class OwnAdapter:
    def __init__(self, own: "Own") -> None:
        self._own = own

    async def chat(self, call: Call) -> Reply[wire.Completion]:
        try:
            if not self._own.ready:
                raise _own(Unreachable(f"{call.target.provider} says that it is not available"))  # noqa: TRY301 - or its own code fails here
            said = await self._own.answer(call)
            if inspect.isasyncgen(said) or isinstance(said, AsyncIterator):
                said = "".join([_text_in(piece) or "" async for piece in said])
        except TargetError:
            raise
        except Exception as error:
            raise _failure(error, self._own.secret) from error
        text = _text_in(said)
        if text is None:
            raise _own(Malformed(f"{call.target.provider} returned {type(said).__name__} without any content"))
        return Reply(_completion(call.target.model, text, _usage_in(said)), _usage_in(said))

    async def embed(self, call: Call) -> Reply[Embeddings]:
        try:
            said = await self._own.vectors(call)
        except TargetError:
            raise
        except Exception as error:
            raise _failure(error, self._own.secret) from error
        listed = said.get("embeddings") if isinstance(said, Mapping) else getattr(said, "embeddings", said)
        if not isinstance(listed, list | tuple):
            raise _own(Malformed(f"{call.target.provider} returned {type(said).__name__} in place of vectors"))
        data = [{"index": place, "embedding": vector} for place, vector in enumerate(listed)]
        try:
            raw = orjson.dumps({"object": "list", "data": data})
        except orjson.JSONEncodeError as error:
            raise _own(Malformed(f"{call.target.provider} returned vectors that are no lists of numbers")) from error
        try:
            read = read_embeddings(raw, len(items(call.body["input"])))._replace(raw=None, usage=_usage_in(said))
        except Malformed as error:
            raise _own(error) from None
        return Reply(read, read.usage)

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        own, audio = self._own, call.body["audio"]
        verb = own.hears or own.hears_files
        assert verb is not None  # noqa: S101 - its row says that it hears

        async def work() -> Transcript:
            return transcript_of(await heard(verb, call, by_request=own.hears is None), audio)

        found = await self._done(call, work)
        if "segment" in call.body["timestamps"] and found.text.strip() and not found.segments:
            words = (
                f"{call.target.provider} was asked for times and returned no segments:"
                " return an object with segments, each with text, start and end"
            )
            raise _own(Malformed(words))
        return Reply(found, Usage("reported", audio_ms=audio.ms))

    async def speak(self, call: Call) -> OneSound:
        verb = self._own.speaks
        assert verb is not None  # noqa: S101 - its row says that it speaks
        data, sound = await self._done(call, lambda: spoken(verb, call))
        return OneSound(data, sound, Usage("reported", characters=len(call.body["input"])))

    async def translate(self, call: Call) -> Reply[Translation]:
        verb = self._own.translates
        assert verb is not None  # noqa: S101 - its row says that it translates
        found = await self._done(call, lambda: translated(verb, call))
        characters = sum(map(len, call.body["texts"])) * len(call.body["targets"])
        return Reply(found, Usage("reported", characters=characters))

    async def _done(self, call: Call, work: Callable[[], Awaitable[T]]) -> T:
        """What its own code gives, or what it raises in our tree."""
        try:
            if not self._own.ready:
                raise _own(Unreachable(f"{call.target.provider} says that it is not available"))  # noqa: TRY301 - as above
            return await work()
        except Malformed as error:
            error.message = f"{call.target.provider}: {error.message}"
            raise _own(error) from None
        except BadAudio as error:
            words = f"{call.target.provider} returned what is no sound: {error.message}"
            raise _own(Malformed(words)) from None
        except TargetError:
            raise
        except Exception as error:
            raise _failure(error, self._own.secret) from error

    async def chat_stream(self, call: Call) -> "_OnePiece":
        return _OnePiece(await self.chat(call))

    async def models(self) -> list[str]:
        return [one.model_id for one in self._own.models]


class _OnePiece:
    """A whole answer as a stream."""

    def __init__(self, reply: Reply[wire.Completion]) -> None:
        self.request_id: str | None = None
        self.usage = reply.usage
        self.outputs = 1
        body = reply.value.body
        message, finish = reply.value.message, reply.value.finish_reason
        chunk = {"id": body["id"], "object": "chat.completion.chunk", "model": body["model"], "created": 0}
        first = {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}
        last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        kinds = ((first, Kind.OUTPUT if message["content"] else Kind.META), (last, Kind.META))
        self._frames: list[Frame] | None = [
            *(Frame(sse.event(orjson.dumps(one)), kind) for one, kind in kinds),
            Frame(sse.DONE, Kind.END),
        ]

    async def next(self) -> list[Frame] | None:
        frames, self._frames = self._frames, None
        return frames

    def close(self) -> None:
        self._frames = None


def _text_in(said: Any) -> str | None:
    if isinstance(said, str):
        return said
    found = said.get("content") if isinstance(said, Mapping) else getattr(said, "content", None)
    return found if isinstance(found, str) else None


def _usage_in(said: Any) -> Usage:
    """Token counts in either spelling; unknown when it gives none."""
    usage = said.get("usage") if isinstance(said, Mapping) else getattr(said, "usage", None)
    counts = usage if isinstance(usage, Mapping) else getattr(usage, "__dict__", {})
    given, made = (
        next((counts[name] for name in names if isinstance(counts.get(name), int)), None)
        for names in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
    )
    if given is None and made is None:
        return Usage()
    return Usage("reported", input=given or 0, output=made or 0)


def _completion(model: str, text: str, usage: Usage) -> wire.Completion:
    body = {
        "id": "own",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }
    return wire.Completion(orjson.dumps(body), body, usage)


def _own(error: TargetError) -> TargetError:
    """What is to be done about it is in the program, not at an address; what it returns it would return again."""
    error.advice = OwnCodeFailed.advice
    if isinstance(error, Malformed):
        error.again = False
    return error


def _failure(error: Exception, secret: str) -> TargetError:
    """What a caller's own code raised, in our tree: by its status where it has one, as vendors' libraries do."""
    words = redact(f"{type(error).__name__}: {error}", secret)[:_LONGEST]
    if isinstance(error, TimeoutError):
        return AttemptTimeout(words)
    if isinstance(error, ConnectionError):
        return _own(Unreachable(words))
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    if isinstance(status, int):
        told = classify(status, None, None, str(error))(words, provider_status=status)
        return _own(told) if isinstance(told, Malformed) else told
    return OwnCodeFailed(words)
