"""Gemini's ears and voice, at its simulator, which hears what the audio holds and says what it is told."""

import asyncio
import json
from base64 import b64decode

import numpy as np
import pytest

from core.accounting.pricing import cost_of
from core.capabilities import Capability
from core.config.catalog import load
from core.errors import (
    BrokenOff,
    ContentRefused,
    CredentialRefused,
    Dropped,
    IdleTimeout,
    Malformed,
    Overloaded,
    ParameterRefused,
    RateLimited,
    StreamCut,
    StreamFailed,
)
from core.types.frame import Kind
from core.wire.sound.recognisers import NOBODY
from infra.local.simulators import signal
from tests.contract.rooms import fleet
from tests.contract.sounding import KEY, adapter, audio, call_for, heard_in, whole
from tests.contract.upstream import as_json, upstream

MODEL, VOICE, OLD_VOICE = "gemini-3.1-flash-lite", "gemini-3.8-flash-lite-tts", "gemini-3.1-flash-tts-preview"
SAID = "Guten Morgen. Das ist die Welt, und ein Haus!"
TEXT = "It was late. Nobody spoke, and the lamp went out."


def at_simulator(capability, work, *faults):
    """What a piece of work with the adapter gives; the simulator comes along."""

    async def scenario():
        async with fleet(["gemini"]) as running, adapter("gemini", capability, running.url("gemini")) as gemini:
            for fault in faults:
                await running.fault("gemini", fault)
            return await work(gemini, running)

    return asyncio.run(scenario())


def heard(*faults, kind="wav", model=MODEL, strict=False, turns=SAID, **body):
    async def work(gemini, running):
        reply = await gemini.transcribe(call_for("gemini", model, strict, audio=audio(turns, kind), **body))
        return reply, running.requests("gemini")

    return at_simulator(Capability.TRANSCRIBE, work, *faults)


def listened(*faults, turns=SAID, **body):
    """The events of a live transcript, and the source."""

    async def work(gemini, _):
        source = await gemini.transcribe_stream(call_for("gemini", MODEL, audio=audio(turns), **body))
        frames = []
        try:
            while (more := await source.next()) is not None:
                frames += more
        finally:
            source.close()
        return [(frame.kind, json.loads(frame.raw)) for frame in frames], source

    return at_simulator(Capability.TRANSCRIBE, work, *faults)


def spoken(*faults, model=VOICE, **body):
    async def work(gemini, running):
        source = await gemini.speak(call_for("gemini", model, **{"input": TEXT, **body}))
        return await whole(source), source, running.requests("gemini")

    return at_simulator(Capability.SPEAK, work, *faults)


class TestHearing:
    @pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "flac"])
    def test_words_times_and_tokens(self, kind):
        reply, (request,) = heard(kind=kind, timestamps=("segment",))
        made, usage = reply.value, reply.usage
        assert (made.text, made.language) == (SAID, "de")
        assert [one.text for one in made.segments] == ["Guten Morgen.", "Das ist die Welt, und ein Haus!"]
        assert made.segments[0].end < made.segments[1].start < made.segments[1].end <= made.duration
        seconds = usage.audio_ms / 1000
        assert usage.source == "reported"
        assert usage.audio_input == pytest.approx(seconds * 32, abs=2)
        assert (request.headers["x-goog-api-key"], request.headers["x-patchbay-hop"]) == (KEY, "1")
        assert request.path == f"/v1beta/models/{MODEL}:generateContent"

    def test_audio_has_a_price_of_its_own(self):
        reply, _ = heard()
        usage, model = reply.usage, load().find("gemini", MODEL)
        tokens = usage.input * 250 + usage.audio_input * 500 + (usage.output + usage.reasoning) * 1500
        assert usage.audio_input > 0
        assert cost_of(usage, model, 1.79e9).nano == tokens

    def test_english_of_what_is_said(self):
        reply, _ = heard(task="translate")
        assert (reply.value.text, reply.value.language) == ("Good Morning. The is the World, and a House!", "en")

    def test_nobody_speaks(self):
        reply, _ = heard(turns="")
        assert (reply.value.text, reply.value.reason, reply.value.segments) == ("", NOBODY, ())

    def test_what_cannot_be_told_is_said_or_refused(self):
        reply, (request,) = heard(channels=True, vocabulary=["Köln"])
        assert reply.warnings == (f"channels was left out: it cannot be told there (gemini/{MODEL})",)
        assert "Köln" in request.body.decode()
        with pytest.raises(ParameterRefused):
            heard(channels=True, strict=True)

    def test_a_model_that_thinks_is_asked_to_think_little(self):
        for model, thinking in (("gemini-2.5-flash", {"thinkingBudget": 0}), ("gemini-2.0-flash", None)):
            _, (request,) = heard(model=model)
            assert json.loads(request.body)["generationConfig"].get("thinkingConfig") == thinking

    @pytest.mark.parametrize("more", [{"diarize": True}, {"timestamps": ("word",)}])
    def test_speakers_and_words_are_not_its_to_tell(self, more):
        with pytest.raises(ParameterRefused):
            heard(**more)

    @pytest.mark.parametrize(
        ("prompt", "kind"), [("simulate:SAFETY", ContentRefused), ("simulate:BLOCKED", ContentRefused),
                             ("simulate:RECITATION", ContentRefused)],
    )  # fmt: skip
    def test_what_it_will_not_write_down(self, prompt, kind):
        with pytest.raises(kind) as caught:
            heard(prompt=prompt)
        assert caught.value.usage.input_total > 0

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [("401", CredentialRefused), ("429:3", RateLimited), ("503", Overloaded), ("wrong_json", Malformed),
         ("truncated_json", Malformed), ("drop_body", Dropped), ("drop_headers", Dropped),
         ("wrong_content_type", Malformed), ("huge_body", Malformed)],
    )  # fmt: skip
    def test_faults(self, fault, kind):
        with pytest.raises(kind) as caught:
            heard(fault)
        assert caught.value.retry_after == (3 if fault == "429:3" else None)
        assert KEY not in str(caught.value)

    def test_what_it_cannot_decode_another_one_may(self):
        async def work(gemini, _):
            await gemini.transcribe(call_for("gemini", MODEL, audio=audio(SAID)._replace(data=b"not audio at all")))

        with pytest.raises(ParameterRefused, match="input audio"):
            at_simulator(Capability.TRANSCRIBE, work)

    def test_faults_can_be_kept_to_what_is_heard(self):
        async def work(gemini, running):
            await running.fault("gemini", "503", capability="speak")
            await gemini.transcribe(call_for("gemini", MODEL, audio=audio(SAID)))
            await running.fault("gemini", "503", capability="transcribe")
            await gemini.transcribe(call_for("gemini", MODEL, audio=audio(SAID)))

        with pytest.raises(Overloaded):
            at_simulator(Capability.TRANSCRIBE, work)

    def test_a_large_file_arrives_whole(self):
        """It goes out in pieces, and in base64, without having been put together."""
        got = []

        def speak(path, headers, body):
            got.append((headers["content-length"], len(body), json.loads(body)))
            text = json.dumps({"language": "de", "segments": []})
            return as_json({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]})

        data = bytes(range(256)) * 40_000

        async def scenario(url):
            async with adapter("gemini", Capability.TRANSCRIBE, url) as gemini:
                large = audio(SAID)._replace(data=data)
                return await gemini.transcribe(call_for("gemini", MODEL, audio=large))

        with upstream(speak) as url:
            assert asyncio.run(scenario(url)).request_id == "req_upstream"
        ((length, size, body),) = got
        assert int(length) == size
        assert audio_in(body) == data


def audio_in(body):
    return b64decode(body["contents"][0]["parts"][0]["inlineData"]["data"])


class TestListening:
    def test_segments_are_told_while_it_writes(self):
        events, source = listened(timestamps=("segment",))
        kinds = [one["type"].rpartition(".")[2] for _, one in events]
        assert kinds == ["delta", "segment", "delta", "segment", "done"]
        assert "".join(one.get("delta", "") for _, one in events) == events[-1][1]["text"] == SAID
        assert [kind for kind, _ in events] == [Kind.OUTPUT] * 4 + [Kind.END]
        assert (source.transcript.text, source.transcript.language) == (SAID, "de")
        assert source.usage.audio_input > 0 and source.usage.audio_ms > 0

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [("cut_stream", Dropped), ("stream_error", StreamFailed), ("drop_body", Dropped), ("503", Overloaded),
         ("no_end_marker", StreamCut), ("truncated_json", Malformed), ("wrong_content_type", Malformed)],
    )  # fmt: skip
    def test_faults(self, fault, kind):
        with pytest.raises(kind):
            listened(fault)


class TestSpeaking:
    def test_it_says_the_text(self):
        data, source, (request,) = spoken()
        assert heard_in(data, source.sound) == TEXT
        assert (source.sound.kind, source.sound.rate) == ("pcm", 24_000)
        assert request.path == f"/v1beta/models/{VOICE}:streamGenerateContent"
        usage = source.usage
        assert (usage.source, usage.characters, usage.output) == ("reported", len(TEXT), 0)
        assert usage.audio_output == pytest.approx(len(data) / 48_000 * 32, abs=1)

    def test_it_comes_in_pieces(self):
        async def work(gemini, _):
            source = await gemini.speak(call_for("gemini", VOICE, input=TEXT))
            pieces = 0
            while (frames := await source.next()) is not None:
                pieces += sum(frame.kind is Kind.OUTPUT for frame in frames)
            return pieces

        assert at_simulator(Capability.SPEAK, work) > 5

    @pytest.mark.parametrize("model", [VOICE, OLD_VOICE])
    def test_how_it_is_said_is_not_said(self, model):
        data, source, _ = spoken(model=model, instructions="like an old friend", voice="Charon")
        assert heard_in(data, source.sound) == TEXT

    def test_voices_differ(self):
        speakers = set()
        for voice in ("Zephyr", "Puck"):
            data, source, _ = spoken(voice=voice)
            speakers |= {one.speaker for one in signal.hear(np.frombuffer(data, "<i2"), source.sound.rate)}
        assert len(speakers) == 2

    def test_a_voice_that_it_has_not_is_its_own_refusal(self):
        with pytest.raises(ParameterRefused) as caught:
            spoken(voice="alloy")
        assert "alloy" in caught.value.message

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [("cut_stream", Dropped), ("cut_stream@0", Dropped), ("stream_error", StreamFailed),
         ("stream_error@0", StreamFailed), ("no_end_marker", StreamCut), ("503", Overloaded), ("429", RateLimited),
         ("wrong_content_type", Malformed), ("drop_headers", Dropped)],
    )  # fmt: skip
    def test_faults(self, fault, kind):
        with pytest.raises(kind):
            spoken(fault)

    def test_a_silence_is_not_waited_for_for_ever(self):
        async def work(gemini, _):
            call = call_for("gemini", VOICE, input=TEXT)._replace(idle=0.05)
            await whole(await gemini.speak(call))

        with pytest.raises(IdleTimeout):
            at_simulator(Capability.SPEAK, work, "stream_stall@2")

    def test_a_text_of_nothing_has_no_speech(self):
        with pytest.raises(BrokenOff, match="OTHER"):
            spoken(input="  ")
