"""The simulated vendors, one row each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.simulators.audio_models import (
    GROQ_LISTENERS,
    GROQ_SPEAKERS,
    LOCAL_LISTENERS,
    OPENAI_LISTENERS,
    OPENAI_SPEAKERS,
    TOGETHER_LISTENERS,
    TOGETHER_SPEAKERS,
    Listener,
    Speaker,
)


@dataclass(frozen=True, slots=True)
class Embedder:
    """An embedding model."""

    dimensions: int
    context: int = 8192
    shortens: bool = False
    pools: bool = True  # one vector for a text; else one for each of its tokens


@dataclass(frozen=True, slots=True)
class Vendor:
    name: str
    # Path -> responder (simulator.py). A path part in braces reaches the responder by its name.
    paths: Mapping[str, str]
    models: tuple[str, ...]
    # Headers that may carry the key; none: no key is needed.
    auth: tuple[str, ...] = ("authorization",)
    errors: str = "openai"
    request_ids: tuple[str, ...] = ("x-request-id",)
    headers: Mapping[str, str] = field(default_factory=dict)
    # Headers that count down to a 429, with their values on a 429.
    limits: Mapping[str, str] = field(default_factory=dict)
    event_stream: str = "text/event-stream; charset=utf-8"
    fingerprint: str | None = None
    # Parameters beyond OpenAI's own; unknown ones are an error only where the vendor is strict.
    strict: bool = False
    parameters: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    reasoning_rules: bool = False
    retry_after_ms: bool = False
    content_filter: bool = False
    obfuscation: bool = False
    usage_details: bool = True
    usage_on_last_chunk: bool = False
    whole_tool_calls: bool = False
    data_images_only: bool = False
    bare_model_list: bool = False
    # What it calls an end that was not forced.
    stop: str = "stop"
    # An object of the vendor's own in its answers, which repeats the usage on a stream's last chunk.
    extension: str | None = None
    timings: bool = False
    cache_counts: bool = False
    # The name of what it thinks before it answers.
    thinks_in: str | None = None
    keep_alive: bool = False
    one_answer: bool = False
    # Parameters that it refuses though it knows them, and whether it takes names of people.
    refused: frozenset[str] = frozenset()
    takes_names: bool = True
    takes_schemas: bool = True
    # Embeddings: the models, what one request may hold, whether vectors come in base64 and tokens are counted.
    embedders: Mapping[str, Embedder] = field(default_factory=dict)
    max_inputs: int | None = None
    max_embed_tokens: int | None = None
    packs: bool = True
    counts_embeddings: bool = True
    takes_token_ids: bool = True
    cuts_inputs: bool = False  # what is too long is cut and not refused
    rerankers: tuple[str, ...] = ()
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    max_audio_bytes: int | None = None
    audio_files: tuple[str, ...] = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
    hears_english: bool = False  # unless a language is named, it takes everything for English
    speakers: Mapping[str, Speaker] = field(default_factory=dict)

    @property
    def all_models(self) -> tuple[str, ...]:
        return (*self.models, *self.embedders, *self.rerankers, *self.listeners, *self.speakers)


THEIR_EMBEDDERS = {
    "text-embedding-3-small": Embedder(1536, shortens=True),
    "text-embedding-3-large": Embedder(3072, shortens=True),
    "text-embedding-ada-002": Embedder(1536),
}

MIB = 2**20
OPENAI = Vendor(
    name="openai",
    paths={
        "/v1/chat/completions": "chat",
        "/v1/responses": "responses",
        "/v1/embeddings": "embeddings",
        "/v1/audio/transcriptions": "transcriptions",
        "/v1/audio/translations": "audio translations",
        "/v1/audio/speech": "speech",
        "/v1/models": "models",
    },
    models=("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-4.1-mini", "o4-mini"),
    headers={"openai-version": "2020-10-01", "openai-processing-ms": "12"},
    limits={
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-reset-tokens": "6m0s",
    },
    fingerprint="fp_51mu1a7ed0",
    strict=True,
    reasoning_rules=True,
    retry_after_ms=True,
    obfuscation=True,
    embedders=THEIR_EMBEDDERS,
    max_inputs=2048,
    max_embed_tokens=300_000,
    listeners=OPENAI_LISTENERS,
    max_audio_bytes=25 * MIB,
    speakers=OPENAI_SPEAKERS,
)

AZURE = Vendor(
    name="azure",
    paths={
        "/openai/v1/chat/completions": "chat",
        "/openai/v1/responses": "responses",
        "/openai/v1/embeddings": "embeddings",
        "/openai/v1/models": "models",
        "/openai/deployments/{deployment}/chat/completions": "chat",
        "/openai/deployments/{deployment}/embeddings": "embeddings",
        "/openai/models": "models",
        # Its translator, at the global address and at that of a resource with a name of its own.
        **{
            f"{root}{path}": responder
            for root in ("", "/translator/text/v3.0", "/translator/text/v2026-06-06")
            for path, responder in (("/translate", "translate"), ("/detect", "detect"), ("/languages", "languages"))
        },
        "/speechtotext/transcriptions:transcribe": "fast transcription",
        "/sts/v1.0/issueToken": "speech token",
        "/speech/recognition/conversation/cognitiveservices/v1": "live recognition",
        "/speech/recognition/interactive/cognitiveservices/v1": "live recognition",
        # A resource of one's own has paths with what they are for before them, a region has hosts of their own.
        **{
            f"{service}{path}": name
            for prefixes, path, name in (
                (("", "/stt"), "/speech/universal/v2", "live recognition"),
                (("", "/tts"), "/cognitiveservices/v1", "ssml"),
                (("", "/tts"), "/cognitiveservices/voices/list", "speech voices"),
                (("", "/tts"), "/cognitiveservices/websocket/v1", "live speech"),
            )
            for service in prefixes
        },
    },
    models=("gpt-5.4", "gpt-5.4-mini", "gpt-4.1-mini"),
    auth=("api-key", "authorization"),
    errors="azure",
    request_ids=("apim-request-id", "x-request-id"),
    headers={"x-ms-region": "Sweden Central"},
    limits={
        "x-ratelimit-limit-requests": "250",
        "x-ratelimit-limit-tokens": "250000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "10",
        "x-ratelimit-reset-tokens": "60",
    },
    fingerprint="fp_51mu1a7ed1",
    strict=True,
    parameters=frozenset({"data_sources", "user_security_context"}),
    reasoning_rules=True,
    retry_after_ms=True,
    content_filter=True,
    embedders=THEIR_EMBEDDERS,
    max_inputs=2048,
    max_embed_tokens=300_000,
)

TOGETHER = Vendor(
    name="together",
    paths={
        "/v1/chat/completions": "chat",
        "/v1/embeddings": "embeddings",
        "/v1/rerank": "rerank",
        "/v1/audio/transcriptions": "transcriptions",
        "/v1/audio/translations": "audio translations",
        "/v1/audio/speech": "speech",
        "/v1/models": "models",
    },
    models=(
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "Qwen/Qwen3-235B-A22B-Instruct-2507-tput",
        "openai/gpt-oss-120b",
    ),
    errors="together",
    limits={
        "x-ratelimit-limit": "600",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1",
        "x-tokenlimit-limit": "180000",
        "x-tokenlimit-remaining": "0",
    },
    event_stream="text/event-stream",
    stop="eos",
    usage_details=False,
    usage_on_last_chunk=True,
    bare_model_list=True,
    # Its specification has no encoding_format, no dimensions, no ids of tokens and no usage.
    embedders={"intfloat/multilingual-e5-large-instruct": Embedder(1024, context=514)},
    packs=False,
    counts_embeddings=False,
    takes_token_ids=False,
    rerankers=("Salesforce/Llama-Rank-v1",),
    listeners=TOGETHER_LISTENERS,
    audio_files=("wav", "mp3", "m4a", "webm", "flac"),
    hears_english=True,
    speakers=TOGETHER_SPEAKERS,
)

OLLAMA = Vendor(
    name="ollama",
    paths={
        "/v1/chat/completions": "chat",
        "/v1/embeddings": "embeddings",
        "/v1/models": "models",
        "/api/chat": "ollama chat",
        "/api/embed": "ollama embed",
        "/api/show": "ollama show",
        "/api/tags": "tags",
        "/api/version": "version",
    },
    models=("llama3.2:3b", "qwen3:8b", "gemma3:4b"),
    auth=(),
    errors="ollama",
    request_ids=(),
    event_stream="text/event-stream",
    fingerprint="fp_ollama",
    ignored=frozenset({"tool_choice", "logit_bias", "n", "user"}),
    usage_details=False,
    whole_tool_calls=True,
    data_images_only=True,
    embedders={"nomic-embed-text": Embedder(768, context=2048), "bge-m3": Embedder(1024)},
    takes_token_ids=False,
    cuts_inputs=True,
)

GROQ = Vendor(
    name="groq",
    paths={
        "/openai/v1/chat/completions": "chat",
        "/openai/v1/audio/transcriptions": "transcriptions",
        "/openai/v1/audio/translations": "audio translations",
        "/openai/v1/audio/speech": "speech",
        "/openai/v1/models": "models",
    },
    models=("openai/gpt-oss-120b", "openai/gpt-oss-20b", "llama-3.3-70b-versatile"),
    errors="groq",
    headers={"x-groq-region": "fra"},
    # Requests are counted by the day, tokens by the minute.
    limits={
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-limit-tokens": "18000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-reset-tokens": "7.66s",
    },
    event_stream="text/event-stream",
    fingerprint="fp_51mu1a7ed2",
    strict=True,
    parameters=frozenset({"reasoning_format", "include_reasoning"}),
    usage_details=False,
    extension="x_groq",
    timings=True,
    one_answer=True,
    refused=frozenset({"logprobs", "top_logprobs", "logit_bias"}),
    takes_names=False,
    listeners=GROQ_LISTENERS,
    max_audio_bytes=25 * MIB,
    speakers=GROQ_SPEAKERS,
)

DEEPSEEK = Vendor(
    name="deepseek",
    paths={
        "/chat/completions": "chat",
        "/models": "models",
        "/v1/chat/completions": "chat",
        "/v1/models": "models",
    },
    models=("deepseek-flash", "deepseek-v4-pro"),
    errors="deepseek",
    request_ids=("x-ds-trace-id",),
    fingerprint="fp_51mu1a7ed3",
    usage_details=False,
    cache_counts=True,
    thinks_in="reasoning_content",
    keep_alive=True,
    one_answer=True,
    takes_schemas=False,
)

HUGGINGFACE = Vendor(
    name="huggingface",
    paths={
        "/v1/chat/completions": "chat",
        "/v1/models": "models",
        "/hf-inference/models/{owner}/{name}/pipeline/sentence-similarity": "similarity",
        "/hf-inference/models/{owner}/{name}/pipeline/feature-extraction": "feature extraction",
        "/hf-inference/models/{name}/pipeline/feature-extraction": "feature extraction",
        "/hf-inference/models/{owner}/{name}": "recognition",
    },
    listeners={"openai/whisper-large-v3": Listener(), "openai/whisper-large-v3-turbo": Listener()},
    rerankers=("sentence-transformers/all-mpnet-base-v2",),
    models=("openai/gpt-oss-120b", "meta-llama/Llama-3.3-70B-Instruct", "deepseek-ai/DeepSeek-V4-Pro"),
    errors="text",
    headers={"x-inference-provider": "simulated"},
    event_stream="text/event-stream",
    usage_details=False,
    embedders={
        "intfloat/multilingual-e5-large-instruct": Embedder(1024, context=514),
        "sentence-transformers/all-MiniLM-L6-v2": Embedder(384, context=512),
        "google-bert/bert-base-uncased": Embedder(768, context=512, pools=False),
    },
)

REPLICATE = Vendor(
    name="replicate",
    paths={
        "/v1/models/{owner}/{name}/predictions": "predict",
        "/v1/deployments/{owner}/{deployment_name}/predictions": "predict",
        "/v1/predictions": "predict",
        "/v1/predictions/{prediction}": "prediction",
        "/v1/predictions/{prediction}/cancel": "cancel prediction",
        "/v1/streams/{prediction}": "stream prediction",
        "/v1/models": "replicate models",
        "/v1/collections/language-models": "replicate collection",
        "/v1/files": "replicate files",
        "/v1/files/{file}": "replicate file",
        "/pbxt/{file}": "replicate delivery",
    },
    # The last ones behave as their names say.
    models=(
        "meta/meta-llama-3-70b-instruct",
        "meta/meta-llama-3-8b-instruct",
        "openai/gpt-4.1-mini",
        "simulated/cold-start",
        "simulated/always-fails",
        "simulated/never-ends",
        "simulated/no-stream",
        "simulated/by-the-second",
    ),
    errors="problem",
    request_ids=(),
    headers={"ratelimit-limit": "600", "ratelimit-remaining": "599", "ratelimit-reset": "60"},
    event_stream="text/event-stream",
)

GEMINI_VOICES = (
    "Zephyr", "Puck", "Charon", "Kore", "Fenrir", "Leda", "Orus", "Aoede", "Callirrhoe", "Autonoe", "Enceladus",
    "Iapetus", "Umbriel", "Algieba", "Despina", "Erinome", "Algenib", "Rasalgethi", "Laomedeia", "Achernar",
    "Alnilam", "Schedar", "Gacrux", "Pulcherrima", "Achird", "Zubenelgenubi", "Vindemiatrix", "Sadachbia",
    "Sadaltager", "Sulafat",
)  # fmt: skip

GEMINI = Vendor(
    name="gemini",
    paths={
        path: responder
        for version in ("v1", "v1beta")
        for path, responder in {
            f"/{version}/models": "gemini_models",
            f"/{version}/models/{{model}}:generateContent": "gemini",
            f"/{version}/models/{{model}}:streamGenerateContent": "gemini_stream",
            f"/{version}/models/{{model}}:countTokens": "gemini_count",
            f"/{version}/models/{{model}}:embedContent": "gemini_embed",
            f"/{version}/models/{{model}}:batchEmbedContents": "gemini_embed_batch",
        }.items()
    },
    models=(
        "gemini-3.8-flash",
        "gemini-3.1-pro-preview",
        "gemini-3.1-flash-lite",
        "gemini-2.5-flash",
        "gemini-2.0-flash",
    ),
    speakers=dict.fromkeys(
        ("gemini-3.8-flash-tts", "gemini-3.8-flash-lite-tts", "gemini-3.1-flash-tts-preview"), Speaker(GEMINI_VOICES)
    ),
    auth=("x-goog-api-key",),
    errors="google",
    request_ids=(),
    headers={"server-timing": "gfet4t7; dur=12"},
    event_stream="text/event-stream",
    embedders={
        "gemini-embedding-001": Embedder(3072, context=2048, shortens=True),
        "gemini-embedding-2": Embedder(3072, shortens=True),
    },
    takes_token_ids=False,
    cuts_inputs=True,
)

LOCAL = Vendor(
    name="local",
    paths={
        "/v1/chat/completions": "chat",
        "/v1/embeddings": "embeddings",
        "/v1/rerank": "rerank",
        "/v1/audio/transcriptions": "transcriptions",
        "/v1/audio/translations": "audio translations",
        "/v1/models": "models",
    },
    models=("llama-3.1-8b", "qwen-2.5-7b"),
    auth=(),
    errors="numbers",
    usage_details=False,
    embedders={"bge-large-en": Embedder(1024, context=512)},
    rerankers=("bge-reranker-v2-m3",),
    listeners=LOCAL_LISTENERS,
)

COHERE = Vendor(
    name="cohere",
    paths={
        "/v2/chat": "cohere_chat",
        "/v2/embed": "cohere_embed",
        "/v2/rerank": "cohere_rerank",
        "/v2/audio/transcriptions": "cohere_transcribe",
        "/v1/models": "cohere_models",
    },
    models=(
        "command-a-plus-05-2026",
        "command-a-03-2025",
        "command-a-vision-07-2025",
        "command-r-08-2024",
        "command-r7b-12-2024",
    ),
    errors="cohere",
    request_ids=("x-debug-trace-id",),
    headers={"x-endpoint-monthly-call-limit": "1000"},
    limits={"x-trial-endpoint-call-limit": "40", "x-trial-endpoint-call-remaining": "0"},
    event_stream="text/event-stream",
    strict=True,
    embedders={"embed-v4.0": Embedder(1536, context=128_000, shortens=True)},
    rerankers=("rerank-v4.0-pro", "rerank-v4.0-fast", "rerank-v3.5"),
    listeners={"cohere-transcribe-03-2026": Listener()},
    max_audio_bytes=25 * 2**20,
    audio_files=("flac", "mp3", "mpeg", "mpga", "ogg", "wav"),
)

ANTHROPIC = Vendor(
    name="anthropic",
    paths={"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens", "/v1/models": "anthropic_models"},
    models=("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-4-5"),
    auth=("x-api-key", "authorization"),
    errors="anthropic",
    request_ids=("request-id",),
    headers={"anthropic-organization-id": "51000000-0000-4000-8000-000000000000"},
    limits={
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:01Z",
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-20T12:00:06Z",
        "anthropic-ratelimit-output-tokens-limit": "400000",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-20T12:00:06Z",
    },
)

VENDORS: Mapping[str, Vendor] = {
    row.name: row
    for row in (
        OPENAI,
        AZURE,
        TOGETHER,
        OLLAMA,
        GROQ,
        DEEPSEEK,
        HUGGINGFACE,
        LOCAL,
        COHERE,
        ANTHROPIC,
        GEMINI,
        REPLICATE,
    )
}
