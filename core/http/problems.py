"""Errors → status and body, the same on every route: OpenAI's error object with our facts added to it."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from core.accounting import ledger
from core.errors import AllTargetsFailed, NoTarget, PatchbayError, TargetError
from core.http.headers import Headers, receipt_headers
from core.types.receipt import Receipt

_LONGEST_WAIT = 86_400  # seconds; what a provider asks for beyond that is no advice
_NOTHING: Mapping[str, Any] = {}

Problem = tuple[int, Headers, bytes]  # status, headers and body of an answer that is an error


def error_object(error: PatchbayError) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
        "fault": error.fault,
    }
    if isinstance(error, AllTargetsFailed):
        facts["fault"] = error.errors[-1].fault
        facts["attempts"] = [ledger.attempt(attempt) for attempt in error.attempts]
    if isinstance(error, TargetError):
        facts |= {"class": type(error).__name__, "advice": error.advice, "request_id": error.request_id}
    if isinstance(error, NoTarget):
        facts["excluded"] = [ledger.exclusion(one) for one in error.excluded]
    if error.receipt is not None:
        facts["decision_id"] = error.receipt.id
    return facts


def stream_error_object(error: PatchbayError, receipt: Receipt) -> dict[str, Any]:
    """What broke a stream after its output had begun: who, how, and that the answer is not whole."""
    facts = {**error_object(error), "decision_id": receipt.id}
    if isinstance(error, TargetError) and receipt.attempts:
        last = ledger.attempt(receipt.attempts[-1])
        said = error.message.rstrip(". ")
        facts["message"] = f"{receipt.attempts[-1].target} failed: {said}. The answer is incomplete; ask again."
        facts |= {name: last[name] for name in ("provider", "account", "model", "status", "request_id")}
    return facts


def problem(error: PatchbayError, *, simulated: bool, extra: Mapping[str, Any] = _NOTHING) -> Problem:
    body = orjson.dumps({**extra, "error": error_object(error), "simulated": simulated})
    return error.status, problem_headers(error, simulated=simulated), body


def problem_headers(error: PatchbayError, *, simulated: bool) -> Headers:
    headers = [(b"content-type", b"application/json"), *receipt_headers(error.receipt, simulated=simulated)]
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        headers.append((b"retry-after", b"%d" % min(math.ceil(wait), _LONGEST_WAIT)))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers
