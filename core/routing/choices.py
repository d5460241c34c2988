"""With which model an account would answer a request. Pure."""

from typing import NamedTuple

from core.capabilities import Capability, Feature
from core.config.catalog import TIERS, Catalog, Model
from core.config.settings import Account
from core.providers.table import Row
from core.routing.spaces import Space, name_at, space_of
from core.routing.wishes import Wish
from core.types.request import Request
from core.types.target import Target

_SIGHT = frozenset({Feature.VISION})


class Choice(NamedTuple):
    target: Target
    model: Model | None  # None: not in the catalogue
    space: Space  # of its vectors, if it gives any
    retired: Model | None = None  # which was asked for, and whose successor this is
    blind: Model | None = None  # the default, which takes no images, as this one does


class Choices:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, row: Row, account: Account, request: Request, wish: Wish, at: float, space: Space | None) -> Choice:
        """The model of an account; where it is retired, its successor, unless that has other vectors."""
        capability, options = request.capability, request.options
        embeds = capability is Capability.EMBED
        name = wish.model or account.model_for(capability) or row.default_models.get(capability, "")
        if space is not None and wish.model is None:
            name = name_at(self._catalog, row.name, space, name)
        model = self._catalog.find(row.name, name)
        retired = model if model is not None and model.is_retired(at) and not embeds else None
        if retired is not None:
            model = self._catalog.successor(retired, at) or retired
        blind = None
        if wish.model is None and options.tier in TIERS and (model is None or model.level != options.tier):
            cheapest = self._cheapest_of_tier(row, request, options.tier, at)
            model, retired = (cheapest, None) if cheapest else (model, retired)
        elif wish.model is None and account.model_for(capability) is None and not row.local:
            model, blind = self._seeing(model, request, at)
        name = model.id if model else name
        target = Target(row.name, account.name, name)
        return Choice(target, model, space_of(target, model, dimensions_of(request)), retired, blind)

    def _cheapest_of_tier(self, row: Row, request: Request, tier: str, at: float) -> Model | None:
        """One that sees if there is any, where there are images."""
        capability, sight = request.capability, request.facts.features & _SIGHT
        found = self._catalog.cheapest(row.name, capability, at, tier=tier, features=sight)
        return found or self._catalog.cheapest(row.name, capability, at, tier=tier)

    def _seeing(self, model: Model | None, request: Request, at: float) -> tuple[Model | None, Model | None]:
        """Nobody chose a default model: in place of a blind one its provider's cheapest that sees, and the blind."""
        features, tier = request.facts.features, request.options.tier
        if model is None or not (features & _SIGHT) - model.features:
            return model, None
        tier = tier if tier in TIERS else None
        seeing = self._catalog.cheapest(model.provider, model.capability, at, tier=tier, features=features)
        return (model, None) if seeing is None else (seeing, model)


def dimensions_of(request: Request) -> int | None:
    """How long the vectors have to be."""
    asked: int | None = request.body.get("dimensions") if request.capability is Capability.EMBED else None
    return asked
