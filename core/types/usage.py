"""What an answer used and what that costs. Buckets are disjoint: their sum is the whole."""

from typing import Literal, NamedTuple

UsageSource = Literal["reported", "estimated", "unknown"]

NANO_PER_USD = 1_000_000_000


class Usage(NamedTuple):
    """What was used, by how it is billed. From `audio_ms` on units count beside tokens, not in their sums."""

    source: UsageSource = "unknown"
    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    audio_output: int = 0
    audio_ms: int = 0
    characters: int = 0
    searches: int = 0
    run_ms: int = 0  # how long a model ran, where that is what is sold
    extras: int = 0  # what is billed beside all that, at prices that nobody here knows

    @property
    def input_total(self) -> int:
        return self.input + self.cached_input + self.cache_write + self.cache_write_1h + self.audio_input

    @property
    def output_total(self) -> int:
        return self.output + self.reasoning + self.audio_output

    @property
    def total(self) -> int:
        return self.input_total + self.output_total


UNKNOWN_USAGE = Usage()


def added(one: Usage, other: Usage) -> Usage:
    """The sum of two; an estimate in it makes it one."""
    if one.source == "unknown" or other.source == "unknown":
        return other if one.source == "unknown" else one
    source: UsageSource = "reported" if one.source == other.source == "reported" else "estimated"
    return Usage(source, *(a + b for a, b in zip(one[1:], other[1:], strict=True)))


class Cost(NamedTuple):
    """Integer nano-USD, so that ten tokens at two cents a million do not round to nothing. None is unknown."""

    nano: int | None

    @property
    def usd(self) -> float | None:
        return None if self.nano is None else self.nano / NANO_PER_USD

    def __str__(self) -> str:
        return "unknown" if self.nano is None else f"{self.nano // NANO_PER_USD}.{self.nano % NANO_PER_USD:09d}"


UNKNOWN_COST = Cost(None)
