"""The faces of the gateway: how a route's body becomes a request, and an answer the route's body."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import orjson

from core.accounting import ledger
from core.answers import Answer
from core.capabilities import Capability
from core.errors import PatchbayError
from core.http import options
from core.http.problems import Problem, problem, stream_error_object
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Request
from core.wire import sse
from core.wire.chat import chat_facts
from core.wire.openai import Completion

Body = dict[str, Any]
T = TypeVar("T")
# What of a message the native answer shows beside its text.
_BESIDE_CONTENT = (
    "tool_calls", "refusal", "reasoning_content", "reasoning_details", "citations", "annotations", "audio",
)  # fmt: skip
_NO_RECEIPT: Body = {"decision_id": None, "attempts": [], "cost": {"usd": 0.0, "nano_usd": 0}, "warnings": []}


class Surface(Protocol[T]):
    """A route's own form of requests and answers."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request: ...
    def answer(self, answer: Answer[T]) -> bytes: ...
    def pieces(self, answer: Answer[T]) -> Iterator[bytes] | None:
        """The same bytes one after the other, where writing them at once would take long and much memory."""
        ...

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        """Also for who was refused before there was a request."""
        ...


class StreamFace(Protocol):
    """One stream in a route's own form; it may remember what it has said."""

    def frames(self, batch: list[Frame]) -> bytes: ...
    def end(self, receipt: Receipt) -> bytes: ...
    def error(self, error: PatchbayError, receipt: Receipt) -> bytes | None:
        """None where nothing can be said: what breaks it must not look like its end."""
        ...


class ChatSurface(Surface[Completion], Protocol):
    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:
        """For frames of a dialect: the canonical one, or that of the request's native body."""
        ...


class Face:
    """What most faces have in common: answers written at once, and errors as OpenAI says them."""

    shows_receipt = False  # also beside errors

    def pieces(self, answer: Answer[Any]) -> Iterator[bytes] | None:  # noqa: ARG002 - for those whose are large
        return None

    def problem(self, error: PatchbayError, *, simulated: bool) -> Problem:
        extra = summary_or_none(error.receipt) if self.shows_receipt else {}
        return problem(error, simulated=simulated, extra=extra)


class OpenAIChat(Face):
    """/v1/chat/completions: a provider's bytes pass through as they are; a simulator's are marked."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return chat_request(body, route, timeout, wants_usage=_asks_for_usage(body))

    def answer(self, answer: Answer[Completion]) -> bytes:
        raw = answer.value.raw
        return marked(raw.rstrip()) if answer.receipt.simulated else raw

    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:  # noqa: ARG002 - the contract; it has no other
        return PassingStream(receipt.simulated)


class NativeChat(OpenAIChat):
    """/api/ai/chat: the answer's text and its receipt in one flat object; streams end with the receipt."""

    shows_receipt = True

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return chat_request(body, route, timeout, wants_usage=False)

    def answer(self, answer: Answer[Completion]) -> bytes:
        message = answer.value.message
        extra = {name: message[name] for name in _BESIDE_CONTENT if message.get(name)}
        choices = answer.value.body["choices"]
        if len(choices) > 1:
            extra["choices"] = choices
        return orjson.dumps(
            {
                "content": message.get("content"),
                **extra,
                "finish_reason": answer.value.finish_reason,
                **summary(answer.receipt),
            }
        )

    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:  # noqa: ARG002 - the contract; it has no other
        return NativeStream(receipt.simulated)


class PassingStream:
    """A provider's events as they are; a simulator's are marked."""

    def __init__(self, simulated: bool) -> None:  # noqa: FBT001 - all there is to say of it
        self._simulated = simulated

    def frames(self, batch: list[Frame]) -> bytes:
        raw = batch[0].raw if len(batch) == 1 else b"".join([frame.raw for frame in batch])
        return marked(raw) if self._simulated else raw

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - the contract; others show it
        return sse.DONE

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        return error_event(error, receipt, {"simulated": receipt.simulated})


class NativeStream(PassingStream):
    """The same with the receipt at its end."""

    def end(self, receipt: Receipt) -> bytes:
        # An empty list of choices is what OpenAI's own usage chunk looks like: every client steps over it.
        chunk = {"id": receipt.id, "object": "chat.completion.chunk", "choices": [], **summary(receipt)}
        return sse.event(orjson.dumps(chunk)) + sse.DONE

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        return error_event(error, receipt, summary(receipt))


def error_event(error: PatchbayError, receipt: Receipt, more: Body) -> bytes:
    return sse.event(orjson.dumps({"error": stream_error_object(error, receipt), **more}))


def marks(receipt: Receipt) -> Body:
    """What says of a simulator's answer what it is; nothing elsewhere."""
    return {"simulated": True} if receipt.simulated else {}


def marked(raw: bytes) -> bytes:
    """A simulator's JSON, or its events, saying of themselves what they are."""
    if raw.endswith(b"\n\n"):
        return raw.replace(b"}\n\n", b',"simulated":true}\n\n')
    return raw[:-1] + b',"simulated":true}'


def chat_request(body: Body, route: str, timeout: float | None, *, wants_usage: bool) -> Request:
    chosen = options.take(body)
    facts = chat_facts(body)
    return Request(Capability.CHAT, body, chosen, facts, bool(body.get("stream")), wants_usage, route, timeout)


def summary(receipt: Receipt) -> Body:
    """What every /api/ai/* answer says beside its content."""
    target = receipt.target
    return {
        "model": target.model if target else None,
        "provider": target.provider if target else None,
        "usage": ledger.usage(receipt.usage),
        "duration_ms": round(receipt.ms, 1),
        "cost": {"usd": receipt.cost.usd, "nano_usd": receipt.cost.nano},
        **({"voice": receipt.voice} if receipt.voice else {}),
        "cache": receipt.cache,
        **({"cached": ledger.cached(receipt.again)} if receipt.again else {}),
        "simulated": receipt.simulated,
        "decision_id": receipt.id,
        "attempts": [ledger.attempt(attempt) for attempt in receipt.attempts],
        "warnings": receipt.told,
    }


def summary_or_none(receipt: Receipt | None) -> Body:
    """The same beside an error, which may have come before there was a receipt."""
    return summary(receipt) if receipt else dict(_NO_RECEIPT)


def _asks_for_usage(body: Body) -> bool:
    wanted = body.get("stream_options")
    return isinstance(wanted, dict) and bool(wanted.get("include_usage"))
