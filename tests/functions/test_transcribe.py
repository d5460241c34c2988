"""Transcription through a server: where audio comes from, who is asked, what comes back."""

import base64
import json
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest

from core.audio.cutting import cut
from core.errors import CredentialRefused, Overloaded, RequestRefused
from infra.local.simulators import signal
from tests.contract import ears
from tests.contract.upstream import upstream
from tests.functions.helpers import has_receipt_headers, problem, sse
from tests.harness import Server

TEXTS = ("Hello, this is a test.", "And here speaks another one.")
WAV = ears.spoken(*TEXTS)
SAID = " ".join(TEXTS)
LONG = [f"This is sentence {number} of a talk that is too long for one request." for number in range(12)]
NATIVE, DIARIZE, OPENAI = "/api/ai/transcribe", "/api/ai/diarize", "/v1/audio/transcriptions"
MODELS = """
models:
  ears/ears-1:
    {capability: transcribe, features: [segments, words, speakers, to_english], usd_per_minute: "0.6",
     minimum_seconds: 10}
  short/short-1:
    {capability: transcribe, features: [segments, words, speakers], usd_per_minute: "0.6", minimum_seconds: 10}
vocabulary:
  all: [Patchbay, Common]
  local: [Own Term]
  others: [Not Ours]
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    config = home / "patchbay.yaml"
    config.write_text(MODELS)
    environ = {
        "PATCHBAY_CONFIG": str(config), "PATCHBAY_AUDIO_BUCKETS": "recordings", "PATCHBAY_FETCH_PRIVATE": "127.0.0.1",
        "PATCHBAY_MAX_AUDIO_SECONDS": "300",
    }  # fmt: skip
    with ears.serving(home, **environ) as made:
        yield made


@pytest.fixture
def gateway(running):
    ears.forget()
    yield running
    ears.forget()


def encoded(data: bytes = WAV) -> str:
    return ears.encoded(data)


def ask(gateway: Server, route: str = NATIVE, audio: bytes = WAV, **fields) -> httpx.Response:
    return gateway.http.post(route, json={"audio_base64": encoded(audio), **fields})


def test_the_fields_of_the_seed_literally(gateway):
    fields = {"audio_base64": encoded(), "audio_format": "wav", "language": "en", "provider": None}
    answer = gateway.http.post(NATIVE, json=fields)
    has_receipt_headers(answer)
    body = answer.json()
    assert body["text"] == SAID
    assert (body["detected_language"], body["confidence"], body["provider"]) == ("en", 0.9, "ears")
    assert body["method"] == "ears_speech"
    assert body["duration_ms"] > 0 and body["audio_seconds"] == 5.648
    assert body["usage"]["audio_ms"] == 5648
    assert body["cost"]["usd"] == pytest.approx(0.1)  # ten seconds at least
    assert body["warnings"] == [] and body["reason"] is None
    assert gateway.receipt(body["decision_id"])["usage"]["audio_ms"] == 5648
    assert ears.asked_of("ears")[0].body["language"] == "en"


def test_who_spoke_and_how_long(gateway):
    body = ask(gateway, DIARIZE).json()
    assert [(one["speaker"], one["text"]) for one in body["segments"]] == [("A", TEXTS[0]), ("B", TEXTS[1])]
    assert body["speakers"] == [{"name": "A", "seconds": 1.728}, {"name": "B", "seconds": 1.76}]
    assert {(one["text"], one["speaker"]) for one in body["words"]} >= {("Hello,", "A"), ("And", "B")}


def test_known_speakers_are_told_by_name_and_keep_it(gateway):
    voice = encoded(ears.spoken("I am Ann."))
    speakers = [{"name": "Guest-1", "audio_base64": voice}, {"name": "Bob"}]
    body = ask(gateway, known_speakers=speakers, max_speakers=2).json()
    assert [one["speaker"] for one in body["segments"]] == ["Guest-1", "A"]
    first, second = ears.asked_of("ears")[0].body["known_speakers"]
    assert (first["name"], first["audio"].kind, first["audio"].ms > 1000) == ("Guest-1", "wav", True)
    assert second == {"name": "Bob", "audio": None}
    assert gateway.receipt(body["decision_id"])["capability"] == "diarize"


@pytest.mark.parametrize(
    "text",
    [encoded(), f"data:audio/wav;base64,{encoded()}", base64.encodebytes(WAV).decode(), f"DATA:;base64,{encoded()}"],
    ids=["base64", "data", "lines", "plain data"],
)
def test_base64_in_its_usual_forms(gateway, text):
    assert gateway.http.post(NATIVE, json={"audio_base64": text}).json()["text"] == SAID


def test_an_address_is_fetched(gateway):
    def serve(path, _headers, _body):
        return (200, "audio/mpeg", WAV) if path.startswith("/a/hello.wav") else (404, "text/plain", b"")

    with upstream(serve) as url:
        body = gateway.http.post(NATIVE, json={"audio_url": f"{url}/a/hello.wav?sig=secret"}).json()
        assert body["text"] == SAID
        assert ears.asked_of("ears")[0].body["audio"].name == "hello.wav"
        answer = gateway.http.post(NATIVE, json={"audio_url": f"{url}/missing"})
        error = problem(answer, 400, "audio_url")
        assert error["code"] == "media_unavailable" and "404" in error["message"]
    answer = gateway.http.post(NATIVE, json={"audio_url": "http://10.0.0.1/x.wav"})
    assert "not allowed" in problem(answer, 400, "audio_url")["message"]
    assert len(ears.asked_of("ears")) == 1


def test_a_bucket_is_a_folder_on_a_laptop_and_only_named_ones_are_read(gateway):
    if gateway.service.settings.table:
        pytest.skip("this server keeps its state on AWS")
    blobs = gateway.service.settings.home / "blobs"
    blobs.mkdir(exist_ok=True)
    (blobs / "recordings,2026,hello.wav").write_bytes(WAV)
    for name in ("audio_s3", "audio_uri", "audio_url"):
        answer = gateway.http.post(NATIVE, json={name: "s3://recordings/2026/hello.wav"})
        assert answer.json()["text"] == SAID
    for uri, words in {
        "s3://recordings/none.wav": "there is no recordings/none.wav",
        "s3://recordings/../state.db": "there is no",
        "s3://secrets/x.wav": "PATCHBAY_AUDIO_BUCKETS",
        "s3://recordings": "must be s3://bucket/key",
        "recordings/x.wav": "must be s3://bucket/key",
    }.items():
        assert words in problem(gateway.http.post(NATIVE, json={"audio_s3": uri}), 400, "audio_s3")["message"]


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (b"", "empty"),
        (b"\0" * 5000, "zero bytes"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
        (signal.wav(signal.silence(0)), "no sound"),
        (b"%PDF-1.7 and so on", "no audio"),
        (WAV[:30], "wav"),
    ],
    ids=["empty", "zeros", "a beginning", "no samples", "text", "cut in its header"],
)
def test_what_cannot_be_heard_is_said_before_anybody_is_asked(gateway, audio, words):
    for answer in (ask(gateway, audio=audio), gateway.http.post(OPENAI, files={"file": ("a.wav", audio)})):
        error = problem(answer, 400)
        assert words in error["message"], error
        assert error["param"] in {"audio_base64", "file"}
    assert not ears.asked_of("ears")


def test_what_is_too_long_is_said_before_anybody_is_asked(gateway):
    error = problem(ask(gateway, audio=signal.wav(signal.silence(301, 8000), 8000)), 400, "audio_base64")
    assert "301 s" in error["message"] and "PATCHBAY_MAX_AUDIO_SECONDS" in error["message"]
    assert not ears.asked_of("ears")


@pytest.mark.parametrize("field", ["audio_base64", "audio_url"])
def test_base64_that_is_none(gateway, field):
    answer = gateway.http.post(NATIVE, json={field: "data:audio/wav;base64,UklGR!!!"})
    assert problem(answer, 400, field)["code"] == "invalid_base64"


def test_silence_is_an_answer(gateway):
    quiet = signal.wav(signal.silence(2.0))
    body = ask(gateway, audio=quiet).json()
    assert (body["text"], body["segments"]) == ("", [])
    assert body["reason"] == "the audio is silent: nothing in it is louder than -60 dB"
    for form, text in {"text": "\n", "srt": "", "vtt": "WEBVTT\n"}.items():
        answer = ask(gateway, OPENAI, quiet, response_format=form)
        assert (answer.status_code, answer.text) == (200, text)
    assert "silent" in ask(gateway, OPENAI, quiet).json()["reason"]
    hum = np.round(900 * np.sin(np.arange(32_000) / 40)).astype(np.int16)
    assert ask(gateway, OPENAI, signal.wav(hum)).json()["reason"] == "no speech was recognised"
    events = sse(ask(gateway, OPENAI, quiet, stream=True).text)
    assert [one["type"] for one in events] == ["transcript.text.done"]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, {"second", "plain"}),
        ({"response_format": "srt"}, {"second"}),
        ({"response_format": "verbose_json"}, {"second"}),
        ({"timestamps": "word"}, {"second"}),
        ({"enable_timestamps": True}, {"second"}),
        ({"diarize": True}, {"second"}),
        ({"response_format": "diarized_json"}, {"second"}),
        ({"min_speakers": 2}, {"second"}),
        ({"task": "translate"}, {"second"}),
    ],
)
def test_nobody_answers_who_would_lose_what_is_wanted(gateway, fields, asked):
    ears.FAILS.update({name: Overloaded("down") for name in ("ears", "second", "plain", "live", "short")})
    answer = ask(gateway, **fields)
    assert answer.status_code == 503
    tried = {one["provider"] for one in answer.json()["attempts"]}
    assert tried & {"second", "plain"} == asked
    for name in ("ears", "second"):
        del ears.FAILS[name]
        assert ask(gateway, provider=name, **fields).headers["x-patchbay-provider"] == name


def test_a_failure_is_the_next_ones_chance(gateway):
    ears.FAILS["ears"] = CredentialRefused("not yours")
    body = ask(gateway, DIARIZE).json()
    assert [(one["provider"], one["outcome"]) for one in body["attempts"]] == [("ears", "failed"), ("second", "ok")]
    assert [one["speaker"] for one in body["segments"]] == ["A", "B"]
    ears.FAILS["second"] = RequestRefused("the language is no language")
    problem(ask(gateway), 400)


def test_terms_are_those_of_the_request_then_of_everybody_and_the_organisation(gateway):
    ask(gateway, keywords=["Zed", "Common"], phrase_list={"phrases": ["Zed", "Phi"]})
    assert ears.asked_of("ears")[0].body["vocabulary"] == ["Zed", "Common", "Phi", "Own Term", "Patchbay"]
    ask(gateway, provider="second", model="second/second-1")  # whom nobody in the request asked for terms
    assert "x-patchbay-warnings" not in ask(gateway, provider="second").headers


def long_audio() -> bytes:
    return ears.spoken(*LONG, rate=8000)


def test_long_audio_is_heard_in_parts_with_the_times_of_the_whole(gateway):
    audio = long_audio()
    whole = signal.heard(audio)
    body = ask(gateway, audio=audio, provider="short").json()
    assert body["text"] == " ".join(LONG)
    assert body["provider"] == "short" and len(body["attempts"]) == 1
    calls = ears.asked_of("short")
    assert len(calls) > 4 and all(one.body["audio"].ms <= 12_000 for one in calls)
    assert {one.body["audio"].kind for one in calls} == {"flac"}
    assert len(body["words"]) == len(whole)
    for word, heard in zip(body["words"], whole, strict=True):
        assert word["text"] == heard.word and word["start"] == pytest.approx(heard.start, abs=0.06)
    starts = [one["start"] for one in body["segments"]]
    assert all(one < after for one, after in pairwise(starts))
    assert any("parts, cut at pauses" in one for one in body["warnings"])
    # Of each request at least ten seconds are paid for.
    billed = sum(max(one.body["audio"].ms, 10_000) for one in calls)
    assert body["cost"]["usd"] == pytest.approx(billed / 60_000 * 0.6, abs=0.02 * len(calls))


def test_parts_that_were_heard_are_paid_for_when_another_fails(gateway):
    ears.FAILS_AFTER["short"] = 2
    body = ask(gateway, audio=long_audio(), provider="short").json()
    assert body["text"] == " ".join(LONG)
    first, second = body["attempts"]
    assert (first["provider"], first["outcome"], second["provider"]) == ("short", "failed", "ears")
    assert body["usage"]["audio_ms"] > sum(one.body["audio"].ms for one in ears.asked_of("ears"))


def test_who_spoke_is_not_asked_of_who_hears_only_parts(gateway):
    answer = ask(gateway, DIARIZE, long_audio(), model="short/short-1", fallback=False)
    assert "who spoke is only known where all" in problem(answer, 400, "file")["message"]
    assert ask(gateway, DIARIZE, long_audio(), provider="short").json()["provider"] == "ears"
    assert not ears.asked_of("short")


def test_what_turns_out_too_large_is_halved(gateway):
    ears.MOST_MS["ears"] = 25_000
    body = ask(gateway, audio=long_audio()).json()
    assert (body["text"], body["provider"]) == (" ".join(LONG), "ears")
    assert len(ears.asked_of("ears")) > 3


def test_another_kind_is_made_for_who_does_not_take_it(gateway):
    out = bytes(next(iter(cut(WAV, kind="ogg"))).audio.data)
    assert ask(gateway, audio=out, provider="short").json()["text"] == SAID
    assert ears.asked_of("short")[0].body["audio"].kind == "flac"
    assert ask(gateway, audio=out, provider="ears").json()["text"] == SAID
    assert ears.asked_of("ears")[0].body["audio"].data == out


class TestStreams:
    def test_who_hears_live_is_passed_on(self, gateway):
        answer = ask(gateway, DIARIZE, provider="live", stream=True)
        events = sse(answer.text)
        kinds = [one["type"] for one in events]
        assert kinds.count("transcript.text.delta") == len(SAID.split())
        segments = [one for one in events if one["type"] == "transcript.text.segment"]
        assert [one["speaker"] for one in segments] == ["A", "B"]
        last = events[-1]
        assert (last["type"], last["text"], last["provider"]) == ("transcript.text.done", SAID, "live")
        assert last["usage"]["audio_ms"] == 5648 and last["attempts"][0]["first_ms"] is not None
        assert "x-patchbay-warnings" not in answer.headers

    def test_everybody_else_streams_what_is_there(self, gateway):
        answer = ask(gateway, OPENAI, provider="ears", stream=True)
        events = sse(answer.text)
        assert "".join(one.get("delta", "") for one in events) == SAID == events[-1]["text"]
        assert len(events) == 3
        assert "its events were made from the whole answer" in answer.headers["x-patchbay-warnings"]

    def test_diarized_events_are_openais(self, gateway):
        events = sse(ask(gateway, OPENAI, response_format="diarized_json", stream=True).text)
        segments = [one for one in events if one["type"] == "transcript.text.segment"]
        assert [(one["id"], one["speaker"], one["text"]) for one in segments] == [
            ("seg_000", "A", TEXTS[0]),
            ("seg_001", "B", TEXTS[1]),
        ]

    def test_times_of_words_are_in_the_last_event(self, gateway):
        fields: Any = {"response_format": "verbose_json", "timestamp_granularities": ["word"], "provider": "live"}
        events = sse(ask(gateway, OPENAI, stream=True, **fields).text)
        assert [one["text"] for one in events[-1]["words"]] == SAID.split()

    def test_a_failure_before_output_is_not_seen(self, gateway):
        ears.FAILS["live"] = Overloaded("down")
        events = sse(ask(gateway, OPENAI, provider="live", stream=True).text)
        assert events[-1]["text"] == SAID

    def test_a_failure_after_output_is_an_error(self, gateway):
        ears.LIVE_BREAKS.append(3)
        events = sse(ask(gateway, provider="live", stream=True).text)
        assert events[0]["type"] == "transcript.text.delta"
        assert events[-1]["error"]["message"] and events[-1]["attempts"][0]["outcome"] == "failed"
        assert not any(one.get("type") == "transcript.text.done" for one in events)

    def test_all_failures_are_one_answer(self, gateway):
        ears.FAILS.update({name: Overloaded("down") for name in ("ears", "second", "plain", "live", "short")})
        problem(ask(gateway, OPENAI, stream=True), 503)


def test_formats(gateway):
    answers = {form: ask(gateway, OPENAI, response_format=form) for form in ("json", "text", "srt", "vtt")}
    kinds = {form: one.headers["content-type"].partition(";")[0] for form, one in answers.items()}
    assert kinds == {
        "json": "application/json",
        "text": "text/plain",
        "srt": "application/x-subrip",
        "vtt": "text/vtt",
    }
    assert answers["text"].text == SAID + "\n"
    for one in answers.values():
        has_receipt_headers(one)
    verbose = ask(gateway, OPENAI, response_format="verbose_json", timestamp_granularities=["word", "segment"]).json()
    assert (verbose["language"], verbose["duration"], verbose["task"]) == ("english", 5.648, "transcribe")
    assert [one["word"] for one in verbose["words"]] == SAID.split()
    assert [one["id"] for one in verbose["segments"]] == [0, 1]
    only = ask(gateway, OPENAI, response_format="verbose_json", timestamp_granularities=["word"]).json()
    assert "segments" not in only and only["words"]
    assert json.loads(ask(gateway, response_format="json").text)["text"] == SAID
    assert ask(gateway, response_format="vtt").text.startswith("WEBVTT")


def test_translations_are_english(gateway):
    body = ask(gateway, "/v1/audio/translations", response_format="verbose_json").json()
    assert body["task"] == "translate"
    assert ears.asked_of("ears")[0].body["task"] == "translate"


def test_a_plan_without_the_audio(gateway):
    plan = {"capability": "diarize", "audio_seconds": 600, "audio_format": "mp3", "audio_bytes": 10**7}
    found = gateway.http.post("/api/ai/route", json={**plan, "response_format": "verbose_json"}).json()
    assert [one["provider"] for one in found["candidates"]] == ["ears", "second", "live"]
    assert found["candidates"][0]["cost_estimate_nano"] == 6 * 10**9
    reasons = {one["provider"]: one["reasons"][0] for one in found["excluded"]}
    assert "hears at most 12 s at once" in reasons["short"] and "speakers" in reasons["plain"]
    answer = gateway.http.post("/api/ai/route", json={"capability": "transcribe", "audio_seconds": "long"})
    assert problem(answer, 400, "audio_seconds")


def test_buckets_are_read_where_state_lies_on_aws(tmp_path, aws):
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="audio/a talk (1).wav", Body=WAV)
    environ = {"PATCHBAY_TABLE": aws.table(), "PATCHBAY_BUCKET": bucket, "PATCHBAY_AUDIO_BUCKETS": f"{bucket},other"}
    with ears.serving(tmp_path, **environ) as gateway:
        answer = gateway.http.post(NATIVE, json={"audio_s3": f"s3://{bucket}/audio/a talk (1).wav"})
        assert answer.json()["text"] == SAID
        for uri in (f"s3://{bucket}/none.wav", "s3://other/talk.wav"):
            answer = gateway.http.post(NATIVE, json={"audio_s3": uri})
            assert "there is no such object" in problem(answer, 400, "audio_s3")["message"]
