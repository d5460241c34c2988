"""The key of an answer: whose it is, and everything that changes it. Pure."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from core.capabilities import Capability
from core.types.caller import Caller
from core.types.request import Request

_VERSION = 1  # rises when the same key would mean another answer
# How an answer is sent, not what it says: a stream and a whole answer are one entry.
_DELIVERY = frozenset({"stream", "stream_options", "encoding_format"})
# What asking does beside answering, or answers that change with the world: asked again unless the caller says so.
_FRESH = ("web_search_options", "store")
# What is not kept: the pieces of streamed sound do not add up to a whole.
_UNKEPT = frozenset({"modalities", "audio"})
_LARGEST_WHOLE = 2**53  # from here on a float is no exact number


def mode_of(request: Request) -> str:
    """Off, read, write or on: as the caller says, else on where asking again should give the same answer."""
    body = request.body
    if not _UNKEPT.isdisjoint(body):
        return "off"
    if request.options.cache is not None:
        return request.options.cache
    if request.capability is Capability.EMBED:
        return "on"
    return "on" if body.get("temperature") == 0 and not _is_fresh(body) else "off"


def key_of(caller: Caller, request: Request, configuration: str) -> str:
    """`configuration` stands for all settings that decide who answers."""
    options = request.options
    named = (
        options.provider, options.models, options.strategy, options.tier,
        options.max_cost, options.fallback, options.strict,
    )  # fmt: skip
    digest = sha256(orjson.dumps((_VERSION, caller.org, caller.project, request.capability, configuration, named)))
    # Parameters have no order, but what they hold does: a schema's names are answered in the order they came in.
    body = {name: _number(request.body[name]) for name in sorted(request.body) if name not in _DELIVERY}
    digest.update(orjson.dumps(body))  # by itself: it may be as deep as the encoder goes
    return digest.hexdigest()


def _is_fresh(body: Mapping[str, Any]) -> bool:
    return any(body.get(name) not in (None, False) for name in _FRESH)


def _number(value: Any) -> Any:
    """0 and 0.0 are one temperature."""
    return int(value) if type(value) is float and value.is_integer() and abs(value) < _LARGEST_WHOLE else value
