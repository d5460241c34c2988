"""Whose voice says it: with several providers there, as a caller sees it. And what a document says of how."""

import asyncio
import base64
import io
import wave
from contextlib import asynccontextmanager

import pytest

from core.audio.measuring import measure
from core.http.speech import speech_request
from core.providers.registry import Registry
from core.types.caller import LOCAL
from infra.local.server import simulated
from infra.local.simulators.signal import heard, say, text
from tests.contract.rooms import fleet, room

SPEAK = "/api/ai/speak"
JSON = {"accept": "application/json"}
AZURE_RATE = 24_000


@asynccontextmanager
async def house(tmp_path, *names, **environ):
    async with fleet(names or ("openai", "azure")) as running:
        made = {**simulated(running, Registry()), **environ}
        async with room(Registry(), tmp_path, made) as here:
            yield here, running


def asked(tmp_path, *bodies, names=(), down="", **environ):
    """The answers to these, and the documents that Azure was sent."""

    async def scenario():
        async with house(tmp_path, *names, **environ) as (here, running):
            if down:
                await running.fault(down, "500")
            answers = [
                await here.http.post(SPEAK, json={"text": "Hello there.", **body}, headers=JSON) for body in bodies
            ]
            sent = [one.body.decode() for one in running.requests("azure")] if not names or "azure" in names else []
            return answers, sent

    return asyncio.run(scenario())


def shown(answer):
    return answer.json()["provider"], answer.json().get("voice")


def test_who_owns_a_voice_says_it(tmp_path):
    voices = ("en-US-JennyNeural", "Kore", "alloy", "en-US-female-1")
    answers, _ = asked(tmp_path, *({"voice": one} for one in voices), names=("openai", "azure", "gemini"))
    assert [one.json()["provider"] for one in answers] == ["azure", "gemini", "openai", "openai"]
    assert not any("nearest" in words for one in answers for words in one.json()["warnings"])


@pytest.mark.parametrize(
    ("body", "environ"),
    [
        ({"provider": "openai"}, {}), ({"models": ["openai/gpt-4o-mini-tts"]}, {}),
        ({"model": "gpt-4o-mini-tts"}, {}), ({}, {"VOICE_TTS_PROVIDER": "openai"}),
    ],
)  # fmt: skip
def test_who_was_named_goes_before_who_owns_a_voice(tmp_path, body, environ):
    [answer], _ = asked(tmp_path, {"voice": "en-US-JennyNeural", **body}, **environ)
    assert answer.json()["provider"] == "openai"
    assert "who is nearest" in " ".join(answer.json()["warnings"])


def test_the_owner_of_a_voice_in_a_document_says_it_in_his_language(tmp_path):
    document = '<speak version="1.0" xml:lang="en-US"><voice name="de-DE-ConradNeural">Guten Tag.</voice></speak>'
    [first], sent = asked(tmp_path, {"text": document})
    assert first.json()["provider"] == "azure" and first.json()["warnings"] == []
    assert '<voice name="de-DE-ConradNeural">' in sent[-1]
    [other], _ = asked(tmp_path, {"text": document}, down="azure")
    assert other.json()["provider"] == "openai" and "de-DE-ConradNeural" in " ".join(other.json()["warnings"])


def test_voices_of_documents_are_cast(tmp_path):
    document = (
        '<speak><voice name="alloy">One &amp; two.</voice> Three.'
        "<break time='1s'/><voice effect='x>y' name='de-DE-KatjaNeural'>Vier.</voice></speak>"
    )
    [answer], sent = asked(tmp_path, {"text": document, "voice": "en-GB-RyanNeural"})
    assert answer.status_code == 200, answer.text
    assert 'name="alloy"' not in sent[-1] and "name='de-DE-KatjaNeural'" in sent[-1], sent[-1]
    assert "<voice name=\"en-GB-RyanNeural\"> Three.<break time='1s'/></voice>" in sent[-1]


def test_an_unknown_voice_of_a_document_is_refused_by_its_name(tmp_path):
    [answer], sent = asked(tmp_path, {"text": '<speak><voice name="aloy">Hi<break/></voice></speak>'})
    assert answer.status_code == 400 and "'aloy'" in answer.text and "alloy" in answer.json()["error"]["message"]
    assert not sent


def test_a_voice_in_a_document_goes_before_the_one_beside_it(tmp_path):
    body = {"text": '<speak><voice name="onyx">Hi.</voice></speak>', "voice": "nova", "provider": "openai"}
    [answer], _ = asked(tmp_path, body)
    assert shown(answer) == ("openai", "onyx")


def test_a_slip_in_a_voice_is_told_when_it_is_refused(tmp_path):
    [mine, theirs], _ = asked(
        tmp_path, {"voice": "aloy", "provider": "openai", "fallback": False},
        {"voice": "en-US-JenyNeurals", "provider": "azure", "fallback": False},
    )  # fmt: skip
    assert "did you mean" in mine.json()["error"]["message"] and "alloy" in mine.json()["error"]["message"]
    assert "did you mean en-US-Jenny" in theirs.json()["error"]["message"]
    assert "Leave the parameter out" not in theirs.text


def test_ones_own_voice_keeps_its_form(tmp_path):
    body = {"voice": {"id": "voice_123"}}

    async def scenario():
        async with house(tmp_path, "openai") as (here, running):
            answer = await here.http.post(SPEAK, json={"text": "Hello.", **body}, headers=JSON)
            return answer, [one.body for one in running.requests("openai")]

    answer, sent = asyncio.run(scenario())
    assert answer.status_code == 200, answer.text
    assert b'"voice":{"id":"voice_123"}' in sent[-1]


def test_a_style_is_told_or_its_loss_is(tmp_path):
    [lost, kept, strict, inborn], sent = asked(
        tmp_path, {"style": "sad", "provider": "openai"}, {"style": "sad", "provider": "azure"},
        {"style": "sad", "compatibility": "strict"}, {"style": "warm", "provider": "openai", "voice": "coral"},
    )  # fmt: skip
    assert "style was not sent" in " ".join(lost.json()["warnings"])
    assert "style" not in " ".join(kept.json()["warnings"]) and 'style="sad"' in sent[0]
    assert strict.json()["provider"] == "azure"
    assert "style" not in " ".join(inborn.json()["warnings"])


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav"])
def test_a_pause_at_the_end_is_said_in_every_format(tmp_path, kind):
    spoken = len(say("Hello there.", rate=AZURE_RATE)) / AZURE_RATE * 1000
    body = {"text": '<speak>Hello there.<break time="3s"/></speak>', "response_format": kind}
    [answer], _ = asked(tmp_path, body)
    assert answer.json()["audio_ms"] == pytest.approx(spoken + 3000, abs=150)


def test_speed_is_heard(tmp_path):
    def length(speed, provider):
        [answer], _ = asked(tmp_path, {"text": "One. Two. Three.", "speed": speed, "provider": provider})
        return answer.json()["audio_ms"]

    for provider in ("openai", "azure"):
        assert length(2, provider) < length(1, provider) - 400 < length(0.5, provider) - 800


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_what_is_whole_says_how_long_it_is(tmp_path, kind):
    body = {"response_format": kind, "sample_rate": 16_000, "provider": "openai"}
    [answer], _ = asked(tmp_path, body)
    data = base64.b64decode(answer.json()["audio_base64"])
    frames = answer.json()["audio_ms"] * 16
    if kind == "wav":
        with wave.open(io.BytesIO(data)) as file:
            assert file.getnframes() == pytest.approx(frames, abs=16)
    else:
        assert int.from_bytes(data[22:26], "big") == pytest.approx(frames, abs=16)
    assert measure(data).ms == answer.json()["audio_ms"] and text(heard(data)) == "Hello there."


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_at_another_rate_it_is_made_of_pcm_which_streams(tmp_path, kind):
    async def scenario():
        async with house(tmp_path, "openai") as (here, running):
            body = {"input": "Hello.", "response_format": kind, "sample_rate": 16_000}
            await here.http.post("/v1/audio/speech", json=body)
            return [one.body for one in running.requests("openai")]

    assert b'"response_format":"pcm"' in asyncio.run(scenario())[-1]


@pytest.mark.parametrize("ending", ["left", "cut"])
def test_speech_that_was_not_heard_to_its_end_is_not_free(tmp_path, ending):
    """Sold by tokens that are only told at its end."""

    async def scenario():
        async with house(tmp_path, "openai") as (here, running):
            if ending == "cut":
                await running.fault("openai", "cut_stream@5")
            body = {"input": "One two three. " * 40, "response_format": "pcm"}
            gateway = await here.service.open()
            size = 0
            async with await gateway.speak(LOCAL, speech_request(body, SPEAK, None, b"")) as live:
                async for batch in live.frames():
                    size += sum(len(frame.raw) for frame in batch)
                    if ending == "left" and size > 20_000:
                        break
            return live.receipt

    receipt = asyncio.run(scenario())
    assert receipt.outcome == {"left": "cancelled", "cut": "cut"}[ending]
    assert receipt.cost.nano is None and receipt.usage.source == "unknown"
    assert any("may be billed" in one for one in receipt.warnings)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "Ho"}, "text"), ({"language": "Klingonish"}, "language"), ({"language": "xx-"}, "language"),
        ({"text": "<!DOCTYPE speak [<!ENTITY a 'b'>]><speak>Hi</speak>"}, "input"),
        ({"text": "<?xml version='1.0'?><!-- a --><!DOCTYPE speak><speak>Hi</speak>"}, "input"),
    ],
)  # fmt: skip
def test_what_is_meant_in_two_ways_or_in_none_is_refused(tmp_path, body, param):
    [answer], _ = asked(tmp_path, body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_languages_have_names(tmp_path):
    async def scenario():
        async with house(tmp_path) as (here, _):
            said = await here.http.post(SPEAK, json={"text": "Hallo.", "language": "German"}, headers=JSON)
            listed = [
                await here.http.get("/api/ai/voices", params={"language": one}) for one in ("German", "de", "xx-")
            ]
            return said, listed

    said, (named, tagged, wrong) = asyncio.run(scenario())
    assert said.status_code == 200
    assert named.json() == tagged.json() and named.json()["voices"]
    assert wrong.status_code == 400 and wrong.json()["error"]["param"] == "language"


def test_one_reason_of_many_targets_goes_first(tmp_path):
    [answer], _ = asked(tmp_path, {"voice": "nobodyatall"}, names=("openai", "azure", "gemini", "together", "groq"))
    words = answer.json()["error"]["message"]
    assert words.startswith("No target can serve this request. voice 'nobodyatall' is not known")
    assert "more)" in words
