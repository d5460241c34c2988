"""Models that go or have gone, in words: for who named one, and for who runs a gateway that uses one. Pure."""

from collections.abc import Iterator

from core.capabilities import NOUNS, Capability, Feature
from core.config.catalog import Catalog, Model
from core.config.prices import day_of
from core.config.settings import Account, Settings
from core.providers.registry import Registry
from core.providers.row import Row
from core.routing.choices import Choice, Choices
from core.routing.wishes import Wish
from core.types.request import Facts, Request

_ANY = Wish("", None, "")
_WANTS = {Capability.DIARIZE: Facts(features=frozenset({Feature.SPEAKERS}))}


def told(choice: Choice) -> tuple[str, ...]:
    """What the caller must know; of a default that he did not choose only that it has gone."""
    model, retired = choice.model, choice.retired
    words = []
    if model is not None and retired is not None:
        words.append(f"model {retired.id} is retired; using {model.id}")
    if model is not None and model.lifecycle == "deprecated" and choice.named:
        then = f"; {model.successor} succeeds it" if model.successor else ""
        words.append(f"model {model.id} is deprecated{_and_ends(model)}{then}")
    return tuple(words)


def gone(row: Row, choice: Choice, model: Model, capability: Capability) -> str:
    """Why a retired model may not answer."""
    other = capability is Capability.EMBED and model.successor
    alone = f"{other} has other vectors" if other else "nobody succeeds it"
    if choice.named:
        return f"is retired and {alone}; name another model"
    setting = setting_of(row, capability)
    mend = f"set {setting}, or name another model" if setting else "name another model"
    return f"is its model for {NOUNS[capability]}, which is retired, and {alone}: {mend}"


def expected(registry: Registry, catalog: Catalog, settings: Settings, at: float) -> Iterator[str]:
    """Models that will stop answering, of those that are asked where nobody names one."""
    choices, seen = Choices(catalog), set[tuple[str, str]]()
    for row in registry.rows.values():
        accounts = [one for one in settings.accounts.get(row.name, ()) if one.enabled and one.has_access]
        for account in accounts:
            for capability in (one for one in Capability if one in row.capabilities or one in row.services):
                model = _used(registry, choices, row, account, capability, at)
                if model is None or model.lifecycle != "deprecated" or (row.name, model.id) in seen:
                    continue
                seen.add((row.name, model.id))
                setting = setting_of(registry.rows[row.name], capability)
                then = f"{model.successor} succeeds it" if model.successor else "nobody succeeds it"
                mend = f"; {setting} names another one" if setting else ""
                words = f"{row.name} is asked for {NOUNS[capability]} with {model.id}, which is deprecated"
                yield f"{words}{_and_ends(model)}: {then}{mend}"


def setting_of(row: Row, capability: Capability) -> str:
    """What names the model of an account for it."""
    fields = {Capability.CHAT: "model", Capability.EMBED: "embedding_model"}
    return next(iter(row.declared().names.get(fields.get(capability, f"models.{capability}"), ())), "")


def _used(
    registry: Registry, choices: Choices, row: Row, account: Account, capability: Capability, at: float
) -> Model | None:
    if registry.missing(row, account, capability):
        return None
    request = Request(capability, {}, facts=_WANTS.get(capability, Facts()))
    return choices.of(row.of(account, capability), account, request, _ANY, at, None).model


def _and_ends(model: Model) -> str:
    return "" if model.retires is None else f" and ends on {day_of(model.retires)}"
