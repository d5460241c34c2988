"""The key of an answer: whose it is, and everything that changes it. Pure."""

from hashlib import sha256
from typing import Any

import orjson

from core.capabilities import Capability
from core.types.caller import Caller
from core.types.request import Request

_VERSION = 1  # rises when the same key would mean another answer
# How an answer is sent, not what it says: a stream and a whole answer are one entry.
_DELIVERY = frozenset({"stream", "stream_options", "encoding_format"})
# Answers that two calls do not share even at temperature 0, unless the caller says so.
_FRESH = frozenset({"web_search_options"})
# What is not kept: the pieces of streamed sound do not add up to a whole.
_UNKEPT = frozenset({"modalities", "audio"})


def mode_of(request: Request) -> str:
    """Off, read, write or on: as the caller says, else on where asking again should give the same answer."""
    body = request.body
    if not _UNKEPT.isdisjoint(body):
        return "off"
    if request.options.cache is not None:
        return request.options.cache
    if request.capability is Capability.EMBED:
        return "on"
    return "on" if body.get("temperature") == 0 and _FRESH.isdisjoint(body) else "off"


def key_of(caller: Caller, request: Request, configuration: str) -> str:
    """`configuration` stands for all settings that decide who answers."""
    options = request.options
    body = {name: _number(value) for name, value in request.body.items() if name not in _DELIVERY}
    named = (
        options.provider, options.models, options.strategy, options.tier,
        options.max_cost, options.fallback, options.strict,
    )  # fmt: skip
    parts = (_VERSION, caller.org, caller.project, request.capability, configuration, named, body)
    return sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _number(value: Any) -> Any:
    """0 and 0.0 are one temperature."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
