"""The seeds' enumerations, and what their words mean here. Providers come from the table, never from a list."""

from enum import Enum, StrEnum

from core.capabilities import Capability, Feature
from core.config.catalog import SKILLS
from core.errors import BadRequest
from core.providers.registry import Registry


class ProviderCapability(Enum):
    SPEECH_TO_TEXT = "stt"
    TEXT_TO_SPEECH = "tts"
    TRANSLATION = "translation"
    LLM_CHAT = "llm_chat"
    LLM_EMBEDDING = "llm_embedding"
    AUDIO_TRANSCRIPTION = "audio_transcription"
    DIARIZATION = "diarization"


class ModelCapability(StrEnum):
    CHAT = "chat"
    TRANSCRIPTION = "transcription"
    EMBEDDING = "embedding"
    VISION = "vision"


class ProviderStrategy(StrEnum):
    FALLBACK = "fallback"
    PRIORITY = "priority"
    COST_OPTIMIZED = "cost_optimized"


class ModelTier(StrEnum):
    FAST = "fast"
    STANDARD = "standard"
    ADVANCED = "advanced"


class TaskRisk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class TaskComplexity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


_MEANING = {
    "stt": Capability.TRANSCRIBE,
    "audio_transcription": Capability.TRANSCRIBE,
    "transcription": Capability.TRANSCRIBE,
    "tts": Capability.SPEAK,
    "translation": Capability.TRANSLATE,
    "diarization": Capability.DIARIZE,
    "llm_chat": Capability.CHAT,
    "vision": Capability.CHAT,  # a feature of chat
    "llm_embedding": Capability.EMBED,
    "embedding": Capability.EMBED,
} | {one.value: one for one in Capability}
# Back to the first seed's words.
SPOKEN = {
    Capability.CHAT: ProviderCapability.LLM_CHAT,
    Capability.EMBED: ProviderCapability.LLM_EMBEDDING,
    Capability.TRANSCRIBE: ProviderCapability.SPEECH_TO_TEXT,
    Capability.DIARIZE: ProviderCapability.DIARIZATION,
    Capability.SPEAK: ProviderCapability.TEXT_TO_SPEECH,
    Capability.TRANSLATE: ProviderCapability.TRANSLATION,
}


def text_of(word: object) -> str:
    """The value of an enumeration's member, or the text that it is."""
    return str(word.value if isinstance(word, Enum) else word).strip().lower()


def capability_of(word: object) -> Capability:
    """The three vocabularies of the seeds, and ours."""
    meant = _MEANING.get(text_of(word))
    if meant is None:
        known = ", ".join(_MEANING)
        raise BadRequest(f"capability {word!r} is not known; known: {known}", param="capability", code="invalid_value")
    return meant


def check_skill(word: str) -> None:
    """A skill, a feature, or what a model is for; refuses what none of the seeds and none of us calls anything."""
    known = dict.fromkeys((*SKILLS, *(one.value for one in Feature), *_MEANING))
    if word not in known:
        raise BadRequest(
            f"capability {word!r} is not known; known: {', '.join(known)}", param="capability", code="invalid_value"
        )


def provider_types() -> type[StrEnum]:
    """One member for each provider, whose other names are members that mean the same."""
    registry = Registry.with_plugins()
    names = {name: row.name for row in registry.rows.values() for name in (row.name, *row.aliases)}
    ordered = sorted(names.items(), key=lambda one: one[0] != one[1])  # a value's first name is its own
    members = {name.upper().replace("-", "_"): value for name, value in ordered}
    made = StrEnum("ProviderType", members)  # type: ignore[misc] # its members are the table's rows
    made.__module__ = __name__
    return made
