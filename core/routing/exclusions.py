"""Why a target may not answer: what its operator must mend, and what of a request it cannot do. Pure."""

from core.capabilities import NOUNS, Capability
from core.config.catalog import TIERS, Model
from core.config.settings import Account, Settings
from core.providers.registry import Registry
from core.providers.row import Row
from core.routing import ageing, means, sound
from core.routing.choices import Choice, dimensions_of, serves
from core.routing.costs import Costs
from core.routing.images import beyond
from core.routing.params import Params
from core.routing.spaces import Space, foreign, unreturnable, unshortened
from core.types.plan import Exclusion
from core.types.request import Facts, Request
from core.types.target import Target

_LOCAL_TIER = "local"
# Estimates of tokens err; a request is only refused for its length when it is far beyond a context.
_SURELY_TOO_LONG = 0.6


class Exclusions:
    def __init__(self, registry: Registry, settings: Settings, costs: Costs, params: Params) -> None:
        self._registry = registry
        self._settings = settings
        self._costs = costs
        self._params = params

    def unready(
        self, row: Row, account: Account, target: Target, capability: Capability, way: Capability
    ) -> Exclusion | None:
        """What the operator must mend before this target can answer anything, or None."""
        if capability not in row.capabilities and capability not in self._registry.rows[row.name].services:
            return Exclusion(
                target, "capability", f"{row.title} has no {NOUNS[capability]} in this version", by_request=True
            )
        if not account.enabled:
            origin = self._settings.origin(row.name, account.name, "enabled")
            return Exclusion(target, "disabled", f"switched off by {origin}" if origin else "switched off")
        missing = self._registry.missing(self._registry.rows[row.name], account, way)
        if missing:
            return Exclusion(target, "not_configured", f"set {' and '.join(missing)}")
        if not target.model:
            setting = ageing.setting_of(self._registry.rows[row.name], capability)
            wanted = f"set {setting} or name one" if setting else "name one"
            return Exclusion(target, "no_model", f"no default model: {wanted}")
        return None

    def refusal(
        self, row: Row, choice: Choice, request: Request, at: float, space: Space | None, way: Capability
    ) -> Exclusion | None:
        """Why this target may not answer this request, or None."""
        target = choice.target
        if space is not None and (other := foreign(target, choice.space, space)):
            return other
        return self._unusable(choice, request, at) or self._unfit(row, target, choice.model, request, at, way)

    def _unusable(self, choice: Choice, request: Request, at: float) -> Exclusion | None:
        target, model = choice.target, choice.model
        if model is None:
            return None
        if model.is_retired(at):
            reason = ageing.gone(self._registry.rows[target.provider], choice, model, request.capability)
            named = choice.named or bool(request.options.model)
            return Exclusion(target, "retired", reason, by_request=named, param="model" if named else None)
        if not serves(model, request.capability):
            reason = f"is a model for {model.capability}, not for {request.capability}"
            return Exclusion(target, "capability", reason, by_request=True, param="model")
        return None

    def _unfit(
        self, row: Row, target: Target, model: Model | None, request: Request, at: float, way: Capability
    ) -> Exclusion | None:
        facts, options = request.facts, request.options
        if unmet := means.unmet(row, target, model, request):
            return Exclusion(target, "features", unmet, by_request=True)
        if model and model.context and surely(facts) > model.context:
            what, param = _too_long(facts)
            reason = f"{what} not fit its context of {model.context} tokens"
            return Exclusion(target, "context", reason, by_request=True, param=param)
        if request.capability is Capability.EMBED and (
            unfit := unshortened(target, model, dimensions_of(request)) or unreturnable(target, model, request)
        ):
            return unfit
        if options.tier == _LOCAL_TIER and not row.local:
            return Exclusion(target, "tier", "does not run on your own machines", by_request=True, param="tier")
        if options.tier in TIERS and (model is None or model.level != options.tier):
            return Exclusion(
                target, "tier", f"is not known to be of tier {options.tier}", by_request=True, param="tier"
            )
        native = request.native
        if native is not None and native.bound and not self._registry.takes(target.place, native.dialect):
            reason = f"has no {native.dialect} API of its own, which is needed for {', '.join(native.bound)}"
            param = native.bound[0].partition(" ")[0]
            return Exclusion(target, "dialect", reason, by_request=True, param=param)
        if too_many := beyond(target, row.images, facts) or sound.beyond(target, row, model, request):
            return too_many
        if options.strict:
            dropped = self._params.dropped_of(target, request, way)
            if dropped:
                reason = f"does not take {', '.join(sorted(dropped))} (strict)"
                return Exclusion(target, "parameters", reason, by_request=True, param=min(dropped))
        return self._costs.too_dear(target, request, at)


def surely(facts: Facts) -> int:
    """Tokens that have to fit into one context, whatever the error of their estimate."""
    return int((facts.input_tokens if facts.longest is None else facts.longest) * _SURELY_TOO_LONG)


def _too_long(facts: Facts) -> tuple[str, str]:
    """What of a request does not fit, in words and as its name."""
    if facts.longest is None:
        return "the messages do", "messages"
    if not facts.inputs:
        return "the longest part of the text does", "text"
    name = "input" if facts.inputs == 1 else f"input[{facts.longest_at}]"
    return f"{name} does", name
