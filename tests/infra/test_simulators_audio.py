"""Simulated recognisers and voices as the vendors' own SDK hears them: nothing they say is made up beforehand."""

import asyncio
import base64
import json

import httpx2
import numpy as np
import openai
import pytest
import webvtt
from openai import AsyncOpenAI

from infra.local.simulators.fleet import Fleet
from infra.local.simulators.signal import hear, heard, say, silence, text, wav

WORDS = "Good morning, and welcome. Shall we begin?"
WHISPERS = {
    "openai": "whisper-1", "together": "openai/whisper-large-v3", "groq": "whisper-large-v3", "local": "large-v3",
}  # fmt: skip
PREFIXES = {"groq": "/openai/v1"}
VOICES = {
    "openai": ("tts-1", "nova"), "together": ("hexgrad/Kokoro-82M", "af_bella"),
    "groq": ("canopylabs/orpheus-v1-english", "troy"),
}  # fmt: skip
KINDS = [
    *[("openai", kind) for kind in ("mp3", "opus", "aac", "flac", "wav")],
    ("together", "mp3"), ("together", "wav"), ("groq", "wav"),
]  # fmt: skip


def at(vendor, work, *faults):
    """What `work` returns, given the official client of a vendor's simulator."""

    async def scenario():
        fleet = Fleet((vendor,))
        await fleet.start()
        try:
            for fault in faults:
                await fleet.fault(vendor, fault)
            async with httpx2.AsyncClient(trust_env=False) as http:
                url = fleet.url(vendor) + PREFIXES.get(vendor, "/v1")
                return await work(AsyncOpenAI(base_url=url, api_key="k", max_retries=0, http_client=http))
        finally:
            await fleet.stop()

    return asyncio.run(scenario())


def spoken(*lines, pause=0.5):
    """Lines of (speaker, text) as a file."""
    parts = [part for speaker, line in lines for part in (say(line, speaker), silence(pause))]
    return wav(np.concatenate(parts))


def transcribed(vendor, data=None, *faults, name="talk.wav", **fields):
    data = spoken((0, WORDS)) if data is None else data
    fields = {"model": WHISPERS[vendor], **fields}
    return at(vendor, lambda sdk: sdk.audio.transcriptions.create(file=(name, data), **fields), *faults)


def said(vendor, *faults, **fields):
    model, voice = VOICES[vendor]

    async def work(sdk):
        answer = await sdk.audio.speech.create(**{"model": model, "voice": voice, "input": WORDS, **fields})
        return answer.content

    return at(vendor, work, *faults)


def refused(ask, *args, **fields):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(*args, **fields)
    return caught.value.status_code, caught.value.body


@pytest.mark.parametrize("vendor", WHISPERS)
def test_a_recogniser_says_what_is_in_the_sound(vendor):
    assert transcribed(vendor).text == WORDS
    assert transcribed(vendor, spoken((0, "Something else."))).text == "Something else."


@pytest.mark.parametrize("vendor", WHISPERS)
def test_times_are_those_of_the_words(vendor):
    answer = transcribed(
        vendor, response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en"
    )
    words = heard(spoken((0, WORDS)))
    assert [one.text.strip() for one in answer.segments] == ["Good morning, and welcome.", "Shall we begin?"]
    assert [one.word for one in answer.words] == [one.word.strip(".,?") for one in words]
    assert [one.start for one in answer.words] == pytest.approx([one.start for one in words], abs=0.01)
    assert (answer.language, answer.duration) == ("english", pytest.approx(len(spoken((0, WORDS))) / 32000, abs=0.01))


def test_silence_is_no_words():
    quiet = wav(silence(2.0))
    answer = transcribed("openai", quiet, response_format="verbose_json")
    assert (answer.text, answer.segments, answer.duration) == ("", [], 2.0)


def test_text_and_subtitles_come_plain():
    assert transcribed("openai", response_format="text") == WORDS + "\n"
    assert len(webvtt.from_string(transcribed("openai", response_format="vtt")).captions) == 2
    assert transcribed("openai", response_format="srt").startswith("1\n00:00:00,")


def test_a_diarizing_model_tells_speakers_apart_and_knows_whom_it_was_told():
    talk = spoken((0, "Hello, who is there?"), (3, "It is me."), (0, "Come in."))
    model = "gpt-4o-transcribe-diarize"
    answer = transcribed("openai", talk, model=model, response_format="diarized_json", chunking_strategy="auto")
    assert [(one.speaker, one.text) for one in answer.segments] == [
        ("A", "Hello, who is there?"), ("B", "It is me."), ("A", "Come in."),
    ]  # fmt: skip
    voice = "data:audio/wav;base64," + base64.b64encode(spoken((3, "This is how I sound."))).decode()
    answer = transcribed(
        "openai", talk, model=model, response_format="diarized_json", chunking_strategy="auto",
        known_speaker_names=["Ada"], known_speaker_references=[voice],
    )  # fmt: skip
    assert [one.speaker for one in answer.segments] == ["A", "Ada", "A"]
    assert (answer.usage.type, answer.usage.input_token_details.text_tokens) == ("tokens", 0)


@pytest.mark.parametrize("vendor", ["together", "local"])
def test_others_tell_speakers_apart_where_a_field_says_so(vendor):
    talk = spoken((0, "Hello, who is there?"), (3, "It is me."), (5, "And me."))

    def asked(**fields):
        answer = transcribed(vendor, talk, response_format="verbose_json", extra_body={"diarize": True, **fields})
        return [(one["speaker_id"], one["text"]) for one in answer.model_extra["speaker_segments"]]

    assert asked() == [("SPEAKER_00", "Hello, who is there?"), ("SPEAKER_01", "It is me."), ("SPEAKER_02", "And me.")]
    assert [who for who, _ in asked(max_speakers=2)] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_01"]


def test_a_transcription_is_told_while_it_is_made():
    async def work(sdk):
        stream = await sdk.audio.transcriptions.create(
            file=("a.wav", spoken((0, WORDS))), model="gpt-4o-transcribe", stream=True
        )
        return [one async for one in stream]

    *pieces, last = at("openai", work)
    assert "".join(one.delta for one in pieces) == last.text == WORDS
    assert last.usage.input_token_details.audio_tokens > 0


def test_what_models_refuse():
    formats = {"whisper-1": "diarized_json", "gpt-transcribe": "verbose_json", "gpt-4o-transcribe": "srt"}
    for model, kind in formats.items():
        status, error = refused(transcribed, "openai", model=model, response_format=kind)
        assert (status, error["param"], error["code"]) == (400, "response_format", "unsupported_value")
    status, error = refused(transcribed, "openai", keywords=["Ada"])
    assert (status, error["param"]) == (400, "keywords")
    status, error = refused(transcribed, "openai", model="gpt-4o-transcribe-diarize", prompt="Ada")
    assert (status, error["param"]) == (400, "prompt")
    status, error = refused(transcribed, "openai", language="en-US")
    assert error["code"] == "invalid_language_format"
    status, error = refused(transcribed, "openai", extra_body={"diarize": True})
    assert error["code"] == "unknown_parameter"
    assert refused(transcribed, "groq", model="whisper-9")[0] == 404
    long = spoken((0, WORDS), pause=30)
    status, error = refused(
        transcribed, "openai", long, model="gpt-4o-transcribe-diarize", response_format="diarized_json"
    )
    assert error["param"] == "chunking_strategy"


def test_what_is_no_audio_or_too_much_of_it():
    assert refused(transcribed, "openai", b"no sound at all" * 99)[1]["message"].startswith("Audio file might be")
    assert refused(transcribed, "openai", wav(silence(0.05)))[1]["code"] == "audio_too_short"
    assert refused(transcribed, "openai", name="talk.aiff")[1]["message"].startswith("Invalid file format")
    assert refused(transcribed, "groq", b"RIFF" + bytes(25 * 2**20))[0] == 413


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_into_english():
    async def work(sdk):
        return await sdk.audio.translations.create(
            file=("a.wav", spoken((0, WORDS))), model="whisper-1", response_format="verbose_json"
        )

    answer = at("openai", work)
    assert (answer.text, answer.language) == (WORDS, "english")


@pytest.mark.parametrize(("vendor", "kind"), KINDS)
def test_speech_says_its_text(vendor, kind):
    assert text(heard(said(vendor, response_format=kind))) == WORDS


def test_voices_differ_and_samples_come_bare():
    raw = said("openai", response_format="pcm")
    found = hear(np.frombuffer(raw, "<i2"), 24_000)
    assert text(found) == WORDS
    other = heard(said("openai", voice="echo", response_format="wav"))
    assert {one.speaker for one in found} != {one.speaker for one in other}


def events_of(vendor, **fields):
    model, voice = VOICES[vendor]

    async def work(sdk):
        body = {"voice": voice, "input": WORDS, **fields}
        async with sdk.audio.speech.with_streaming_response.create(**{"model": model, **body}) as answer:
            lines = [line async for line in answer.iter_lines()]
            return [line.removeprefix("data: ") for line in lines if line]

    return at(vendor, work)


def test_sound_comes_in_events():
    *parts, done = map(json.loads, events_of(
        "openai", model="gpt-4o-mini-tts", stream_format="sse", response_format="wav"
    ))  # fmt: skip
    assert text(heard(b"".join(base64.b64decode(one["audio"]) for one in parts))) == WORDS
    assert (done["type"], done["usage"]["output_tokens"] > 0) == ("speech.audio.done", True)
    extra = {"stream": True, "response_encoding": "pcm_s16le", "sample_rate": 24000}
    *parts, done = events_of("together", response_format="raw", extra_body=extra)
    sound = b"".join(base64.b64decode(json.loads(one)["b64"]) for one in parts)
    assert (len(sound) > 100_000, done) == (True, "[DONE]")


@pytest.mark.parametrize(
    ("vendor", "fields", "param"),
    [
        ("openai", {"voice": "nobody"}, "voice"),
        ("openai", {"voice": "verse"}, "voice"),  # of the newer model
        ("openai", {"input": "a" * 4097}, "input"),
        ("openai", {"response_format": "raw"}, "response_format"),
        ("openai", {"stream_format": "sse"}, "stream_format"),
        ("openai", {"speed": 5}, "speed"),
        ("openai", {"extra_body": {"pitch": 2}}, "pitch"),
        ("together", {"response_format": "opus"}, "response_format"),
        ("together", {"extra_body": {"stream": True}, "response_format": "mp3"}, "response_format"),
    ],
)
def test_speech_that_is_refused(vendor, fields, param):
    status, error = refused(said, vendor, **fields)
    assert (status, error["param"]) == (400, param)


def test_groq_says_what_and_not_where():
    status, error = refused(said, "groq", input="a" * 201)
    assert (status, set(error)) == (400, {"message", "type", "code"})
    assert "maximum length 200" in error["message"]


@pytest.mark.parametrize("fault", ["cut_stream", "stream_error", "no_end_marker", "truncated_json", "drop_body"])
def test_bare_sound_breaks_off_with_its_connection(fault):
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        said("openai", fault)


@pytest.mark.parametrize("fault", ["429:2", "503", "drop_headers", "truncated_json", "wrong_content_type"])
def test_faults_strike_uploads(fault):
    if fault[0].isdigit():
        with pytest.raises(openai.APIStatusError) as caught:
            transcribed("openai", None, fault)
        assert caught.value.status_code == int(fault[:3])
    elif fault == "wrong_content_type":
        assert "sign in" in str(transcribed("openai", None, fault))
    else:
        with pytest.raises((openai.APIConnectionError, json.JSONDecodeError)):
            transcribed("openai", None, fault)


def test_faults_come_again_though_forms_are_bounded_by_chance():
    async def strikes():
        fleet = Fleet(("openai",), seed=3)
        await fleet.start()
        try:
            await fleet.fault("openai", "500", rate=0.5)
            async with httpx2.AsyncClient(trust_env=False) as http:
                sdk = AsyncOpenAI(base_url=f"{fleet.url('openai')}/v1", api_key="k", max_retries=0, http_client=http)
                met = []
                for _ in range(12):
                    try:
                        await sdk.audio.transcriptions.create(file=("a.wav", spoken((0, "Hi."))), model="whisper-1")
                        met.append(False)
                    except openai.InternalServerError:
                        met.append(True)
                return met
        finally:
            await fleet.stop()

    first = asyncio.run(strikes())
    assert first == asyncio.run(strikes())
    assert len(set(first)) == 2
