"""What is set and does nothing: said by `config check`, by `config set`, and once when a gateway starts."""

from collections.abc import Iterator

from core.capabilities import Capability
from core.config.settings import Account, Settings
from core.providers.registry import Registry
from core.routing.chains import AUTO
from core.types.target import Place

# Settings that choose who goes first, and for what alone.
_FIRST = {"llm_provider": None, "chat_provider": Capability.CHAT, "embedding_provider": Capability.EMBED,
          "rerank_provider": Capability.RERANK, "beautify_provider": Capability.CHAT,
          "stt_provider": Capability.TRANSCRIBE, "tts_provider": Capability.SPEAK,
          "translation_provider": Capability.TRANSLATE}  # fmt: skip
_BY_LLM = (Capability.CHAT, Capability.EMBED)  # for what a setting is that names no capability


def warnings(config: Settings, registry: Registry) -> list[str]:
    found = [*_choices(config, registry), *_models(config, registry), *_services(config, registry)]
    if config.fallback_provider and config.chain_for(Capability.CHAT):
        where = config.origins.get("fallback_provider", "PATCHBAY_FALLBACK_PROVIDER")
        found.append(f"{where} has no effect on chat: its chain is written down")
    return list(dict.fromkeys(found))


def _choices(config: Settings, registry: Registry) -> Iterator[str]:
    """Those named to answer, who cannot."""
    for field, capability in _FIRST.items():
        name = getattr(config, field)
        if name not in {None, AUTO}:
            yield from _choice(config, registry, field, name, capability)
    for one in Capability:
        for name in config.chain_for(one):
            if name != AUTO:
                yield from _choice(config, registry, f"{one}_chain", name, one)
        if config.configured and config.chain_for(one) and not _anybody(config, registry, one):
            yield f"{config.origins.get(f'{one}_chain', f'{one}_chain')}: nobody in it can answer"


def _choice(
    config: Settings, registry: Registry, field: str, name: str, capability: Capability | None
) -> Iterator[str]:
    place = registry.place(name, config.accounts)
    if place is None:
        return  # which is said elsewhere
    row = registry.rows[place.provider]
    where = config.origins.get(field, field.upper())
    if capability is not None and registry.offering(capability) and capability not in row.capabilities:
        yield f"{where}: {name} cannot {capability}, so it is passed over"
    elif not _ready(config, registry, place, capability):
        instead = "" if config.configured else "; while nobody is set up, simulators answer on a laptop"
        yield f"{where}: {name} cannot answer here: {_lack(config, registry, place, capability)}{instead}"


def _anybody(config: Settings, registry: Registry, capability: Capability) -> bool:
    for name in config.chain_for(capability):
        place = registry.place(name, config.accounts)
        if name == AUTO:
            return True
        if (
            place
            and capability in registry.rows[place.provider].capabilities
            and _ready(config, registry, place, capability)
        ):
            return True
    return False


def _ready(config: Settings, registry: Registry, place: Place, capability: Capability | None) -> bool:
    asked = _BY_LLM if capability is None else (capability,)
    return any(registry.is_ready(place.provider, one, what) for one in _accounts(config, place) for what in asked)


def _accounts(config: Settings, place: Place) -> list[Account]:
    """Whom a place means."""
    ones = config.accounts.get(place.provider, ())
    return [one for one in ones if place.covers(Place(place.provider, one.name))]


def _lack(config: Settings, registry: Registry, place: Place, capability: Capability | None) -> str:
    row = registry.rows[place.provider]
    first, *_ = _accounts(config, place)
    if not first.enabled:
        return "it is switched off"
    needed = f"set {' and '.join(registry.missing(row, first, capability or Capability.CHAT))}"
    return f"start it, or {needed}" if row.detect else needed


def _models(config: Settings, registry: Registry) -> Iterator[str]:
    """Embedding models of those that make no embeddings."""
    for row in registry.rows.values():
        if Capability.EMBED in row.capabilities:
            continue
        for one in config.accounts.get(row.name, ()):
            origin = config.origin(row.name, one.name, "embedding_model")
            if origin is not None:
                yield f"{origin} has no effect: {row.title} makes no embeddings here"


def _services(config: Settings, registry: Registry) -> Iterator[str]:
    """Half of what a provider's speech or translation needs, where no account makes use of it."""
    for row in registry.rows.values():
        for service, (asked, *_) in row.parts()[1:]:
            used: set[str] = set()
            lacking: list[tuple[set[str], list[str]]] = []
            for one in config.accounts.get(row.name, ()):
                fields = (field for field in service.own_fields() if getattr(one, field) is not None)
                found = (config.origin(row.name, one.name, field) for field in fields)
                given = {str(origin) for origin in found if origin is not None}
                missing = registry.missing(row, one, asked) if one.enabled else []
                if missing:
                    lacking.append((given, missing))
                else:
                    used |= given
            for given, missing in lacking:
                idle, used = sorted(given - used), used | given
                if idle:
                    verb = "have" if len(idle) > 1 else "has"
                    yield f"{' and '.join(idle)} {verb} no effect: set {' and '.join(missing)}"
