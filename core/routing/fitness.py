"""Whether settings fit the providers that are there: what cannot work, and what will have no effect."""

from collections.abc import Iterator
from difflib import get_close_matches

from core.capabilities import Capability
from core.config.catalog import Catalog
from core.config.masking import quoted
from core.config.settings import Settings
from core.errors import Misconfigured
from core.providers.registry import Registry
from core.routing.chains import AUTO
from core.routing.strategies import STRATEGIES

_FIRST = {
    "llm_provider": "LLM_PROVIDER",
    "chat_provider": "CHAT_PROVIDER",
    "embedding_provider": "EMBEDDING_PROVIDER",
    "rerank_provider": "RERANK_PROVIDER",
    "beautify_provider": "BEAUTIFY_PROVIDER",
    "stt_provider": "VOICE_STT_PROVIDER",
    "tts_provider": "VOICE_TTS_PROVIDER",
    "translation_provider": "TRANSLATION_PROVIDER",
}


_OWN = {
    Capability.CHAT: "chat_provider",
    Capability.EMBED: "embedding_provider",
    Capability.RERANK: "rerank_provider",
}


def problems(config: Settings, registry: Registry, models: Catalog) -> list[Misconfigured]:
    """Names of providers, accounts and models that nobody has."""
    found = []
    for setting, where, name in _names(config):
        if registry.place(name, config.accounts) is None:
            found.append(Misconfigured(f"{where}: {registry.unknown(name, config.accounts, AUTO)}", param=setting))
    if config.strategy not in STRATEGIES:
        near = get_close_matches(config.strategy, STRATEGIES, n=1)
        words = f"strategy {quoted(config.strategy)} is not known" + (f"; did you mean {near[0]}?" if near else ";")
        words = f"{config.origins.get('strategy', 'PROVIDER_STRATEGY')}: {words} known: {', '.join(STRATEGIES)}"
        found.append(Misconfigured(words, param="PROVIDER_STRATEGY"))
    model = config.embedding_model
    if model is not None and not _is_known(model, config, registry, models):
        near = [one for one in models.nearest(model) if one != model]
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        words = f"model {quoted(model)} is no provider's here.{hint} Name one (provider/model) to use it anyway"
        found.append(Misconfigured(f"{config.origins['embedding_model']}: {words}", param="EMBEDDING_MODEL"))
    return found


def _is_known(name: str, config: Settings, registry: Registry, models: Catalog) -> bool:
    if registry.place(name.partition("/")[0], config.accounts) is not None:
        return True
    return any(owner in registry.rows for owner, _ in models.keys_of(name))


def warnings(config: Settings) -> list[str]:
    found = []
    if config.table and not config.bucket and config.cache:
        table = config.origins.get("table", "PATCHBAY_TABLE")
        found.append(
            f"{table}: without PATCHBAY_BUCKET answers above 32 KB are kept in the memory of one process alone"
        )
    if config.strategy != "fallback" and config.first_for(Capability.CHAT):
        first = config.origins.get("chat_provider") or config.origins.get("llm_provider")
        found.append(f"{first} goes first only among equals: the strategy is {config.strategy}")
    if config.strategy != "fallback":
        written = [one for one in Capability if config.chain_for(one)]
        origin = config.origins.get("strategy", "PROVIDER_STRATEGY")
        found += [f"{origin} has no effect on {one}: its chain is written down" for one in written]
    found += [f"{one} has no effect on {capability}: its chain is written down" for capability, one in _idle(config)]
    return found


def _idle(config: Settings) -> Iterator[tuple[Capability, str]]:
    """What would choose the first of a chain that is written down."""
    for capability in Capability:
        if config.chain_for(capability) and config.first_for(capability):
            own = _OWN.get(capability, "")
            yield capability, str(config.origins.get(own) or config.origins.get("llm_provider") or capability)


def _names(config: Settings) -> Iterator[tuple[str, str, str]]:
    """Every place where somebody is named: setting, how it was said, the name."""
    fields = {**_FIRST, "fallback_provider": "PATCHBAY_FALLBACK_PROVIDER"}
    for field, setting in fields.items():
        name = getattr(config, field)
        if name not in {None, AUTO}:
            yield setting, str(config.origins.get(field, setting)), name
    for capability in Capability:
        field = f"{capability}_chain"
        for name in config.chain_for(capability):
            if name != AUTO:
                yield field.upper(), str(config.origins.get(field, field.upper())), name
