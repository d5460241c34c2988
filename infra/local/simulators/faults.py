"""What goes wrong on purpose, when, and how often."""

import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

STREAM_WORDS = ("cut_stream", "stream_error", "stream_stall")
STREAM_ONLY = (*STREAM_WORDS, "no_end_marker")
SOCKET_WORDS = ("close", "phrase")  # what follows a colon says with which code, or as what
WORDS = (
    "slow_first_byte",
    "slow_chunks",
    "hang",
    "refuse",
    "drop_headers",
    "drop_body",
    "truncated_json",
    "wrong_content_type",
    "huge_body",
    "wrong_json",
    "wrong_words",
    *STREAM_ONLY,
)
VALID = (
    f"a status 400..599, a status with a Retry-After (429:2), {', '.join(WORDS)};"
    f" {', '.join(STREAM_WORDS)} may say after how many output chunks (@0);"
    " of WebSockets close:CODE, and phrase:STATUS for a phrase that is none"
)
AFTER = 3
REMEMBERED = 100_000


_CODE, _WORD = re.compile("1[0-9]{3}|[34][0-9]{3}"), re.compile("[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Fault:
    text: str
    name: str
    status: int = 0
    retry_after: float | None = None
    after: int = AFTER
    word: str = ""

    @classmethod
    def parse(cls, text: str) -> "Fault":
        name, colon, word = text.partition(":")
        if name in SOCKET_WORDS and (_CODE if name == "close" else _WORD).fullmatch(word):
            return cls(text, name, word=word)
        name, at, after = text.partition("@")
        if name in WORDS and not at:
            return cls(text, name)
        if name in STREAM_WORDS and after.isdecimal():
            return cls(text, name, after=int(after))
        status, colon, seconds = text.partition(":")
        wait = _seconds(seconds) if colon else None
        if status.isdecimal() and 400 <= int(status) <= 599 and (wait is not None) == bool(colon):
            return cls(text, "status", status=int(status), retry_after=wait)
        raise ValueError(f"unknown fault {text!r}; valid are {VALID}")


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def fires(seed: int, body: bytes, target: str, count: int, rate: float) -> bool:
    """Whether the count-th request with this body at this target meets the fault; count starts at 1.

    A target is the provider's name followed by path and query: openai/v1/chat/completions.
    """
    digest = blake2b(f"{seed}\0{target}\0{count}\0".encode() + body, digest_size=8).digest()
    return int.from_bytes(digest, "big") < rate * 2**64


@dataclass(slots=True)
class Switch:
    provider: str
    fault: Fault
    rate: float
    capability: str | None
    times: int | None
    fired: int = 0

    def applies(self, provider: str, capability: str | None, *, streaming: bool, socket: bool) -> bool:
        return (
            self.provider == provider
            and self.capability in (None, capability)
            and (self.times is None or self.fired < self.times)
            and (streaming or self.fault.name not in STREAM_ONLY)
            and (socket or self.fault.name not in SOCKET_WORDS)
            and self.fault.name != "refuse"
        )

    def row(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "fault": self.fault.text,
            "rate": self.rate,
            "capability": self.capability,
            "times": self.times,
            "fired": self.fired,
        }


class FaultBook:
    """The faults switched on, and how often each body was seen at each target.

    The counts run on when faults are cleared: a run is repeated by a fresh book with the same seed.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._switches: list[Switch] = []
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def add(
        self,
        provider: str,
        text: str,
        *,
        rate: float = 1.0,
        capability: str | None = None,
        times: int | None = None,
    ) -> Switch:
        """Switch a fault on; the same fault of the same scope is replaced."""
        fault = Fault.parse(text)
        if not 0 < rate <= 1:
            raise ValueError(f"rate must be above 0 and at most 1, not {rate}")
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        if fault.name == "refuse" and (capability is not None or times is not None or rate < 1):
            raise ValueError("refuse closes the whole port: it takes neither rate nor capability nor times")
        scope = (provider, fault, capability)
        self._switches = [s for s in self._switches if (s.provider, s.fault, s.capability) != scope]
        switch = Switch(provider, fault, rate, capability, times)
        self._switches.append(switch)
        return switch

    def clear(self, provider: str | None = None) -> None:
        self._switches = [s for s in self._switches if provider not in (None, s.provider)]

    def count(self, target: str, body: bytes) -> int:
        """Count one request, and say how many there were."""
        key = blake2b(target.encode() + b"\0" + body, digest_size=16).digest()
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > REMEMBERED:
            # A gateway may run for weeks on simulators: the body not seen for longest starts anew.
            self._counts.popitem(last=False)
        return count

    def choose(
        self,
        provider: str,
        capability: str | None,
        target: str,
        body: bytes,
        count: int,
        *,
        streaming: bool,
        socket: bool = False,
    ) -> Fault | None:
        """The latest fault that applies and fires."""
        for switch in reversed(self._switches):
            if switch.applies(provider, capability, streaming=streaming, socket=socket) and fires(
                self.seed, body, target, count, switch.rate
            ):
                switch.fired += 1
                return switch.fault
        return None

    def refuses(self, provider: str) -> bool:
        return any(s.provider == provider and s.fault.name == "refuse" for s in self._switches)

    def status(self, provider: str | None = None) -> list[dict[str, Any]]:
        return [s.row() for s in self._switches if provider in (None, s.provider)]
