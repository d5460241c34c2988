"""A Messages request as its caller sent it, within what its model takes: as a translated one is, with the same words.

What a model refuses would be answered by another vendor, without what was asked for.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from core.wire.anthropic.asked import THINKING
from core.wire.anthropic.blocks import Body
from core.wire.anthropic.request import PLACEHOLDER, reason_off
from core.wire.anthropic.rules import SAMPLING, Rules, rules_of, sampling, thinking

_OFF: Final = {"type": "disabled"}


def fitted(body: Mapping[str, Any], version: str) -> tuple[Body, list[str]]:
    """The body for the model that it names, and what is lost on the way."""
    rules, losses = rules_of(body["model"]), list[str]()
    made = dict(body)
    limit = made.get("max_tokens")
    if type(limit) is int and limit > rules.most_tokens:
        losses.append(f"max_tokens was lowered to {rules.most_tokens}: this model writes no more")
        made["max_tokens"] = rules.most_tokens
    choice = made.get("tool_choice") or {}
    forced = choice.get("type") in {"any", "tool"}
    if forced and not rules.forced:
        losses.append("tool_choice became auto: this model decides by itself whether it calls")
        made["tool_choice"] = {**{name: one for name, one in choice.items() if name != "name"}, "type": "auto"}
        forced = False
    _thoughts(made, rules, forced=forced, losses=losses)
    thinks = made.get("thinking") not in (None, _OFF)
    named = [name for name in SAMPLING if made.get(name) is not None]
    kept = sampling(made, rules, version, thinks=thinks, losses=losses)
    for name in named:
        made.pop(name)
    last = made["messages"][-1] if made.get("messages") else {}
    if last.get("role") == "assistant" and not rules.prefill and not _calls(last):
        losses.append("a user's turn was put last: this model does not go on with a turn of its own")
        made["messages"] = [*made["messages"], {"role": "user", "content": PLACEHOLDER}]
    return {**made, **kept}, losses


def _thoughts(made: Body, rules: Rules, *, forced: bool, losses: list[str]) -> None:
    """Thinking and effort in this model's own words; who says nothing of them is left as he is."""
    config = made.get("output_config") or {}
    level, wanted = config.get("effort"), made.get("thinking")
    if wanted is None and level in {None, *rules.efforts} and not (forced and rules.unasked):
        return
    if wanted is not None and wanted.get("type") not in THINKING:
        return  # which its maker may know
    limit = made.get("max_tokens") or rules.max_tokens
    asked = {"thinking": wanted, "reasoning_effort": level}
    found: list[str] = []
    thought, effort = thinking(asked, rules, limit, reason_off=reason_off(made, asked, rules), losses=found)
    losses += [re.sub("^reasoning_effort", "output_config.effort", one) for one in found]
    config = {name: one for name, one in config.items() if name != "effort"} | ({"effort": effort} if effort else {})
    for name, value in (("thinking", thought), ("output_config", config)):
        made.pop(name, None)
        if value:
            made[name] = value


def _calls(turn: Mapping[str, Any]) -> bool:
    content = turn.get("content")
    return type(content) is list and any(block["type"] == "tool_use" for block in content)
