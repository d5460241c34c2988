"""A generation route: body → request → gateway → answer, over bare ASGI because this is the hot path."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar

from starlette.types import Message, Receive, Scope, Send

from core import log as lines
from core.answers import Answer
from core.errors import InternalError, PatchbayError, Stopping, TargetError
from core.gateway import Gateway
from core.http import options
from core.http.headers import receipt_headers
from core.http.replies import CallerLeft, read_json, send_json, send_pieces, send_problem
from core.http.service import gateway_of
from core.http.surfaces import ChatSurface, StreamFace, Surface
from core.types.caller import Caller
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Request
from core.wire.openai import Completion

T = TypeVar("T")

log = logging.getLogger("patchbay")

_WATCH_AFTER = 0.1  # seconds
_GRACE_SECONDS = 10  # to take what is left of an answer after its deadline
_UNBUFFERED = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
EVENTS = b"text/event-stream; charset=utf-8"

Verb = Callable[[Gateway, Caller, Request], Awaitable[Answer[T]]]


class Endpoint(Generic[T]):
    """A route whose answers come whole."""

    def __init__(self, surface: Surface[T], verb: Verb[T]) -> None:
        self._surface = surface
        self._verb = verb
        self.problem = surface.problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = await gateway_of(scope)
        under_way, task = scope["app"].state.service.under_way, asyncio.current_task()
        under_way.add(task)
        try:
            await self._serve(gateway, scope, receive, send)
        except CallerLeft:
            return
        except PatchbayError as error:
            await self._refuse(gateway, scope, send, error)
        except Exception:
            log.exception("a request failed inside the gateway")
            await send_problem(send, self.problem(_broken(), simulated=gateway.simulated))
        finally:
            under_way.discard(task)

    async def _refuse(self, gateway: Gateway, scope: Scope, send: Send, error: PatchbayError) -> None:
        if error.receipt is None:
            lines.refusal(scope["method"], scope["path"], error)
        await send_problem(send, self.problem(error, simulated=gateway.simulated))

    async def _serve(self, gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["patchbay.headers"]
        try:
            body = await self._body(gateway, scope, receive)
        except asyncio.CancelledError:
            raise _stopped() from None
        request = self._decode(body, scope["path"], headers)
        if hop := options.hop(headers):
            request = request._replace(hop=hop)
        if "patchbay.allowed" in scope:
            request = request._replace(allowed=scope["patchbay.allowed"], most_bytes=scope["patchbay.most_bytes"])
        caller = scope["patchbay.caller"]
        allowed = gateway.settings.total_timeout
        patience = min(allowed, request.timeout or allowed) + _GRACE_SECONDS
        async with Leaving(receive, patience) as leaving:
            await self._answer(gateway, caller, request, leaving, send)

    async def _body(self, gateway: Gateway, scope: Scope, receive: Receive) -> dict[str, Any]:
        return await read_json(receive, scope["patchbay.headers"], gateway.settings.max_body_bytes)

    def _decode(self, body: dict[str, Any], route: str, headers: Mapping[bytes, bytes]) -> Request:
        return self._surface.decode(body, route, options.timeout(headers))

    async def _answer(
        self, gateway: Gateway, caller: Caller, request: Request, leaving: "Leaving", send: Send
    ) -> None:
        answer = await self._verb(gateway, caller, request)
        fields = receipt_headers(answer.receipt, simulated=answer.receipt.simulated)
        pieces = self._surface.pieces(answer)
        if pieces is None:
            leaving.over()
            await send_json(send, self._surface.answer(answer), fields, kind=self._kind(answer))
        else:
            await send_pieces(send, pieces, fields)
            leaving.over()

    def _kind(self, answer: Answer[T]) -> bytes:  # noqa: ARG002 - for those whose answers are not all JSON
        return b""


class OpenStream(Protocol):
    """A stream that is under way, or is played again: core.answers has both."""

    receipt: Receipt
    dialect: str

    @property
    def error(self) -> PatchbayError | None: ...
    def frames(self) -> AsyncIterator[list[Frame]]: ...
    async def broken(self, error: TargetError) -> None: ...
    async def stop(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *details: object) -> None: ...


class ChatEndpoint(Endpoint[Completion]):
    """Chat, which may stream."""

    def __init__(self, surface: ChatSurface) -> None:
        super().__init__(surface, Gateway.chat)
        self._chat = surface

    async def _answer(
        self, gateway: Gateway, caller: Caller, request: Request, leaving: "Leaving", send: Send
    ) -> None:
        if not request.stream:
            await super()._answer(gateway, caller, request, leaving, send)
            return
        live = await gateway.chat_stream(caller, request)
        await self._stream(live, leaving, send)

    async def _stream(self, live: OpenStream, leaving: "Leaving", send: Send) -> None:
        await forward(live, self._chat.stream(live.receipt, live.dialect), leaving, send)


async def forward(live: OpenStream, face: StreamFace, leaving: "Leaving", send: Send, kind: bytes = EVENTS) -> None:
    """Forward frames until the end or an error; whichever it is, it is settled before the last byte."""
    headers = [(b"content-type", kind), *_UNBUFFERED]
    headers += receipt_headers(live.receipt, simulated=live.receipt.simulated)
    error: PatchbayError | None = None
    async with live:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for batch in live.frames():
                if raw := face.frames(batch):
                    await send({"type": "http.response.body", "body": raw, "more_body": True})
        except asyncio.CancelledError:
            if leaving.left:
                raise
            error = _stopped()
            await live.stop()
        except TargetError as failed:
            error = failed  # what it sent could not be read when it was to be translated
            await live.broken(failed)
        except Exception:
            log.exception("a stream failed inside the gateway")
            error = _broken()
            await live.stop()
        leaving.over()
        error = error or live.error
        last = face.error(error, live.receipt) if error else face.end(live.receipt)
        if last is not None:  # else the body ends without its end, which is how HTTP says that it is not whole
            await send({"type": "http.response.body", "body": last})


class Leaving:
    """Interrupts its block with CallerLeft when the caller goes away, or no longer reads, before it is over."""

    def __init__(self, receive: Receive, patience: float) -> None:
        loop = asyncio.get_running_loop()
        self._receive = receive
        self._block = asyncio.current_task()
        self._gone: asyncio.Future[Message] | None = None
        self._open, self.left = True, False
        self._patience = patience
        # Not from the start: most answers of a fast provider are there before a watch would have paid for itself.
        self._timer = loop.call_later(_WATCH_AFTER, self._watch)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        waits = self._open
        self.over()
        if kind is asyncio.CancelledError and self.left and self._block is not None:
            self._block.uncancel()
            raise CallerLeft
        if kind is asyncio.CancelledError and waits:
            raise _stopped() from None

    def over(self) -> None:
        """From here on the caller may leave."""
        self._open = False
        self._timer.cancel()
        if self._gone is not None:
            self._gone.cancel()

    def _watch(self) -> None:
        gone = self._gone = asyncio.ensure_future(self._receive())  # the body is read: next comes the leaving
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._interrupt)
        gone.add_done_callback(lambda gone: None if gone.cancelled() else self._interrupt())

    def _interrupt(self) -> None:
        if self._open and self._block is not None:
            self._open, self.left = False, True
            self._block.cancel()


def _stopped() -> Stopping:
    """In place of a cancellation: nobody but a server that ends interrupts a request whose caller still waits."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    return Stopping()


def _broken() -> InternalError:
    return InternalError("The gateway failed. Its log says why; please report it.")
