"""The way from a Lambda event to an app and back, the same for every function that serves HTTP."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from fastapi import FastAPI
from mangum import Mangum
from mangum.types import LambdaContext, LambdaEvent, LambdaHandler
from starlette.types import Receive, Scope, Send

from core import log as lines
from core.bootstrap import Service, build
from core.config.settings import Settings
from core.errors import AnswerTooLarge
from core.http.guards import on_lambda
from core.http.problems import problem
from functions.telemetry import Telemetry

log = logging.getLogger("patchbay")

# Bytes of what a function returns, as JSON; Lambda answers the caller of a larger one with nothing but a 502.
LARGEST = 6_291_556
_HEAD = 16 * 1024  # of them for status and headers
_GROWTH = 6  # at most, from a body to its JSON: an escaped character
# Seconds kept back from Lambda's own limit, to settle a request and to say what happened.
MARGIN = 1.0
# Seconds after which a connection is not trusted: a frozen sandbox does not hear that the other end has gone.
PAUSE = 10.0
_MOST_NAMES, _LONGEST_NAME = 8, 40
_HOME = Path(gettempdir()) / "patchbay"


class UnknownEvent(Exception):
    """Neither API Gateway nor a function URL sends this."""


def configured() -> Service:
    """What the environment says. Without a table, state lies where Lambda lets a function write."""
    made = build()
    if on_lambda() and made.settings.table is None and made.settings.home == Settings().home:
        made = build(found={"PATCHBAY_HOME": str(_HOME)})
    return made


def handler_of(app: FastAPI, name: str) -> Callable[[LambdaEvent, LambdaContext], dict[str, Any]]:
    """Lambda's handler for an app. On Lambda everything is opened now: a start has a whole processor to itself."""
    made: Service = app.state.service
    telemetry = Telemetry(name, made.settings.log_level)
    handler = Handler(app, made, telemetry)
    if on_lambda():
        if made.settings.table is None and made.settings.home == _HOME:
            log.warning(
                "PATCHBAY_TABLE is not set: state lies in %s and is lost with this sandbox. Name a DynamoDB table "
                "(keys pk and sk, both strings; TTL on exp), as template.yaml does.",
                _HOME,
            )
        handler.open()
    return telemetry.around(handler)


class Handler(Mangum):
    """Mangum with a deadline, with connections that survive a pause, and with words for what is no request."""

    def __init__(
        self, app: FastAPI, made: Service, telemetry: Telemetry, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(self._serve, lifespan="off")
        self._app = app
        self._service = made
        self._telemetry = telemetry
        self._now = now  # the wall clock: others may stand still while the sandbox is frozen
        self._rested = now()

    def open(self) -> None:
        """On the loop of all invocations, unless a server that imports this module brings its own."""
        loop = asyncio.get_event_loop()
        if not loop.is_running():
            loop.run_until_complete(self._service.open())

    def __call__(self, event: LambdaEvent, context: LambdaContext) -> dict[str, Any]:
        started, status = time.perf_counter(), None
        self._telemetry.begin()
        try:
            answer = self._returnable(super().__call__(event, context), event)
            status = answer["statusCode"]
        finally:
            self._rested = self._now()
            self._telemetry.end(status, (time.perf_counter() - started) * 1000, context.aws_request_id)
        return answer

    def _returnable(self, answer: dict[str, Any], event: LambdaEvent) -> dict[str, Any]:
        """The answer, or that it is too large. What it cost stays in its headers, and its receipt can be read."""
        if len(answer["body"]) * _GROWTH < LARGEST - _HEAD:
            return answer
        size = len(json.dumps(answer, ensure_ascii=False).encode())
        if size <= LARGEST:
            return answer
        error = AnswerTooLarge(
            f"The answer is there, but has {size} bytes, and Lambda returns {LARGEST} at most. Ask for less at once: "
            "a shorter answer; for embeddings encoding_format base64, fewer inputs or fewer dimensions.",
            code="answer_too_large",
        )
        made = self._service.gateway
        _, _, body = problem(error, simulated=made is not None and made.simulated)
        headers = {**answer["headers"], "content-type": "application/json", "content-length": str(len(body))}
        lines.refusal(*_asked(event), error)
        return {
            **answer,
            "statusCode": error.status,
            "headers": headers,
            "body": body.decode(),
            "isBase64Encoded": False,
        }

    def infer(self, event: LambdaEvent, context: LambdaContext) -> LambdaHandler:
        try:
            shape = super().infer(event, context)
            shape.scope, shape.body  # noqa: B018 - what is missing in them is said here
        except (RuntimeError, KeyError, TypeError, AttributeError, ValueError):
            words = f"This function answers events of API Gateway and of function URLs; this is {_described(event)}."
            raise UnknownEvent(words) from None  # which Lambda logs; the trace would be Mangum's
        return shape

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._now() - self._rested > PAUSE:
            await self._service.renew()
        await asyncio.sleep(0)  # the loop hears here what was closed since the last invocation
        left = scope["aws.context"].get_remaining_time_in_millis() / 1000
        scope["patchbay.allowed"] = max(0.0, left - MARGIN)
        scope["patchbay.most_bytes"] = LARGEST - _HEAD
        await self._app(scope, receive, send)


def _asked(event: LambdaEvent) -> tuple[str, str]:
    """Method and path, in either version of the event."""
    http = event["requestContext"].get("http", {})
    return event.get("httpMethod") or http["method"], event.get("path") or event["rawPath"]


def _described(event: Any) -> str:
    if not isinstance(event, dict):
        return f"a {type(event).__name__}"
    names = ", ".join(str(name)[:_LONGEST_NAME] for name in list(event)[:_MOST_NAMES])
    return f"an object with {names or 'nothing in it'}"
