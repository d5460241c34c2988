"""With which model an account would answer a request. Pure."""

from typing import NamedTuple

from core.capabilities import Capability, Feature
from core.config.catalog import TIERS, Catalog, Model
from core.config.settings import Account
from core.providers.row import Row
from core.routing.spaces import Space, name_at, space_of
from core.routing.wishes import Wish
from core.types.request import Request
from core.types.target import Target

_SIGHT = frozenset({Feature.VISION})
_SOUND = frozenset({Capability.TRANSCRIBE, Capability.DIARIZE, Capability.SPEAK})
# Whose models do it as well, where nobody has models of its own for it.
_LIKE = {Capability.DIARIZE: Capability.TRANSCRIBE, Capability.TRANSLATE: Capability.CHAT}


class Choice(NamedTuple):
    target: Target
    model: Model | None  # None: not in the catalogue
    space: Space  # of its vectors, if it gives any
    retired: Model | None = None  # which was asked for, and whose successor this is
    blind: Model | None = None  # the usual one, which lacks something that is wanted and that this one has
    named: bool = False  # by the caller


class Choices:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, row: Row, account: Account, request: Request, wish: Wish, at: float, space: Space | None) -> Choice:
        """The model of an account; where it is retired, its successor, unless that has other vectors."""
        capability, options = request.capability, request.options
        embeds = capability is Capability.EMBED
        name = wish.model or _usual(row, account, capability)
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
        elif wish.model is None and capability in _SOUND:
            model, blind = self._able(model, request, at)
        elif wish.model is None and account.model_for(capability) is None and not row.local:
            model, blind = self._seeing(model, request, at)
        name = model.id if model else name
        target = Target(row.name, account.name, name)
        return Choice(
            target, model, space_of(target, model, dimensions_of(request)), retired, blind, wish.model is not None
        )

    def _cheapest_of_tier(self, row: Row, request: Request, tier: str, at: float) -> Model | None:
        """One that sees if there is any, where there are images."""
        capability, sight = request.capability, request.facts.features & _SIGHT
        if Capability.CHAT in row.capabilities:
            capability = _LIKE.get(capability, capability)
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

    def _able(self, model: Model | None, request: Request, at: float) -> tuple[Model | None, Model | None]:
        """Models for sound differ in what they tell: where the usual one cannot, the first that can, and it."""
        wanted = request.facts.features
        if model is None or wanted <= model.features:
            return model, None
        able = self._catalog.first_with(model.provider, model.capability, wanted, at)
        return (model, None) if able is None else (able, model)


def serves(model: Model, capability: Capability) -> bool:
    """Whether it is a model for that. Who can tell speakers apart is one of its features.

    Models for chat that say when they heard what are models for that, too.
    """
    if capability is Capability.TRANSCRIBE and Feature.SEGMENTS in model.features:
        return True
    return capability in {model.capability, *(one for one, like in _LIKE.items() if like == model.capability)}


def _usual(row: Row, account: Account, capability: Capability) -> str:
    """The model of requests that name none."""
    # What the account names for it is for the service beside this row, if there is one.
    found = None if capability in row.services else account.model_for(capability) or row.default_models.get(capability)
    like = _LIKE.get(capability)
    return found or ("" if like is None else _usual(row, account, like))


def dimensions_of(request: Request) -> int | None:
    """How long the vectors have to be."""
    asked: int | None = request.body.get("dimensions") if request.capability is Capability.EMBED else None
    return asked
