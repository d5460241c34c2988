"""What a caller named → whom that means: providers, models, aliases, `auto`, and who else has the same model."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.config.catalog import Catalog
from core.errors import BadRequest, NotFound
from core.providers.registry import Registry
from core.routing.chains import AUTO
from core.types.request import Options
from core.types.target import Place


class Wish(NamedTuple):
    """A provider somebody may answer from; no model leaves it to the provider's default."""

    provider: str
    model: str | None
    reason: str
    named: bool = False  # by the caller or, where the caller names nothing, by configuration
    account: str | None = None  # None: any of its accounts


class Wishes:
    def __init__(self, registry: Registry, catalog: Catalog) -> None:
        self._registry = registry
        self._catalog = catalog

    def of(
        self,
        options: Options,
        chain: Sequence[Place],
        strategy: str,
        *,
        falls_back: bool,
        dialect: str | None = None,
    ) -> Iterator[Wish]:
        """In the order of the caller's wishes; the chain comes last, unless the caller listed models."""
        place = self._place(options.provider)
        if options.models:
            for name in options.models:
                yield from self._named(name, place, chain, "in your list of models", "models")
            return
        named = place is not None or not _is_auto(options.model)
        if named:
            named_by = self._maker(options.model, place, dialect)
            yield from self._named(options.model, named_by, chain, "what you named", "model")
        if falls_back or not named:
            yield from _all(chain, f"in the {strategy} chain")

    def place_of(self, options: Options) -> Place | None:
        """The provider or account named by its field or before the model's slash."""
        return self._split(options.model, self._place(options.provider))[0]

    def _named(
        self, name: str | None, place: Place | None, chain: Sequence[Place], reason: str, field: str
    ) -> Iterator[Wish]:
        place, model = self._split(name, place)
        if place is not None:
            yield Wish(place.provider, model, reason, named=True, account=place.account)
        if model is None and place is None:
            yield from _all(chain, reason)
        if model is None or (place and field == "models"):
            return  # a list is exact: another provider is on it or it is not
        if place is not None and place.account is not None:
            yield Wish(place.provider, model, f"{reason}, at another account", named=True)
        provider = place and place.provider
        owners = [key for key in self._twins(provider, model) if key[0] in self._registry.rows]
        if provider is None and not owners:
            raise self._unknown(model, field)
        where = f"{reason}, at another provider" if provider else reason
        others = [(owner, its_name) for owner, its_name in owners if owner != provider]
        for in_chain in chain:
            for owner, its_name in others:
                if owner == in_chain.provider:
                    yield Wish(owner, its_name, where, named=True, account=in_chain.account)
        # Who has it and is on no chain: the one that was written down, or any, because it does something else.
        for owner, its_name in others:
            if all(owner != in_chain.provider for in_chain in chain):
                yield Wish(owner, its_name, where, named=True)

    def _maker(self, name: str | None, place: Place | None, dialect: str | None) -> Place | None:
        """Whose model it is that nobody knows, and that has its maker's name, asked for in its maker's own dialect."""
        if place is not None or name is None or dialect is None or self._catalog.keys_of(name):
            return place
        maker = self._registry.place(name.partition("-")[0]) if "-" in name else None
        if maker is None or dialect not in self._registry.rows[maker.provider].dialects:
            return None
        return maker

    def _twins(self, provider: str | None, model: str) -> list[tuple[str, str]]:
        """Who else has this model, under whatever name."""
        known = None if provider is None else self._catalog.find(provider, model)
        return self._catalog.keys_of(known.identity if known else model)

    def _place(self, name: str | None) -> Place | None:
        if name is None or _is_auto(name):
            return None
        place = self._registry.place(name)
        if place is None:
            raise BadRequest(self._registry.unknown(name), param="provider", code="unknown_provider")
        return place

    def _split(self, name: str | None, place: Place | None) -> tuple[Place | None, str | None]:
        """`provider/model` → both. A name that has a slash of its own stays whole, and so does another's prefix."""
        if name is None or _is_auto(name):
            return place, None
        head, slash, rest = name.partition("/")
        prefix = self._registry.place(head) if slash and rest else None
        its_own = prefix is not None and self._catalog.find(prefix.provider, rest) is not None
        if place is None and not its_own and self._catalog.providers_of(name):
            return None, name
        if prefix is None or (place is not None and place.provider != prefix.provider):
            return place, name
        narrower = place if place is not None and place.account is not None else prefix
        return narrower, None if _is_auto(rest) else rest

    def _unknown(self, model: str, field: str) -> NotFound:
        elsewhere = self._catalog.providers_of(model)
        near = [] if elsewhere else self._catalog.nearest(model)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        if elsewhere:
            hint = f" It is a model of {' and '.join(elsewhere)}, not among the providers here."
        return NotFound(
            f"model {model!r} is not known.{hint} Name its provider (provider/model) to use it anyway,"
            " or leave model out.",
            param=field,
            code="model_not_found",
        )


def _is_auto(name: str | None) -> bool:
    return name is None or name.lower() == AUTO


def _all(chain: Sequence[Place], where: str) -> Iterator[Wish]:
    for position, place in enumerate(chain, 1):
        yield Wish(place.provider, None, f"number {position} {where}", account=place.account)
