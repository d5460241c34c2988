"""What only another maker can read, carried by a dialect that knows its own maker's seals alone. Pure.

The other's format goes before what it sealed. Base64 has no colon, so nobody's own seal looks like that. A thought
without a signature has the format alone, and after another colon its id where it has one.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from typing import Any

import orjson

_EXTRA = "extra_content"  # what a call of a function carries for its maker


def sealed(text: str, maker: str | None, own: str) -> str:
    return text if maker in {None, own} else f"{maker}:{text}"


def opened(text: str, own: str) -> tuple[str, str]:
    """What was sealed, and the format of who can read it."""
    maker, colon, rest = text.partition(":")
    return (rest, maker) if colon else (text, own)


def unsigned(item: Mapping[str, Any], own: str) -> str:
    """Whose thought it is, in place of a signature; empty for one's own and where nobody says."""
    maker, ident = item.get("format"), item.get("id")
    return sealed(f":{ident}" if ident else "", maker, own) if maker and maker != own else ""


def signature_of(seal: str) -> dict[str, str]:
    """What an opened seal says of its item."""
    if seal.startswith(":"):
        return {"id": seal[1:]}
    return {"signature": seal} if seal else {}


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
