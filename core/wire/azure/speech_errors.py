"""What Azure Speech says when it refuses → our tree: statuses of REST, and codes of its SDK. Pure."""

import re
from typing import Any

import orjson

from core.errors import (
    AdapterBroken,
    CredentialRefused,
    Dropped,
    IdleTimeout,
    LibraryUnusable,
    Malformed,
    Overloaded,
    ParameterRefused,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
    TargetError,
    Unacknowledged,
    Unreachable,
)
from core.wire import openai
from core.wire.faults import redact

_QUOTA = re.compile(r"\bquota\b", re.IGNORECASE)
_MOST_WORDS = 400
# The SDK tells a status and a session in words alone, quotes addresses, and quotes what the service sent.
_STATUS = re.compile(r"\((\d{3})\)")
_SESSION = re.compile(r"\s*SessionId: (\w+)")
_STATE = re.compile(r"\s*USP state: .*", re.DOTALL)
_URL = re.compile(r"\bwss?://\S+")
_QUOTED = re.compile(r"\s*Response text:.*|\s*Error details: Failed with HTTP.*|\n.*", re.DOTALL | re.IGNORECASE)
_BUFFER = "client buffer exceeded"  # it keeps what the service has not answered yet, up to a limit
_PLATFORM = "Failed to initialize platform"  # it has found no OpenSSL
_OPENING = re.compile(r"OPEN|DNS|host not found|no connection to the remote host", re.IGNORECASE)
_BY_CODE: dict[str, type[TargetError]] = {
    "AuthenticationFailure": CredentialRefused,
    "BadRequest": ParameterRefused,
    "TooManyRequests": RateLimited,
    "Forbidden": QuotaExhausted,  # so it calls an account without a tariff that has used up what is free
    "ConnectionFailure": Dropped,
    "ServiceTimeout": IdleTimeout,
    "ServiceError": ServerFault,
    "ServiceUnavailable": Overloaded,
    "RuntimeError": AdapterBroken,
    "ServiceRedirectTemporary": Malformed,
    "ServiceRedirectPermanent": Malformed,
}


def read_error(status: int | None, raw: bytes, **facts: Any) -> TargetError:
    """A refusal over REST; that of speech has mostly no body. Another provider may take what this one does not."""
    error = openai.read_error(status, _plain(raw), **facts)
    kind: type[TargetError] | None = None
    if isinstance(error, CredentialRefused | RateLimited) and _QUOTA.search(error.message):
        kind = QuotaExhausted
    elif isinstance(error, RequestRefused) or status == 415:
        kind = ParameterRefused
    if kind is None:
        return error
    return kind(
        error.message, provider_status=status, code=error.code, request_id=error.request_id,
        retry_after=error.retry_after,
    )  # fmt: skip


def cancelled(code: str, details: str, *secrets: str) -> TargetError:
    """Why its SDK gave up, by its code; what it says beside that only refines it."""
    status = _STATUS.search(details)
    session = _SESSION.search(details)
    number = int(status[1]) if status else None
    said = _QUOTED.sub("", _STATE.sub("", _SESSION.sub("", details)))
    message = redact(" ".join(_URL.sub("its address", said).split()), *secrets)[:_MOST_WORDS]
    return _kind(code, number, details)(
        message or f"the speech service gave up ({code})",
        provider_status=number,
        code=code,
        request_id=session[1] if session else None,
    )


def _kind(code: str, status: int | None, details: str) -> type[TargetError]:
    kind = _BY_CODE.get(code, ServerFault)
    if _BUFFER in details:
        return Unacknowledged
    if kind is ParameterRefused and _QUOTA.search(details):
        return QuotaExhausted
    if kind is Dropped and status is None and _OPENING.search(details):
        return Unreachable
    if (kind is ServerFault and status == 404) or (kind is Dropped and status is not None):
        return Malformed  # the address is none of a speech service, or a proxy answers there
    if kind is AdapterBroken and _PLATFORM in details:
        return LibraryUnusable
    return kind


def _plain(raw: bytes) -> bytes:
    """`{code, message, innerError}` as everybody else's `{error: {code, message}}`."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    if type(body) is not dict or "error" in body or "message" not in body:
        return raw
    inner = body.get("innerError")
    told = inner if type(inner) is dict and inner.get("message") else body
    return orjson.dumps({"error": {"code": told.get("code"), "message": told["message"]}})
