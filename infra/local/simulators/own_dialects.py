"""Those of the simulated vendors that speak a dialect of their own."""

from infra.local.simulators.audio_models import Listener, Speaker
from infra.local.simulators.vendor import MIB, Embedder, Vendor

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
    max_audio_bytes=25 * MIB,
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
