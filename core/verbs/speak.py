"""Speech: a text said by a voice, as it comes or whole."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from core.answers import Answer, LiveAnswer
from core.capabilities import Capability, Feature
from core.errors import AnswerTooLarge, BadAudio, ParameterRefused, RequestRefused, TargetError
from core.execution.deadline import Deadline
from core.execution.saying import RATE, Saying
from core.execution.streaming import commit
from core.execution.walk import Won
from core.providers.contract import FrameSource, Reply, Speaks
from core.providers.row import Row
from core.steps import Steps
from core.types.audio import Sound, Word
from core.types.caller import Caller
from core.types.frame import Kind
from core.types.plan import Candidate
from core.types.receipt import Receipt
from core.types.request import Request
from core.wire.sentences import parts
from core.wire.sound import speech
from core.wire.sound.ssml_voices import recast

_WHOLE = ("pcm", "wav", "flac")  # kinds that lose nothing on the way to another one
_EARLY = 120  # characters of a first part, where a provider is silent until all of it is made
_SHORT = 250  # a text that is not worth it
_NO_LIMIT = 10**9
_LONGEST_PAUSE = 5.0  # seconds before a part is tried again


class Spoken(NamedTuple):
    data: bytes
    sound: Sound
    ms: int | None = None  # how long it is
    words: tuple[Word, ...] = ()  # when each is said, where that was asked for


class LiveSpeech(LiveAnswer):
    @property
    def words(self) -> tuple[Word, ...]:
        """When each is said, where that was asked for; known at the end."""
        found: Sequence[Word] = getattr(self._won.value.source, "boundaries", ())
        return tuple(found)


class Speak:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def stream(self, caller: Caller, request: Request) -> LiveSpeech:
        """Sound as it comes: its frames must be read to their end or closed."""
        deadline = self._steps.deadline(request)
        first_token = self._steps.settings.first_token_timeout
        receipt, won = await self._win(
            caller, request, lambda one: commit(self._saying(one, request).open(), first_token), deadline
        )
        receipt.warnings += self._steps.told(won.candidate, request, won.value.warnings)
        receipt.first_ms = (self._steps.clock.monotonic() - receipt.started) * 1000
        receipt.target = won.candidate.target
        return LiveSpeech(self._steps.finish, self._steps.clock, receipt, won, deadline)

    async def answer(self, caller: Caller, request: Request) -> Answer[Spoken]:
        """All of it: whoever fails is replaced to the last byte."""
        deadline = self._steps.deadline(request)
        receipt, won = await self._win(caller, request, partial(self._whole, request), deadline)
        receipt.warnings += self._steps.told(won.candidate, request, won.value.warnings)
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        if won.value.value is None:
            most = self._steps.settings.max_answer_bytes
            words = (
                f"The speech is larger than {most} bytes (PATCHBAY_MAX_ANSWER_BYTES). Ask for mp3, or for a stream."
            )
            error = AnswerTooLarge(words, code="answer_too_large")
            error.receipt = receipt
            raise error
        return Answer(won.value.value, receipt)

    async def _win(
        self,
        caller: Caller,
        request: Request,
        attempt: Callable[[Candidate], Awaitable[Any]],
        deadline: Deadline,
    ) -> tuple[Receipt, Won[Any]]:
        receipt, won = await self._steps.win(caller, request, partial(self._hinted, request, attempt), deadline, "off")
        receipt.voice = won.candidate.voice
        if request.options.cache not in {None, "off"}:
            receipt.warnings.append(f"cache={request.options.cache} had no effect: speech is not kept")
        return receipt, won

    async def _hinted(
        self, request: Request, attempt: Callable[[Candidate], Awaitable[Any]], candidate: Candidate
    ) -> Any:
        """Who refuses a voice that was sent as it was named mostly says no more than that."""
        try:
            return await attempt(candidate)
        except (ParameterRefused, RequestRefused) as error:
            if (request.facts.voice or request.facts.voices) and error.param in {None, "voice"}:
                from core.routing.casting import hint  # noqa: PLC0415 - voices are known where one was cast

                names = [candidate.voice or "", *(there for _, there in candidate.voices)]
                words = hint(self._steps.planner.voices, candidate.target.provider, list(dict.fromkeys(names)))
                error.message = " ".join(filter(None, (error.message, words)))
            raise

    async def _whole(self, request: Request, candidate: Candidate) -> Reply[Spoken | None]:
        """Nothing where it is too large to be held."""
        saying = self._saying(candidate, request)
        data, most, too_large = bytearray(), self._steps.settings.max_answer_bytes, False
        try:
            await saying.open()
            while (frames := await saying.next()) is not None and not too_large:
                for frame in frames:
                    data += frame.raw
                too_large = len(data) > most
                if frames and frames[-1].kind is Kind.END:
                    await saying.next()  # the provider's goodbye
                    break
        except TargetError as error:
            error.request_id = error.request_id or saying.request_id
            if error.usage is None and saying.usage.source != "unknown":
                error.usage = saying.usage
            raise
        finally:
            saying.close()
        spoken = None
        if not too_large:
            made, ms = await asyncio.to_thread(_finished, bytes(data), saying.sound)
            spoken = Spoken(made, saying.sound, ms, tuple(saying.boundaries))
        return Reply(spoken, saying.usage, saying.request_id, (*saying.warnings, *saying.losses))

    def _saying(self, candidate: Candidate, request: Request) -> Saying:
        """One request where the text and the kind of sound are within what the target takes, else several."""
        target, steps = candidate.target, self._steps
        row = steps.registry.row(target.provider, target.account, Capability.SPEAK)
        adapter: Speaks = steps.registry.adapter(target.provider, target.account, Capability.SPEAK)
        call, features = steps.call(candidate, request), self._features(row, candidate)
        body = {**call.body, "voice": _voice(candidate, request, row)}
        if body["ssml"]:
            body = self._document(body, candidate) if Feature.SSML in features else speech.plain(body)
        text, wanted = body["input"], body["sound"]
        most = row.most_characters or _NO_LIMIT
        if body["ssml"] and len(text) > most:
            words = f"SSML of {len(text)} characters is more than the {most} that are taken at once, and is not cut"
            raise ParameterRefused(words, param="input")
        early = request.stream and Feature.STREAM not in features and len(text) > _SHORT
        texts = [text] if body["ssml"] else _said(parts(text, most, first=_EARLY if early else None))
        asked = _asked(wanted, row.says, alone=len(texts) == 1)

        async def ask(part: str) -> FrameSource:
            one = call._replace(body={**body, "input": part, "sound": asked})
            return await adapter.speak(one)

        return Saying(ask, texts, wanted, self._pause, counted=not self._by_tokens(candidate))

    @staticmethod
    def _document(body: Mapping[str, Any], candidate: Candidate) -> dict[str, Any]:
        """With the names that its voices have there."""
        cast = {name: there for name, there in candidate.voices if name != there}
        return {**body, "input": recast(body["input"], cast) if cast else body["input"]}

    def _features(self, row: Row, candidate: Candidate) -> frozenset[Feature]:
        model = self._steps.model(candidate.target)
        return model.features if model is not None and not row.uniform else row.features

    def _by_tokens(self, candidate: Candidate) -> bool:
        """Whether it is sold by what only the provider can count."""
        model = self._steps.model(candidate.target)
        return model is not None and model.rates(self._steps.clock.now()) is not None

    def _pause(self, error: TargetError) -> float:
        wait = self._steps.settings.retry_delay_ms / 1000 if error.retry_after is None else error.retry_after
        return min(wait, _LONGEST_PAUSE)


def _voice(candidate: Candidate, request: Request, row: Row) -> str | dict[str, str] | None:
    """Somebody's own in the form that his provider wants."""
    own = request.facts.own_voice and row.own_voices and candidate.voice == request.facts.voice
    return {"id": str(candidate.voice)} if own else candidate.voice


def _finished(data: bytes, sound: Sound) -> tuple[bytes, int | None]:
    """With its length in its head, and in milliseconds; None where it cannot be measured, which makes it no worse."""
    if sound.kind == "pcm":
        return data, len(data) * 1000 // (2 * sound.channels * sound.rate)
    from core.audio.finishing import finished  # noqa: PLC0415 - few want it whole
    from core.audio.measuring import measure  # noqa: PLC0415 - as above

    try:
        made = finished(data)
        return made, measure(made).ms
    except BadAudio:
        return data, None


def _said(texts: Sequence[str]) -> list[str]:
    """Without parts in which there is nothing to say; somebody's only words may be an emoji."""
    found = [text for text in texts if any(map(str.isalnum, text))]
    return found or ["".join(texts)]


def _asked(wanted: Sound, says: Sequence[str], *, alone: bool) -> Sound:
    """What a provider is asked for: what is wanted, unless it has to be made of several or at another rate."""
    # At another rate whatever has a header is made anew, and PCM needs no reading before that.
    if alone and wanted.kind in says and (wanted.rate == RATE or wanted.kind == "pcm"):
        return wanted
    return Sound(next((kind for kind in _WHOLE if kind in says), says[0]), wanted.rate)
