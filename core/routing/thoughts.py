"""How a target that takes no `thinking`, but levels of effort, is asked for it. Pure."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from core.config.catalog import Model
from core.providers.row import Row
from core.types.target import Target

NAME = "thinking"
_OFF = frozenset({"disabled", "between_tools"})
_LEVELS = ((2048, "low"), (8192, "medium"))  # up to so many tokens
_MOST, _USUAL = "high", "medium"


class Thought(NamedTuple):
    """What becomes of `thinking` at a target."""

    effort: str | None = None  # what is asked for in its place, where the caller has not
    lost: bool = False  # this is not all that was asked for
    warning: str | None = None


def key_of(body: Mapping[str, Any]) -> tuple[str, str, bool, bool] | None:
    """All that decides about it; None where nobody asks."""
    asked = body.get(NAME)
    if not asked:
        return None
    return _kind_of(asked), _effort_of(asked), asked.get("budget_tokens") is None, bool(body.get("reasoning_effort"))


def thought_at(row: Row, model: Model | None, target: Target, body: Mapping[str, Any]) -> Thought | None:
    """None: it is sent, or cannot be said at all."""
    asked = body.get(NAME)
    if not asked or NAME in row.extra_params or "reasoning_effort" in row.lacks_params:
        return None
    thinks = _thinks(row, model, target)
    if _kind_of(asked) in _OFF:
        return None if thinks else Thought()  # who never thinks need not be told not to
    if not thinks:
        return None
    if not body.get("reasoning_effort"):
        effort = _effort_of(asked)
        return Thought(effort, lost=True, warning=f"thinking was rounded to reasoning_effort {effort}: {_why(target)}")
    if asked.get("budget_tokens") is None:
        return Thought()  # its effort says the same
    return Thought(lost=True, warning=f"thinking.budget_tokens was not sent: {_why(target)}")


def _why(target: Target) -> str:
    return f"{target} takes levels alone"


def _kind_of(asked: Mapping[str, Any]) -> str:
    return str(asked.get("type") or "enabled")


def _effort_of(asked: Mapping[str, Any]) -> str:
    budget = asked.get("budget_tokens")
    if budget is None:
        return _USUAL
    return next((level for most, level in _LEVELS if budget <= most), _MOST)


def _thinks(row: Row, model: Model | None, target: Target) -> bool:
    """As far as is known: models without sampling are those that think."""
    return bool(model and not model.sampling) or bool(row.thinking and re.match(row.thinking, target.model))
