"""The headers of every answer: who answered, after how many attempts, at what cost; whose decision a hit repeats."""

from collections.abc import Sequence

from core.types.receipt import Receipt
from core.types.target import Target

Headers = list[tuple[bytes, bytes]]

_LONGEST = 500

_NO_RECEIPT: Headers = [
    (b"x-patchbay-provider", b""),
    (b"x-patchbay-model", b""),
    (b"x-patchbay-attempts", b"0"),
    (b"x-patchbay-cost-usd", b"0.000000000"),
    (b"x-patchbay-cache", b"off"),
    (b"x-patchbay-decision", b""),
]


def receipt_headers(receipt: Receipt | None, *, simulated: bool) -> Headers:
    """`pending` is the cost of a stream that has only begun; its receipt will hold it."""
    if receipt is None:
        return [*_NO_RECEIPT, (b"x-patchbay-simulated", _flag(simulated))]
    target = receipt.target
    streaming = receipt.outcome == "pending"
    attempts = len(receipt.attempts) + (1 if streaming else 0)
    again = receipt.again
    repeats = [(b"x-patchbay-cached-decision", again.decision.encode())] if again else []
    warnings = [(b"x-patchbay-warnings", _printable("; ".join(receipt.told)))] if receipt.warnings else []
    spoken = [(b"x-patchbay-voice", _printable(receipt.voice))] if receipt.voice else []
    return [
        *warnings,
        *repeats,
        *spoken,
        (b"x-patchbay-provider", target.provider.encode() if target else b""),
        (b"x-patchbay-model", _printable(target.model) if target else b""),
        (b"x-patchbay-attempts", b"%d" % attempts),
        (b"x-patchbay-cost-usd", b"pending" if streaming else str(receipt.cost).encode()),
        (b"x-patchbay-cache", receipt.cache.encode()),
        (b"x-patchbay-decision", receipt.id.encode()),
        (b"x-patchbay-simulated", _flag(receipt.simulated)),
    ]


def named(headers: Headers, target: Target, warnings: Sequence[str]) -> Headers:
    """The headers of what has no receipt, with who gave it and what should be known of it."""
    known = {b"x-patchbay-provider": target.provider.encode(), b"x-patchbay-model": _printable(target.model)}
    if warnings:
        known[b"x-patchbay-warnings"] = _printable("; ".join(warnings))
    return [*((name, value) for name, value in headers if name not in known), *known.items()]


def _flag(value: bool) -> bytes:  # noqa: FBT001 - it is what the function renders
    return b"true" if value else b"false"


def _printable(text: str) -> bytes:
    """Words that come from a caller must not break a header."""
    plain = text[:_LONGEST].encode("ascii", "replace")
    return plain if text.isprintable() else bytes(byte if 32 <= byte < 127 else 63 for byte in plain)
