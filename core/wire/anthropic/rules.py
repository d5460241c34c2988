"""What each line of Claude takes of the Messages API, and what a request's wishes come to there. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

Body = dict[str, Any]

NEWEST: Final = "2026-10-21"  # which has no sampling parameters
OLDEST: Final = "2023-06-01"
SAMPLING: Final = ("temperature", "top_p", "top_k")
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_BUDGETS: Final = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_000, "xhigh": 24_576, "max": 24_576}
_LEAST_BUDGET: Final = 1024
_LEAST_LIMIT: Final = 1536  # where a third is left for the answer
_OFF: Final = ("disabled", "between_tools")


class Rules(NamedTuple):
    thinking: str = "adaptive"  # how it is asked for: adaptive, by a budget, or not at all
    unasked: bool = True  # it thinks when nobody says anything
    off: str | None = None  # how thinking is turned off; None where it cannot be
    efforts: tuple[str, ...] = _EFFORTS
    forced: bool = False  # takes a tool_choice that demands a call
    schema: bool = True
    sampling: bool = False
    prefill: bool = False  # goes on with an assistant's turn that ends the request
    instructed: bool = True  # takes a system message after a user's turn
    max_tokens: int = 64_000  # what an answer gets when the caller sets no limit
    most_tokens: int = 128_000  # what it may have


_NAME: Final = re.compile(
    r"claude-(?:(?P<before>\d+(?:[-.]\d)?)-)?(?P<line>[a-z]+)(?:-(?P<after>\d{1,2}(?:[-.]\d{1,2})?))?(?!\d)"
)
_NEWER: Final = Rules()


@lru_cache(maxsize=256)
def rules_of(model: str) -> Rules:
    """By the name's line and number; a name that does not say them is taken for the newest."""
    match = _NAME.search(model)
    number = (match["after"] or match["before"]) if match else None
    if match is None or number is None or match["line"] in {"fable", "mythos"}:
        return _NEWER
    major, _, minor = number.replace(".", "-").partition("-")
    version = (int(major), int(minor or 0))
    if version >= (5, 5):
        off = {"sonnet": "between_tools", "haiku": "disabled"}.get(match["line"])
        return Rules(off=off)
    if version >= (5, 0):
        return Rules(off="disabled", forced=True, instructed=match["line"] == "opus")
    if version >= (4, 6):
        old = version == (4, 6)
        efforts = ("low", "medium", "high", "max") if old else _EFFORTS
        most = 64_000 if old and match["line"] != "opus" else 128_000
        return Rules(
            unasked=False, off="disabled", efforts=efforts, forced=True, sampling=old, instructed=version >= (4, 8),
            most_tokens=most,
        )  # fmt: skip
    most = 32_000 if match["line"] == "opus" and version < (4, 5) else 64_000
    early = Rules(
        thinking="budget", unasked=False, off="disabled", efforts=(), forced=True, schema=version >= (4, 5),
        sampling=True, prefill=True, instructed=False, max_tokens=most, most_tokens=most,
    )  # fmt: skip
    if version >= (3, 7):
        return early._replace(efforts=_EFFORTS[:3]) if (match["line"], version) == ("opus", (4, 5)) else early
    most = 8192 if version >= (3, 5) else 4096
    return early._replace(thinking="none", max_tokens=most, most_tokens=most)


def version_for(body: Mapping[str, Any]) -> str:
    """The version of the API that suits a request: the newest, unless it would lose what its model takes."""
    wanted = any(body.get(name) is not None for name in SAMPLING)
    return OLDEST if wanted and rules_of(body["model"]).sampling else NEWEST


def sampling(body: Mapping[str, Any], rules: Rules, version: str, *, thinks: bool, losses: list[str]) -> Body:
    """Temperature and its like, as far as the model and the version of its API take them."""
    made = {name: body[name] for name in SAMPLING if body.get(name) is not None}
    why = None
    if version > OLDEST:
        why = f"version {version} of the API has none"
    elif not rules.sampling:
        why = "this model takes none"
    elif thinks:
        why = "a model that thinks takes none"
    if why:
        losses += [f"{name} was left out: {why}" for name in made]
        return {}
    if made.get("temperature", 0) > 1:
        losses.append(f"temperature {made['temperature']} was lowered to 1, the highest here")
        made["temperature"] = 1
    if "temperature" in made and made.pop("top_p", None) is not None:
        losses.append("top_p was left out: it is not taken together with temperature")
    return made


def thinking(
    body: Mapping[str, Any], rules: Rules, limit: int, *, reason_off: str | None, losses: list[str]
) -> tuple[Body | None, str | None]:
    """How a model is asked to think, and its effort; `reason_off` says why it must not think this time."""
    wanted: Mapping[str, Any] = body.get("thinking") or {}
    level = body.get("reasoning_effort")
    kind = wanted.get("type")
    asked = (kind is not None and kind not in _OFF) or level not in {None, "none"}
    if rules.thinking == "none":
        if asked:
            losses.append("thinking was left out: this model does not think")
        return None, None
    if kind in _OFF or (kind is None and level == "none"):
        return _without(rules, level, losses)
    if reason_off and rules.off and (asked or rules.unasked):
        if asked:
            losses.append(f"thinking is off this time: {reason_off}")
        return {"type": rules.off}, _effort(rules, level, _EFFORTS[:3], losses)
    if not asked:
        return None, None
    effort = _effort(rules, level, _EFFORTS, losses)
    if rules.thinking == "adaptive":
        return _adaptive(wanted, rules, limit, losses), effort
    return _budget(wanted, level, limit, losses), effort


def _without(rules: Rules, level: str | None, losses: list[str]) -> tuple[Body | None, str | None]:
    if rules.off is None:
        losses.append("thinking stays on: this model does nothing without it")
        return None, _effort(rules, level if level != "none" else "low", _EFFORTS, losses)
    off = {"type": rules.off} if rules.unasked else None
    return off, _effort(rules, level if level != "none" else None, _EFFORTS[:3], losses)


def _adaptive(wanted: Mapping[str, Any], rules: Rules, limit: int, losses: list[str]) -> Body | None:
    if wanted.get("type") == "enabled":
        if rules.sampling:
            return _budget(wanted, None, limit, losses)  # the one generation that takes both
        if wanted.get("budget_tokens"):
            losses.append("thinking.budget_tokens was left out: this model decides by itself how long it thinks")
    more = {name: value for name, value in wanted.items() if name not in {"type", "budget_tokens"}}
    return {"type": "adaptive", **more}


def _budget(wanted: Mapping[str, Any], level: str | None, limit: int, losses: list[str]) -> Body | None:
    """A budget that is given is kept to as far as it goes; one from an effort leaves half for the answer."""
    given = wanted.get("budget_tokens")
    least = _LEAST_BUDGET + 1 if given else _LEAST_LIMIT
    if limit < least:
        losses.append(f"thinking was left out: it needs a limit of at least {least} tokens, and that is {limit}")
        return None
    budget = given or _BUDGETS.get(level or "medium", _BUDGETS["medium"])
    most = limit - 1 if given else max(limit // 2, _LEAST_BUDGET)
    if budget > most:
        losses.append(f"thinking has {most} tokens instead of {budget}: the limit of {limit} is also the answer's")
    more = {name: value for name, value in wanted.items() if name not in {"type", "budget_tokens"}}
    return {"type": "enabled", "budget_tokens": min(budget, most), **more}


def _effort(rules: Rules, level: str | None, allowed: tuple[str, ...], losses: list[str]) -> str | None:
    """The nearest that the model has; what is not given stays so."""
    if level is None or not rules.efforts:
        return None
    if level not in _BUDGETS:
        losses.append(f"reasoning_effort was left out: {level[:20]} is not known")
        return None
    choices = [one for one in rules.efforts if one in allowed]
    order = list(_BUDGETS)
    nearest = ([one for one in choices if order.index(one) <= order.index(level)] or choices[:1])[-1]
    if nearest != level:
        why = "this model has none" if level not in rules.efforts else "no more goes without thinking"
        losses.append(f"reasoning_effort {level} became {nearest}: {why}")
    return nearest
