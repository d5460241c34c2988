"""One structured line per attempt and per request; never a prompt, never an answer, never a key."""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

import orjson

from core.errors import PatchbayError
from core.types.attempt import Attempt
from core.types.receipt import Receipt

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LONGEST = 300  # characters of what a caller sent
_MAX_LINES = 100_000  # kept while nobody can write them

Write = Callable[[int, dict[str, Any]], None]  # a level and the facts of one line
Observe = Callable[[Receipt], None]


class Lines:
    """Lines are written as they come, or gathered for somebody to flush: a write costs more than a line."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)
        self._stream: TextIO = sys.stderr
        self._human = False
        self._gather = False
        self._asked = False  # somebody said where lines go
        self._left = False  # nobody did, and the program that imports us decides
        self._write: Write | None = None
        self.observe: Observe | None = None
        self.level = logging.INFO

    def configure(self, level: str, style: str, stream: TextIO | None = None, *, gather: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._human = style == "human" or (style == "auto" and self._stream.isatty())
        self._gather = gather
        self._asked, self._left = True, False
        self._write = self.observe = None
        self.level = _LEVELS[level]

    def divert(self, level: str, write: Write, observe: Observe) -> None:
        self._asked, self._left = True, False
        self._write, self.observe = write, observe
        self.level = _LEVELS[level]

    def leave(self) -> None:
        if not self._asked:
            self._left, self._write, self.level = True, _record, logging.NOTSET

    def set_level(self, level: str) -> bool:
        """False where that is not ours to say."""
        if not self._left:
            self.level = _LEVELS[level]
        return not self._left

    def takes(self, level: int) -> bool:
        return level >= self.level and (not self._left or _LOGGER.isEnabledFor(level))

    def add(self, level: int, facts: dict[str, Any], at: float | None = None) -> None:
        if self._write is not None:
            self._write(level, facts)
            return
        name, at = logging.getLevelName(level).lower(), at or time.time()
        self._lines.append(_human(name, facts, at) if self._human else _json(name, facts, at))
        if not self._gather:
            self.flush()

    def flush(self) -> None:
        """Safe from any thread."""
        taken = [self._lines.popleft() for _ in range(len(self._lines))]
        if taken:
            self._stream.write("\n".join(taken) + "\n")
            self._stream.flush()


_LOGGER = logging.getLogger("patchbay")
LINES = Lines()  # like the standard library's root logger: one place where a process's lines go


def attempt(decision: str, one: Attempt) -> None:
    level = logging.INFO if one.outcome == "ok" else logging.WARNING
    if not LINES.takes(level):
        return
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
    LINES.add(level, facts)


def request(receipt: Receipt) -> None:
    if LINES.observe is not None:
        LINES.observe(receipt)
    level = logging.INFO if receipt.outcome == "ok" else logging.WARNING
    if not LINES.takes(level):
        return
    plan, wanted = receipt.plan, receipt.request
    facts = {
        "event": "request",
        "decision": receipt.id,
        "org": receipt.caller.org,
        "capability": wanted.capability,
        "route": wanted.route,
        "stream": wanted.stream,
        "chain": [str(one.target.place) for one in plan.candidates] if plan else [],
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
    LINES.add(level, facts)


def refusal(method: str, path: str, error: PatchbayError) -> None:
    """A request that ended before it had a receipt."""
    level = logging.WARNING if error.status < 500 else logging.ERROR
    if not LINES.takes(level):
        return
    facts = {
        "event": "request",
        "route": path[:_LONGEST],
        "method": method,
        "outcome": "refused",
        "status": error.status,
        "error": type(error).__name__,
        "code": error.code,
        "param": error.param and error.param[:_LONGEST],
        "why": error.message[:_LONGEST],
    }
    LINES.add(level, facts)


def _json(level: str, facts: dict[str, Any], at: float) -> str:
    return orjson.dumps({"at": round(at, 3), "level": level, **facts}, default=str).decode()


def _human(level: str, facts: dict[str, Any], at: float) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    return f"{clock} {level:<7} {facts['event']:<8} {_words(facts)}"


def _words(facts: dict[str, Any]) -> str:
    shown = ((name, value) for name, value in facts.items() if name != "event" and value not in (None, [], ""))
    return " ".join(f"{name}={_word(value)}" for name, value in shown)


def _record(level: int, facts: dict[str, Any]) -> None:
    """For formatters that want more than words the facts are there as `record.facts`."""
    _LOGGER.log(level, "%s %s", facts["event"], _words(facts), extra={"facts": facts})


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    text = f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return orjson.dumps(text).decode() if " " in text or not text.isprintable() else text


class _Ours(logging.Handler):
    """Takes what modules say through the standard library's logging into our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        facts = {"event": "log", "message": record.getMessage()}
        if record.exc_info:
            facts["trace"] = logging.Formatter().formatException(record.exc_info)
        LINES.add(record.levelno, facts, record.created)


def configure(level: str, style: str, stream: TextIO | None = None, *, gather: bool = False) -> Lines:
    """Where lines go, from which level on, and how they look."""
    LINES.configure(level, style, stream, gather=gather)
    _take_over("patchbay", LINES.level)
    return LINES


def leave_to_program() -> None:
    """Whose own logging decides, unless somebody configured lines: all are records of the logger `patchbay`."""
    LINES.leave()
    if not _LOGGER.handlers:
        _LOGGER.addHandler(logging.NullHandler())


def set_level(level: str) -> None:
    """From which level on lines are written from now on."""
    if LINES.set_level(level):
        _LOGGER.setLevel(LINES.level)


def divert(level: str, write: Write, observe: Observe, *others: str) -> None:
    """Somebody else writes the lines, those of other loggers' warnings too, and sees each settled receipt."""
    LINES.divert(level, write, observe)
    _take_over("patchbay", LINES.level)
    for name in others:
        _take_over(name, max(LINES.level, logging.WARNING))


def _take_over(name: str, level: int) -> None:
    logger = logging.getLogger(name)
    logger.handlers[:] = [_Ours()]
    logger.setLevel(level)
    logger.propagate = False
