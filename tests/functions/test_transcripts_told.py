"""What of a request for a transcript has no effect is told, and what of an answer nobody said is not made up."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from core.types.audio import Audio
from core.wire.sound.transcripts import canonical, from_form
from infra.local.simulators import signal
from tests.contract import ears
from tests.functions.helpers import problem
from tests.harness import Server, server

TEXTS = ("Hello, this is a test.", "And here speaks another one.")
WAV = ears.spoken(*TEXTS)
SAID = " ".join(TEXTS)
OPENAI, NATIVE, DIARIZE = "/v1/audio/transcriptions", "/api/ai/transcribe", "/api/ai/diarize"
HEARERS = ("openai", "azure")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with ears.serving(tmp_path_factory.mktemp("home")) as made:
        yield made


def post(gateway: Server, route: str = OPENAI, audio: Any = WAV, **fields: Any) -> httpx.Response:
    return gateway.http.post(route, files={"file": ("talk.wav", audio)}, data=fields)


def warned(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers.get("x-patchbay-warnings", ""))


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"timestamp_granularities[]": "word"}, "the times of words was not asked for"),
        ({"diarize": "true"}, "who spoke was not asked for"),
        ({"max_speakers": "2"}, "who spoke was not asked for"),
    ],
)
def test_what_is_not_shown_is_told_and_restricts_nobody(plain, form, fields, words):
    answer = post(plain, response_format=form, provider="plain", fallback="false", **fields)  # who has no features
    assert words in warned(answer)
    assert SAID in answer.text


def test_what_is_shown_is_asked_for(plain):
    assert not warned(post(plain, response_format="verbose_json", diarize="true"))
    streamed = post(plain, response_format="json", diarize="true", stream="true", provider="ears")
    assert '"speaker":"B"' in streamed.text
    whole = post(plain, NATIVE, response_format="json", diarize="true", **{"timestamp_granularities[]": "word"})
    assert [one["name"] for one in whole.json()["speakers"]] == ["A", "B"]
    assert whole.json()["words"]


def test_speakers_in_bare_text_are_refused(plain):
    refused = post(plain, DIARIZE, response_format="text")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format")
    assert "diarized_json" in refused.json()["error"]["message"]
    assert post(plain, DIARIZE, response_format="srt").status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"), [({"profanity": "bogus"}, "profanity"), ({"include[]": "everything"}, "include")]
)
def test_words_that_nobody_knows_are_refused(plain, fields, param):
    refused = post(plain, **fields)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert "must be one of" in refused.json()["error"]["message"]


def test_a_choice_is_a_text(plain):
    body = {"audio_base64": ears.encoded(WAV), "profanity": 5}
    refused = plain.http.post(NATIVE, json=body)
    problem(refused, 400, "profanity")


def test_empty_fields_are_none_and_1_is_true():
    kinds = {"temperature": (float, int), "stream": (bool,), "timestamps": (bool, str, list), "prompt": (str,)}
    fields = [("temperature", ""), ("prompt", " "), ("response_format", ""), ("stream", "1"), ("timestamps", "true")]
    assert from_form(fields, kinds) == {"stream": True, "timestamps": True}
    assert from_form([("stream", "0"), ("stream", "")], kinds) == {"stream": False}


def test_empty_fields_over_http(plain):
    answer = post(plain, temperature="", response_format="", stream="", prompt="")
    assert (warned(answer), answer.json()["text"]) == ("", SAID)
    assert "transcript.text.done" in post(plain, stream="1").text


def test_audio_that_is_cut_off_is_told(plain):
    answer = post(plain, audio=WAV[: len(WAV) * 3 // 4])
    assert "the audio is cut off: its header says" in warned(answer)


def test_where_sound_cannot_be_had_its_own_fields_are_advised(plain):
    for field, address in (("audio_s3", "S3://nobodys/talk.wav"), ("audio_url", "http://127.0.0.1:1/talk.wav")):
        refused = plain.http.post(NATIVE, json={field: address})
        assert refused.json()["error"]["code"] == "media_unavailable"
        assert "file in a form, or audio_base64" in refused.json()["error"]["message"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with server(home, SIMULATE=",".join(HEARERS), LOCAL_MODELS_ENABLED="true") as made:
        yield made


def ask(gateway: Server, **fields: Any) -> Any:
    body = {"audio_base64": ears.encoded(WAV), "fallback": False, **fields}
    answer = gateway.http.post(NATIVE, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_language_is_called_as_the_caller_calls_it(simulated):
    assert ask(simulated, provider="azure", language="en-US")["detected_language"] == "en-US"
    assert ask(simulated, provider="azure")["detected_language"] == "en"


def test_likelihoods_of_tokens(simulated):
    asked = {"model": "openai/gpt-4o-transcribe", "include[]": "logprobs", "response_format": "json"}
    whole = post(simulated, **asked)
    assert "logprobs" not in warned(whole)
    assert "".join(one["token"] for one in whole.json()["logprobs"]) == SAID
    events = [json.loads(line[6:]) for line in post(simulated, stream="true", **asked).text.splitlines() if line]
    assert events[0]["logprobs"][0]["token"] == "Hello,"
    assert "".join(one["token"] for one in events[-1]["logprobs"]) == SAID
    other = post(simulated, **{**asked, "model": "openai/whisper-1"})
    assert "this model tells no logprobs" in warned(other)


def test_limits_are_those_of_the_model(simulated):
    rest = np.zeros(1401 * 8000, "<i2")
    sound = np.concatenate([signal.say(TEXTS[0], rate=8000), rest])
    audio = signal.wav(sound, 8000)
    whisper = post(simulated, audio=audio, model="openai/whisper-1")
    assert "parts" not in warned(whisper)
    newer = post(simulated, audio=audio, model="openai/gpt-4o-transcribe")
    assert "in 2 parts" in warned(newer)


def test_who_spoke_is_no_word_about_times():
    body, wanted = canonical({"audio": Audio(b"", "wav"), "diarize": True, "response_format": "diarized_json"})
    assert (body["diarize"], wanted.told) == (True, ())
