"""Replicate's models for sound, at a simulator: files put there and taken away, predictions awaited and cancelled."""

import asyncio
import json

import pytest

from core.capabilities import Capability
from core.errors import (
    BrokenOff,
    CredentialRefused,
    Dropped,
    Malformed,
    Overloaded,
    ParameterRefused,
    RateLimited,
)
from core.providers import replicate as adapter_module
from core.wire.sound.recognisers import NOBODY
from tests.contract.rooms import fleet
from tests.contract.sounding import KEY, adapter, audio, call_for, heard_in, whole
from tests.contract.upstream import as_json, upstream

WHISPER = "openai/whisper"
APART = "thomasmol/whisper-diarization"
GPT, MINIMAX = "openai/gpt-4o-transcribe", "minimax/speech-2.6-turbo"
KOKORO = "jaaari/kokoro-82m"
SAID = "Guten Morgen. Das ist die Welt, und ein Haus!"
TURNS = ((0, "Who is there?"), (3, "Nobody at all."), (0, "Good."))
TEXT = "It was late. Nobody spoke, and the lamp went out."


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Looks follow each other as fast as they can."""
    monkeypatch.setattr(adapter_module, "_FIRST_PAUSE", 0.001)


def at_simulator(capability, work, fault=None):
    async def scenario():
        async with fleet(["replicate"]) as running:
            if fault:
                await running.fault("replicate", fault, capability=str(capability))
            async with adapter("replicate", capability, running.url("replicate")) as replicate:
                given = await work(replicate)
                if replicate._tasks:
                    await asyncio.wait(replicate._tasks)
                return given, [(one.method, one.path) for one in running.requests("replicate")]

    return asyncio.run(scenario())


def heard(model, turns=SAID, *, fault=None, sound=None, strict=False, **body):
    async def work(replicate):
        return await replicate.transcribe(
            call_for("replicate", model, strict, **{"audio": sound or audio(turns), **body})
        )

    return at_simulator(Capability.TRANSCRIBE, work, fault)


def spoken(model, fault=None, **body):
    async def work(replicate):
        source = await replicate.speak(call_for("replicate", model, **{"input": TEXT, **body}))
        return await whole(source), source

    return at_simulator(Capability.SPEAK, work, fault)


class TestHearing:
    @pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "flac"])
    def test_whisper(self, kind):
        reply, requests = heard(WHISPER, sound=audio(SAID, kind), timestamps=("segment",))
        made = reply.value
        assert (made.text, made.language, made.confidence) == (SAID, "de", 0.9048)
        assert [one.text for one in made.segments] == ["Guten Morgen.", "Das ist die Welt, und ein Haus!"]
        assert requests == [("POST", "/v1/predictions")]
        usage = reply.usage
        assert (usage.source, usage.run_ms, usage.audio_ms) == ("reported", 1250, audio(SAID, kind).ms)

    def test_who_spoke_and_when_each_word(self):
        reply, _ = heard(APART, TURNS, diarize=True, timestamps=("segment", "word"))
        made = reply.value
        assert [(one.speaker, one.text) for one in made.segments] == [
            ("SPEAKER_00", "Who is there?"), ("SPEAKER_01", "Nobody at all."), ("SPEAKER_00", "Good."),
        ]  # fmt: skip
        assert [one.text for one in made.words] == ["Who", "is", "there?", "Nobody", "at", "all.", "Good."]
        assert all(one.start < one.end for one in made.words)

    def test_a_version_may_be_named(self):
        reply, requests = heard(f"{APART}:1495a9cddc83b2203b0d8d3516e38b80fd1572ebc4bc5700ac1da56a9b3ed886")
        assert (reply.value.text, requests) == (SAID, [("POST", "/v1/predictions")])

    def test_english(self):
        reply, _ = heard(WHISPER, task="translate")
        assert (reply.value.text, reply.value.language) == ("Good Morning. The is the World, and a House!", "en")

    def test_text_alone(self):
        reply, requests = heard(GPT)
        assert reply.value.text == SAID
        assert requests == [("POST", f"/v1/models/{GPT}/predictions")]
        with pytest.raises(Malformed, match="when what was said"):
            heard(GPT, timestamps=("segment",))

    def test_nobody_speaks(self):
        reply, _ = heard(WHISPER, "")
        assert (reply.value.text, reply.value.reason) == ("", NOBODY)

    def test_what_is_large_is_put_there_first_and_taken_away(self):
        long = audio("eins zwei drei vier fünf sechs sieben. " * 3)
        assert len(long.data) > 256 * 1024
        reply, requests = heard(WHISPER, sound=long)
        assert len(reply.value.text.split()) == 21
        (put, predicted, taken) = requests
        assert (put, predicted) == (("POST", "/v1/files"), ("POST", "/v1/predictions"))
        assert taken[0] == "DELETE" and taken[1].startswith("/v1/files/in")

    def test_it_is_taken_away_also_from_who_failed(self):
        long = audio("eins zwei drei vier fünf sechs sieben. " * 3)

        async def work(replicate):
            with pytest.raises(Overloaded):
                await replicate.transcribe(call_for("replicate", WHISPER, audio=long))

        _, requests = at_simulator(Capability.TRANSCRIBE, work, "503")
        assert [method for method, _ in requests] == ["POST", "POST", "DELETE"]

    def test_inputs_of_a_model_s_own_and_those_it_lacks(self):
        reply, _ = heard(WHISPER, input={"patience": 1})
        assert reply.value.text == SAID
        with pytest.raises(ParameterRefused) as caught:
            heard(WHISPER, input={"beams": 1})
        assert caught.value.param == "beams"

    def test_what_it_cannot_be_told(self):
        reply, _ = heard(APART, diarize=True, min_speakers=1, max_speakers=3, known_speakers=[{"name": "Ann"}])
        assert [words.partition(" ")[0] for words in reply.warnings] == ["known_speakers", "min_speakers"]
        with pytest.raises(ParameterRefused):
            heard(APART, strict=True, diarize=True, known_speakers=[{"name": "Ann"}])

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [("401", CredentialRefused), ("429:2", RateLimited), ("503", Overloaded), ("truncated_json", Malformed),
         ("drop_headers", Dropped), ("wrong_content_type", Malformed)],
    )  # fmt: skip
    def test_faults(self, fault, kind):
        with pytest.raises(kind) as caught:
            heard(WHISPER, fault=fault)
        assert KEY not in str(caught.value)


FILES = {
    "/speech": (200, "audio/mpeg", b"ID3 not really"),
    "/page": (200, "text/html", b"<html></html>"),
    "/gone": (404, "text/plain", b"Not Found"),
}


def prediction(**fields):
    return {"id": "p1", "status": "succeeded", "metrics": {"predict_time": 2.0}, "output": "Hi.", **fields}


def asked(capability, answer, looks=()):
    """What becomes of a prediction that begins as `answer` and is, each time it is looked at, the next of `looks`."""
    paths, left = [], list(looks)

    def speak(path, headers, body):
        paths.append(path)
        if path.endswith("/cancel"):
            return as_json(prediction(status="canceled"))
        if path in FILES:
            return FILES[path]
        found = left.pop(0) if len(paths) > 1 and left else answer
        text = json.dumps(found).replace("$HERE", f"http://{headers['Host']}")
        return 201 if len(paths) == 1 else 200, "application/json", text.encode()

    async def scenario(url):
        async with adapter("replicate", capability, url) as replicate:
            try:
                if capability is Capability.SPEAK:
                    return await replicate.speak(call_for("replicate", MINIMAX, input="Hi."))
                return await replicate.transcribe(call_for("replicate", WHISPER, audio=audio(SAID)))
            finally:
                if replicate._tasks:
                    await asyncio.wait(replicate._tasks)

    with upstream(speak) as url:
        return asyncio.run(scenario(url)), paths


@pytest.mark.parametrize("capability", [Capability.TRANSCRIBE, Capability.SPEAK])
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"status": "failed", "error": f"CUDA out of memory {KEY}"}, BrokenOff),
        ({"status": "canceled"}, BrokenOff),
        ({"status": "aborted"}, Overloaded),
        ({"output": None}, Malformed),
        ({"output": {"weights": 7}}, Malformed),
    ],
)
def test_predictions_that_come_to_nothing(capability, fields, kind):
    with pytest.raises(kind) as caught:
        asked(capability, prediction(**fields))
    assert (caught.value.request_id, caught.value.usage.run_ms) == ("p1", 2000)
    assert KEY not in str(caught.value)


def test_one_that_is_slow_is_looked_at():
    reply, paths = asked(
        Capability.TRANSCRIBE, prediction(status="starting", output=None),
        [prediction(status="processing", output=None), prediction()],
    )  # fmt: skip
    assert reply.value.text == "Hi."
    assert paths == ["/v1/predictions", "/v1/predictions/p1", "/v1/predictions/p1"]


@pytest.mark.parametrize("capability", [Capability.TRANSCRIBE, Capability.SPEAK])
def test_who_leaves_has_it_cancelled(capability):
    begun, cancelled = asyncio.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    def speak(path, headers, body):
        loop.call_soon_threadsafe((cancelled if path.endswith("/cancel") else begun).set)
        return as_json(prediction(status="processing", output=None), 201)

    async def scenario(url):
        async with adapter("replicate", capability, url) as replicate:
            body = {"input": "Hi."} if capability is Capability.SPEAK else {"audio": audio(SAID)}
            ask = replicate.speak if capability is Capability.SPEAK else replicate.transcribe
            model = MINIMAX if capability is Capability.SPEAK else WHISPER
            asking = asyncio.create_task(ask(call_for("replicate", model, **body)))
            await begun.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            async with asyncio.timeout(5):
                await cancelled.wait()

    with upstream(speak) as url, asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario(url))


class TestSpeaking:
    @pytest.mark.parametrize(("model", "kind"), [(MINIMAX, "mp3"), (KOKORO, "wav")])
    def test_it_says_the_text(self, model, kind):
        (data, source), requests = spoken(model, speed=1.5)
        assert heard_in(data, source.sound) == TEXT
        assert source.sound.kind == kind
        assert requests[-1][1].startswith("/pbxt/out")
        assert (source.usage.characters, source.usage.run_ms) == (len(TEXT), 1250)

    def test_it_is_fetched_from_where_it_lies(self):
        source, paths = asked(Capability.SPEAK, prediction(output="$HERE/speech"))
        assert source.sound.kind == "mp3"
        assert paths[-1] == "/speech"

    def test_it_may_come_in_the_answer(self):
        source, paths = asked(Capability.SPEAK, prediction(output="data:audio/mpeg;base64,SUQzIQ=="))
        assert (source.sound.kind, len(paths)) == ("mp3", 1)

    @pytest.mark.parametrize("place", ["http://10.0.0.1/a.mp3", "http://[::1]:9/a.mp3", "http://metadata.invalid/a"])
    def test_it_is_not_fetched_from_where_nobody_must_reach(self, place):
        with pytest.raises(Dropped, match="could not be fetched"):
            asked(Capability.SPEAK, prediction(output=place))

    @pytest.mark.parametrize(
        ("output", "kind"),
        [("data:audio/mpeg;base64,!", Malformed), ("data:text/html;base64,PGh0bWw+", Malformed),
         ("$HERE/page", Malformed), ("$HERE/gone", Dropped), ("file:///etc/passwd", Malformed)],
    )  # fmt: skip
    def test_what_is_no_speech(self, output, kind):
        with pytest.raises(kind) as caught:
            asked(Capability.SPEAK, prediction(output=output))
        assert caught.value.request_id == "p1"

    def test_more_than_may_be_held(self):
        async def work(replicate):
            call = call_for("replicate", MINIMAX, input=TEXT)._replace(max_bytes=2000)
            with pytest.raises(Malformed, match="larger than 2000 bytes"):
                await replicate.speak(call)

        at_simulator(Capability.SPEAK, work)

    @pytest.mark.parametrize(
        ("fault", "kind"), [("503", Overloaded), ("429", RateLimited), ("401", CredentialRefused)]
    )
    def test_faults(self, fault, kind):
        with pytest.raises(kind):
            spoken(MINIMAX, fault)

    def test_an_input_that_it_has_not(self):
        with pytest.raises(ParameterRefused):
            spoken(KOKORO, model_input={"emotion": "calm"})
