"""The key of an answer: whose it is, and everything that changes it. Pure."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from core.capabilities import Capability
from core.types.caller import Caller
from core.types.request import Request

_VERSION = 1  # rises when the same key would mean another answer
# How an answer is sent, not what it says: a stream and a whole answer are one entry. Elsewhere these names are like
# any other that is not known there: what is told of them is told to who has sent them.
_DELIVERY = {
    Capability.CHAT: frozenset({"stream", "stream_options"}), Capability.EMBED: frozenset({"encoding_format"}),
}  # fmt: skip
# What asking does beside answering, or answers that change with the world: asked again unless the caller says so.
_FRESH = ("web_search_options", "store")
# What is not kept: the pieces of streamed sound do not add up to a whole.
_SOUND = ("modalities", "audio")
_LARGEST_WHOLE = 2**53  # from here on a float is no exact number


def mode_of(request: Request) -> str:
    """Off, read, write or on: as the caller says, else on where asking again should give the same answer.

    Only the request's own temperature counts: an account's is not known before somebody has answered.
    """
    body = request.body
    if has_sound(body):
        return "off"
    if request.options.cache is not None:
        return request.options.cache
    if request.capability in {Capability.EMBED, Capability.RERANK, Capability.TRANSLATE} or request.keeps:
        return "on"
    return "on" if body.get("temperature") == 0 and not _is_fresh(body) else "off"


def key_of(caller: Caller, request: Request, configuration: str) -> str:
    """`configuration` stands for all settings that decide who answers."""
    options = request.options
    named = (
        options.provider, options.models, options.strategy, options.tier,
        options.max_cost, options.fallback, options.compatibility,
        # Some bodies do not say them: the model, and what is told to who has sent it.
        options.model, sorted(request.facts.unknown_params),
    )  # fmt: skip
    digest = sha256(orjson.dumps((_VERSION, caller.org, caller.project, request.capability, configuration, named)))
    # Parameters and messages have no order of names, but what other parameters hold has: a schema's names are answered
    # in the order they came in. A null is what is not there.
    delivery = _DELIVERY.get(request.capability, frozenset())
    given = {name: value for name, value in sorted(request.body.items()) if value is not None}
    messages = given.pop("messages", None)
    digest.update(orjson.dumps({name: _number(given[name]) for name in given if name not in delivery}))
    digest.update(orjson.dumps(messages, option=orjson.OPT_SORT_KEYS))  # by itself: as deep as the encoder goes
    if request.native is not None:  # it may say what its translation does not
        whole = {name: value for name, value in request.native.body.items() if name not in delivery}
        digest.update(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS))
    if request.purpose:
        digest.update(request.purpose.encode())
    if request.defaults:
        digest.update(orjson.dumps(request.defaults))
    return digest.hexdigest()


def has_sound(body: Mapping[str, Any]) -> bool:
    return any(body.get(name) is not None for name in _SOUND)


def _is_fresh(body: Mapping[str, Any]) -> bool:
    return any(body.get(name) not in (None, False) for name in _FRESH)


def _number(value: Any) -> Any:
    """0 and 0.0 are one temperature."""
    return int(value) if type(value) is float and value.is_integer() and abs(value) < _LARGEST_WHOLE else value
