"""Which of a provider's models is asked to hear or to say something, and who is not asked."""

import pytest

from core.capabilities import Capability, Feature
from core.config import settings
from core.config.catalog import load
from core.net.transport import Transport
from core.providers.registry import Registry
from core.routing.choices import serves
from core.routing.planner import Planner
from core.types.request import Facts, Options, Request

CATALOG = load()
KEYS = {"GEMINI_API_KEY": "g", "COHERE_API_KEY": "c", "REPLICATE_API_TOKEN": "r", "HF_TOKEN": "h"}


def plan(capability, *features, environ=None, **options):
    registry = Registry()
    config = settings.load(registry.declared(), environ=KEYS | (environ or {}))
    registry.connect(config.accounts, Transport())
    facts = Facts(features=frozenset(features), audio_ms=1000)
    return Planner(registry, CATALOG, config).plan(Request(capability, {}, facts=facts, options=Options(**options)))


def models(made):
    return {one.target.provider: one.target.model for one in made.candidates}


@pytest.mark.parametrize(
    ("capability", "features", "expected"),
    [
        (
            Capability.TRANSCRIBE, (),
            {"huggingface": "openai/whisper-large-v3", "gemini": "gemini-3.1-flash-lite",
             "cohere": "cohere-transcribe-03-2026", "replicate": "openai/whisper"},
        ),
        (
            Capability.TRANSCRIBE, (Feature.SEGMENTS,),
            {"huggingface": "openai/whisper-large-v3", "gemini": "gemini-3.1-flash-lite",
             "replicate": "openai/whisper"},
        ),
        (
            Capability.TRANSCRIBE, (Feature.TO_ENGLISH,),
            {"gemini": "gemini-3.1-flash-lite", "replicate": "openai/whisper"},
        ),
        (Capability.TRANSCRIBE, (Feature.WORDS,), {"replicate": "thomasmol/whisper-diarization"}),
        (Capability.DIARIZE, (Feature.SPEAKERS,), {"replicate": "thomasmol/whisper-diarization"}),
        (Capability.SPEAK, (), {"gemini": "gemini-3.8-flash-lite-tts", "replicate": "minimax/speech-2.6-turbo"}),
        (Capability.SPEAK, (Feature.SSML,), {}),
    ],
)  # fmt: skip
def test_who_can_tell_what_is_wanted(capability, features, expected):
    assert models(plan(capability, *features)) == expected


def test_a_model_for_chat_hears_where_its_provider_has_it_hear():
    asked = plan(Capability.TRANSCRIBE, provider="gemini", model="gemini-2.5-pro", fallback=False)
    assert models(asked) == {"gemini": "gemini-2.5-pro"}
    hearing = {
        one.provider for one in CATALOG.models if one.capability == "chat" and serves(one, Capability.TRANSCRIBE)
    }
    assert hearing == {"gemini"}
    assert models(plan(Capability.DIARIZE, provider="gemini")) == {"replicate": "thomasmol/whisper-diarization"}


def test_models_are_chosen_by_settings():
    chosen = {"GEMINI_TRANSCRIBE_MODEL": "gemini-3.8-flash", "REPLICATE_TTS_MODEL": "jaaari/kokoro-82m"}
    assert models(plan(Capability.TRANSCRIBE, environ=chosen))["gemini"] == "gemini-3.8-flash"
    assert models(plan(Capability.SPEAK, environ=chosen))["replicate"] == "jaaari/kokoro-82m"
