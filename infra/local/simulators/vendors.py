"""The simulated vendors, one row each: here those that speak OpenAI's dialect, and the list of all."""

from collections.abc import Mapping

from infra.local.simulators.audio_models import (
    GROQ_LISTENERS,
    GROQ_SPEAKERS,
    LOCAL_LISTENERS,
    OPENAI_LISTENERS,
    OPENAI_SPEAKERS,
    TOGETHER_LISTENERS,
    TOGETHER_SPEAKERS,
    Listener,
)
from infra.local.simulators.own_dialects import ANTHROPIC, COHERE, GEMINI, OLLAMA, REPLICATE
from infra.local.simulators.vendor import MIB, Embedder, Vendor

THEIR_EMBEDDERS = {
    "text-embedding-3-small": Embedder(1536, shortens=True),
    "text-embedding-3-large": Embedder(3072, shortens=True),
    "text-embedding-ada-002": Embedder(1536),
}

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
