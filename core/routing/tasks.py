"""Which model a task should have: its risk, complexity, role and area against tiers, skills and prices. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from core.config.catalog import TIERS
from core.errors import BadRequest, NotFound

LEVELS = ("low", "medium", "high")
_NEEDS = {"low": ("fast", "code"), "medium": ("standard", "code"), "high": ("advanced", "complex_reasoning")}
# What a role is there for, or else what an area is about, asks for a skill of its own.
_ROLES = {
    "planner": "planning", "architect": "planning", "manager": "planning", "designer": "planning",
    "analyst": "analysis", "reviewer": "analysis", "researcher": "analysis", "tester": "analysis",
    "coder": "code", "developer": "code", "engineer": "code", "implementer": "code",
}  # fmt: skip
_AREAS = {
    "planning": "planning", "architecture": "planning", "design": "planning",
    "analysis": "analysis", "research": "analysis", "data": "analysis", "documentation": "analysis",
}  # fmt: skip


class Task(NamedTuple):
    role: str = ""
    risk: str = "low"
    area: str = ""
    complexity: str = "medium"


class Offer(NamedTuple):
    """A model that could be taken. A price that nobody knows is infinite: it is never the cheapest."""

    provider: str
    model: str
    tier: str
    skills: frozenset[str]
    price: float  # USD per thousand input tokens
    leaving: bool = False  # deprecated: taken when none that stays fits


class Choice(NamedTuple):
    offers: tuple[Offer, ...]  # all that fit, the cheapest first, those that are leaving last
    tier: str
    skill: str
    why: str


def choose(task: Task, offers: Sequence[Offer]) -> Choice:
    """High risk refuses what does not fit; for anything else the tier widens upwards, and then anybody may."""
    risk, complexity = _level("risk", task.risk), _level("complexity", task.complexity)
    tier, skill = _NEEDS[risk]
    if risk != "high":
        skill = _ROLES.get(task.role.lower()) or _AREAS.get(task.area.lower()) or skill
    if complexity == "high":
        tier = TIERS[min(TIERS.index(tier) + 1, len(TIERS) - 1)]
    for wider in TIERS[TIERS.index(tier) :]:
        fit = [one for one in offers if one.tier == wider and skill in one.skills]
        if fit:
            why = f"{wider} tier, {skill} capability"
            return Choice(_ranked(fit), wider, skill, why if wider == tier else f"{why}: no {tier} model has it")
    if risk == "high" or not offers:
        offered = ", ".join(dict.fromkeys(one.provider for one in offers)) or "nobody"
        refused = "; a task of high risk goes to no lesser model" if risk == "high" else ""
        raise NotFound(
            f"no {tier} model with the skill {skill} is offered by {offered}{refused}. Register or configure one.",
            param="risk",
            code="no_model",
        )
    ranked = _ranked(offers)
    return Choice(ranked, ranked[0].tier, skill, f"any model: none from {tier} up has the {skill} capability")


def _ranked(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    return tuple(sorted(offers, key=lambda one: (one.leaving, one.price)))


def _level(name: str, value: str) -> str:
    lowered = str(value).lower()
    if lowered not in LEVELS:
        raise BadRequest(f"{name} must be one of {', '.join(LEVELS)}, not {value!r}", param=name, code="invalid_value")
    return lowered
