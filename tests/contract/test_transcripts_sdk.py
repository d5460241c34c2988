"""The official client's audio calls, unmodified, at a gateway whose simulators really hear."""

import io
from typing import Any

import openai
import pytest
import webvtt

from tests.contract import ears

TEXTS = ("Hello, this is a test.", "And here speaks another one.")
WAV = ears.spoken(*TEXTS)
SAID = " ".join(TEXTS)
FILE = ("talk.wav", WAV)
each_model = pytest.mark.parametrize("model", ["auto", "openai/auto", "together/auto"])


@pytest.fixture
def client(gateways, sdk):
    return sdk(gateways("quick"))


@each_model
def test_transcriptions_in_every_format(client, model):
    create = client.audio.transcriptions.create
    assert create(model=model, file=FILE).text == SAID
    assert create(model=model, file=FILE, response_format="json").usage.seconds == 6
    assert create(model=model, file=FILE, response_format="text") == SAID + "\n"
    verbose = create(
        model=model, file=FILE, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert (verbose.text, verbose.language, verbose.duration) == (SAID, "english", 5.648)
    assert [one.word.strip(".,") for one in verbose.words] == SAID.replace(".", "").replace(",", "").split()
    assert verbose.segments[0].start == pytest.approx(0, abs=0.1)
    diarized = create(model=model, file=FILE, response_format="diarized_json", chunking_strategy="auto")
    assert [(one.speaker, one.text) for one in diarized.segments] == [("A", TEXTS[0]), ("B", TEXTS[1])]
    for form in ("srt", "vtt"):
        found: Any = webvtt.from_buffer(io.StringIO(create(model=model, file=FILE, response_format=form)), form)
        assert [one.text for one in found] == list(TEXTS)


@each_model
@pytest.mark.parametrize("form", ["json", "text", "diarized_json"])
def test_every_provider_streams(client, model, form):
    events = list(client.audio.transcriptions.create(model=model, file=FILE, stream=True, response_format=form))
    told = "".join(one.delta for one in events if one.type == "transcript.text.delta").strip()
    told = told or " ".join(one.text for one in events if one.type == "transcript.text.segment")
    assert told == SAID  # who tells speakers apart may tell nothing before a segment is whole
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", SAID)
    speakers = [one.speaker for one in events if one.type == "transcript.text.segment"]
    assert speakers == (["A", "B"] if form == "diarized_json" else [])


def test_lists_and_known_speakers_as_the_client_sends_them(client):
    voice = f"data:audio/wav;base64,{ears.encoded(ears.spoken('I am Ann.'))}"
    found = client.audio.transcriptions.create(
        model="openai/auto", file=FILE, response_format="diarized_json", known_speaker_names=["Ann"],
        known_speaker_references=[voice], language="en", keywords=["Patchbay"], temperature=0,
    )  # fmt: skip
    assert len({one.speaker for one in found.segments}) == 2


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # what the client says of its own call
def test_translations(client):
    found = client.audio.translations.create(model="auto", file=FILE)
    verbose = client.audio.translations.create(model="auto", file=FILE, response_format="verbose_json")
    vtt = client.audio.translations.create(model="auto", file=FILE, response_format="vtt")
    assert found.text == verbose.text == SAID
    assert verbose.segments and vtt.startswith("WEBVTT")


def test_another_provider_answers_with_all_that_was_asked_for(client, gateways):
    gateways("quick").fault("together", "500")
    answer = client.audio.transcriptions.with_raw_response.create(
        model="together/auto", file=FILE, response_format="diarized_json"
    )
    assert answer.headers["x-patchbay-provider"] not in {"", "together"}
    assert answer.headers["x-patchbay-attempts"] == "2"
    assert [one.speaker for one in answer.parse().segments] == ["A", "B"]


@pytest.mark.parametrize(
    ("file", "words"),
    [(("talk.wav", b""), "empty"), (("talk.mp3", b"\0\1\2" * 1000), "no audio")],
    ids=["empty", "odd"],
)
def test_what_is_no_audio_is_the_clients_own_error(client, file, words):
    with pytest.raises(openai.BadRequestError, match=words):
        client.audio.transcriptions.create(model="auto", file=file)


def test_files_and_paths(client, tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(WAV)
    with path.open("rb") as file:
        assert client.audio.transcriptions.create(model="auto", file=file).text == SAID
    assert client.audio.transcriptions.create(model="auto", file=path).text == SAID
    assert client.audio.transcriptions.create(model="auto", file=WAV).text == SAID


@pytest.mark.parametrize("strategy", ["auto", {"type": "server_vad", "prefix_padding_ms": 300}])
def test_a_chunking_strategy_is_a_word_or_an_object(client, strategy):
    found = client.audio.transcriptions.create(
        model="openai/gpt-4o-transcribe-diarize", file=("talk.wav", ears.spoken(*TEXTS * 6)),
        response_format="diarized_json", chunking_strategy=strategy,
    )  # fmt: skip
    assert found.text.startswith(SAID)


def test_likelihoods_of_tokens(client):
    found = client.audio.transcriptions.create(
        model="openai/gpt-4o-transcribe", file=FILE, response_format="json", include=["logprobs"]
    )
    assert "".join(one.token for one in found.logprobs) == SAID


@pytest.mark.parametrize(
    ("provider", "method", "language"),
    [
        ("azure", "azure_speech", "en"), ("local", "local_whisper", "en"), ("groq", "groq_whisper", "en"),
        ("cohere", "cohere_speech", None), ("huggingface", "huggingface_whisper", None),
    ],
)  # fmt: skip
def test_method_and_language_are_those_of_who_heard_it(gateways, provider, method, language):
    body = {"audio_base64": ears.encoded(WAV), "fallback": False, "provider": provider, "language": "en"}
    answer = gateways("quick", provider).http.post("/api/ai/transcribe", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["method"], found["detected_language"]) == (method, language)
    assert found["detected_locale"] == ("en-US" if provider == "azure" else None)
    assert {one["language"] for one in found["segments"]} <= {language, None}
