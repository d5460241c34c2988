"""What every fault must become: the one table of expectations, written from the requirement and not from the code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["plain", "stream"]
Then = Literal["next", "again", "stop"]
BOTH: tuple[Mode, ...] = ("plain", "stream")
PLAIN: tuple[Mode, ...] = ("plain",)
STREAM: tuple[Mode, ...] = ("stream",)

PROVIDERS = ("azure", "together", "openai")  # who is simulated unless a server says otherwise
# In the order of the table.
OTHERS = ("anthropic", "groq", "deepseek", "huggingface", "gemini", "cohere", "replicate", "local", "ollama")
EVERYBODY = PROVIDERS + OTHERS
# One of each way to stream; silence is read by the code that a dialect's providers share.
AT_ONCE = ("gemini", "ollama")  # whose first event is output already, so that no pause comes before it
DIALECTS = ("azure", "anthropic", "gemini", "cohere", "replicate", "ollama")
NAMELESS = ("gemini", "ollama")  # who gives no request id
JOBS = "replicate"  # has ids of predictions, and none before one was made
THINKS = frozenset({"deepseek", "cohere"})  # their first output is not a word of the answer
NATIVE, OPENAI = "/api/ai/chat", "/v1/chat/completions"
SHARE_MS = 250  # what one attempt may take where a case is about running out of time

# Settings that a case needs, each a server of its own. `quick` is the shared one of the whole test session.
SERVERS: dict[str, dict[str, str]] = {
    "quick": {},
    # Output has to begin soon. The total only bounds what a failing test costs.
    "first": {
        "PATCHBAY_FIRST_TOKEN_TIMEOUT": "0.25",
        "PATCHBAY_IDLE_TIMEOUT": "2",
        "PATCHBAY_TOTAL_TIMEOUT": "1.5",
        "PATCHBAY_SIMULATOR_SLOW_MS": "60000",
        "MAX_RETRIES": "1",
    },
    # Output may not pause. Events are far enough apart that what came before a fault has been passed on.
    "idle": {
        "PATCHBAY_FIRST_TOKEN_TIMEOUT": "30",
        "PATCHBAY_IDLE_TIMEOUT": "0.25",
        "PATCHBAY_SIMULATOR_SLOW_MS": "60000",
        "PATCHBAY_SIMULATOR_CHUNK_MS": "3",
        "MAX_RETRIES": "1",
    },
    "small": {"PATCHBAY_MAX_ANSWER_BYTES": "200000", "PATCHBAY_SIMULATOR_SLOW_MS": "5"},
    "alone": {"ENABLE_FALLBACK": "false", "MAX_RETRIES": "0"},
}
# The same with the other providers.
SERVERS |= {
    f"{name}-others": {**values, "PATCHBAY_SIMULATOR_PROVIDERS": ",".join(OTHERS)} for name, values in SERVERS.items()
}
SERVERS["everybody"] = {"PATCHBAY_SIMULATOR_PROVIDERS": ",".join(EVERYBODY), "MAX_RETRIES": "0"}
RETRIES = {name: int(values.get("MAX_RETRIES", "2")) for name, values in SERVERS.items()}


@dataclass(frozen=True, slots=True)
class Case:
    """A fault that strikes before any output, when nothing of it may reach the caller."""

    fault: str
    error: str  # the class in core/errors.py
    left: Then  # what follows while another target is left
    last: Then  # what follows when this target is the last
    answer: int  # HTTP status for the caller when nothing else can answer
    modes: tuple[Mode, ...] = BOTH
    server: str = "quick"
    share_ms: int | None = None  # the attempt ends with its share of the caller's deadline
    head: bool = True  # the provider's headers came, and with them its request id

    @property
    def timed(self) -> bool:
        """Whether its test has to wait until a timeout strikes."""
        return self.server in {"first", "idle"} or self.share_ms is not None

    @property
    def status(self) -> int | None:
        """What the provider itself answered; None where it did not refuse in words."""
        number = self.fault.partition(":")[0]
        return int(number) if number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Late:
    """A fault that strikes when output is already on its way."""

    fault: str
    error: str
    words: int | None  # how many words came before it; None: all of them
    server: str = "idle"

    @property
    def timed(self) -> bool:
        return self.fault == "stream_stall"


BEFORE: tuple[Case, ...] = (
    Case("400", "RequestRefused", "stop", "stop", 400),
    Case("401", "CredentialRefused", "next", "stop", 502),
    Case("402", "QuotaExhausted", "next", "stop", 502),
    Case("403", "CredentialRefused", "next", "stop", 502),
    Case("404", "ModelMissing", "next", "stop", 404),
    Case("408", "ServerFault", "next", "again", 502),
    Case("413", "ContextTooLong", "next", "stop", 400),
    Case("422", "RequestRefused", "stop", "stop", 400),
    Case("429", "RateLimited", "next", "again", 429),
    Case("429:0.01", "RateLimited", "next", "again", 429),
    Case("500", "ServerFault", "next", "again", 502),
    Case("502", "ServerFault", "next", "again", 502),
    Case("503", "Overloaded", "next", "again", 503),
    Case("504", "ServerFault", "next", "again", 502),
    Case("529", "Overloaded", "next", "again", 503),
    Case("refuse", "Unreachable", "next", "again", 502, head=False),
    Case("drop_headers", "Dropped", "next", "again", 502, head=False),
    Case("drop_body", "Dropped", "next", "again", 502),
    Case("truncated_json", "Malformed", "next", "again", 502),
    Case("wrong_content_type", "Malformed", "next", "again", 502, head=False),  # somebody else's page
    Case("huge_body", "Malformed", "next", "again", 502, server="small"),
    Case("cut_stream@0", "Dropped", "next", "again", 502, STREAM),
    Case("stream_error@0", "StreamFailed", "next", "again", 502, STREAM),
    Case("hang", "FirstTokenTimeout", "next", "again", 504, STREAM, server="first", head=False),
    Case("slow_first_byte", "FirstTokenTimeout", "next", "again", 504, STREAM, server="first", head=False),
    Case("slow_chunks", "FirstTokenTimeout", "next", "again", 504, STREAM, server="first"),
    Case("stream_stall@0", "FirstTokenTimeout", "next", "again", 504, STREAM, server="first"),
    Case("slow_chunks", "IdleTimeout", "next", "again", 504, STREAM, server="idle"),
    Case("stream_stall@0", "IdleTimeout", "next", "again", 504, STREAM, server="idle"),
    Case("hang", "AttemptTimeout", "next", "stop", 504, PLAIN, server="first", share_ms=SHARE_MS, head=False),
    Case(
        "slow_first_byte", "AttemptTimeout", "next", "stop", 504, PLAIN, server="first", share_ms=SHARE_MS, head=False
    ),
    # Its head came, but who runs out of time need not know what it had been reading.
    Case("slow_chunks", "AttemptTimeout", "next", "stop", 504, PLAIN, server="first", share_ms=SHARE_MS, head=False),
    Case("hang", "AttemptTimeout", "next", "stop", 504, STREAM, share_ms=SHARE_MS, head=False),
)

AFTER: tuple[Late, ...] = (
    Late("cut_stream", "Dropped", 3),
    Late("cut_stream@1", "Dropped", 1),
    Late("stream_error", "StreamFailed", 3),
    Late("stream_stall", "IdleTimeout", 3),
    Late("no_end_marker", "StreamCut", None),
)

# Faults that must change nothing: those of streams on a plain answer, slowness that is still in time, and JSON or
# words that nobody asked for.
HARMLESS: tuple[Case, ...] = (
    Case("wrong_json", "", "stop", "stop", 200),
    Case("wrong_words", "", "stop", "stop", 200),
    *(
        Case(fault, "", "stop", "stop", 200, PLAIN)
        for fault in ("cut_stream", "cut_stream@0", "stream_error", "stream_error@0", "stream_stall", "no_end_marker")
    ),
    Case("slow_first_byte", "", "stop", "stop", 200, server="small"),
    Case("slow_chunks", "", "stop", "stop", 200, server="small"),
)


def routes(mode: Mode) -> tuple[str, ...]:
    return (NATIVE,) if mode == "plain" else (NATIVE, OPENAI)


def spread(cases: Iterable[Case]) -> list[tuple[Case, Mode, str]]:
    """Each case in each of its modes on each route of that mode; where it takes real time, on one route."""
    return [
        (case, mode, route)
        for case in cases
        for mode in case.modes
        for route in (routes(mode)[-1:] if case.timed else routes(mode))
    ]


def everywhere(rows: Iterable[tuple[Any, ...]], timed: Iterable[str] = PROVIDERS[:1]) -> list[tuple[Any, ...]]:
    """Each of these, led by its case, at every provider; where it takes real time, at a few."""
    found = [(provider, *row) for row in rows for provider in (timed if row[0].timed else EVERYBODY)]
    return [one for one in found if not (one[1].timed and one[1].fault == "slow_chunks" and one[0] in AT_ONCE)]


def named(given: object) -> str | None:
    """What a parameter is called in a test's id."""
    if isinstance(given, Case):
        return f"{given.fault}-{given.error or 'fine'}"
    if isinstance(given, Late):
        return given.fault
    return {NATIVE: "native", OPENAI: "openai-route"}.get(given) if isinstance(given, str) else None
