"""Every model that the seeds name is in the catalogue, with what they say of it."""

from decimal import Decimal

import pytest

from core.capabilities import Feature
from core.config.catalog import SKILLS, load
from core.config.prices import moment

LOADED = load()
TODAY = moment("2026-11-20")

# Seed and line, provider, id, and what the seed says of it.
SEEDS = [
    ("000:186", "openai", "gpt-4.1-mini", {"capability": "chat"}),
    ("000:186", "azure", "gpt-4.1-mini", {"capability": "chat"}),
    ("000:245", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", {"capability": "chat"}),
    ("000:249", "openai", "whisper-1", {"capability": "transcribe"}),
    ("000:250", "openai", "tts-1", {"capability": "speak"}),
    ("000:372", "anthropic", "claude-3-opus", {"capability": "chat"}),
    ("001:119", "openai", "gpt-4-turbo", {"per_1k": ("0.01", "0.03")}),
    ("001:120", "openai", "gpt-3.5-turbo", {"per_1k": ("0.0005", "0.0015")}),
    ("001:121", "openai", "whisper-1", {"capability": "transcribe", "per_minute": "0.006"}),
    ("001:122", "openai", "text-embedding-3-large", {"capability": "embed", "per_1k": ("0.00013", None)}),
    ("001:127", "anthropic", "claude-3-5-sonnet-20241022", {"per_1k": ("0.003", "0.015"), "feature": "vision"}),
    ("001:127", "anthropic", "claude-3-5-sonnet", {"feature": "vision"}),
    ("001:128", "anthropic", "claude-3-opus-20240229", {"per_1k": ("0.015", "0.075"), "feature": "vision"}),
    ("001:129", "anthropic", "claude-3-haiku-20240307", {"per_1k": ("0.00025", "0.00125")}),
    ("001:129", "anthropic", "claude-3-haiku", {"capability": "chat"}),
    ("001:134", "local", "large-v3", {"capability": "transcribe"}),
    ("001:135", "local", "llama-3.1-8b", {"capability": "chat"}),
    ("001:136", "local", "qwen-2.5-7b", {"capability": "chat"}),
    ("001:137", "local", "gemma-2-9b", {"capability": "chat"}),
    ("001:138", "local", "phi-3.5-mini", {"capability": "chat"}),
    ("001:139", "local", "bge-large-en", {"capability": "embed"}),
    ("001:140", "local", "moondream-2", {"feature": "vision"}),
    ("001:449", "local", "medium", {"capability": "transcribe"}),
    (
        "002:232",
        "anthropic",
        "claude-sonnet-4-5",
        {
            "name": "Claude Sonnet 4.5", "skills": {*SKILLS}, "context": 200_000, "per_1k": ("0.003", "0.015"),
            "tier": "advanced",
        },
    ),
    (
        "002:271",
        "ollama",
        "llama3:70b",
        {"name": "Llama 3 70B", "skills": {"code", "analysis"}, "context": 8192, "tier": "standard"},
    ),
    (
        "002:293",
        "openai",
        "gpt-4-turbo",
        {
            "name": "GPT-4 Turbo", "skills": {"code", "analysis", "planning"}, "context": 128_000,
            "per_1k": ("0.01", "0.03"), "tier": "advanced",
        },
    ),
    ("002:320", "gemini", "gemini-2.0-flash", {"capability": "chat"}),
    ("003:106", "openai", "gpt-4", {"capability": "chat"}),
    ("003:113", "gemini", "gemini-pro", {"capability": "chat"}),
    ("003:125", "openai", "text-embedding-ada-002", {"capability": "embed"}),
    ("003:133", "groq", "llama3-70b-8192", {"capability": "chat"}),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "provider", "name", "said"), SEEDS, ids=lambda one: one if type(one) is str else "")
def test_every_model_the_seeds_name_is_there_as_they_say(seed, provider, name, said):
    found = LOADED.find(provider, name)
    assert found is not None, f"seed {seed}"
    assert found.capability == said.get("capability", found.capability)
    assert found.display_name == said.get("name", found.display_name)
    assert found.tier == said.get("tier", found.tier)
    assert found.context == said.get("context", found.context)
    assert found.skills == said.get("skills", found.skills)
    assert said.get("feature", "vision") in {*found.features, "vision"}
    if "feature" in said:
        assert Feature(said["feature"]) in found.features
    if "per_1k" in said:
        rates = found.rates(TODAY)
        assert rates is not None
        for rate, usd in zip((rates.input, rates.output), said["per_1k"], strict=True):
            assert rate == (None if usd is None else Decimal(usd) * 10**9)
    if "per_minute" in said:
        price = found.price(TODAY)
        assert price and price.per_hour == Decimal(said["per_minute"]) * 60 * 10**12
    if found.is_retired(TODAY):
        assert LOADED.successor(found, TODAY) is not None
