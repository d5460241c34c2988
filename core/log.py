"""One structured line per attempt and per request; never a prompt, never an answer, never a key."""

import logging
import sys
from contextlib import nullcontext
from typing import Any, TextIO

import orjson

from core.types.attempt import Attempt
from core.types.receipt import Receipt

_attempts = logging.getLogger("patchbay.attempt")
_requests = logging.getLogger("patchbay.request")


def attempt(decision: str, one: Attempt) -> None:
    level = logging.INFO if one.outcome == "ok" else logging.WARNING
    if _attempts.isEnabledFor(level):
        facts = {
            "event": "attempt",
            "decision": decision,
            "n": one.number,
            "target": str(one.target),
            "outcome": one.outcome,
            "ms": round(one.ms, 1),
            "cost_usd": one.cost.usd,
        }
        if one.error is not None:
            facts |= {"error": one.error, "status": one.status, "why": one.why, "then": one.decision}
        _emit(_attempts, level, facts)


def request(receipt: Receipt) -> None:
    level = logging.INFO if receipt.outcome == "ok" else logging.WARNING
    if _requests.isEnabledFor(level):
        plan = receipt.plan
        facts = {
            "event": "request",
            "decision": receipt.id,
            "org": receipt.caller.org,
            "capability": receipt.request.capability,
            "route": receipt.request.route,
            "stream": receipt.request.stream,
            "chain": [str(one.target) for one in plan.candidates] if plan else [],
            "outcome": receipt.outcome,
            "target": str(receipt.target) if receipt.target else None,
            "attempts": len(receipt.attempts),
            "ms": round(receipt.ms, 1),
            "first_ms": receipt.first_ms and round(receipt.first_ms, 1),
            "cost_usd": receipt.cost.usd,
            "simulated": receipt.simulated,
        }
        if receipt.error is not None:
            facts |= {"error": receipt.error, "why": receipt.error_message}
        _emit(_requests, level, facts)


def _emit(logger: logging.Logger, level: int, facts: dict[str, Any]) -> None:
    # Made by hand: finding the calling line costs more than the rest of a record and says nothing here.
    record = logging.LogRecord(logger.name, level, "", 0, facts["event"], None, None)
    record.facts = facts
    logger.handle(record)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] | None = getattr(record, "facts", None)
    if facts is None:
        facts = {"event": record.name, "message": record.getMessage()}
        if record.exc_info:
            facts["trace"] = logging.Formatter().formatException(record.exc_info)
    return facts


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {"at": round(record.created, 3), "level": record.levelname.lower(), **facts_of(record)}
        return orjson.dumps(facts, default=str).decode()


class HumanLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = dict(facts_of(record))
        event = facts.pop("event")
        words = [f"{name}={_word(value)}" for name, value in facts.items() if value not in (None, [], "")]
        clock = self.formatTime(record, "%H:%M:%S")
        return f"{clock} {record.levelname.lower():<7} {event:<8} {' '.join(words)}"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if " " in text else text


class Buffered(logging.Handler):
    """Gathers lines and writes them together: a write for each line would cost more than the line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def flush(self) -> None:
        with self.lock or nullcontext():
            lines, self._lines = self._lines, []
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


def configure(level: str, style: str, stream: TextIO | None = None) -> Buffered:
    """Send our lines to `stream`; whoever owns the loop flushes the handler."""
    stream = stream or sys.stderr
    handler = Buffered(stream)
    human = style == "human" or (style == "auto" and stream.isatty())
    handler.setFormatter(HumanLines() if human else JsonLines())
    root = logging.getLogger("patchbay")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
    return handler
