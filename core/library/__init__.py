"""The gateway from Python. Everything is imported when it is first named; `import core.library` costs nothing."""

from importlib import import_module
from typing import Any

_WHERE = {
    "bases": "AIProvider CloudProvider LLMProvider LlmProvider STTProvider TTSProvider TranslationProvider",
    "calls": "TextStream",
    "compatible": "HttpProviderClient OpenAICompatible OpenAICompatibleProvider",
    "factory": "ProviderFactory get_fallback_chain",
    "legacy": "ModelType",
    "manager": "ProviderManager get_provider_manager",
    "orchestration": "Orchestrator orchestrator",
    "provider": "Provider",
    "registry": "ProviderRegistry",
    "requests": "ChatMessage ChatRequest EmbeddingRequest LLMRequest ManagerConfig ProviderConfig"
    " TranscriptionRequest VisionRequest user_message",
    "results": "ChatResponse EmbeddingResponse GenerationResult LLMResponse LLMResult ModelInfo RankedDocument"
    " RerankResponse RoutingDecision Usage VisionResponse",
    "router": "ModelRouter ModelRouterV2",
    "scope": "Scope using",
    "service": "ProviderConfigService get_provider_config_service initialize_provider_system provider_score",
    "sound_results": "BeautifyResult STTResult TTSResult TranscriptionResponse TranslationResult",
    "words": "ModelCapability ModelTier ProviderCapability ProviderStrategy TaskComplexity TaskRisk",
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = ["ProviderType", *_MODULES]  # noqa: PLE0604 - the same names, written once


def __getattr__(name: str) -> Any:
    value = _named(name)
    if value is None:
        raise AttributeError(f"core.library has no {name!r}")
    globals()[name] = value
    return value


def _named(name: str) -> Any:
    """What is listed above, and the classes of the table's rows: `<Name>Provider`, `<Name>Client`, `<Name>Adapter`."""
    if name in _MODULES:
        return getattr(import_module(f"core.library.{_MODULES[name]}"), name)
    if name == "ProviderType":
        from core.library.words import provider_types  # noqa: PLC0415 - see above

        return provider_types()
    if name.endswith("Adapter"):
        from core.library import compatible, legacy  # noqa: PLC0415 - see above

        return legacy.adapter_class(name) or compatible.adapter_class(name)
    if name.endswith(("Provider", "Client")):
        from core.library.provider import provider_class  # noqa: PLC0415 - see above

        return provider_class(name)
    return None
