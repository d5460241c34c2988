"""/v1/completions: prompts in, texts out, over chat."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Self

import orjson
from starlette.types import Send

from core.answers import Answer, LiveAnswer, ReplayedAnswer
from core.capabilities import Capability
from core.errors import PatchbayError, TargetError
from core.gateway import Gateway
from core.http import options
from core.http.endpoint import ChatEndpoint, Leaving
from core.http.headers import receipt_headers
from core.http.replies import send_json
from core.http.surfaces import Body, OpenAIChat, PassingStream, StreamFace, marked
from core.types.caller import Caller
from core.types.frame import Frame, Kind
from core.types.receipt import Receipt
from core.types.request import Request
from core.types.usage import UNKNOWN_COST, Cost
from core.wire import sse
from core.wire.chat import chat_facts
from core.wire.completions import Texts, chats_of
from core.wire.openai import Completion

_AT_ONCE = 8  # chats of one request


class Completions(OpenAIChat):
    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        chosen = options.take(body)
        first, *_ = chats = chats_of(body)
        stream, facts = bool(first.get("stream")), chat_facts(first)
        wants_usage = bool((first.get("stream_options") or {}).get("include_usage"))
        return Request(
            Capability.CHAT, first, chosen, facts, stream, wants_usage, route, timeout, context=(body, chats)
        )

    def answer(self, answer: Answer[Completion]) -> bytes:
        return self.answers([answer.value], answer.receipt)

    def answers(self, completions: list[Completion], receipt: Receipt) -> bytes:
        raw = orjson.dumps(_texts(receipt).whole([one.body for one in completions]))
        return marked(raw) if receipt.simulated else raw

    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:  # noqa: ARG002 - the contract; it has no other
        return TextStream(receipt)


class TextStream(PassingStream):
    """A chat's stream as pieces of text. An end among its frames is that of one prompt of several."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.simulated)
        self._texts = _texts(receipt)
        self._wants_usage = receipt.request.wants_usage

    def frames(self, batch: list[Frame]) -> bytes:
        made = []
        for frame in batch:
            if frame.kind is Kind.END:
                self._texts.next()
            else:
                made.append(self._texts.pieces(frame.raw))
        return self._shown(b"".join(made))

    def end(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - the contract; others show it
        used = self._texts.used() if self._wants_usage else b""
        return self._shown(used) + sse.DONE

    def _shown(self, raw: bytes) -> bytes:
        return marked(raw) if self._simulated and raw else raw


class CompletionsEndpoint(ChatEndpoint):
    """Each prompt is a chat of its own, with its own receipt; all of them are one answer."""

    def __init__(self) -> None:
        super().__init__(face := Completions())
        self._face = face

    async def _answer(self, gateway: Gateway, caller: Caller, request: Request, leaving: Leaving, send: Send) -> None:
        requests = _each(request)
        if len(requests) == 1:
            await super()._answer(gateway, caller, request, leaving, send)
        elif request.stream:
            first = await gateway.chat_stream(caller, requests[0])
            await self._stream(Several(gateway, caller, first, requests[1:]), leaving, send)
        else:
            answers = await _all(gateway, caller, requests)
            receipt = _joined([one.receipt for one in answers])
            leaving.over()
            raw = self._face.answers([one.value for one in answers], receipt)
            await send_json(send, raw, receipt_headers(receipt, simulated=receipt.simulated))


class Several:
    """Streams one after the other, as one. What breaks one breaks it all."""

    def __init__(
        self, gateway: Gateway, caller: Caller, first: LiveAnswer | ReplayedAnswer, requests: list[Request]
    ) -> None:
        self.receipt, self.dialect = first.receipt, first.dialect
        self.error: PatchbayError | None = None
        self._gateway, self._caller, self._requests = gateway, caller, requests
        self._live: LiveAnswer | ReplayedAnswer | None = first

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *details: object) -> None:
        if self._live is not None:
            await self._live.__aexit__(*details)

    async def broken(self, error: TargetError) -> None:
        if self._live is not None:
            await self._live.broken(error)

    async def frames(self) -> AsyncIterator[list[Frame]]:
        live = self._live
        while live is not None:
            async for batch in live.frames():
                yield batch
            self.error = live.error
            if live.error is not None or not self._requests:
                return
            self._live = None
            await live.__aexit__(None, None, None)
            yield [Frame(b"", Kind.END)]
            live = await self._following()

    async def _following(self) -> LiveAnswer | ReplayedAnswer | None:
        try:
            live = await self._gateway.chat_stream(self._caller, self._requests.pop(0))
        except PatchbayError as error:
            self.error = error
            return None
        self._live, self.receipt = live, live.receipt
        return live


async def _all(gateway: Gateway, caller: Caller, requests: list[Request]) -> list[Answer[Completion]]:
    """The answers to all of them, or the first error: then nobody waits for the rest."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def ask(request: Request) -> Answer[Completion]:
        async with room:
            return await gateway.chat(caller, request)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(request)) for request in requests]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _each(request: Request) -> list[Request]:
    _, chats = request.context
    return [request._replace(body=chat, facts=chat_facts(chat)) for chat in chats]


def _joined(receipts: list[Receipt]) -> Receipt:
    """One receipt for the headers; each chat has settled its own."""
    first = receipts[0]
    costs = [one.cost.nano for one in receipts]
    return replace(
        first,
        attempts=[attempt for one in receipts for attempt in one.attempts],
        cost=UNKNOWN_COST if None in costs else Cost(sum(filter(None, costs))),
        cache=next((one.cache for one in receipts if one.cache != "hit"), "hit"),
        warnings=list(dict.fromkeys(words for one in receipts for words in one.warnings)),
    )


def _texts(receipt: Receipt) -> Texts:
    asked, _ = receipt.request.context
    return Texts(asked, receipt.id, int(receipt.at), receipt.target.model if receipt.target else "")
