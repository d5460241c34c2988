"""How a text becomes a value, and what is said when it does not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.config.secrets import Secret

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Kind:
    expects: str
    parse: Callable[[str], Any]
    many: bool = False  # a file may give it as a list


class Misfit(ValueError):
    """Says what is wrong with a value, without the value."""


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def whole(low: int, high: int) -> Kind:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", parse)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Misfit("its host or port is none") from error
    if parts.scheme not in {"http", "https"}:
        raise Misfit("it does not begin with either")
    if "@" in parts.netloc:
        raise Misfit("there is a user or password in it, which belong into the key or token")
    if not parts.hostname or port == 0:
        raise Misfit("its host or port is none")
    if any(mark in text for mark in "?#"):
        raise Misfit("paths are added to its end: what follows ? or # must go")
    return text.rstrip("/")


def _version(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", text):
        raise ValueError
    return text


def _duration(text: str) -> str | int:
    if re.fullmatch(r"-?\d{1,9}", text):
        return int(text)  # seconds
    if not re.fullmatch(r"-?(\d{1,9}(\.\d+)?(ms|s|m|h))+", text):
        raise ValueError
    return text


def _secret(text: str) -> Secret:
    if not text.isprintable():
        raise ValueError
    return Secret(text)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)


def choice(*words: str) -> Kind:
    return Kind("one of " + ", ".join(words), lambda text: words[words.index(text.lower())])


def _place(text: str) -> str:
    """A host's name as it is, a network as Python writes it."""
    name = text.lower()
    if re.fullmatch(r"(?=.*[a-z])[a-z0-9_.-]+", name):
        return name
    return str(ip_network(name))


TEXT = Kind("one line of text", str)
NAME = Kind("a name", lambda text: text.strip().lower())
NAMES = Kind("names with commas between them", lambda text: tuple(name.lower() for name in _listed(text)), many=True)
SETTINGS = Kind(
    "names of settings with commas between them",
    lambda text: tuple(re.split(r"[\s,]+", text.strip(" ,").upper())),
    many=True,
)
LIST = Kind("a list with commas between its parts", _listed, many=True)
PLACES = Kind(
    "hosts and networks (10.0.0.0/8) with commas between them",
    lambda text: tuple(_place(one) for one in _listed(text)),
    many=True,
)
FLAG = Kind("true or false", lambda text: _WORDS[text.lower()])
SECONDS = Kind("a number of seconds above 0", _positive)
DURATION = Kind("a time such as 30s, 10m or 1h30m, a number of seconds, or -1", _duration)
PAUSE = Kind("a number of seconds, or 0 for never", lambda text: 0.0 if float(text) == 0 else _positive(text))
USD = Kind("a number of USD, 0 or more", _number(0, 10**9))
TEMPERATURE = Kind("a number from 0 to 2", _number(0, 2))
VERSION = Kind("letters, digits, dots and dashes", _version)
URL = Kind("an http:// or https:// address", _url)
SECRET = Kind("one line of text", _secret)
PATH = Kind("a path", lambda text: Path(text).expanduser())
PORT = whole(0, 65535)
COUNT = whole(0, 100)
PRIORITY = whole(0, 10_000)
TOKENS = whole(1, 10**9)
WHOLE = whole(0, 2**63)
MILLISECONDS = whole(0, 3_600_000)
BYTES = whole(1, 2**40)
