"""Replicate's models for sound: inputs by the names that each has for them, outputs of every shape they give."""

import pytest

from core.errors import Malformed, ParameterRefused
from core.types.audio import Audio, Sound, Word
from core.wire.replicate.audio import heard_to, place_of_speech, said_to, transcript_from
from core.wire.sound.recognisers import NOBODY
from core.wire.sound.sounds import sound_of

AUDIO = Audio(b"RIFF", "wav", ms=10_000)
BODY = {"audio": AUDIO}
TIMED = {**BODY, "timestamps": ("segment",)}
WORDS = {**BODY, "timestamps": ("segment", "word")}
WHO = {**BODY, "diarize": True}
WHISPER, APART = "openai/whisper:abc", "thomasmol/whisper-diarization:abc"


def test_each_model_has_names_of_its_own():
    body = {
        **BODY, "language": "de-AT", "prompt": "A talk", "vocabulary": ["Ray", "Köln"], "temperature": 0.2,
        "task": "translate",
    }  # fmt: skip
    given, losses = heard_to(body, WHISPER, "data:x")
    assert given == {
        "audio": "data:x", "language": "de", "initial_prompt": "A talk\nRay, Köln", "temperature": 0.2,
        "translate": True,
    }  # fmt: skip
    assert losses == []
    given, losses = heard_to({**body, "task": None}, APART, "https://x")
    assert given == {
        "file": "https://x", "group_segments": False, "transcript_output_format": "both", "language": "de",
        "prompt": "A talk\nRay, Köln",
    }  # fmt: skip
    assert losses == ["temperature was left out: it cannot be told there"]
    given, losses = heard_to({**BODY, "prompt": "x", "input": {"batch_size": 8}}, "acme/ears", "data:x")
    assert given == {"audio": "data:x", "batch_size": 8}
    assert losses == ["prompt was left out: it cannot be told there"]


@pytest.mark.parametrize(
    ("least", "most", "sent", "lost"), [(2, 2, 2, 0), (1, 3, None, 1), (None, 3, None, 1), (None, None, None, 0)]
)
def test_how_many_speakers_is_an_exact_number_or_none(least, most, sent, lost):
    given, losses = heard_to({**WHO, "min_speakers": least, "max_speakers": most}, APART, "data:x")
    assert given.get("num_speakers") == sent
    assert len(losses) == lost


def test_what_a_model_cannot_do_is_refused_before_it_is_asked():
    with pytest.raises(ParameterRefused, match="does not translate"):
        heard_to({**BODY, "task": "translate"}, APART, "data:x")
    with pytest.raises(ParameterRefused, match="SSML"):
        said_to({"input": "<speak/>", "ssml": True}, "minimax/speech-2.6-turbo")


def row(start, end, text, **more):
    return {"start": start, "end": end, "text": text, **more}


@pytest.mark.parametrize(
    "output",
    [
        "Hi you.",
        ["Hi ", "you."],
        {"text": " Hi you."},
        {"transcription": "Hi you.", "segments": [row(0, 1, " Hi you.")], "detected_language": "english"},
        {"text": "Hi you.", "chunks": [{"text": " Hi you.", "timestamp": [0.0, None]}]},
        {"segments": [row(0, 1, "Hi"), row(1, 2, "you.")]},
        [row("0.0", "1.0", "Hi"), row("1.0", "2.0", "you.")],
    ],
)
def test_outputs_of_every_shape(output):
    assert transcript_from(output, BODY).text == "Hi you."


def test_languages_by_name_and_what_was_sure():
    output = {"transcription": "Ja.", "segments": [row(0, 1, "Ja.", avg_logprob=-0.1)], "detected_language": "german"}
    made = transcript_from(output, TIMED)
    assert (made.language, made.confidence) == ("de", 0.9048)
    assert transcript_from({**output, "translation": "Yes."}, {**TIMED, "task": "translate"})[:2] == ("Yes.", "en")


def test_speakers_and_words():
    words = [{"word": " Hi", "start": 0, "end": 0.5, "probability": 0.9}]
    output = {"segments": [row(0, 1, "Hi", speaker="SPEAKER_00", words=words), row(1, 2, "Ho", speaker=1)]}
    made = transcript_from(output, {**WORDS, **WHO})
    assert made.speakers == ("SPEAKER_00", "1")
    assert made.words == (Word("Hi", 0, 0.5, 0.9, "SPEAKER_00"),) == made.segments[0].words


@pytest.mark.parametrize("output", ["", [], {"text": ""}, {"segments": []}])
def test_nobody_spoke(output):
    made = transcript_from(output, {**WORDS, **WHO})
    assert (made.text, made.reason, made.language) == ("", NOBODY, None)


@pytest.mark.parametrize(
    ("output", "body", "kind"),
    [
        (None, BODY, Malformed),
        (7, BODY, Malformed),
        ({"file": "https://x"}, BODY, Malformed),
        ([1, 2], BODY, Malformed),
        ({"segments": "x"}, BODY, Malformed),
        ({"segments": [{"start": 0}]}, BODY, Malformed),
        ("Hi.", TIMED, Malformed),
        ({"segments": [row(0, 1, "Hi")]}, WORDS, Malformed),
        ({"segments": [row(0, 1, "Hi")]}, WHO, Malformed),
        ({"segments": [row(5, 6, "Hi"), row(0, 1, "Ho")]}, TIMED, Malformed),
        ({"segments": [row(50, 60, "Hi")]}, TIMED, Malformed),
        ({"segments": [row(0, 1, "Hi", words=[{"word": "Hi", "start": "x", "end": 1}])]}, WORDS, Malformed),
    ],
)
def test_what_was_asked_for_is_there_or_it_is_an_error(output, body, kind):
    with pytest.raises(kind):
        transcript_from(output, body)


def test_how_it_is_to_be_said():
    body = {"input": "Hi", "voice": "Wise_Woman", "speed": 1.5, "style": "happy", "language": "de"}
    given, losses = said_to(body, "minimax/speech-2.6-turbo")
    assert given == {"text": "Hi", "voice_id": "Wise_Woman", "speed": 1.5, "emotion": "happy"}
    assert losses == ["language was left out: it cannot be told there"]
    given, losses = said_to({**body, "speed": 1, "model_input": {"a": 1}}, "jaaari/kokoro-82m:abc")
    assert given == {"text": "Hi", "voice": "Wise_Woman", "a": 1}
    assert [words.partition(" ")[0] for words in losses] == ["style", "language"]


@pytest.mark.parametrize("output", ["https://x/a.mp3", ["https://x/a.mp3"], {"audio": "https://x/a.mp3"}])
def test_where_speech_lies(output):
    assert place_of_speech(output) == "https://x/a.mp3"


@pytest.mark.parametrize(
    "output", [None, "", 7, [], ["https://a", "https://b"], {}, {"audio": 7}, "ftp://x", "file:///x"]
)
def test_speech_that_lies_nowhere(output):
    with pytest.raises(Malformed):
        place_of_speech(output)


@pytest.mark.parametrize(
    ("data", "sound"),
    [
        (b"ID3\4rest", Sound("mp3")),
        (b"\xff\xfb\x90rest", Sound("mp3")),
        (b"\xff\xf1\x50rest", Sound("aac")),
        (b"fLaCrest", Sound("flac")),
        (b"OggS" + bytes(24) + b"OpusHead", Sound("opus", 48000)),
        (b"RIFF....WAVEfmt \x10\0\0\0\1\0\2\0\x44\xac\0\0", Sound("wav", 44100, 2)),
        (b"RIFF....WAVEJUNK", Sound("wav")),
    ],
)
def test_what_speech_is_by_how_it_begins(data, sound):
    assert sound_of(data) == sound


@pytest.mark.parametrize("data", [b"", b"\xff", b"<html>", b"OggS" + bytes(60)])
def test_what_is_no_speech(data):
    with pytest.raises(Malformed):
        sound_of(data)
