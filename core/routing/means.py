"""By what means a target would give the JSON that is asked for. Pure."""

import re

from core.capabilities import Capability, Feature
from core.config.catalog import Model
from core.providers.row import Row
from core.types.plan import Means
from core.types.request import Facts, Request
from core.types.target import Target
from core.wire.structured import means_of

_JSON = frozenset({Feature.JSON_SCHEMA, Feature.JSON_MODE})
# What a language model does by being told so.
_TOLD = frozenset({Feature.FORMALITY, Feature.HTML})
_WORDS = {"json_mode": "by JSON mode", "tool": "by a function call"}
A_FUNCTION = Facts(params=frozenset({"tool_choice"}))  # what asking by means of one takes


def means_at(row: Row, target: Target, model: Model | None, request: Request) -> Means | None:
    facts = request.facts
    return means_of(facts.features, _features(row, target, model, request), as_object=facts.as_object)


def lacking(row: Row, target: Target, model: Model | None, request: Request) -> frozenset[Feature]:
    """What is asked for and cannot be had. Who is strict gets JSON by what a provider has for it, or not at all."""
    missing = request.facts.features - _features(row, target, model, request)
    if request.options.strict or means_at(row, target, model, request) is None:
        return missing
    return missing - _JSON


def unmet(row: Row, target: Target, model: Model | None, request: Request) -> str | None:
    """Why it may not be asked for what is wanted, in words; None when it may."""
    missing = lacking(row, target, model, request)
    if not missing:
        return None
    other = means_of(request.facts.features, _features(row, target, model, request), as_object=True)
    form = missing & _JSON if other else frozenset[Feature]()
    words = [f"does not take {', '.join(sorted(missing - form))}"] if missing - form else []
    if form and other:
        why = "strict forbids" if request.facts.as_object else "gives objects only"
        words.append(f"gives {min(form)} only {_WORDS[other]}, which {why}")
    return "; ".join(words)


def reasons(means: Means | None) -> tuple[str, ...]:
    return () if means is None or means == "native" else (f"{_WORDS[means]}, checked here",)


def warnings(means: Means | None, target: Target, request: Request) -> tuple[str, ...]:
    """Who asks for a schema may count on a provider that cannot miss it."""
    if means is None or means == "native":
        return ()
    what = "JSON schema" if Feature.JSON_SCHEMA in request.facts.features else "JSON mode"
    return (f"{target} takes no {what} in this request: asked {_WORDS[means]}, and checked here",)


def _features(row: Row, target: Target, model: Model | None, request: Request) -> frozenset[Feature]:
    """What it has for this request: some give JSON, call functions and read documents, but only one of them."""
    facts = request.facts
    has = model.features if model and not row.uniform else row.features
    if request.capability is Capability.TRANSLATE and Capability.CHAT in row.capabilities:
        return has | _TOLD
    if not row.json_alone or facts.features.isdisjoint(_JSON) or not re.match(row.json_alone, target.model):
        return has
    if Feature.DOCUMENTS in facts.features:
        return has - _JSON - {Feature.TOOLS}
    return has - _JSON if Feature.TOOLS in facts.features else has
