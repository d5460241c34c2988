"""How much a Gemini model is to think: a budget up to generation 2.5, a level since 3. Pure."""

from collections.abc import Mapping
from typing import Any

from core.wire.gemini.contents import generation_of

Body = dict[str, Any]

_OFF = "none"
# Google's own table for its compatible endpoint.
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH"}


def thinking_to(body: Mapping[str, Any], model: str, losses: list[str]) -> Body:
    """The thinkingConfig that `thinking` or `reasoning_effort` asks for; empty where neither does."""
    asked, effort = body.get("thinking"), body.get("reasoning_effort")
    if not asked and effort is None:
        return {}
    if asked and effort is not None:
        losses.append("reasoning_effort was left out: thinking says it more exactly")
    name = "thinking" if asked else "reasoning_effort"
    if generation_of(model) < (2, 5):
        if not _is_off(asked, effort):
            losses.append(f"{name} was left out: {model} does not think")
        return {}
    if generation_of(model) >= (3, 0):
        return _level(asked, effort, model, name, losses)
    return _budget(asked, effort, model, name, losses)


def _is_off(asked: Body | None, effort: str | None) -> bool:
    return asked.get("type") == "disabled" if asked else effort == _OFF


def _level(asked: Body | None, effort: str | None, model: str, name: str, losses: list[str]) -> Body:
    if _is_off(asked, effort):
        losses.append(f"{name}: {model} always thinks, so it was asked to think as little as it can")
        return {"thinkingLevel": "LOW" if "pro" in model else "MINIMAL"}
    shown = {"includeThoughts": True}
    if asked:
        budget = asked.get("budget_tokens")
        if budget is None:
            return shown
        losses.append(f"thinking.budget_tokens was rounded: {model} has levels of thinking")
        return {
            "thinkingLevel": next(_LEVELS[one] for one in _LEVELS if budget <= _BUDGETS[one] or one == "high"),
            **shown,
        }
    level = _LEVELS.get(str(effort))
    if level is None:
        losses.append(f"reasoning_effort was left out: there is no {effort} here")
        return {}
    if level == "MINIMAL" and "pro" in model:
        level = "LOW"  # as Google's own compatible endpoint has it
    return {"thinkingLevel": level, **shown}


def _budget(asked: Body | None, effort: str | None, model: str, name: str, losses: list[str]) -> Body:
    least, most = (128, 32_768) if "pro" in model else (0, 24_576)
    if _is_off(asked, effort):
        if least:
            losses.append(f"{name}: {model} always thinks, so it was asked to think as little as it can")
        return {"thinkingBudget": least}
    shown = {"includeThoughts": True}
    if asked:
        budget = asked.get("budget_tokens")
        if budget is None:
            return {"thinkingBudget": -1, **shown}
        if not least <= budget <= most:
            losses.append(f"thinking.budget_tokens was set to what {model} takes, {least} to {most}")
        return {"thinkingBudget": min(max(budget, least), most), **shown}
    if effort not in _BUDGETS:
        losses.append(f"reasoning_effort was left out: there is no {effort} here")
        return {}
    return {"thinkingBudget": _BUDGETS[str(effort)], **shown}


def thinking_from(config: Body) -> Body:
    """The way back."""
    if level := config.get("thinkingLevel"):
        return {"reasoning_effort": str(level).lower()}
    budget = config.get("thinkingBudget")
    if budget is None:
        return {"thinking": {"type": "adaptive"}} if config.get("includeThoughts") else {}
    if budget == 0:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "adaptive"} if budget < 0 else {"type": "enabled", "budget_tokens": budget}}
