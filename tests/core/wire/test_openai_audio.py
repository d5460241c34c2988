"""Forms, transcripts and sound in OpenAI's dialect, and what nobody should send."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Malformed, ParameterRefused, StreamCut, TargetError
from core.types.audio import Audio, Sound
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire.sound import whisper
from core.wire.sound.openai_audio import form_for, read_transcript, read_usage
from core.wire.sound.openai_audio_stream import TranscriptStream
from core.wire.sound.openai_speech import SoundStream, SpeechEvents, request_for
from core.wire.sound.openai_speech import given as asked_for
from tests.core.wire.mutations import changed

AUDIO = Audio(b"", "wav", ms=3000)
BODY = {"audio": AUDIO}
VERBOSE = {
    "task": "transcribe", "language": "english", "duration": 3.0, "text": " Hello there. ",
    "segments": [{"id": 0, "start": 0.0, "end": 1.5, "text": " Hello there.", "avg_logprob": -0.1, "speaker": "A"}],
    "words": [{"word": "Hello", "start": 0.0, "end": 0.7}, {"word": "there.", "start": 0.8, "end": 1.5}],
    "speaker_segments": [],
    "usage": {"type": "tokens", "input_tokens": 40, "output_tokens": 4, "input_token_details": {"audio_tokens": 30}},
}  # fmt: skip
WISHES = {
    **BODY, "timestamps": ("word",), "diarize": True, "min_speakers": 2, "known_speakers": [{"name": "A"}],
    "language": "de-CH", "prompt": "A meeting.", "vocabulary": ["Ada"], "temperature": 0.2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "body", "fields"),
    [
        ("whisper-1", {}, {"response_format": "verbose_json"}),
        ("whisper-1", {"languages": ["de"]}, {"language": "de"}),
        ("whisper-1", {"language": "zh-Hans"}, {"language": "zh"}),
        ("whisper-1", {"hotwords": "x", "stream": True, "response_format": "srt"}, {"hotwords": "x"}),
        ("whisper-1", {"task": "translate", "prompt": "Hm"}, {"prompt": "Hm", "response_format": "verbose_json"}),
        ("gpt-transcribe", {"prompt": "A", "vocabulary": ["B"]}, {"prompt": "A", "keywords": ["B"]}),
        ("gpt-4o-transcribe", {"prompt": "A", "vocabulary": ["B"]}, {"prompt": "B. A"}),
        ("gpt-4o-transcribe-diarize", {}, {"chunking_strategy": "auto", "response_format": "json"}),
        ("gpt-4o-transcribe-diarize", {"timestamps": ("segment",)}, {"response_format": "diarized_json"}),
        ("gpt-4o-transcribe-diarize", {"diarize": True, "chunking_strategy": {"type": "server_vad"}},
         {"chunking_strategy": {"type": "server_vad"}}),
        ("large-v3", {"diarize": True, "max_speakers": 3}, {"diarize": True, "max_speakers": 3}),
    ],
)  # fmt: skip
def test_forms(model, body, fields):
    form = form_for(model, {**BODY, **body})
    assert fields.items() <= form.fields.items()
    assert form.path == ("/audio/translations" if body.get("task") else "/audio/transcriptions")
    assert not {"audio", "vocabulary", "timestamps", "known_speakers", "stream", "task"} & form.fields.keys()
    assert form.losses == ()


def test_what_cannot_be_said_is_told():
    losses = form_for("whisper-1", {**WISHES, "languages": ["de", "fr"], "channels": True}).losses
    assert [one.partition(":")[0] for one in losses] == ["known_speakers", "channels"]
    losses = form_for("whisper-1", {**BODY, "languages": ["de", "fr"]}).losses
    assert losses == ("languages: this model takes one, so it looks for the language itself",)


def test_times_of_words_are_not_those_of_a_translation():
    with pytest.raises(ParameterRefused):
        form_for("whisper-1", {**BODY, "task": "translate", "timestamps": ("word",)})


def test_what_whisper_says_of_itself():
    assert [whisper.language(one) for one in ("English", "haitian creole", "de", "klingon", "", None)] == [
        "en", "ht", "de", "klingon", None, None,
    ]  # fmt: skip
    assert whisper.confidence(-0.105) == pytest.approx(0.9, abs=0.001)
    assert (whisper.confidence(3.0), whisper.confidence("high")) == (1.0, None)
    transcript, usage = read_transcript(json.dumps(VERBOSE).encode(), "whisper-1", BODY)
    assert (transcript.text, transcript.language, transcript.duration) == ("Hello there.", "en", 3.0)
    assert transcript.segments[0].confidence == transcript.confidence == pytest.approx(0.9048, abs=0.001)
    assert (usage.input, usage.audio_input, usage.output, usage.audio_ms) == (10, 30, 4, 3000)


def test_usage_by_duration_is_what_was_measured_here():
    usage = read_usage({"type": "duration", "seconds": 99}, "gpt-transcribe", AUDIO, "Hello")
    assert (usage.source, usage.audio_ms, usage.total) == ("reported", 3000, 0)
    assert read_usage(None, "gpt-4o-transcribe", AUDIO, "Hello").source == "estimated"


@settings(max_examples=300, deadline=None)
@given(changed(VERBOSE))
def test_a_bent_transcript_is_read_or_refused(body):
    try:
        transcript, _ = read_transcript(json.dumps(body).encode(), "whisper-1", BODY)
    except TargetError:
        return
    assert isinstance(transcript.text, str)
    assert all(one.start <= one.end for one in transcript.segments)
    assert all(one.start <= one.end for one in transcript.words)


def event(**said):
    return b"data: " + json.dumps(said).encode() + b"\n\n"


HEARD = [
    event(type="transcript.text.delta", delta="Hello"),
    event(type="transcript.text.segment", id="s", start=0, end=1, text="Hello", speaker="A"),
    event(type="transcript.text.done", text="Hello", usage={"type": "duration", "seconds": 3}),
]


def read(reader, data, size):
    frames = []
    for start in range(0, len(data), size):
        frames += reader.feed(data[start : start + size])
        if reader.ended:
            return frames
    return frames + reader.finish()


def live():
    return TranscriptStream(model="gpt-4o-transcribe", body=BODY, limit=10_000)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_events_in_parts_of_any_size(size):
    reader = live()
    frames = read(reader, b"".join(HEARD) + b"data: [DONE]\n\n", size)
    assert [one.kind for one in frames] == [Kind.OUTPUT, Kind.OUTPUT, Kind.END]
    assert (reader.transcript.text, reader.transcript.speakers) == ("Hello", ("A",))


def test_an_error_lets_what_came_before_it_go_first():
    reader = live()
    assert len(reader.feed(HEARD[0] + event(error={"message": "odd", "type": "server_error"}))) == 1
    assert reader.failed
    with pytest.raises(TargetError, match="odd"):
        reader.feed(b"")


@pytest.mark.parametrize("data", [b"".join(HEARD[:2]), b"", HEARD[0] + b"data: [DONE]\n\n", HEARD[0] + b"data: {"])
def test_a_transcript_without_its_end_is_cut(data):
    with pytest.raises((StreamCut, Malformed)):
        read(live(), data, 10_000)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HEARD, b": ping\n\n", event(type="other"), b"data: 3\n\n", b"data: x\n\n"])))
def test_any_order_of_events(events):
    reader = live()
    try:
        frames = read(reader, b"".join(events), 50)
    except TargetError:
        return
    assert frames[-1].kind is Kind.END


def speech(sound="mp3", limit=1000):
    return SoundStream(sound=Sound(sound), limit=limit, usage=Usage("reported", characters=5))


def test_sound_is_looked_at_and_measured():
    for data in (b"", b"ID3", b"<html>not found</html>", b"RIFF" * 9):
        with pytest.raises(Malformed):
            read(speech(), data, 3)
    frames = read(speech(), b"\xff\xfb" + bytes(100), 3)
    assert (b"".join(one.raw for one in frames), frames[-1].kind) == (b"\xff\xfb" + bytes(100), Kind.END)
    with pytest.raises(Malformed, match="larger than 1000"):
        read(speech(), b"\xff\xfb" + bytes(1000), 64)
    with pytest.raises(StreamCut, match="after 92 of 108"):
        read(speech("wav"), b"RIFF" + (100).to_bytes(4, "little") + b"WAVE" + bytes(80), 10)


def sounds(source="unknown"):
    return SpeechEvents(limit=1000, usage=Usage(source, characters=5))


def packed(data=b"sound", name="audio"):
    return event(type="speech.audio.delta", **{name: base64.b64encode(data).decode()})


@pytest.mark.parametrize("name", ["audio", "b64", "delta"])
def test_sound_in_events(name):
    usage = {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}
    reader = sounds()
    frames = read(reader, packed(name=name) * 2 + event(type="speech.audio.done", usage=usage), 11)
    assert [one.raw for one in frames] == [b"sound", b"sound", b""]
    assert (reader.usage.source, reader.usage.input, reader.usage.audio_output) == ("reported", 3, 9)
    assert (reader.usage.characters, reader.ended) == (5, True)


def test_what_is_sold_by_tokens_is_unknown_until_they_are_said():
    reader = sounds()
    read(reader, packed() + event(type="speech.audio.done"), 100)
    assert reader.usage.source == "unknown"
    reader = sounds("reported")
    read(reader, packed() + b"data: [DONE]\n\n", 100)
    assert (reader.usage.source, reader.usage.characters) == ("reported", 5)


@pytest.mark.parametrize(
    "data", [b"", packed(), b"data: [DONE]\n\n", event(audio="%%"), event(audio=3) + b"data: [DONE]\n\n",
             packed(bytes(1001)), packed() + event(error={"message": "odd"}), b"data: []\n\n"],
)  # fmt: skip
def test_events_that_are_no_whole_sound(data):
    reader = sounds()
    with pytest.raises(TargetError):
        read(reader, data, 10_000) and reader.feed(b"")


def test_requests_for_speech():
    says = ("mp3", "wav")
    assert [asked_for(Sound(kind), says).kind for kind in ("mp3", "wav", "pcm", "opus")] == [
        "mp3",
        "wav",
        "wav",
        "wav",
    ]
    assert asked_for(Sound("opus", 48_000), ("mp3", "pcm")) == Sound("pcm", 24_000)
    assert asked_for(Sound("wav", 8000), ("wav",)) == Sound("wav", 24_000)  # what they say, not what is wanted
    assert asked_for(Sound("opus"), ("mp3",)).kind == "mp3"
    body, losses = request_for("tts-1", {"input": "Hi", "sound": Sound(), "gender": "f", "own": 1}, Sound("mp3"))
    assert body == {"model": "tts-1", "input": "Hi", "voice": "alloy", "response_format": "mp3", "own": 1}
    assert losses == []
