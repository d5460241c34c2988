"""/v1/responses: OpenAI's Responses API, as it is where a provider has it and over chat where none does."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request as Question
from starlette.responses import Response

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BadRequest, MediaUnavailable, NotFound, PatchbayError
from core.http import options
from core.http.problems import Problem, stream_error_object
from core.http.surfaces import Body, OpenAIChat, PassingStream, StreamFace, marked
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Native, Request
from core.wire.chat import chat_facts
from core.wire.openai import Completion
from core.wire.responses import DIALECT, request_from
from core.wire.responses_answers import completion_to, response_of
from core.wire.responses_events import ResponsesEvents, broken
from core.wire.responses_stream import left_off


class Responses(OpenAIChat):
    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        chosen = options.take(body)
        translated = request_from(body)
        stream = bool(body.get("stream"))
        if body.get("background") and not stream:
            words = "background needs stream: a response cannot be fetched here later"
            raise BadRequest(words, param="background", code="unsupported_value")
        try:
            facts = chat_facts(translated.body)
        except BadRequest as error:
            raise translated.in_theirs(error) from None
        native = Native(DIALECT, body, losses=translated.losses, bound=translated.bound)
        return Request(
            Capability.CHAT, translated.body, chosen, facts, stream, wants_usage=True, route=route, timeout=timeout,
            native=native, context=translated,
        )  # fmt: skip

    def answer(self, answer: Answer[Completion]) -> bytes:
        receipt, raw = answer.receipt, answer.value.native
        if raw is None:
            raw = orjson.dumps(completion_to(answer.value.body, *_about(receipt)))
        return marked(raw.rstrip()) if receipt.simulated else raw

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        if isinstance(error, MediaUnavailable) and error.receipt is not None and error.param is not None:
            error = error.at(error.receipt.request.context.place(error.param))
        return super().problem(error, simulated=simulated)

    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:
        return PassedOn(receipt.simulated) if dialect == DIALECT else Translated(receipt)


class Translated:
    """A chat's stream."""

    def __init__(self, receipt: Receipt) -> None:
        self._simulated = receipt.simulated
        self._events = ResponsesEvents(*_about(receipt), _model(receipt))

    def frames(self, batch: list[Frame]) -> bytes:
        return self._shown(self._events.events(b"".join([frame.raw for frame in batch])))

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - the contract; others show it
        return self._shown(self._events.end())

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        return self._shown(self._events.broken(stream_error_object(error, receipt), limited=error.status == 429))

    def _shown(self, raw: bytes) -> bytes:
        return marked(raw) if self._simulated and raw else raw


class PassedOn(PassingStream):
    """A provider's own events; what is needed of them should the stream break is looked up then."""

    _first = _last = b""

    def frames(self, batch: list[Frame]) -> bytes:
        raw = super().frames(batch)
        self._first, self._last = self._first or raw, raw or self._last
        return raw

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - the contract; others show it
        return b""

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        begun, number = left_off(self._first, self._last)
        begun = begun or response_of(*_about(receipt), _model(receipt))
        raw = broken(stream_error_object(error, receipt), begun, number, limited=error.status == 429)
        return marked(raw) if receipt.simulated else raw


async def not_stored(request: Question) -> Response:
    """What is done with a response that was kept."""
    words = (
        f"{request.method} /v1/responses/...: no response is kept here. Send the whole conversation as input, or go on"
        " with previous_response_id, which goes to the provider that has it."
    )
    raise NotFound(words, param="response_id", code="response_not_stored")


def _about(receipt: Receipt) -> tuple[Mapping[str, Any], str, int]:
    """What was asked, what the answer is called, and when it began."""
    native = receipt.request.native
    return {} if native is None else native.body, receipt.id, int(receipt.at)


def _model(receipt: Receipt) -> str:
    return receipt.target.model if receipt.target else ""
