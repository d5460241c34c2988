"""What the Messages API has beside its requests and answers: headers, errors, whose thoughts it takes back. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from core.wire.seals import is_foreign

Body = dict[str, Any]

DIALECT: Final = "messages"
HEADERS: Final = ("anthropic-version", "anthropic-beta")  # which say how a request is meant
TOO_LONG: Final = "prompt is too long"  # by these words its clients know that they have to shorten a conversation
OVERLOADED: Final = 529  # its own status
MESSAGE_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_TYPES: Final = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    408: "timeout_error", 409: "conflict_error", 413: "request_too_large", 429: "rate_limit_error",
    504: "timeout_error", OVERLOADED: "overloaded_error",
}  # fmt: skip
_THOUGHTS: Final = {"thinking": "signature", "redacted_thinking": "data"}


def error_type(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")


def without_foreign_thoughts(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """The body without thoughts of other makers, which the API's own would refuse; itself where there are none."""
    messages, losses = body.get("messages"), list[str]()
    if type(messages) is not list:
        return body, losses
    kept = []
    for number, message in enumerate(messages):
        foreign = _foreign_thoughts(message)
        losses += [f"messages[{number}].content[{index}] was left out: another maker's thought" for index in foreign]
        if not foreign:
            kept.append(message)
        elif content := [block for index, block in enumerate(message["content"]) if index not in foreign]:
            kept.append({**message, "content": content})
    return ({**body, "messages": kept} if losses else body), losses


def _foreign_thoughts(message: Any) -> list[int]:
    """The places of blocks that this API's own maker did not write, or did not seal."""
    if type(message) is not dict or message.get("role") != "assistant" or type(message.get("content")) is not list:
        return []
    return [
        index
        for index, block in enumerate(message["content"])
        if type(block) is dict and (field := _THOUGHTS.get(str(block.get("type")))) and is_foreign(block.get(field))
    ]
