"""How many tokens texts are, about, where nobody has counted. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from core.types.usage import Usage

BYTES_PER_TOKEN = 4


def weight_of(text: str) -> int:
    """In bytes, which other scripts than ours need more of, as they need more tokens."""
    return len(text) if text.isascii() else len(text.encode())


def tokens_in(text: str) -> int:
    return weight_of(text) // BYTES_PER_TOKEN + 1


def tokens_of(messages: Iterable[Mapping[str, Any]]) -> int:
    """Of what is said in text alone."""
    return sum(tokens_in(one["content"]) for one in messages if isinstance(one["content"], str))


def estimated(given: int, said: Any, run_ms: int = 0) -> Usage:
    """Of an answer whose provider does not say what it used, from the tokens it was given and its text."""
    return Usage(
        "estimated", input=given, output=tokens_in(said) if said and isinstance(said, str) else 0, run_ms=run_ms
    )
