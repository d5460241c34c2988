"""What only another maker can read, carried by a dialect that knows its own maker's seals alone. Pure.

The other's format goes before what it sealed. Base64 has no colon, so nobody's own seal looks like that.
"""

from base64 import b64decode, b64encode
from binascii import Error
from typing import Any

import orjson

_EXTRA = "extra_content"  # what a call of a function carries for its maker


def sealed(text: str, maker: str | None, own: str) -> str:
    return text if maker in {None, own} else f"{maker}:{text}"


def opened(text: str, own: str) -> tuple[str, str]:
    """What was sealed, and the format of who can read it."""
    maker, colon, rest = text.partition(":")
    return (rest, maker) if colon else (text, own)


def is_foreign(text: Any) -> bool:
    """Whether it is no seal of the dialect's own."""
    return type(text) is not str or not text or ":" in text


def extra_sealed(extra: Any) -> str:
    return sealed(b64encode(orjson.dumps(extra)).decode(), _EXTRA, "")


def extra_opened(text: str) -> dict[str, Any] | None:
    """The content that a call had beside its own; None for what is no such seal."""
    data, maker = opened(text, "")
    if maker != _EXTRA:
        return None
    try:
        extra = orjson.loads(b64decode(data, validate=True))
    except (Error, orjson.JSONDecodeError):
        return None
    return extra if type(extra) is dict else None
