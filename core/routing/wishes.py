"""What a caller named → whom that means: providers, models, aliases, `auto`, and who else has the same model."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.config.catalog import Catalog
from core.errors import BadRequest, NotFound
from core.providers.registry import Registry
from core.types.request import Options

AUTO = "auto"


class Wish(NamedTuple):
    """A provider somebody may answer from; no model leaves it to the provider's default."""

    provider: str
    model: str | None
    reason: str
    named: bool = False  # by the caller or, where the caller names nothing, by configuration


class Wishes:
    def __init__(self, registry: Registry, catalog: Catalog) -> None:
        self._registry = registry
        self._catalog = catalog

    def of(self, options: Options, chain: Sequence[str], strategy: str, *, falls_back: bool) -> Iterator[Wish]:
        """In the order of the caller's wishes; the chain comes last, unless the caller listed models."""
        provider = self._provider(options.provider)
        if options.models:
            for name in options.models:
                yield from self._named(name, provider, chain, "in your list of models", "models")
            return
        named = provider is not None or not _is_auto(options.model)
        if named:
            yield from self._named(options.model, provider, chain, "what you named", "model")
        if falls_back or not named:
            yield from _all(chain, f"in the {strategy} chain")

    def provider_of(self, options: Options) -> str | None:
        """The provider named by its field or before the model's slash."""
        return self._split(options.model, self._provider(options.provider))[0]

    def _named(
        self, name: str | None, provider: str | None, chain: Sequence[str], reason: str, field: str
    ) -> Iterator[Wish]:
        provider, model = self._split(name, provider)
        if provider is not None:
            yield Wish(provider, model, reason, named=True)
        if model is None and provider is None:
            yield from _all(chain, reason)
        if model is None or (provider and field == "models"):
            return  # a list is exact: another provider is on it or it is not
        owners = [key for key in self._twins(provider, model) if key[0] in self._registry.rows]
        if provider is None and not owners:
            raise self._unknown(model, field)
        for name_in_chain in chain:
            for owner, its_name in owners:
                if owner == name_in_chain and owner != provider:
                    where = f"{reason}, at another provider" if provider else reason
                    yield Wish(owner, its_name, where, named=True)

    def _twins(self, provider: str | None, model: str) -> list[tuple[str, str]]:
        """Who else has this model, under whatever name."""
        known = None if provider is None else self._catalog.find(provider, model)
        return self._catalog.keys_of(known.identity if known else model)

    def _provider(self, name: str | None) -> str | None:
        if _is_auto(name):
            return None
        canonical = self._registry.canonical(name or "")
        if canonical is None:
            known = ", ".join(self._registry.rows)
            raise BadRequest(
                f"provider {name!r} is not known; known: {known}", param="provider", code="unknown_provider"
            )
        return canonical

    def _split(self, name: str | None, provider: str | None) -> tuple[str | None, str | None]:
        """`provider/model` → both. A name that has a slash of its own stays whole, and so does another's prefix."""
        if name is None or _is_auto(name):
            return provider, None
        if provider is None and self._catalog.providers_of(name):
            return None, name
        head, slash, rest = name.partition("/")
        prefix = self._registry.canonical(head) if slash and rest else None
        if prefix is None or provider not in {None, prefix}:
            return provider, name
        return prefix, None if _is_auto(rest) else rest

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


def _all(chain: Sequence[str], where: str) -> Iterator[Wish]:
    for position, name in enumerate(chain, 1):
        yield Wish(name, None, f"number {position} {where}")
