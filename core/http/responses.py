"""/v1/responses: OpenAI's Responses API, as it is where a provider has it and over chat where none does."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request as Question
from starlette.responses import Response

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BadRequest, NotFound, PatchbayError
from core.http import options
from core.http.problems import Problem, stream_error_object
from core.http.surfaces import Body, OpenAIChat, PassingStream, StreamFace, marked
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Native, Request
from core.wire.chat import chat_facts
from core.wire.openai import Completion
from core.wire.responses.answers import completion_to, response_of, usage_to
from core.wire.responses.events import ResponsesEvents, broken, event
from core.wire.responses.request import DIALECT, request_from
from core.wire.responses.stream import LeftOff

_LONGEST_RECORDING = 8 * 2**20  # bytes; of a longer stream that breaks nothing is said again


class Responses(OpenAIChat):
    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        chosen = options.take(body)
        translated = request_from(body, strict=chosen.strict)
        stream = bool(body.get("stream"))
        if body.get("background") and not stream:
            words = "background needs stream: a response cannot be fetched here later"
            raise BadRequest(words, param="background", code="unsupported_value")
        try:
            facts = chat_facts(translated.body)
        except BadRequest as error:
            raise translated.in_theirs(error) from None
        native = Native(DIALECT, body, losses=translated.losses, bound=translated.bound, names=translated.names)
        return Request(
            Capability.CHAT, translated.body, chosen, facts, stream, wants_usage=True, route=route, timeout=timeout,
            native=native,
        )  # fmt: skip

    def answer(self, answer: Answer[Completion]) -> bytes:
        receipt, raw = answer.receipt, answer.value.native
        if raw is None:
            raw = orjson.dumps(completion_to(answer.value.body, *_about(receipt)))
        return marked(raw.rstrip()) if receipt.simulated else raw

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        status, headers, raw = super().problem(error, simulated=simulated)
        if error.receipt is not None:
            raw = orjson.dumps(_in_theirs(orjson.loads(raw), error.receipt))
        return status, headers, raw

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
        said = _in_theirs(stream_error_object(error, receipt), receipt)
        return self._shown(self._events.broken(said, receipt.usage, limited=error.status == 429))

    def _shown(self, raw: bytes) -> bytes:
        return marked(raw) if self._simulated and raw else raw


class PassedOn(PassingStream):
    """A provider's own events; what is needed of them should the stream break is looked up then."""

    def __init__(self, simulated: bool) -> None:  # noqa: FBT001 - as above it
        super().__init__(simulated)
        self._raws: list[bytes] = []
        self._size = 0

    def frames(self, batch: list[Frame]) -> bytes:
        raw = super().frames(batch)
        self._size += len(raw)
        if self._size <= _LONGEST_RECORDING:
            self._raws.append(raw)
        else:  # its beginning and its latest event are enough to say that it broke
            self._raws = [*self._raws[:1], raw]
        return raw

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - the contract; others show it
        return b""

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        left = LeftOff(self._raws)
        whole = self._size <= _LONGEST_RECORDING
        endings, output = (left.endings(), left.output) if whole else ([], [])
        begun = left.response or response_of(*_about(receipt), _model(receipt))
        made = [event(kind, left.number + place, fields) for place, (kind, fields) in enumerate(endings)]
        under_way = {**begun, "output": output, "usage": usage_to(receipt.usage, estimates=True)}
        said, number = stream_error_object(error, receipt), left.number + len(made)
        raw = b"".join([*made, broken(said, under_way, number, limited=error.status == 429)])
        return marked(raw) if receipt.simulated else raw


async def not_stored(request: Question) -> Response:
    """What is done with a response that was kept, or without making one."""
    where, asked = f"{request.method} {request.url.path}", request.path_params["response_id"]
    if asked in _WITHOUT_ONE:
        raise NotFound(f"{where} is not there: {_WITHOUT_ONE[asked]}.", code="unknown_route")
    words = (
        f"{where}: no response is kept here. Send the whole conversation as input, or go on with"
        " previous_response_id, which goes to the provider that has it."
    )
    raise NotFound(words, param="response_id", code="response_not_stored")


_WITHOUT_ONE = {
    "input_tokens": "input is counted by POST /v1/messages/count_tokens, in the form of the Messages API",
    "compact": "a conversation is shortened by who keeps it; send what is left of it as input",
}


def _in_theirs(said: Any, receipt: Receipt) -> Any:
    """What is said of a request, by the names that its caller knows."""
    native = receipt.request.native
    return said if native is None or native.names is None else native.names.inside(said)


def _about(receipt: Receipt) -> tuple[Mapping[str, Any], str, int]:
    """What was asked, what the answer is called, and when it began."""
    native = receipt.request.native
    return {} if native is None else native.body, receipt.id, int(receipt.at)


def _model(receipt: Receipt) -> str:
    return receipt.target.model if receipt.target else ""
