"""What those who send a function events put into them, and words for what is none of it."""

from base64 import b64decode
from typing import Any

_MOST_NAMES, _LONGEST_NAME = 8, 40


def wrong_in(event: Any) -> str | None:
    """What has another type in an event than those who send events give it."""
    if not isinstance(event, dict):
        return None
    body = event.get("body")
    if body is not None and not isinstance(body, str):
        return f"body must be a string, not {_kind(body)}: JSON goes into it as text"
    if event.get("isBase64Encoded") and body:
        try:
            b64decode(body, validate=True)
        except ValueError:
            return "isBase64Encoded is true and the body is not base64"
    for part in ("headers", "multiValueHeaders"):
        given = event.get(part)
        if given is not None and not isinstance(given, dict):
            return f"{part} must be an object, not {_kind(given)}"
        for name, value in (given or {}).items():
            if part == "headers" and not isinstance(value, str):
                return f"header {name[:_LONGEST_NAME]} must be a string, not {_kind(value)}"
            if part != "headers" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
                return f"header {name[:_LONGEST_NAME]} in multiValueHeaders must be a list of strings"
    return None


def described(event: Any) -> str:
    if not isinstance(event, dict):
        return _kind(event)
    names = ", ".join(str(name)[:_LONGEST_NAME] for name in list(event)[:_MOST_NAMES])
    return f"an object with {names or 'nothing in it'}"


def _kind(value: Any) -> str:
    """In JSON's words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    known: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
    return known.get(type(value), "a number")
