"""What a responder is given, and what it gives back."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from infra.local.simulators.httpd import Request
from infra.local.simulators.vendor import Vendor

if TYPE_CHECKING:
    from infra.local.simulators.course import Course
    from infra.local.simulators.websocket import WebSocket

Talk = Callable[["WebSocket", "Course"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    vendor: Vendor
    request: Request
    # The parts of the path that the vendor's row names.
    names: Mapping[str, str]
    id: str
    created: int
    # What the vendor keeps between requests: jobs that are asked for again.
    kept: MutableMapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """Events in three parts, so that a fault can strike before, amid or after what the model said."""

    headers: Mapping[str, str]
    opening: tuple[bytes, ...]
    output: tuple[bytes, ...]
    closing: tuple[bytes, ...]
    error: bytes
    end: bytes = b"\n\n"  # of an event
    bare: bool = False  # no events but what the model made, which ends with the body: a fault breaks it off


@dataclass(frozen=True, slots=True)
class Socket:
    """A conversation over a WebSocket, once the client's request for one was accepted."""

    request: Request
    talk: "Talk"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, {"content-type": "application/json", **(headers or {})}, orjson.dumps(content))


def event(content: Any) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"
