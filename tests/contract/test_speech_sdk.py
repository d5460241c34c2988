"""OpenAI's own client speaks through this gateway, whoever answers: unmodified, over HTTP, at simulators."""

import base64
import json

import httpx2
import openai
import pytest

from infra.local.simulators.signal import heard, text
from tests.contract.speaker import samples_of, words_in
from tests.harness import server

TEXT = "Hello world. This is a second sentence, and a third!"
PROVIDERS = ("openai", "azure", "together", "groq", "gemini", "replicate")
KINDS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with server(tmp_path_factory.mktemp("speech"), PATCHBAY_SIMULATOR_PROVIDERS=",".join(PROVIDERS)) as running:
        yield running
        running.clear()


@pytest.fixture
def client(gateway):
    gateway.clear()
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def said(data: bytes, kind: str) -> str:
    return words_in(samples_of(data)) if kind == "pcm" else text(heard(data))


@pytest.mark.parametrize("kind", KINDS)
def test_create_in_every_format(client, kind):
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=kind)
    assert said(answer.content, kind) == TEXT
    assert answer.response.headers["x-patchbay-provider"] == "openai"


@pytest.mark.parametrize("provider", PROVIDERS[1:])
def test_every_provider_says_it(client, provider):
    for kind in ("mp3", "pcm"):
        answer = client.audio.speech.create(
            model=f"{provider}/auto", voice="alloy", input=TEXT, response_format=kind, extra_body={"fallback": False}
        )
        assert said(answer.content, kind) == TEXT
        assert answer.response.headers["x-patchbay-provider"] == provider
        assert answer.response.headers["x-patchbay-voice"] in answer.response.headers["x-patchbay-warnings"]


@pytest.mark.parametrize("kind", KINDS)
def test_streaming_response(client, kind):
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input=TEXT, response_format=kind, instructions="Gently.", speed=1.0
    ) as answer:
        pieces = list(answer.iter_bytes(4096))
    assert len(pieces) > 1 and said(b"".join(pieces), kind) == TEXT


def test_it_streams_to_a_file(client, tmp_path):
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="nova", input=TEXT) as answer:
        answer.stream_to_file(tmp_path / "said.mp3")
    assert text(heard((tmp_path / "said.mp3").read_bytes())) == TEXT


def test_events(client):
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="wav", stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    assert {one["type"] for one in events[:-1]} == {"speech.audio.delta"}
    assert said(b"".join(base64.b64decode(one["audio"]) for one in events[:-1]), "wav") == TEXT
    usage = events[-1]["usage"]
    assert events[-1]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_a_voice_survives_a_fallback(client, gateway):
    gateway.fault("openai", "503")
    answer = client.audio.speech.create(model="openai/auto", voice="alloy", input=TEXT)
    headers = answer.response.headers
    assert said(answer.content, "mp3") == TEXT
    assert (headers["x-patchbay-provider"], headers["x-patchbay-voice"]) == ("azure", "en-US-AvaMultilingualNeural")
    receipt = gateway.receipt(headers["x-patchbay-decision"])
    assert receipt["voice"] == "en-US-AvaMultilingualNeural" and receipt["facts"]["characters"] == len(TEXT)
    assert any(one.startswith("azure has no voice alloy") for one in receipt["warnings"])
    assert receipt["cost"]["nano_usd"] == len(TEXT) * 15_000


def test_nothing_of_it_is_heard_where_the_first_byte_does_not_come(client, gateway):
    gateway.fault("openai", "cut_stream@0")
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
    assert said(answer.content, "mp3") == TEXT
    assert answer.response.headers["x-patchbay-provider"] != "openai"


def test_a_break_after_the_first_byte_is_no_end(client, gateway):
    gateway.fault("openai", "cut_stream@1")
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=TEXT) as answer:
        pieces = answer.iter_bytes()
        assert next(pieces)
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
            list(pieces)
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=TEXT, stream_format="sse"
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    last = json.loads(lines[-1].removeprefix("data: "))
    assert last["type"] == "error" and "incomplete" in last["error"]["message"]
    assert gateway.receipt(answer.headers["x-patchbay-decision"])["outcome"] == "cut"


def test_errors_are_the_clients_own(client):
    with pytest.raises(openai.BadRequestError, match="response_format must be one of"):
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="ogg")
    with pytest.raises(openai.BadRequestError, match="is a model for chat, not for speech"):
        client.audio.speech.create(model="gpt-6-luna", voice="alloy", input=TEXT)
    with pytest.raises(openai.BadRequestError, match="did you mean alloy"):
        client.audio.speech.create(model="auto", voice="aloy", input=TEXT)


def test_times_of_words_come_from_who_has_them(gateway):
    gateway.clear()
    asked = {"input": TEXT, "boundaries": True, "voice": "en-US-female-1", "response_format": "wav"}
    answer = gateway.http.post("/api/ai/speak", json=asked, headers={"accept": "application/json"}).json()
    assert answer["provider"] == "azure" and answer["voice"] == "en-US-AvaMultilingualNeural"
    truth = heard(base64.b64decode(answer["audio_base64"]))
    assert [one["text"] for one in answer["words"]] == TEXT.split() == [one.word for one in truth]
    assert max(abs(one["start"] - real.start) for one, real in zip(answer["words"], truth, strict=True)) < 0.02


def test_ssml_goes_to_who_reads_it(gateway):
    gateway.clear()
    document = "<speak>Hello <break time='300ms'/> world.</speak>"
    answer = gateway.http.post("/api/ai/speak", json={"input": document, "provider": "openai"})
    assert answer.headers["x-patchbay-provider"] == "azure" and text(heard(answer.content)) == "Hello world."


def test_the_list_of_voices(gateway):
    found = gateway.http.get(
        "/api/ai/voices", params={"language": "de", "gender": "female", "provider": "azure"}
    ).json()
    names = [one["name"] for one in found["voices"]]
    assert {"de-DE-female-1", "de-DE-KatjaNeural", "en-US-AvaMultilingualNeural"} <= set(names)
    assert "de-DE-ConradNeural" not in names and "nova" not in names
    for wrong in ({"provider": "nobody"}, {"gender": "x"}, {"sprache": "de"}):
        assert gateway.http.get("/api/ai/voices", params=wrong).status_code == 400
    plan = {"capability": "speak", "input": TEXT, "voice": "alloy", "language": "de"}
    planned = gateway.http.post("/api/ai/route", json=plan).json()
    voices = {one["provider"]: one["voice"] for one in planned["candidates"]}
    assert voices["openai"] == "alloy" and voices["azure"] == "de-DE-KatjaNeural"
    assert {one["provider"]: one["code"] for one in planned["excluded"]}["groq"] == "voice"
    # Sold by tokens of sound, of which there are more than of text.
    estimate = next(one["cost_estimate_nano"] for one in planned["candidates"] if one["provider"] == "openai")
    asked = {"input": TEXT, "provider": "openai"}
    answer = gateway.http.post("/api/ai/speak", json=asked, headers={"accept": "application/json"}).json()
    assert 0 < answer["cost"]["nano_usd"] <= estimate
