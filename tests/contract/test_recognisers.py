"""Cohere's and Hugging Face's recognition, at simulators that hear what the audio holds."""

import asyncio
import json

import pytest

from core.capabilities import Capability
from core.errors import (
    CredentialRefused,
    Dropped,
    Malformed,
    ModelMissing,
    Overloaded,
    ParameterRefused,
    RateLimited,
    RequestRefused,
)
from core.wire.sound.recognisers import NOBODY
from tests.contract.rooms import fleet
from tests.contract.sounding import KEY, adapter, audio, call_for

MODELS = {"cohere": "cohere-transcribe-03-2026", "huggingface": "openai/whisper-large-v3"}
PATHS = {"cohere": "/v2/audio/transcriptions", "huggingface": "/hf-inference/models/openai/whisper-large-v3"}
SAID = "Guten Morgen. Das ist die Welt, und ein Haus!"
FAULTS = [
    ("401", CredentialRefused), ("429", RateLimited), ("503", Overloaded), ("truncated_json", Malformed),
    ("drop_body", Dropped), ("drop_headers", Dropped), ("wrong_content_type", Malformed), ("huge_body", Malformed),
]  # fmt: skip
both = pytest.mark.parametrize("provider", sorted(MODELS))


def heard(provider, *faults, model=None, strict=False, sound=None, **body):
    """The reply, and what reached the simulator."""

    async def scenario():
        async with fleet([provider]) as running:
            for fault in faults:
                await running.fault(provider, fault, capability="transcribe")
            async with adapter(provider, Capability.TRANSCRIBE, running.url(provider)) as recogniser:
                given = {"audio": sound or audio(SAID), **body}
                reply = await recogniser.transcribe(call_for(provider, model or MODELS[provider], strict, **given))
                return reply, running.requests(provider)

    return asyncio.run(scenario())


@both
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "flac"])
def test_what_is_said_is_written_down(provider, kind):
    reply, (request,) = heard(provider, sound=audio(SAID, kind), language="de")
    assert (reply.value.text, reply.value.language) == (SAID, None)  # which nobody there looks for
    assert (reply.usage.source, reply.usage.audio_ms) == ("reported", audio(SAID, kind).ms)
    assert (request.path, request.headers["authorization"]) == (PATHS[provider], f"Bearer {KEY}")
    assert request.headers["x-patchbay-hop"] == "1"
    assert int(request.headers["content-length"]) == len(request.body)


@both
def test_nobody_speaks(provider):
    reply, _ = heard(provider, sound=audio(""), language="de")
    assert (reply.value.text, reply.value.reason) == ("", NOBODY)


@both
@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_faults(provider, fault, kind):
    with pytest.raises(kind) as caught:
        heard(provider, fault, language="de")
    assert KEY not in str(caught.value)


@both
def test_what_it_cannot_decode_another_one_may(provider):
    with pytest.raises(ParameterRefused):
        heard(provider, sound=audio(SAID)._replace(data=b"not audio at all"), language="de")


@both
def test_a_model_that_is_not_there(provider):
    with pytest.raises(ModelMissing):
        heard(provider, model="acme/ears", language="de")


@both
def test_who_is_strict_is_told_before_anything_is_sent(provider):
    with pytest.raises(ParameterRefused, match="prompt"):
        heard(provider, strict=True, language="de", prompt="A meeting")
    reply, _ = heard(provider, language="de", prompt="A meeting")
    assert any(words.startswith("prompt was left out") for words in reply.warnings)


class TestCohere:
    def test_it_must_know_the_language(self):
        with pytest.raises(ParameterRefused, match="set language"):
            heard("cohere")

    def test_a_language_that_it_has_not(self):
        with pytest.raises(RequestRefused, match="language must be one of"):
            heard("cohere", language="fi")

    def test_the_file_comes_last(self):
        _, (request,) = heard("cohere", language="de-DE", temperature=0.2)
        names = [part.partition(b'"')[0] for part in request.body.split(b'name="')[1:] if b"filename" not in part[:6]]
        assert names[:4] == [b"model", b"language", b"temperature", b"file"]


class TestHuggingFace:
    def test_audio_goes_as_it_is_unless_something_is_asked(self):
        sound = audio(SAID, "mp3")
        _, (request,) = heard("huggingface", sound=sound)
        assert (request.headers["content-type"], request.body) == ("audio/mpeg", sound.data)

    def test_times_are_asked_for_in_json(self):
        reply, (request,) = heard("huggingface", timestamps=("segment",))
        assert json.loads(request.body)["parameters"] == {"return_timestamps": True}
        assert [one.text for one in reply.value.segments] == ["Guten Morgen.", "Das ist die Welt, und ein Haus!"]
        assert reply.value.segments[0].end < reply.value.segments[1].start

    def test_more_than_it_hears_at_once(self):
        long = audio("eins zwei drei vier fünf sechs sieben acht neun zehn. " * 8)
        assert long.ms > 30_000
        reply, _ = heard("huggingface", sound=long)
        assert len(reply.value.text.split()) == 80
        assert len(reply.value.segments) == 8
