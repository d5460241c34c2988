"""Every environment name and file of the seeds, as they stand there: each has its effect, or a warning."""

from pathlib import Path

import pytest

from core.config.secrets import Secret
from core.configuration import Configuration
from core.providers.registry import Registry

# Seed 000, lines 224-251.
SEED_000 = """\
# Primary LLM provider selection
LLM_PROVIDER=azure          # Options: azure, together, openai, auto
CHAT_PROVIDER=azure         # For chat completions
EMBEDDING_PROVIDER=azure    # For embeddings
BEAUTIFY_PROVIDER=azure     # For response beautification

# Voice services
VOICE_STT_PROVIDER=azure    # Speech-to-Text: azure, openai, auto
VOICE_TTS_PROVIDER=openai   # Text-to-Speech: openai, azure, auto

# Azure credentials
AZURE_OPENAI_KEY=your_key
AZURE_OPENAI_ENDPOINT=https://...
AZURE_SPEECH_KEY=your_key
AZURE_SPEECH_REGION=eastus2
AZURE_TRANSLATION_KEY=your_key
AZURE_TRANSLATION_REGION=eastus2

# Together AI credentials
TOGETHER_API_KEY=your_key
TOGETHER_MODEL=meta-llama/Llama-3.3-70B-Instruct-Turbo

# OpenAI credentials
OPENAI_API_KEY=your_key
OPENAI_WHISPER_MODEL=whisper-1
OPENAI_TTS_MODEL=tts-1
OPENAI_TTS_VOICE=alloy
"""
# Seed 000, lines 258-260 and 390-391: fields of a settings class, which environment names in small letters fill.
SEED_000_SMALL = """\
chat_provider=azure
embedding_provider=azure
beautify_provider=azure
anthropic_api_key=sk-ant-1
anthropic_model=claude-3-opus
"""
# Seed 001, lines 207-228.
SEED_001 = """\
# === OpenAI Configuration ===
OPENAI_API_KEY=sk-...
OPENAI_ENABLED=true
OPENAI_PRIORITY=50        # Lower = higher priority

# === Anthropic Configuration ===
ANTHROPIC_API_KEY=sk-ant-...
ANTHROPIC_ENABLED=true
ANTHROPIC_PRIORITY=60

# === Local Models Configuration ===
LOCAL_MODELS_ENABLED=true
LOCAL_PRIORITY=10         # Highest priority (use first)
HUGGINGFACE_TOKEN=hf_...  # Optional, for gated models
LOCAL_WHISPER_MODEL=large-v3
LOCAL_LLM_MODEL=llama-3.1-8b
LOCAL_QUANTIZATION=4bit   # Saves 75% VRAM
LOCAL_DEVICE=auto         # auto | cuda | cpu

# === Provider Strategy ===
PROVIDER_STRATEGY=fallback  # fallback | priority | cost_optimized
"""
# Seed 002, lines 311-336.
SEED_002 = """\
providers:
  claude:
    enabled: true
    api_key: ${ANTHROPIC_API_KEY}
    default_model: claude-sonnet-4-5

  gemini:
    enabled: true
    auth_method: cli  # Uses gemini CLI
    default_model: gemini-2.0-flash

  ollama:
    enabled: true
    endpoint: http://localhost:11434
    default_model: llama3:70b

  openai:
    enabled: false  # Not configured yet
    api_key: ${OPENAI_API_KEY}
    default_model: gpt-4-turbo

routing:
  prefer_local: true  # Use local models (Ollama) when possible
  max_cost_per_task: 1.0  # USD
  fallback_provider: claude  # If preferred unavailable
"""
# Seed 003, lines 129-138 and 157-161, in the form of a file.
SEED_003 = """\
providers:
  - provider: groq
    name: groq-fast
    api_key: ${API_KEY}
    text_model: llama3-70b-8192
    max_tokens: 8192
    temperature: 0.7
enable_fallback: true
max_retries: 2
retry_delay_ms: 1000
"""
# Seed 004, lines 443-446.
SEED_004 = """\
AI_PROVIDER_PORT=8005
AI_PROVIDER_LOG_LEVEL=info
OPENAI_API_KEY=sk-...
ANTHROPIC_MAX_TOKENS=4000
"""
# Seed 004, lines 460-472: config/ai-provider/ai-provider.yml.
SEED_004_SERVICE = """\
# config/ai-provider/ai-provider.yml
service:
  name: ai-provider
  version: 1.0.0
  description: AI Provider microservice

providers:
  openai:
    priority: 1
    enabled: true
  anthropic:
    priority: 2
    enabled: true
"""
# Seed 004, lines 477-483: config/ai-provider/production.yml.
SEED_004_PRODUCTION = """\
# config/ai-provider/production.yml
logging:
  level: warning
  \

cache:
  ttl: 600
  redis_url: redis://prod-redis:6379/0
"""
# Seed 004, lines 488-500: DEFAULT_CONFIG, which is JSON but for its True.
SEED_004_DEFAULTS = """\
{
    "service": {
        "port": 8005,
        "host": "0.0.0.0"
    },
    "logging": {
        "level": "info",
        "format": "json"
    },
    "cache": {
        "enabled": true,
        "ttl": 300
    }
}
"""


@pytest.fixture
def read(tmp_path):
    """Settings of a folder with these files, without an error."""

    def work(files, **environ):
        for name, text in files.items():
            path = Path(tmp_path / name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "run/secrets").mkdir(parents=True, exist_ok=True)
        environ = {"PATCHBAY_SECRETS_DIR": str(tmp_path / "run/secrets"), **environ}
        config, problems = Configuration(Registry(), environ=environ, dotenv=tmp_path / ".env").examine()
        assert problems == []
        return config

    return work


def warned(config, *starts):
    """Each warning begins like one of these, and each of these is there."""
    assert sorted(config.warnings) == sorted(
        one for start in starts for one in config.warnings if one.startswith(start)
    ), config.warnings
    assert all(any(one.startswith(start) for one in config.warnings) for start in starts), config.warnings


def default(config, provider):
    (account,) = config.accounts[provider]
    return account


def test_000_names(read):
    config = read({".env": SEED_000})
    for capability in ("chat", "embed", "beautify", "transcribe"):
        assert config.first_for(capability) == "azure"
    assert config.first_for("speak") == "openai"
    azure, together, openai = (default(config, name) for name in ("azure", "together", "openai"))
    assert (azure.key, azure.base_url) == (Secret("your_key"), "https://...")
    assert (together.key, together.model) == (Secret("your_key"), "meta-llama/Llama-3.3-70B-Instruct-Turbo")
    assert openai.key == Secret("your_key")
    assert (openai.model_for("transcribe"), openai.model_for("speak")) == ("whisper-1", "tts-1")
    assert openai.voice == "alloy"
    assert (azure.speech_key, azure.speech_region) == (Secret("your_key"), "eastus2")
    assert (azure.translation_key, azure.translation_region) == (Secret("your_key"), "eastus2")
    assert config.warnings == ()


def test_000_switching(read):
    """Lines 273-274."""
    config = read({".env": "LLM_PROVIDER=together\nCHAT_PROVIDER=together\n"})
    assert config.first_for("chat") == config.first_for("beautify") == "together"


@pytest.mark.parametrize("name", ["LLM_PROVIDER", "CHAT_PROVIDER", "VOICE_STT_PROVIDER", "VOICE_TTS_PROVIDER"])
def test_000_auto(read, name):
    """Lines 226 and 232-233."""
    config = read({".env": f"{name}=auto\n"})
    assert all(config.first_for(one) is None for one in ("chat", "embed", "transcribe", "speak"))


def test_000_short_model(read):
    """Line 245, as other places of the seed write it."""
    config = read({".env": "TOGETHER_MODEL=Llama-3.3-70B-Instruct-Turbo\n"})
    assert default(config, "together").model == "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    warned(config, "TOGETHER_MODEL (.env): Llama-3.3-70B-Instruct-Turbo is taken for meta-llama/Llama-3.3-70B")


def test_000_small_letters(read):
    config = read({".env": SEED_000_SMALL})
    assert config.first_for("chat") == config.first_for("embed") == config.first_for("beautify") == "azure"
    account = default(config, "anthropic")
    assert (account.key, account.model) == (Secret("sk-ant-1"), "claude-3-opus")
    assert config.configured  # no simulator stands in for somebody whose key is there


def test_001_names(read):
    config = read({".env": SEED_001})
    openai, anthropic, local = (default(config, name) for name in ("openai", "anthropic", "local"))
    assert (openai.key, openai.enabled, openai.priority) == (Secret("sk-..."), True, 50)
    assert (anthropic.key, anthropic.enabled, anthropic.priority) == (Secret("sk-ant-..."), True, 60)
    assert (local.enabled, local.first, local.priority, local.model) == (True, True, 10, "llama-3.1-8b")
    assert local.model_for("transcribe") == "large-v3"
    assert default(config, "huggingface").key == Secret("hf_...")
    assert config.strategy == "fallback"
    warned(
        config,
        "LOCAL_QUANTIZATION (.env): kept for serving models on own GPUs",
        "LOCAL_DEVICE (.env): kept for serving models on own GPUs",
    )


@pytest.mark.parametrize("text", ["LOCAL_DEVICE=cpu\nLOCAL_QUANTIZATION=8bit\n", "LOCAL_QUANTIZATION=8bit\n"])
def test_001_without_a_gpu(read, text):
    """Lines 380-381 and 509-516."""
    config = read({".env": text})
    assert len(config.warnings) == text.count("\n")


def test_001_small_model(read):
    """Line 510."""
    assert default(read({".env": "LOCAL_LLM_MODEL=phi-3.5-mini  # Only 4GB\n"}), "local").model == "phi-3.5-mini"


@pytest.mark.parametrize("strategy", ["fallback", "priority", "cost_optimized"])
def test_001_strategies(read, strategy):
    config = read({".env": f"PROVIDER_STRATEGY={strategy}\n"})
    assert config.strategy == strategy and config.warnings == ()


def test_002_file(read):
    config = read({".orchestrator/providers.yaml": SEED_002}, ANTHROPIC_API_KEY="sk-ant-1")
    claude, gemini, ollama, openai = (default(config, name) for name in ("anthropic", "gemini", "ollama", "openai"))
    assert (claude.key, claude.model, claude.enabled) == (Secret("sk-ant-1"), "claude-sonnet-4-5", True)
    assert (gemini.model, gemini.enabled, gemini.command) == ("gemini-2.0-flash", True, "gemini")
    assert (ollama.base_url, ollama.model) == ("http://localhost:11434", "llama3:70b")
    assert (openai.enabled, openai.key, openai.model) == (False, None, "gpt-4-turbo")
    assert (config.prefer_local, config.max_cost, config.fallback_provider) == (True, 1.0, "claude")
    where = ".orchestrator/providers.yaml: "
    warned(
        config,
        f"{where}providers.openai.api_key: OPENAI_API_KEY is not set",
    )


def test_003_file(read):
    config = read({"patchbay.yaml": SEED_003}, API_KEY="gsk-1")
    (fast,) = config.accounts["groq"]
    assert (fast.name, fast.key, fast.model) == ("groq-fast", Secret("gsk-1"), "llama3-70b-8192")
    assert (fast.max_tokens, fast.temperature) == (8192, 0.7)
    assert (config.enable_fallback, config.max_retries, config.retry_delay_ms) == (True, 2, 1000)
    assert config.warnings == ()


def test_004_names(read):
    config = read({".env": SEED_004})
    assert (config.port, config.log_level) == (8005, "info")
    assert default(config, "openai").key == Secret("sk-...")
    assert default(config, "anthropic").max_tokens == 4000
    assert config.warnings == ()
    assert default(read({".env": "OPENAI_MAX_TOKENS=4000"}), "openai").max_tokens == 4000


def test_004_secrets(read):
    """Lines 451-455: files that a compose file puts there."""
    config = read({"run/secrets/openai_api_key": "sk-1\n", "run/secrets/anthropic_api_key": "sk-ant-1\n"})
    assert default(config, "openai").key == Secret("sk-1")
    assert default(config, "anthropic").key == Secret("sk-ant-1")


def test_004_files(read):
    files = {
        "config/ai-provider/ai-provider.yml": SEED_004_SERVICE,
        "config/ai-provider/production.yml": SEED_004_PRODUCTION,
    }
    config = read(files, PATCHBAY_ENV="production")
    assert (config.log_level, config.cache_ttl) == ("warning", 600)
    assert (default(config, "openai").priority, default(config, "openai").enabled) == (1, True)
    assert (default(config, "anthropic").priority, default(config, "anthropic").enabled) == (2, True)
    service = "config/ai-provider/ai-provider.yml: service."
    warned(
        config,
        *(f"{service}{name} has no effect" for name in ("name", "version", "description")),
        "config/ai-provider/production.yml: cache.redis_url has no effect: there is no Redis here: instances share "
        "their cache in the table of PATCHBAY_TABLE",
    )


def test_004_defaults(read):
    config = read({"patchbay.json": SEED_004_DEFAULTS})
    assert (config.port, config.host, config.log_level, config.log_format) == (8005, "0.0.0.0", "info", "json")
    assert (config.cache, config.cache_ttl) == (True, 300)
    assert config.warnings == ()


def test_004_provider_fields(read):
    """Lines 319-328: ProviderConfig."""
    text = (
        "providers: [{name: openai, api_key: k, base_url: 'https://x', max_tokens: 4000, temperature: 0.7,"
        " enabled: true, priority: 1, cost_per_token: 0.0}]"
    )
    config = read({"patchbay.yaml": text})
    one = default(config, "openai")
    assert (one.key, one.base_url, one.max_tokens, one.temperature) == (Secret("k"), "https://x", 4000, 0.7)
    assert (one.enabled, one.priority) == (True, 1)
    warned(
        config, "patchbay.yaml: providers[0].cost_per_token has no effect: prices belong to models: models.<provider"
    )
