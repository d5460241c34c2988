"""A generation route: body → request → gateway → answer, over bare ASGI because this is the hot path."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive, Scope, Send

from core import log as lines
from core.errors import InternalError, PatchbayError
from core.gateway import Gateway, LiveAnswer
from core.http import options
from core.http.headers import receipt_headers
from core.http.replies import CallerLeft, read_json, send_json, send_problem
from core.http.service import gateway_of
from core.http.surfaces import ChatSurface, marked

log = logging.getLogger("patchbay")

_GRACE_SECONDS = 10  # to take what is left of an answer after its deadline
_SSE = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class ChatEndpoint:
    def __init__(self, surface: ChatSurface) -> None:
        self._surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = await gateway_of(scope)
        try:
            await self._serve(gateway, scope, receive, send)
        except CallerLeft:
            return
        except PatchbayError as error:
            if error.receipt is None:
                lines.refusal(scope["method"], scope["path"], error)
            await send_problem(send, error, simulated=gateway.simulated)
        except Exception:
            log.exception("a request failed inside the gateway")
            await send_problem(send, _broken(), simulated=gateway.simulated)

    async def _serve(self, gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["patchbay.headers"]
        body = await read_json(receive, headers, gateway.settings.max_body_bytes)
        request = self._surface.decode(body, scope["path"], options.timeout(headers))
        caller = scope["patchbay.caller"]
        if request.stream:
            allowed = gateway.settings.total_timeout
            patience = min(allowed, request.timeout or allowed) + _GRACE_SECONDS
            async with _leaving(receive, patience) as watch:
                live = await gateway.chat_stream(caller, request)
                await self._stream(live, watch, send)
        else:
            answer = await gateway.chat(caller, request)
            fields = receipt_headers(answer.receipt, simulated=answer.receipt.simulated)
            await send_json(send, self._surface.answer(answer), fields)

    async def _stream(self, live: LiveAnswer, watch: "_Watch", send: Send) -> None:
        """Forward frames until the end or an error; whichever it is, it is settled before the last byte."""
        headers = [*_SSE, *receipt_headers(live.receipt, simulated=live.receipt.simulated)]
        error: PatchbayError | None = None
        async with live:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                async for batch in live.frames():
                    raw = batch[0].raw if len(batch) == 1 else b"".join([frame.raw for frame in batch])
                    if live.receipt.simulated:
                        raw = marked(raw)
                    await send({"type": "http.response.body", "body": raw, "more_body": True})
            except Exception:
                log.exception("a stream failed inside the gateway")
                error = _broken()
            watch.over = True
            surface, error = self._surface, error or live.error
            last = surface.stream_error(error, live.receipt) if error else surface.stream_end(live.receipt)
            await send({"type": "http.response.body", "body": last})


class _Watch:
    over = False


@asynccontextmanager
async def _leaving(receive: Receive, patience: float) -> AsyncIterator[_Watch]:
    """Interrupts the block with CallerLeft when the caller goes away, or no longer reads, before it is over."""
    watch, block, left = _Watch(), asyncio.current_task(), False
    gone = asyncio.ensure_future(receive())  # the body is read: the next message is the caller's leaving

    def interrupt() -> None:
        nonlocal left
        if block is not None and not watch.over:
            left = True
            block.cancel()

    gone.add_done_callback(lambda done: None if done.cancelled() else interrupt())
    alarm = asyncio.get_running_loop().call_later(patience, interrupt)
    try:
        yield watch
    except asyncio.CancelledError:
        if not left:
            raise
        if block is not None:
            block.uncancel()
        raise CallerLeft from None
    finally:
        watch.over = True
        alarm.cancel()
        gone.cancel()


def _broken() -> InternalError:
    return InternalError("The gateway failed. Its log says why; please report it.")
