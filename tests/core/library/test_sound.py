"""Sound and languages from Python: along the chain, at one provider alone, and by a program's own code."""

from typing import Any

import pytest

from core.errors import AllTargetsFailed, BadAudio, BadRequest, NoTarget
from core.library import (
    AIProvider,
    GroqProvider,
    LLMProvider,
    OpenAIProvider,
    Orchestrator,
    ProviderManager,
    ProviderRegistry,
    Scope,
    STTResult,
    TranscriptionRequest,
    TranscriptionResponse,
    TTSResult,
    orchestrator,
    using,
)
from tests.core.fakes import run
from tests.core.library.conftest import heard
from tests.sound import recording

HELLO = "Hello there."


class Ear:
    """Its own code, without a base class, that does what its test says."""

    def __init__(self, does):
        self.does = does
        self.asked = []

    def speech_to_text(self, audio_data, audio_format, **more):
        self.asked.append((audio_data, audio_format, more))
        return self.does()


def facts(found: STTResult) -> dict[str, Any]:
    return found.metadata or {}


def orchestrating(*providers):
    registry = ProviderRegistry()
    for one in providers:
        registry.register(one)
    return Orchestrator(registry=registry)


def test_speech_falls_back_and_says_who_failed(house):
    house.server.fault("openai", "500")
    said = run(orchestrator.text_to_speech("Good morning.", "alloy", preferred_provider="openai"))
    assert heard(said.audio_data) == "Good morning."
    assert said.metadata["provider"] != "openai" and said.metadata["attempts"][0]["error"] == "ServerFault"
    assert said.method == f"{said.metadata['provider']}_speech"


def test_transcription_falls_back(house):
    house.server.fault("openai", "500")
    found = run(orchestrator.speech_to_text(recording(HELLO), preferred_provider="openai", vocabulary=["Patchbay"]))
    assert found.text == HELLO and facts(found)["provider"] != "openai"
    assert facts(found)["audio_seconds"] > 0.5


def test_a_provider_by_its_class_is_asked_alone(house):
    house.server.fault("groq", "500")
    with pytest.raises(AllTargetsFailed) as raised:
        run(GroqProvider().speech_to_text(recording(HELLO), "wav"))
    assert {one.target.provider for one in raised.value.attempts} == {"groq"}
    said = run(OpenAIProvider().text_to_speech("Hello", voice="nova", response_format="wav"))
    assert said.audio_data[:4] == b"RIFF" and said.audio_format == "wav"


def test_speakers_and_times(house):
    turns = ((0, "Good morning."), (1, "Hello Anna."))
    found = run(orchestrator.speech_to_text(recording(turns), diarize=True))
    assert [one["speaker"] for one in facts(found)["segments"]] == ["A", "B"]
    assert [one["name"] for one in facts(found)["speakers"]] == ["A", "B"]


def test_a_text_is_beautified(house):
    found = run(orchestrator.beautify("um so we do not pay 50 dollars", ["punctuation", "summary"]))
    assert found.text == "So we do not pay 50 dollars."
    assert found.summary and found.action_items is None and found.metadata["cost"]["usd"] > 0
    segments = [{"text": "um hello", "speaker": "A", "start": 0.0, "end": 1.0}]
    again = run(orchestrator.beautify({"segments": segments, "language": "en"}))
    assert again.segments == [{"text": "Hello.", "speaker": "A", "start": 0.0, "end": 1.0}]


@pytest.mark.parametrize(
    ("audio", "error", "param"),
    [("hello", BadRequest, "audio_data"), (b"", BadAudio, "audio_data"), (b"no sound at all", BadAudio, "audio_data")],
)
def test_what_cannot_be_heard_is_refused_before_anybody_is_asked(house, audio, error, param):
    names = ("openai", "groq", "together")
    before = [house.count(name) for name in names]
    with pytest.raises(error) as raised:
        run(orchestrator.speech_to_text(audio))
    assert raised.value.param == param
    assert [house.count(name) for name in names] == before


def test_a_format_that_is_said_wrong_is_told(house):
    found = run(orchestrator.speech_to_text(recording(HELLO), "mp3", preferred_provider="openai"))
    assert found.text == HELLO
    assert any("audio_format says mp3" in one for one in facts(found)["warnings"])


def test_costs_of_minutes_are_compared(house):
    manager = ProviderManager()
    compared = run(manager.compare_providers(TranscriptionRequest(audio_minutes=10), "transcription"))
    costs = {one["provider"]: one["cost"]["total_cost"] for one in compared["providers"]}
    assert compared["cheapest"] == "local" and costs["local"] == 0.0
    assert costs["groq"] is not None and 0 < costs["groq"] < 0.36
    assert "anthropic" not in costs


def test_with_nobody_who_hears_it_says_what_to_set():
    with (
        using(Scope(environ={"ANTHROPIC_API_KEY": "sk-ant-0123456789"}, dotenv=None)),
        pytest.raises(NoTarget) as raised,
    ):
        run(orchestrator.speech_to_text(recording(HELLO)))
    assert "OPENAI_API_KEY" in str(raised.value)


def test_own_code_is_given_what_it_takes_and_its_failure_is_followed(house):
    def fails():
        raise RuntimeError("no microphone")

    ear = Ear(fails)
    asked = orchestrating(OpenAIProvider(), ear)
    found = run(asked.speech_to_text(recording(HELLO), language="en", preferred_provider="ear"))
    assert found.text == HELLO and facts(found)["provider"] == "openai"
    first = facts(found)["attempts"][0]
    assert (first["provider"], first["error"]) == ("ear", "OwnCodeFailed") and "no microphone" in first["why"]
    ((data, kind, more),) = ear.asked
    assert bytes(data) == recording(HELLO) and kind == "wav" and more["language"] == "en"


@pytest.mark.parametrize("said", [None, 5, {"segments": []}, {"text": "x", "segments": [{"text": "y"}]}])
def test_what_own_code_returns_is_a_transcript_or_an_error(house, said):
    asked = orchestrating(Ear(lambda: said))
    with pytest.raises(AllTargetsFailed) as raised:
        run(asked.speech_to_text(recording(HELLO)))
    assert type(raised.value.errors[0]).__name__ == "Malformed"
    assert "look into its code" in str(raised.value)


def test_own_code_of_the_seeds_interface_gets_a_file(house):
    class Mine(AIProvider):
        async def transcribe(self, request):
            size = request.audio_path.stat().st_size
            segments = [{"text": "one", "start": 0, "end": 1}] if request.enable_timestamps else []
            return TranscriptionResponse(f"{size} bytes", "whoever", 0.1, request.language, segments=segments)

    registry = ProviderRegistry()
    registry.register(Mine())
    asked = Orchestrator(registry=registry)
    found = run(asked.speech_to_text(recording(HELLO), language="de", timestamps=["segment"]))
    assert found.text == f"{len(recording(HELLO))} bytes" and found.detected_language == "de"
    assert facts(found)["provider"] == "mine" and facts(found)["segments"][0]["end"] == 1


def test_who_was_asked_for_times_and_gives_none_is_followed(house):
    class Mine(AIProvider):
        async def transcribe(self, request):
            return "no times"

    registry = ProviderRegistry()
    registry.register(Mine())
    with pytest.raises(AllTargetsFailed, match="returned no segments"):
        run(Orchestrator(registry=registry).speech_to_text(recording(HELLO), timestamps=["segment"]))


@pytest.mark.parametrize(
    "gives",
    [
        lambda: recording("Good morning", "mp3"),
        lambda: TTSResult(recording("Good morning", "flac"), "flac"),
        lambda: {"audio": recording("Good morning", "ogg"), "format": "opus"},
    ],
)
def test_own_voices_may_speak_in_any_form(house, gives):
    class Mouth:
        def text_to_speech(self, text, voice):
            return gives()

    said = run(orchestrating(Mouth()).text_to_speech("Good morning", "any", response_format="wav"))
    assert said.audio_data[:4] == b"RIFF" and heard(said.audio_data) == "Good morning"
    assert said.metadata["provider"] == "mouth"


def test_an_own_voice_may_come_in_pieces(house):
    class Mouth:
        async def text_to_speech(self, text):
            whole = recording("Good morning", "mp3")
            for start in range(0, len(whole), 500):
                yield whole[start : start + 500]

    said = run(orchestrating(Mouth()).text_to_speech("Good morning"))
    assert heard(said.audio_data) == "Good morning"


@pytest.mark.parametrize("gives", [b"", b"nothing that sounds", None, "text"])
def test_an_own_voice_that_says_nothing_is_an_error(house, gives):
    class Mouth:
        def text_to_speech(self, text):
            return gives

    with pytest.raises(AllTargetsFailed) as raised:
        run(orchestrating(Mouth()).text_to_speech("Good morning"))
    assert type(raised.value.errors[0]).__name__ == "Malformed"


def test_what_own_code_cannot_do_without_is_none_where_nobody_says_it(house):
    class Mouth:
        def text_to_speech(self, text, voice, /, language, speed=2):
            assert (voice, language, speed) == (None, None, 2)
            return recording("Good morning", "mp3")

    class Words:
        def translate_text(self, text, target_language, source_language):
            return f"{text} {target_language} {source_language}"

    assert heard(run(orchestrating(Mouth()).text_to_speech("Good morning")).audio_data) == "Good morning"
    run(orchestrating(Ear(lambda: "x")).speech_to_text(recording(HELLO)))
    said = run(orchestrating(Words()).translate_text("Patchbay", "de"))
    assert said.translated_text == "Patchbay de None"


def test_own_code_that_returns_nothing_is_asked_once(house):
    ear = Ear(lambda: None)
    with pytest.raises(AllTargetsFailed, match="it returned None: return a str, or an object with text"):
        run(orchestrating(ear).speech_to_text(recording(HELLO)))
    assert len(ear.asked) == 1


@pytest.mark.parametrize("base", [object, AIProvider, LLMProvider])
def test_times_of_own_code_are_what_it_returns(house, tmp_path, base):
    class Mine(base):  # type: ignore[valid-type, misc] # a parameter
        async def chat_completion(self, request):
            return "hello"

        def speech_to_text(self, audio_data, audio_format, *, enable_timestamps=False):
            assert enable_timestamps
            return {"text": "one", "segments": [{"text": "one", "start": 0, "end": 0.5}]}

    manager = ProviderManager()
    manager.register_provider(Mine)
    path = tmp_path / "talk.wav"
    path.write_bytes(recording(HELLO))
    found = run(manager.transcribe(TranscriptionRequest(path, enable_timestamps=True)))
    assert found.provider == "mine" and found.segments[0]["end"] == 0.5


def test_results_are_shown_without_their_sound(house):
    said = run(OpenAIProvider().text_to_speech("Good morning.", response_format="wav"))
    assert len(repr(said)) < 3000 and "RIFF" not in repr(said)
    assert said.metadata["audio_ms"] > 500 and said.metadata["characters"] == 13


def test_who_has_no_method_of_its_own_joins_nothing(house):
    class Nobody:
        pass

    with pytest.raises(BadRequest, match="speech_to_text"):
        orchestrating(Nobody())
