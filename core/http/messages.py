"""The face of the Messages API: requests, answers, streams, errors and counts of tokens, whoever answers."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from core.answers import Answer
from core.capabilities import Capability
from core.errors import (
    AllTargetsFailed,
    BadRequest,
    ContextTooLong,
    MediaUnavailable,
    NoTarget,
    Overloaded,
    PatchbayError,
    QuotaExhausted,
    TooManyInputs,
)
from core.gateway import Gateway
from core.http import options
from core.http.endpoint import ChatEndpoint, Leaving
from core.http.headers import Headers, named, receipt_headers
from core.http.problems import Problem, error_object, problem_headers, stream_error_object
from core.http.replies import send_json
from core.http.surfaces import Body, Face, StreamFace, marked
from core.types.caller import Caller
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Native, Request
from core.wire.chat import chat_facts
from core.wire.messages import errors as wire
from core.wire.openai import Completion
from core.wire.shapes import check_type

_PASSED = tuple((name, name.encode()) for name in wire.HEADERS)


class Messages(Face):
    """/v1/messages: the bytes of a provider whose own dialect it is, else a translation."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        limit = body.get("max_tokens")
        if limit is None:
            raise BadRequest("max_tokens is missing", param="max_tokens", code="missing")
        check_type("max_tokens", limit, (int,))
        if limit < 0:
            raise BadRequest("max_tokens must be at least 0", param="max_tokens", code="invalid_value")
        return messages_request(body, route, timeout)

    def answer(self, answer: Answer[Completion]) -> bytes:
        raw = answer.value.native
        if raw is None:
            from core.wire.messages.codec import completion_to, usage_to  # noqa: PLC0415 - for who needs it

            # What an answer used is never missing here; where nobody said it, it is the receipt's estimate.
            raw = orjson.dumps({**completion_to(answer.value.body), "usage": usage_to(answer.receipt.usage)})
        return marked(raw.rstrip()) if answer.receipt.simulated else raw

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        if isinstance(error, MediaUnavailable):
            error = error.at(None)  # blocks lie elsewhere than the parts of a chat
        status = _status(error)
        said = _said(error, error_object(error), error.receipt, status)
        return status, problem_headers(error, simulated=simulated), orjson.dumps({**said, "simulated": simulated})

    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:
        return OwnEvents(receipt) if dialect == wire.DIALECT else MadeEvents(receipt)


class OwnEvents:
    """A provider's events as they are."""

    def __init__(self, receipt: Receipt) -> None:
        self._simulated = receipt.simulated

    def frames(self, batch: list[Frame]) -> bytes:
        return self._marked(b"".join([frame.raw for frame in batch]))

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - the contract; it has been said
        return self._marked(wire.MESSAGE_STOP)

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        said = _said(error, stream_error_object(error, receipt), receipt, _status(error))
        return self._marked(b"event: error\ndata: " + orjson.dumps(said) + b"\n\n")

    def _marked(self, raw: bytes) -> bytes:
        return marked(raw) if self._simulated and raw else raw


class MadeEvents(OwnEvents):
    """Canonical chunks, translated."""

    def __init__(self, receipt: Receipt) -> None:
        from core.wire.messages.codec import MessagesStream  # noqa: PLC0415 - for who needs it

        super().__init__(receipt)
        self._stream = MessagesStream(receipt.request.facts.input_tokens)

    def frames(self, batch: list[Frame]) -> bytes:
        return self._marked(self._stream.feed(frame.raw for frame in batch))

    def end(self, receipt: Receipt) -> bytes:
        return self._marked(self._stream.end(receipt.usage))


class MessagesEndpoint(ChatEndpoint):
    """Also keeps the headers that go with the dialect, and names each answer by its own one."""

    def __init__(self) -> None:
        super().__init__(Messages())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, partial(_named, send))

    def _decode(self, body: Body, route: str, headers: Mapping[bytes, bytes]) -> Request:
        return heard(super()._decode(body, route, headers), headers)


class Count(Messages):
    """/v1/messages/count_tokens: a request without an answer, and so without its length."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return messages_request(body, route, timeout)


class CountEndpoint(MessagesEndpoint):
    def __init__(self) -> None:
        ChatEndpoint.__init__(self, Count())

    async def _answer(
        self,
        gateway: Gateway,
        caller: Caller,  # noqa: ARG002 - the contract; no answer is made for anybody
        request: Request,
        leaving: Leaving,
        send: Send,
    ) -> None:
        counted = await gateway.count_tokens(request)
        leaving.over()
        body = orjson.dumps({"input_tokens": counted.tokens})
        fields = named(receipt_headers(None, simulated=gateway.simulated), counted.target, counted.warnings)
        how = b"reported" if counted.reported else b"estimated"
        raw = marked(body) if gateway.simulated else body
        await send_json(send, raw, [*fields, (b"x-patchbay-count", how)])


def messages_request(body: Body, route: str, timeout: float | None) -> Request:
    from core.wire.messages.codec import translated  # noqa: PLC0415 - for who needs it

    chosen = options.take(body)
    found = translated(body)
    try:
        facts = chat_facts(found.body)
    except BadRequest as error:
        raise found.in_theirs(error) from None
    native = Native(wire.DIALECT, body, losses=tuple(found.losses), bound=tuple(found.bound), named=found.named)
    streams = bool(found.body.get("stream"))
    return Request(Capability.CHAT, found.body, chosen, facts, streams, route=route, timeout=timeout, native=native)


def heard(request: Request, headers: Mapping[bytes, bytes]) -> Request:
    """With the headers that say how the body is meant."""
    given = tuple((name, headers[raw].decode("latin-1")) for name, raw in _PASSED if raw in headers)
    if not given or request.native is None:
        return request
    return request._replace(native=request.native._replace(headers=given))


def _status(error: PatchbayError) -> int:
    tried = error.errors if isinstance(error, AllTargetsFailed) else (error,)
    return wire.OVERLOADED if all(isinstance(one, Overloaded) for one in tried) else error.status


def _said(error: PatchbayError, facts: dict[str, Any], receipt: Receipt | None, status: int) -> Body:
    """The dialect's error object with our facts in it."""
    tried = error.errors if isinstance(error, AllTargetsFailed) else (error,)
    empty = all(isinstance(one, QuotaExhausted) for one in tried)
    facts["type"] = "billing_error" if empty else wire.error_type(status)
    if _is_too_long(error) and wire.TOO_LONG not in facts["message"].lower():
        facts["message"] = f"{wire.TOO_LONG}: {facts['message']}"
    return {"type": "error", "error": facts, "request_id": receipt.id if receipt else None}


def _is_too_long(error: PatchbayError) -> bool:
    if isinstance(error, NoTarget):
        own = [one for one in error.excluded if one.by_request]
        return bool(own) and all(one.code == "context" for one in own)
    last = error.errors[-1] if isinstance(error, AllTargetsFailed) else error
    return isinstance(last, ContextTooLong) and not isinstance(last, TooManyInputs)


async def _named(send: Send, message: Message) -> None:
    """Clients of this API look for the number of a request under this name."""
    if message["type"] == "http.response.start":
        fields: Headers = message["headers"]
        numbers = [value for name, value in fields if name == b"x-patchbay-decision" and value]
        message["headers"] = [*fields, *((b"request-id", number) for number in numbers)]
    await send(message)
