"""Sending answers over ASGI, and reading bodies with a limit."""

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.types import Receive, Send

from core.errors import BadRequest, BodyTooLarge
from core.http.headers import Headers
from core.http.problems import Problem

_JSON = (b"content-type", b"application/json")
_DEEPEST = 250  # levels of JSON; the encoder ends a little above it


class CallerLeft(Exception):
    pass


async def read_json(
    receive: Receive, headers: dict[bytes, bytes], limit: int, setting: str = "PATCHBAY_MAX_BODY_BYTES"
) -> dict[str, Any]:
    """The body as a JSON object, or the error that says what it is instead."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(_too_large(limit, setting), code="body_too_large")
    message = await receive()
    raw = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [raw], len(raw)
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise BodyTooLarge(_too_large(limit, setting), code="body_too_large")
        raw = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise CallerLeft
    if len(raw) > limit:
        raise BodyTooLarge(_too_large(limit, setting), code="body_too_large")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    if type(body) is not dict:
        raise BadRequest("The body must be a JSON object.", code="invalid_type")
    if raw.count(b"{") + raw.count(b"[") > _DEEPEST:
        _check_depth(body)
    return body


def _check_depth(body: dict[str, Any]) -> None:
    """What cannot be written again cannot be sent on."""
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise BadRequest(f"The body is nested deeper than {_DEEPEST} levels.", code="too_deep") from None


def _too_large(limit: int, setting: str) -> str:
    return f"The body is larger than {limit} bytes ({setting})."


async def send_json(send: Send, body: bytes, headers: Headers, status: int = 200, kind: bytes = b"") -> None:
    start = [(b"content-type", kind) if kind else _JSON, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_pieces(send: Send, pieces: Iterator[bytes], headers: Headers) -> None:
    """A large answer without holding all of it. Each piece is made beside the loop, which others wait for."""
    piece = await asyncio.to_thread(next, pieces, None)
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON, *headers]})
    while piece is not None:
        following = await asyncio.to_thread(next, pieces, None)
        await send({"type": "http.response.body", "body": piece, "more_body": following is not None})
        piece = following


async def send_problem(send: Send, said: Problem) -> None:
    status, headers, body = said
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
