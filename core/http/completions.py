"""/v1/completions: prompts in, texts out, over chat."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Self

import orjson
from starlette.types import Send

from core.answers import Answer, LiveAnswer, ReplayedAnswer
from core.capabilities import Capability
from core.errors import DeadlinePassed, PatchbayError, TargetError
from core.gateway import Gateway
from core.http import options
from core.http.endpoint import ChatEndpoint, Leaving
from core.http.headers import receipt_headers
from core.http.replies import send_json
from core.http.surfaces import Body, OpenAIChat, PassingStream, StreamFace, marked
from core.types.caller import Caller
from core.types.frame import Frame, Kind
from core.types.receipt import Receipt
from core.types.request import Facts, Request
from core.types.usage import UNKNOWN_COST, Cost
from core.wire import sse
from core.wire.chat import chat_facts
from core.wire.completions import Texts, chats_of, choices_in
from core.wire.openai import Completion

_AT_ONCE = 8  # chats of one request
_LIKELY_OUTPUT = 500  # tokens of an answer that nobody limits

Chat = tuple[Body, Facts, float | None]  # what of a request is its own: with its share of max_cost


class Completions(OpenAIChat):
    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        chosen = options.take(body)
        first, *_ = chats = chats_of(body)
        stream, facts = bool(first.get("stream")), _facts(first)
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
        chats = Chats(gateway, caller, request)
        if chats.is_one:
            await super()._answer(gateway, caller, request, leaving, send)
        elif request.stream:
            first = await chats.open(chats.first())
            await self._stream(Several(chats, first), leaving, send)
        else:
            answers = await chats.all()
            receipt = _joined([one.receipt for one in answers])
            leaving.over()
            raw = self._face.answers([one.value for one in answers], receipt)
            fields = receipt_headers(receipt, simulated=receipt.simulated)
            await send_json(send, raw, [*fields, (b"x-patchbay-decisions", _decisions(answers).encode())])


class Chats:
    """The chats that one request means, under one deadline and one cap on cost. Each has a share of the cap."""

    def __init__(self, gateway: Gateway, caller: Caller, request: Request) -> None:
        self._gateway, self._caller = gateway, caller
        self._request = request
        self.n = request.facts.answers
        allowed = min(gateway.settings.total_timeout, request.allowed or float("inf"))
        now = gateway.clock.monotonic()
        self._end = now + allowed
        self._callers_end = None if request.timeout is None else now + request.timeout
        _, bodies = request.context
        facts = [request.facts, *(_facts(body) for body in bodies[1:])]
        self._left = list(zip(bodies, facts, self._shares(facts), strict=True))

    @property
    def is_one(self) -> bool:
        return len(self._left) == 1 and self.n == 1

    def first(self) -> Request:
        return self._timed(*self._left.pop(0))

    def next(self) -> Request | None:
        return self.first() if self._left else None

    def rest(self, request: Request, given: int, receipt: Receipt) -> Request | None:
        """For the choices that were asked for and not given, as not everybody gives several at once."""
        missing = request.facts.answers - max(1, given)
        if missing < 1:
            return None
        cap = request.options.max_cost
        left = None if cap is None else max(0.0, cap - (receipt.cost.usd or 0))
        return self._timed({**request.body, "n": missing}, request.facts._replace(answers=missing), left)

    async def open(self, request: Request) -> LiveAnswer | ReplayedAnswer:
        return await self._gateway.chat_stream(self._caller, request)

    async def all(self) -> list[Answer[Completion]]:
        """The answers to all of them, or the first error: then nobody waits for the rest."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def ask(chat: Chat) -> list[Answer[Completion]]:
            async with room:
                request: Request | None = self._timed(*chat)
                found = []
                while request is not None:
                    found.append(await self._gateway.chat(self._caller, request))
                    given = len(found[-1].value.body["choices"])
                    request = self.rest(request, given, found[-1].receipt)
                return found

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ask(chat)) for chat in self._left]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [answer for task in tasks for answer in task.result()]

    def _shares(self, facts: list[Facts]) -> list[float | None]:
        """Of the cap, by how long each chat may become: their sum is the cap."""
        cap = self._gateway.planner.costs.cap(self._request.options)
        if cap is None:
            return [None] * len(facts)
        sizes = [one.input_tokens + (one.max_output or _LIKELY_OUTPUT) * one.answers for one in facts]
        return [cap * size / sum(sizes) for size in sizes]

    def _timed(self, body: Body, facts: Facts, cap: float | None) -> Request:
        now, request = self._gateway.clock.monotonic(), self._request
        allowed = self._end - now
        timeout = None if self._callers_end is None else self._callers_end - now
        if min(allowed, allowed if timeout is None else timeout) <= 0:
            words = "the deadline passed before all prompts were answered; allow more time or send fewer at once"
            raise DeadlinePassed(words)
        options = request.options._replace(max_cost=cap)
        return request._replace(body=body, facts=facts, options=options, timeout=timeout, allowed=allowed)


class Several:
    """Streams one after the other, as one. What breaks one breaks it all."""

    def __init__(self, chats: Chats, first: LiveAnswer | ReplayedAnswer) -> None:
        self.receipt, self.dialect = first.receipt, first.dialect
        self.error: PatchbayError | None = None
        self._chats = chats
        self._live: LiveAnswer | ReplayedAnswer | None = first
        self._decisions = [first.receipt.id]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *details: object) -> None:
        if self._live is not None:
            await self._live.__aexit__(*details)

    async def broken(self, error: TargetError) -> None:
        if self._live is not None:
            await self._live.broken(error)

    async def stop(self) -> None:
        if self._live is not None:
            await self._live.stop()

    async def frames(self) -> AsyncIterator[list[Frame]]:
        live = self._live
        while live is not None:
            given: set[int] = set()
            async for batch in live.frames():
                if self._chats.n > 1:
                    given |= choices_in(b"".join([frame.raw for frame in batch]))
                yield batch
            self.error = live.error
            if live.error is not None:
                break
            self._live = None
            await live.__aexit__(None, None, None)
            yield [Frame(b"", Kind.END)]
            live = await self._following(live.receipt, len(given))
        # The headers went out before there were more than the first.
        yield [Frame(b": x-patchbay-decisions %b\n\n" % ",".join(self._decisions).encode(), Kind.META)]

    async def _following(self, before: Receipt, given: int) -> LiveAnswer | ReplayedAnswer | None:
        try:
            request = self._chats.rest(before.request, given, before) or self._chats.next()
            if request is None:
                return None
            live = await self._chats.open(request)
        except PatchbayError as error:
            self.error = error
            if error.receipt is not None:
                self._decisions.append(error.receipt.id)
            return None
        self._live, self.receipt = live, live.receipt
        self._decisions.append(live.receipt.id)
        return live


def _facts(chat: Body) -> Facts:
    """Who does not take `n` is asked again, and `top_logprobs` is half of what `logprobs` says: neither is a loss."""
    facts = chat_facts(chat)
    ours = facts.params & ({"n", "top_logprobs"} if "logprobs" in facts.params else {"n"})
    return facts._replace(params=facts.params - ours, idle_params=facts.idle_params | ours) if ours else facts


def _decisions(answers: list[Answer[Completion]]) -> str:
    return ",".join(one.receipt.id for one in answers)


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
