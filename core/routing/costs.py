"""What a request may cost at a target, and who is left out by a cap. Pure."""

from core.accounting import pricing
from core.capabilities import Capability
from core.config.catalog import Catalog
from core.config.settings import Settings
from core.providers.registry import Registry
from core.types.plan import Exclusion
from core.types.request import Facts, Options, Request
from core.types.target import Target
from core.types.usage import NANO_PER_USD, Cost

_SHORTEST = 100  # tokens; a cap that leaves less to an answer leaves the target out
_DEAREST = 2  # estimates of tokens err by as much: digits and other scripts take two bytes a token


class Costs:
    def __init__(self, registry: Registry, catalog: Catalog, settings: Settings) -> None:
        self._registry = registry
        self._catalog = catalog
        self._settings = settings

    def cap(self, options: Options) -> float | None:
        return self._settings.max_cost if options.max_cost is None else options.max_cost

    def estimate(self, target: Target, facts: Facts, at: float = 0.0) -> int | None:
        """The dearest this request can become at a target, in nano-USD; None when its price is unknown."""
        model = self._catalog.find(target.provider, target.model)
        if pricing.is_free(model, at, own=self._registry.rows[target.provider].free):
            return 0
        most = facts.max_output or self._registry.account(target.provider, target.account).max_tokens
        return pricing.estimate(
            model, at, _DEAREST * facts.input_tokens, most, facts.answers,
            searches=facts.searches, audio_ms=facts.audio_ms, characters=facts.characters,
        )  # fmt: skip

    def too_dear(self, target: Target, request: Request, at: float) -> Exclusion | None:
        cap = self.cap(request.options)
        if cap is None:
            return None
        room = self.room(target, request, at)
        if room is not None and room >= _SHORTEST:
            return None
        facts = request.facts if room is None else request.facts._replace(max_output=_SHORTEST)
        worst = self.estimate(target, facts, at)
        if worst is not None and worst <= cap * NANO_PER_USD:
            return None
        if worst is None:
            reason = "its price is not known, so max_cost cannot be kept"
        elif room is None:
            shorter = "send a shorter text" if request.purpose else "lower max_tokens"
            less = "send fewer inputs" if facts.inputs else shorter
            reason = f"may cost up to {_usd(worst)} USD; {less} or raise max_cost"
        else:
            reason = f"{_SHORTEST} tokens of answer may cost up to {_usd(worst)} USD; raise max_cost"
        return Exclusion(target, "max_cost", reason, by_request=True, param="max_cost")

    def room(self, target: Target, request: Request, at: float) -> int | None:
        """The tokens that an answer may have under the cap where nobody limits it; None: they need no limit."""
        cap, facts = self.cap(request.options), request.facts
        if cap is None or request.capability is not Capability.CHAT:
            return None
        worst = self.estimate(target, facts, at)
        said = facts.max_output or self._registry.account(target.provider, target.account).max_tokens
        if said or (worst is not None and worst <= cap * NANO_PER_USD):
            return None
        model = self._catalog.find(target.provider, target.model)
        return pricing.affordable(model, at, _DEAREST * facts.input_tokens, cap * NANO_PER_USD, facts.answers)


def _usd(nano: int) -> str:
    """With all digits that say something."""
    return str(Cost(nano)).rstrip("0").rstrip(".")
