"""One row per provider. Adding one that speaks a known dialect is adding a row here, and nothing else."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from core.capabilities import Capability, Feature
from core.config.settings import Account, Declared
from core.wire.chat import (
    CACHE_CONTROL,
    CHAT_PARAMS,
    CITATIONS,
    EXTRA_CONTENT,
    FILE_CITATIONS,
    FILE_CONTEXT,
    MESSAGE_NAME,
    REASONING,
    REASONING_DETAILS,
    TOOL_CACHE_CONTROL,
)

_CHAT = frozenset({Capability.CHAT, Capability.TRANSLATE})  # whoever chats translates
_CHAT_AND_EMBED = _CHAT | {Capability.EMBED}
_RERANK = frozenset({Capability.RERANK})
_SMALL_EMBEDDING = "text-embedding-3-small"  # the default embedding model, which two providers have
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_ALL_CHAT_FEATURES = frozenset({
    Feature.STREAM, Feature.TOOLS, Feature.VISION, Feature.JSON_MODE, Feature.JSON_SCHEMA,
})  # fmt: skip
# What only OpenAI itself does, and others refuse or overlook.
_OPENAI_ONLY = frozenset({
    "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "verbosity", "web_search_options", "prediction", "modalities", "audio",
})  # fmt: skip
# What other dialects than this one have no counterpart of.
_COMPLETIONS_ONLY = frozenset({
    "n", "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "functions",
    "function_call", "moderation",
})  # fmt: skip


_COMMON_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MIB = 2**20


class Images(NamedTuple):
    """How a provider takes images; None is a limit that it does not document."""

    urls: bool = True  # fetches what an address leads to; for who does not, and who should not, we do
    most: int | None = None  # in a request
    most_bytes: int | None = None  # of one that is given as data
    types: frozenset[str] | None = None
    plain: bool = True  # fetches also without TLS
    documents: bool = False  # fetches those, too
    own: tuple[str, ...] = ()  # addresses that mean something to it alone begin so


class Hears(NamedTuple):
    """What audio one request to a provider may hold; None is a limit that it does not have or document."""

    most_bytes: int | None = None
    most_seconds: float | None = None
    kinds: frozenset[str] = frozenset({"wav", "mp3", "m4a", "mp4", "ogg", "flac", "webm"})


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    title: str
    # Where the class is, imported on first use; or what makes an adapter, for a provider that a program brings along.
    adapter: str | Callable[..., Any] = "core.providers.openai_dialect:OpenAIDialect"
    base_url: str | None = None
    hosts: tuple[str, ...] = ()  # endings of the vendor's other hosts
    path_prefix: str = ""  # between the address a user gives and the API's paths
    # In place of path_prefix where the account names a dated version of the API; {model} is the target's.
    dated_prefix: str = ""
    capabilities: frozenset[Capability] = _CHAT
    features: frozenset[Feature] = _ALL_CHAT_FEATURES
    default_models: Mapping[Capability, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    # Environment names of the account's fields, beside the derived <NAME>_API_KEY, _BASE_URL, _MODEL, _ENABLED
    # and _PRIORITY.
    env: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ("key",)
    key_header: str = "authorization"
    max_tokens_param: str = "max_completion_tokens"
    dialects: frozenset[str] = frozenset()  # which bodies it takes beside its own, as they come (types/request.py)
    extra_params: frozenset[str] = frozenset()  # what it takes beyond the dialect
    lacks_params: frozenset[str] = frozenset()
    thinking: str = ""  # a pattern: models that think, as reasoning_effort says; those without sampling do anyway
    json_alone: str = ""  # a pattern: models that give JSON only where there are no functions and no documents
    images: Images = Images()
    max_inputs: int = 2048  # texts to embed in one request
    max_request_tokens: int = 300_000  # and their tokens together
    max_documents: int = 1000  # to rank in one request
    base64: bool = True  # gives vectors in base64 when asked to
    free: bool = False  # runs on the user's own machines: no price per token
    local: bool = False
    detect: bool = False  # a laptop looks whether it runs at base_url, by its list of models
    command: str = ""  # the vendor's own program, asked in place of the API where an account names it
    by_command: "Row | None" = None  # what this row is then
    # What it is for other capabilities, where that has an adapter, an address or a key of its own.
    services: Mapping[Capability, "Row"] = field(default_factory=dict)
    places: Mapping[Capability, int] = field(default_factory=dict)  # in the default chain; the rest by the table
    hears: Hears = Hears()
    says: tuple[str, ...] = ("mp3",)  # kinds of sound it gives, the usual one first
    key_field: str = "key"  # of the account, for its key
    url_field: str = "base_url"  # and for its address
    most_characters: int | None = None  # to say, or to translate, in one request
    uniform: bool = False  # its features are those of all its models, whatever these can elsewhere
    # Environment names that have no effect yet, and what for they are kept.
    later: Mapping[str, str] = field(default_factory=dict)

    def is_dated(self, api_version: str | None) -> bool:
        """Whether an account with this version has the paths, and only the dialect, from before there was a v1."""
        return bool(self.dated_prefix and _DATED.match(api_version or ""))

    def is_vendors(self, account: Account) -> bool:
        """Whether an account leads to the vendor, or to who stands in for him, and to no server of somebody's own."""
        if account.simulated:
            return True
        if not account.base_url:
            return bool(self.base_url)
        host = urlsplit(account.base_url).hostname or ""
        return host.endswith(self.hosts) or bool(self.base_url and host == urlsplit(self.base_url).hostname)

    def of(self, account: Account, capability: Capability = Capability.CHAT) -> "Row":
        """What it is for an account."""
        if capability in self.services:
            return self.services[capability]
        return self.by_command if self.by_command is not None and account.command else self

    def ways(self, capability: Capability) -> tuple[Capability, ...]:
        """As what it can be asked for something. A language model translates, beside a service for it or without."""
        if capability is not Capability.TRANSLATE:
            return (capability,)
        own = capability in self.services or {capability} <= self.capabilities & self.default_models.keys()
        return (*((capability,) if own else ()), *((Capability.CHAT,) if Capability.CHAT in self.capabilities else ()))

    def declared(self) -> Declared:
        """The settings this row reads."""
        prefix = self.name.upper().replace("-", "_")
        derived = {
            "key": f"{prefix}_API_KEY",
            "base_url": f"{prefix}_BASE_URL",
            "model": f"{prefix}_MODEL",
            "embedding_model": f"{prefix}_EMBEDDING_MODEL",
            "enabled": f"{prefix}_ENABLED",
            "priority": f"{prefix}_PRIORITY",
            "max_tokens": f"{prefix}_MAX_TOKENS",
            "temperature": f"{prefix}_TEMPERATURE",
        }
        names = dict(self.env) | {
            name: tuple(dict.fromkeys((*self.env.get(name, ()), env))) for name, env in derived.items()
        }
        if self.command:
            names["command"] = (*self.env.get("command", ()), f"{prefix}_COMMAND")
        names["simulated"] = (f"{self.name}.simulated",)  # set by what is found here, never by hand
        models = {"model": Capability.CHAT, "embedding_model": Capability.EMBED}
        defaults = {field: self.default_models[one] for field, one in models.items() if one in self.default_models}
        if self.base_url:
            defaults["base_url"] = self.base_url
        return Declared(
            self.name, names, self.title, self.aliases, self.capabilities, defaults, "key" in self.needs, self.later,
            self.command,
        )  # fmt: skip


# It is an agent for people: what it is asked is one text, and all it gives back is text.
_GEMINI_PROGRAM = Row(
    name="gemini",
    title="Google Gemini's own program",
    adapter="core.providers.gemini_cli:GeminiCli",
    features=frozenset({Feature.STREAM}),
    uniform=True,
    default_models={Capability.CHAT: "gemini-3.8-flash"},
    needs=("command",),
    lacks_params=frozenset(CHAT_PARAMS) - {"model", "messages", "stream", "stream_options"},
)

_AZURE_TRANSLATOR = Row(
    name="azure",
    title="Azure Translator",
    adapter="core.providers.azure_translator:AzureTranslator",
    base_url="https://api.cognitive.microsofttranslator.com",
    hosts=(".cognitiveservices.azure.com", ".microsofttranslator.com"),
    capabilities=frozenset({Capability.TRANSLATE}),
    features=frozenset({Feature.HTML}),
    default_models={Capability.TRANSLATE: "nmt"},
    needs=("translation_key",),
    key_field="translation_key",
    url_field="translation_url",
    key_header="ocp-apim-subscription-key",
    extra_params=frozenset({"profanity", "domain"}),
    lacks_params=frozenset({"formality", "context"}),
    max_inputs=1000,
    most_characters=50_000,  # times languages
)
_WHISPER_FEATURES = frozenset({Feature.SEGMENTS, Feature.WORDS, Feature.TO_ENGLISH})
_OPENAI_SOUND = {Capability.TRANSCRIBE: "gpt-transcribe", Capability.SPEAK: "gpt-4o-mini-tts"}
_TOGETHER_SOUND = {
    Capability.TRANSCRIBE: "openai/whisper-large-v3", Capability.SPEAK: "canopylabs/orpheus-3b-0.1-ft",
}  # fmt: skip
_GROQ_SOUND = {Capability.TRANSCRIBE: "whisper-large-v3-turbo", Capability.SPEAK: "canopylabs/orpheus-v1-english"}
_LOCAL_SOUND = {Capability.TRANSCRIBE: "large-v3"}


def _listens(heard: Row, *capabilities: Capability) -> dict[Capability, Row]:
    """The same row for all of these, so that one adapter serves them."""
    return dict.fromkeys(capabilities, heard)


# OpenAI's audio API, and those who have it. What their models can stands in the catalogue; these are for others.
_OPENAI_HEARS = Row(
    name="openai",
    title="OpenAI",
    adapter="core.providers.openai_audio:OpenAIAudio",
    base_url="https://api.openai.com/v1",
    features=_WHISPER_FEATURES,
    default_models=_OPENAI_SOUND,
    hears=Hears(most_bytes=25 * _MIB, most_seconds=1400),  # the second is a limit of its models named gpt-4o
    extra_params=frozenset({"chunking_strategy"}),
)
_OPENAI_SAYS = replace(
    _OPENAI_HEARS,
    adapter="core.providers.openai_speech:OpenAISpeech",
    features=frozenset({Feature.STREAM}),
    says=("mp3", "opus", "aac", "flac", "wav", "pcm"),
    most_characters=4096,
    extra_params=frozenset(),
)
_TOGETHER_HEARS = Row(
    name="together",
    title="Together",
    adapter="core.providers.together:TogetherAudio",
    base_url="https://api.together.ai/v1",
    features=_WHISPER_FEATURES | {Feature.SPEAKERS},
    default_models=_TOGETHER_SOUND,
    hears=Hears(kinds=frozenset({"wav", "mp3", "m4a", "flac", "webm"})),
)
_TOGETHER_SAYS = replace(
    _TOGETHER_HEARS,
    adapter="core.providers.together:TogetherSpeech",
    features=frozenset({Feature.STREAM}),
    says=("pcm",),  # which comes while it is made; mp3 and wav only when they are whole
    lacks_params=frozenset({"speed", "instructions"}),
)
_GROQ_HEARS = Row(
    name="groq",
    title="Groq",
    adapter="core.providers.openai_audio:OpenAIAudio",
    base_url="https://api.groq.com/openai/v1",
    features=_WHISPER_FEATURES,
    default_models=_GROQ_SOUND,
    hears=Hears(most_bytes=25 * _MIB),  # of accounts that pay nothing; others may send 100 MB
)
_GROQ_SAYS = replace(
    _GROQ_HEARS,
    adapter="core.providers.openai_speech:OpenAISpeech",
    features=frozenset(),
    says=("wav",),
    most_characters=200,
    lacks_params=frozenset({"instructions"}),
)
_LOCAL_HEARS = Row(
    name="local",
    title="Own GPU tier",
    adapter="core.providers.openai_audio:OpenAIAudio",
    path_prefix="/v1",
    features=_WHISPER_FEATURES | {Feature.SPEAKERS},
    default_models=_LOCAL_SOUND,
    needs=("base_url",),
    free=True,
    local=True,
)
_AZURE_SOUND = {Capability.TRANSCRIBE: "azure-stt-fast", Capability.SPEAK: "azure-tts-neural"}
_AZURE_HEARS = Row(
    name="azure",
    title="Azure Speech",
    adapter="core.providers.azure_speech:AzureSpeech",
    capabilities=frozenset({Capability.TRANSCRIBE, Capability.DIARIZE}),
    features=frozenset({Feature.SPEAKERS, Feature.SEGMENTS, Feature.WORDS}),
    default_models=_AZURE_SOUND,
    needs=("speech_key", "speech_region|speech_url"),
    lacks_params=frozenset({"prompt", "temperature", "min_speakers", "known_speakers"}),
    extra_params=frozenset({"profanity"}),
    hears=Hears(300_000_000, 2 * 3600 - 1, frozenset({"wav", "mp3", "m4a", "ogg", "flac", "webm"})),
)
_AZURE_SAYS = replace(
    _AZURE_HEARS,
    capabilities=frozenset({Capability.SPEAK}),
    features=frozenset({Feature.STREAM, Feature.SSML}),
    lacks_params=frozenset({"instructions"}),
    extra_params=frozenset(),
    says=("mp3", "opus", "wav", "pcm"),
    most_characters=5000,  # what it says in one request may last 10 minutes
)
_TRANSCRIBE_AND_DIARIZE = (Capability.TRANSCRIBE, Capability.DIARIZE)

_GEMINI_SOUND = {Capability.TRANSCRIBE: "gemini-3.1-flash-lite", Capability.SPEAK: "gemini-3.8-flash-lite-tts"}
_GEMINI_HEARS = Row(
    name="gemini",
    title="Google Gemini",
    adapter="core.providers.gemini_audio:GeminiAudio",
    base_url="https://generativelanguage.googleapis.com",
    features=frozenset({Feature.SEGMENTS, Feature.TO_ENGLISH}),
    default_models=_GEMINI_SOUND,
    key_header="x-goog-api-key",
    # A request is 20 MB at most, in base64; what half an hour says is well within an answer.
    hears=Hears(14_500_000, 1800, frozenset({"wav", "mp3", "ogg", "flac", "aac"})),
)
_GEMINI_SAYS = replace(
    _GEMINI_HEARS,
    features=frozenset({Feature.STREAM}),
    says=("pcm",),
    most_characters=4000,  # by its 8192 tokens, and the length of an answer
)
_COHERE_HEARS = Row(
    name="cohere",
    title="Cohere",
    adapter="core.providers.cohere_audio:CohereAudio",
    base_url="https://api.cohere.com",
    features=frozenset(),
    default_models={Capability.TRANSCRIBE: "cohere-transcribe-03-2026"},
    lacks_params=frozenset({"prompt", "vocabulary"}),
    hears=Hears(25_000_000, None, frozenset({"wav", "mp3", "ogg", "flac"})),
)
_REPLICATE_SOUND = {
    Capability.TRANSCRIBE: "openai/whisper",
    Capability.DIARIZE: "thomasmol/whisper-diarization",
    Capability.SPEAK: "minimax/speech-2.6-turbo",
}
_REPLICATE_HEARS = Row(
    name="replicate",
    title="Replicate",
    adapter="core.providers.replicate_audio:ReplicateAudio",
    base_url="https://api.replicate.com",
    features=frozenset({Feature.SEGMENTS, Feature.TO_ENGLISH}),
    default_models=_REPLICATE_SOUND,
    extra_params=frozenset({"input"}),
    hears=Hears(most_bytes=100_000_000),  # of a file that is put there
)
_REPLICATE_SAYS = replace(
    _REPLICATE_HEARS,
    features=frozenset(),
    extra_params=frozenset({"model_input"}),
    lacks_params=frozenset({"instructions"}),
    says=("mp3", "wav"),
    most_characters=5000,
)
_HUGGINGFACE_HEARS = Row(
    name="huggingface",
    title="Hugging Face",
    adapter="core.providers.huggingface_audio:HuggingFaceAudio",
    base_url="https://router.huggingface.co/v1",
    features=frozenset({Feature.SEGMENTS}),
    default_models={Capability.TRANSCRIBE: "openai/whisper-large-v3"},
    lacks_params=frozenset({"prompt", "vocabulary"}),
    hears=Hears(25_000_000, 1800),  # it documents no limits
)

TABLE: tuple[Row, ...] = (
    Row(
        name="azure",
        title="Azure OpenAI",
        path_prefix="/openai/v1",
        hosts=(".azure.com",),
        dated_prefix="/openai/deployments/{model}",
        dialects=frozenset({"responses"}),
        capabilities=_CHAT_AND_EMBED | {*_TRANSCRIBE_AND_DIARIZE, Capability.SPEAK},
        services=_listens(_AZURE_HEARS, *_TRANSCRIBE_AND_DIARIZE)
        | {Capability.SPEAK: _AZURE_SAYS, Capability.TRANSLATE: _AZURE_TRANSLATOR},
        places={Capability.TRANSCRIBE: 0, Capability.DIARIZE: 0, Capability.SPEAK: 1, Capability.TRANSLATE: 0},
        features=_ALL_CHAT_FEATURES | {Feature.TOKENS, Feature.FILES},
        default_models={
            Capability.CHAT: "gpt-5.4-mini",
            Capability.EMBED: _SMALL_EMBEDDING,
            Capability.TRANSLATE: "nmt",
            **_AZURE_SOUND,
        },
        aliases=("azure-openai",),
        env={
            "key": ("AZURE_OPENAI_KEY", "AZURE_OPENAI_API_KEY"),
            "token": ("AZURE_OPENAI_AD_TOKEN",),
            "api_version": ("AZURE_OPENAI_API_VERSION",),
            "base_url": ("AZURE_OPENAI_ENDPOINT",),
            "model": ("AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_MODEL"),
            "embedding_model": ("AZURE_OPENAI_EMBEDDING_DEPLOYMENT", "AZURE_OPENAI_EMBEDDING_MODEL"),
            "translation_key": ("AZURE_TRANSLATION_KEY",),
            "translation_region": ("AZURE_TRANSLATION_REGION",),
            "translation_url": ("AZURE_TRANSLATION_ENDPOINT",),
            "translation_version": ("AZURE_TRANSLATION_API_VERSION",),
            "models.translate": ("AZURE_TRANSLATION_MODEL",),
            "speech_key": ("AZURE_SPEECH_KEY",),
            "speech_region": ("AZURE_SPEECH_REGION",),
            "speech_url": ("AZURE_SPEECH_ENDPOINT",),
            "models.transcribe": ("AZURE_STT_MODEL",),
            "models.speak": ("AZURE_TTS_MODEL",),
            "voice": ("AZURE_TTS_VOICE",),
        },
        needs=("key", "base_url"),
        key_header="api-key",
        images=Images(types=_COMMON_IMAGES),
    ),
    Row(
        name="together",
        title="Together",
        base_url="https://api.together.ai/v1",
        capabilities=_CHAT_AND_EMBED | _RERANK | {*_TRANSCRIBE_AND_DIARIZE, Capability.SPEAK},
        services=_listens(_TOGETHER_HEARS, *_TRANSCRIBE_AND_DIARIZE) | {Capability.SPEAK: _TOGETHER_SAYS},
        thinking="openai/gpt-oss-",
        default_models={
            Capability.CHAT: "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            Capability.EMBED: "intfloat/multilingual-e5-large-instruct",
            Capability.RERANK: "Salesforce/Llama-Rank-v1",
            **_TOGETHER_SOUND,
        },
        env={
            "models.rerank": ("TOGETHER_RERANK_MODEL",),
            "models.transcribe": ("TOGETHER_WHISPER_MODEL",),
            "models.speak": ("TOGETHER_TTS_MODEL",),
            "voice": ("TOGETHER_TTS_VOICE",),
        },
        max_inputs=100,  # it documents no limit; this many are known to work
        base64=False,
        aliases=("together-ai", "togetherai"),
        max_tokens_param="max_tokens",
        extra_params=frozenset(
            {
                "top_k",
                "min_p",
                "repetition_penalty",
                "reasoning",
                "context_length_exceeded_behavior",
                "safety_model",
                "chat_template_kwargs",
            }
        ),
        lacks_params=_OPENAI_ONLY,
    ),
    Row(
        name="anthropic",
        title="Anthropic",
        adapter="core.providers.anthropic:Anthropic",
        base_url="https://api.anthropic.com",
        features=_ALL_CHAT_FEATURES - {Feature.JSON_MODE} | {Feature.DOCUMENTS, Feature.FILES},
        default_models={Capability.CHAT: "claude-sonnet-5-5"},
        aliases=("claude",),
        env={"token": ("ANTHROPIC_AUTH_TOKEN",), "api_version": ("ANTHROPIC_VERSION",)},
        key_header="x-api-key",
        dialects=frozenset({"messages"}),
        extra_params=frozenset(
            {
                "top_k",
                "thinking",
                "documents",
                "cache_control",
                REASONING,
                REASONING_DETAILS,
                CACHE_CONTROL,
                TOOL_CACHE_CONTROL,
                CITATIONS,
                FILE_CITATIONS,
                FILE_CONTEXT,
            }
        ),
        lacks_params=_OPENAI_ONLY - {"service_tier", "safety_identifier"} | _COMPLETIONS_ONLY | {MESSAGE_NAME},
        images=Images(most=100, most_bytes=5 * _MIB, types=_COMMON_IMAGES, plain=False, documents=True),
    ),
    Row(
        name="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        hosts=(".api.openai.com",),
        dialects=frozenset({"responses"}),
        capabilities=_CHAT_AND_EMBED | {*_TRANSCRIBE_AND_DIARIZE, Capability.SPEAK},
        services=_listens(_OPENAI_HEARS, *_TRANSCRIBE_AND_DIARIZE) | {Capability.SPEAK: _OPENAI_SAYS},
        places={Capability.SPEAK: 0, Capability.TRANSCRIBE: 1, Capability.DIARIZE: 1},
        features=_ALL_CHAT_FEATURES | {Feature.TOKENS, Feature.FILES},
        default_models={Capability.CHAT: "gpt-6-luna", Capability.EMBED: _SMALL_EMBEDDING, **_OPENAI_SOUND},
        env={
            "models.transcribe": ("OPENAI_WHISPER_MODEL",),
            "models.speak": ("OPENAI_TTS_MODEL",),
            "voice": ("OPENAI_TTS_VOICE",),
        },
        images=Images(types=_COMMON_IMAGES),
    ),
    Row(
        name="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        capabilities=_CHAT | {Capability.TRANSCRIBE, Capability.SPEAK},
        services=_listens(_GROQ_HEARS, Capability.TRANSCRIBE) | {Capability.SPEAK: _GROQ_SAYS},
        thinking="openai/gpt-oss-",
        default_models={Capability.CHAT: "openai/gpt-oss-120b", **_GROQ_SOUND},
        env={
            "models.transcribe": ("GROQ_WHISPER_MODEL",),
            "models.speak": ("GROQ_TTS_MODEL",),
            "voice": ("GROQ_TTS_VOICE",),
        },
        extra_params=frozenset({"reasoning_format", "include_reasoning"}),
        lacks_params=_OPENAI_ONLY - {"service_tier"} | {"n", "logprobs", "top_logprobs", "logit_bias", MESSAGE_NAME},
        images=Images(most=5, most_bytes=3 * _MIB, types=_COMMON_IMAGES),  # 4 MB in base64
    ),
    Row(
        name="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        features=_ALL_CHAT_FEATURES - {Feature.VISION, Feature.JSON_SCHEMA},
        default_models={Capability.CHAT: "deepseek-flash"},
        max_tokens_param="max_tokens",
        extra_params=frozenset({"thinking", REASONING}),
        lacks_params=_OPENAI_ONLY | {"n", "seed", "logit_bias", "parallel_tool_calls", "user"},
    ),
    Row(
        name="huggingface",
        title="Hugging Face",
        adapter="core.providers.huggingface:HuggingFace",
        base_url="https://router.huggingface.co/v1",
        capabilities=_CHAT_AND_EMBED | _RERANK | {Capability.TRANSCRIBE},
        services={Capability.TRANSCRIBE: _HUGGINGFACE_HEARS},
        thinking="openai/gpt-oss-",
        default_models={
            Capability.CHAT: "openai/gpt-oss-120b",
            Capability.EMBED: "intfloat/multilingual-e5-large-instruct",
            **_HUGGINGFACE_HEARS.default_models,
        },
        max_inputs=32,  # what its embedding server takes unless it is started with more
        base64=False,
        max_documents=100,  # it documents no limit
        aliases=("hf",),
        env={
            "key": ("HF_API_KEY", "HUGGINGFACE_TOKEN", "HF_TOKEN"),
            "models.rerank": ("HUGGINGFACE_RERANK_MODEL",),
            "models.transcribe": ("HUGGINGFACE_WHISPER_MODEL",),
        },
        max_tokens_param="max_tokens",
        lacks_params=_OPENAI_ONLY,
    ),
    Row(
        name="gemini",
        title="Google Gemini",
        adapter="core.providers.gemini:Gemini",
        base_url="https://generativelanguage.googleapis.com",
        capabilities=_CHAT_AND_EMBED | {Capability.TRANSCRIBE, Capability.SPEAK},
        services={Capability.TRANSCRIBE: _GEMINI_HEARS, Capability.SPEAK: _GEMINI_SAYS},
        features=_ALL_CHAT_FEATURES | {Feature.AUDIO, Feature.FILES},
        default_models={
            Capability.CHAT: "gemini-3.8-flash",
            Capability.EMBED: "gemini-embedding-001",
            **_GEMINI_SOUND,
        },
        key_header="x-goog-api-key",
        max_inputs=100,
        extra_params=frozenset(
            {
                "top_k",
                "thinking",
                "safety_settings",
                "input_type",
                REASONING,
                REASONING_DETAILS,
                EXTRA_CONTENT,
            }
        ),
        lacks_params=_OPENAI_ONLY | {"logit_bias", "parallel_tool_calls", "user", "moderation", MESSAGE_NAME},
        aliases=("google", "google-ai"),
        env={
            "key": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            "models.transcribe": ("GEMINI_TRANSCRIBE_MODEL",),
            "models.speak": ("GEMINI_TTS_MODEL",),
            "voice": ("GEMINI_TTS_VOICE",),
        },
        json_alone=r"gemini-[12]\.",
        images=Images(
            urls=False,
            types=_COMMON_IMAGES - {"image/gif"} | {"image/heic", "image/heif"},
            own=(
                "https://generativelanguage.googleapis.com/",
                "https://www.youtube.com/",
                "https://youtu.be/",
                "gs://",
            ),
        ),
        command="gemini",
        by_command=_GEMINI_PROGRAM,
    ),
    Row(
        name="cohere",
        title="Cohere",
        adapter="core.providers.cohere:Cohere",
        base_url="https://api.cohere.com",
        capabilities=_CHAT_AND_EMBED | _RERANK | {Capability.TRANSCRIBE},
        services={Capability.TRANSCRIBE: _COHERE_HEARS},
        features=_ALL_CHAT_FEATURES | {Feature.DOCUMENTS},
        default_models={
            Capability.CHAT: "command-a-plus-05-2026",
            Capability.EMBED: "embed-v4.0",
            Capability.RERANK: "rerank-v4.0-pro",
            **_COHERE_HEARS.default_models,
        },
        json_alone=".",
        max_inputs=96,
        extra_params=frozenset(
            {
                "top_k",
                "thinking",
                "citation_options",
                "safety_mode",
                "priority",
                "input_type",
                "truncate",
                "max_tokens_per_doc",
                REASONING,
                REASONING_DETAILS,
                CITATIONS,
            }
        ),
        lacks_params=_OPENAI_ONLY
        | {
            "n",
            "logprobs",
            "top_logprobs",
            "logit_bias",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "user",
            "moderation",
            MESSAGE_NAME,
        },
        env={
            "key": ("COHERE_API_KEY", "CO_API_KEY"),
            "models.rerank": ("COHERE_RERANK_MODEL",),
            "models.transcribe": ("COHERE_TRANSCRIBE_MODEL",),
        },
        images=Images(most=20, types=_COMMON_IMAGES),
    ),
    Row(
        name="replicate",
        title="Replicate",
        adapter="core.providers.replicate:Replicate",
        base_url="https://api.replicate.com",
        capabilities=_CHAT | {*_TRANSCRIBE_AND_DIARIZE, Capability.SPEAK},
        services=_listens(_REPLICATE_HEARS, *_TRANSCRIBE_AND_DIARIZE) | {Capability.SPEAK: _REPLICATE_SAYS},
        # It runs anybody's models on a prompt: images go to those of which the catalogue says that they take them.
        features=frozenset({Feature.STREAM}),
        default_models={Capability.CHAT: "meta/meta-llama-3-70b-instruct", **_REPLICATE_SOUND},
        env={
            "key": ("REPLICATE_API_TOKEN",),
            "models.transcribe": ("REPLICATE_WHISPER_MODEL",),
            "models.diarize": ("REPLICATE_DIARIZE_MODEL",),
            "models.speak": ("REPLICATE_TTS_MODEL",),
            "voice": ("REPLICATE_TTS_VOICE",),
        },
        extra_params=frozenset({"input", "top_k"}),
        lacks_params=_OPENAI_ONLY - {"verbosity"}
        | frozenset(
            {
                "n",
                "logprobs",
                "top_logprobs",
                "logit_bias",
                "user",
                "tool_choice",
                "parallel_tool_calls",
                "functions",
                "function_call",
                MESSAGE_NAME,
            }
        ),
    ),
    Row(
        name="local",
        title="Own GPU tier",
        path_prefix="/v1",
        capabilities=_CHAT_AND_EMBED | _RERANK | set(_TRANSCRIBE_AND_DIARIZE),
        services=_listens(_LOCAL_HEARS, *_TRANSCRIBE_AND_DIARIZE),
        default_models=_LOCAL_SOUND,
        features=_ALL_CHAT_FEATURES | {Feature.TOKENS},
        max_inputs=256,
        # The same switch puts it first and, set to false, turns it off: who switches it on means to use it.
        env={
            "model": ("LOCAL_LLM_MODEL",),
            "models.rerank": ("LOCAL_RERANK_MODEL",),
            "models.transcribe": ("LOCAL_WHISPER_MODEL",),
            "enabled": ("LOCAL_MODELS_ENABLED",),
            "first": ("LOCAL_MODELS_ENABLED",),
        },
        later={"LOCAL_QUANTIZATION": "serving models on own GPUs", "LOCAL_DEVICE": "serving models on own GPUs"},
        needs=("base_url",),
        max_tokens_param="max_tokens",
        extra_params=frozenset({"top_k", "min_p", "repetition_penalty", "chat_template_kwargs", REASONING}),
        lacks_params=_OPENAI_ONLY,
        free=True,
        local=True,
        images=Images(urls=False),  # it stands where it could reach what users must not
    ),
    Row(
        name="ollama",
        title="Ollama",
        adapter="core.providers.ollama:Ollama",
        base_url="http://127.0.0.1:11434",
        path_prefix="/v1",
        capabilities=_CHAT_AND_EMBED,
        env={"keep_alive": ("OLLAMA_KEEP_ALIVE",), "num_ctx": ("OLLAMA_NUM_CTX", "OLLAMA_CONTEXT_LENGTH")},
        max_inputs=256,
        needs=("base_url",),
        max_tokens_param="max_tokens",
        extra_params=frozenset(
            {
                "keep_alive",
                "options",
                "think",
                "thinking",
                "num_ctx",
                "top_k",
                "min_p",
                "repetition_penalty",
                REASONING,
                REASONING_DETAILS,
            }
        ),
        lacks_params=_OPENAI_ONLY
        | frozenset(
            {
                "tool_choice",
                "logit_bias",
                "n",
                "user",
                "logprobs",
                "top_logprobs",
                "functions",
                "function_call",
                MESSAGE_NAME,
            }
        ),
        free=True,
        local=True,
        detect=True,
        images=Images(urls=False),
    ),
)
