"""What of a value people may see. One place, because a secret can land in any setting."""

import re
from typing import Any
from urllib.parse import urlsplit

from core.config.secrets import Secret

HIDDEN = "***"
# How keys begin, and what has no blanks and no words in it but letters and digits at great length.
_KEY = re.compile(
    r"(?:sk|rk|pk|gsk|xai|key|api)[-_][A-Za-z0-9_-]{8,}"
    r"|[a-z][a-z0-9]{1,3}_[A-Za-z0-9]{16,}"
    r"|AIza[A-Za-z0-9_-]{16,}|AKIA[A-Z0-9]{12,}|eyJ[A-Za-z0-9_.-]{16,}"
    r"|(?=[A-Za-z+/=]*[0-9])(?=[0-9+/=]*[A-Za-z])[A-Za-z0-9+/=]{28,}",
)


def like_a_key(text: str) -> bool:
    return bool(_KEY.fullmatch(text.strip()))


def quoted(text: str) -> str:
    """A wrong value in a message; what looks like a key is not repeated."""
    return f"{HIDDEN} (which looks like a key)" if like_a_key(text) else repr(text)


def address(url: str) -> str:
    """A URL without the user and the query in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    if not parts.scheme or not parts.netloc:
        return HIDDEN
    _, at, host = parts.netloc.rpartition("@")
    query, fragment = (HIDDEN if part else "" for part in (parts.query, parts.fragment))
    return parts._replace(netloc=f"{HIDDEN}@{host}" if at else host, query=query, fragment=fragment).geturl()


def shown(value: Any, *, secret: bool = False) -> Any:
    """A value as it may be shown; `secret` where it lay among secrets, of which no text is told."""
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, str):
        if secret or like_a_key(value):
            return HIDDEN
        return address(value) if "://" in value else value
    if isinstance(value, list | tuple):
        return [shown(one, secret=secret) for one in value]
    return {key: shown(one, secret=secret) for key, one in value.items()} if isinstance(value, dict) else value
