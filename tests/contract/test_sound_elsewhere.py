"""The providers beside OpenAI's dialect, heard and spoken with through the gateway: who is asked, and who instead."""

import asyncio

import pytest

from core.providers import replicate as replicate_adapter
from core.providers.registry import Registry
from infra.local.simulators import signal
from tests.contract.rooms import fleet, room
from tests.sound import recording

KEY = "not-a-real-key-1"
SETTINGS = {
    "gemini": ("GEMINI_API_KEY", "GEMINI_BASE_URL", ""),
    "cohere": ("COHERE_API_KEY", "COHERE_BASE_URL", ""),
    "replicate": ("REPLICATE_API_TOKEN", "REPLICATE_BASE_URL", ""),
    "huggingface": ("HF_TOKEN", "HUGGINGFACE_BASE_URL", "/v1"),
}
SAID = "Guten Morgen. Das ist die Welt, und ein Haus!"
TURNS = ((0, "Who is there?"), (3, "Nobody at all."), (0, "Good."))
TEXT = "It was late. Nobody spoke, and the lamp went out."


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Looks follow each other as fast as they can."""
    monkeypatch.setattr(replicate_adapter, "_FIRST_PAUSE", 0.001)


def at(tmp_path, work, *faults, providers=tuple(SETTINGS)):
    async def scenario():
        async with fleet(providers) as running:
            environ: dict[str, str] = {}
            for name in providers:
                key, base, path = SETTINGS[name]
                environ |= {key: KEY, base: running.url(name) + path}
            for provider, fault in faults:
                await running.fault(provider, fault)
            async with room(Registry(), tmp_path, environ) as here:
                return await work(here.http)

    return asyncio.run(scenario())


def heard(tmp_path, *faults, sound=None, providers=tuple(SETTINGS), **fields):
    async def work(http):
        file = {"file": ("a.m4a", sound or recording(SAID, "m4a"))}
        answer = await http.post("/v1/audio/transcriptions", data={"model": "auto", **fields}, files=file)
        decision = answer.headers.get("x-patchbay-decision")
        receipt = (await http.get(f"/api/ai/decisions/{decision}")).json() if decision else {}
        return answer, receipt

    return at(tmp_path, work, *faults, providers=providers)


@pytest.mark.parametrize("provider", sorted(SETTINGS))
def test_each_hears_what_is_sent(tmp_path, provider):
    """It is sent as a kind that some of them do not take: to those it goes converted."""
    answer, receipt = heard(tmp_path, model=f"{provider}/auto", language="de")
    assert (answer.status_code, answer.json()["text"]) == (200, SAID)
    assert [one["provider"] for one in receipt["attempts"]] == [provider]
    assert (receipt["cost"]["nano_usd"] is not None) == (provider == "gemini")


@pytest.mark.parametrize("down", sorted(SETTINGS))
def test_one_that_is_down_is_no_outage(tmp_path, down):
    answer, receipt = heard(tmp_path, (down, "503"), model=f"{down}/auto", language="de")
    assert (answer.status_code, answer.json()["text"]) == (200, SAID)
    assert receipt["attempts"][0]["provider"] == down
    assert receipt["attempts"][-1]["provider"] != down


def test_who_has_to_know_the_language_leaves_it_to_others(tmp_path):
    answer, receipt = heard(tmp_path, model="cohere/auto")
    assert (answer.status_code, answer.json()["text"]) == (200, SAID)
    first, *others = receipt["attempts"]
    assert (first["provider"], first["error"]) == ("cohere", "ParameterRefused")
    assert others
    alone, _ = heard(tmp_path / "alone", providers=("cohere",))
    assert alone.status_code == 400
    assert "set language" in alone.json()["error"]["message"]


def test_what_is_wanted_is_never_lost(tmp_path):
    """Speakers and words are told by one of them alone: who is down there is not stood in for by who cannot."""
    two = recording(TURNS)
    answer, receipt = heard(tmp_path, sound=two, response_format="diarized_json", model="gemini/auto")
    assert [one["speaker"] for one in answer.json()["segments"]] == ["A", "B", "A"]
    assert [one["provider"] for one in receipt["attempts"]] == ["replicate"]
    refused, _ = heard(tmp_path / "down", ("replicate", "503"), sound=two, response_format="diarized_json")
    assert refused.status_code == 503


def spoken(tmp_path, *faults, **fields):
    async def work(http):
        return await http.post("/v1/audio/speech", json={"model": "auto", "input": TEXT, "voice": "alloy", **fields})

    return at(tmp_path, work, *faults, providers=("gemini", "replicate"))


@pytest.mark.parametrize("provider", ["gemini", "replicate"])
@pytest.mark.parametrize("kind", ["mp3", "wav"])
def test_each_says_what_it_is_told(tmp_path, provider, kind):
    answer = spoken(tmp_path, model=f"{provider}/auto", response_format=kind)
    assert (answer.status_code, answer.headers["x-patchbay-provider"]) == (200, provider)
    assert signal.text(signal.heard(answer.content)) == TEXT


@pytest.mark.parametrize("fault", ["503", "cut_stream@0", "stream_error@0", "drop_headers"])
def test_who_fails_before_the_first_sound_is_stood_in_for(tmp_path, fault):
    answer = spoken(tmp_path, ("gemini", fault), model="gemini/auto")
    assert (answer.status_code, answer.headers["x-patchbay-provider"]) == (200, "replicate")
    assert signal.text(signal.heard(answer.content)) == TEXT
