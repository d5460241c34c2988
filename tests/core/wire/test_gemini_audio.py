"""Gemini's answers to who wants something heard or said: as they should be, odd, and wrong."""

from base64 import b64encode
from typing import Any

import orjson
import pytest
from hypothesis import given

from core.errors import BrokenOff, ContentRefused, Malformed, ParameterRefused, ServerFault, StreamCut, StreamFailed
from core.types.audio import Audio, Sound
from core.types.frame import Kind
from core.wire.gemini.audio import GeminiHearing, heard_to, transcript_from
from core.wire.gemini.speech import GeminiSpeech, said_to, sound_of
from core.wire.sound.recognisers import NOBODY
from tests.core.fakes import PLACES, cut, examples

AUDIO = Audio(b"RIFF", "wav", ms=10_000)
TIMED = {"audio": AUDIO, "timestamps": ("segment",)}
USED = {
    "promptTokenCount": 400,
    "candidatesTokenCount": 20,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 80}, {"modality": "AUDIO", "tokenCount": 320}],
}


def said(*segments: Any, language: Any = "de") -> str:
    return orjson.dumps({"language": language, "segments": list(segments)}).decode()


def segment(start, end, text, **more):
    return {"start": start, "end": end, "text": text, **more}


TWO = said(segment("00:00.500", "00:01.250", "Guten Tag."), segment("00:02.000", "00:04.000", "Bis morgen!"))


def answer(text: str, finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": "hm", "thought": True}, {"text": text}]}, "finishReason": finish}
    return {"candidates": [candidate], "usageMetadata": USED, **more}


def test_segments_with_their_times():
    made, usage = transcript_from(answer(TWO), TIMED)
    assert (made.text, made.language, made.duration, made.reason) == ("Guten Tag. Bis morgen!", "de", 10.0, None)
    assert [(one.start, one.end) for one in made.segments] == [(0.5, 1.25), (2.0, 4.0)]
    assert (usage.source, usage.input, usage.audio_input, usage.output, usage.audio_ms) == (
        "reported", 80, 320, 20, 10_000,
    )  # fmt: skip


def test_nobody_spoke():
    made, _ = transcript_from(answer(said()), TIMED)
    assert (made.text, made.language, made.segments, made.reason) == ("", None, (), NOBODY)


def test_english_is_what_was_asked_for():
    made, _ = transcript_from(answer(TWO), {**TIMED, "task": "translate"})
    assert made.language == "en"


def test_a_language_that_nobody_told_is_not_made_up():
    made, _ = transcript_from(answer(said(segment(0, 1, "Ja"), language=None)), {**TIMED, "language": "de-DE"})
    assert made.language is None


@pytest.mark.parametrize(
    "wrong",
    [
        said(segment("00:05", "00:06", "Later."), segment("00:01", "00:02", "Earlier.")),
        said(segment("00:01", "00:02", "In it."), segment("00:30", "00:31", "Beyond.")),
        said(segment("soon", "later", "When?")),
    ],
)
def test_wrong_times_are_an_error_for_who_needs_them_and_nothing_for_others(wrong):
    with pytest.raises(Malformed, match="not those of the audio") as caught:
        transcript_from(answer(wrong), TIMED)
    assert caught.value.usage and caught.value.usage.audio_input == 320
    made, _ = transcript_from(answer(wrong), {"audio": AUDIO})
    assert made.text and not made.segments


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        ([], Malformed),
        ({}, Malformed),
        ({"candidates": []}, Malformed),
        ({"candidates": [None]}, Malformed),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, ContentRefused),
        ({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}, ServerFault),
        (answer(TWO[:-20]), Malformed),
        (answer(TWO[:-20], "MAX_TOKENS"), BrokenOff),
        (answer("", "SAFETY"), ContentRefused),
        (answer("", "RECITATION"), ContentRefused),
        (answer("", None), Malformed),
        (answer('"text"'), Malformed),
        (answer('{"segments": "none"}'), Malformed),
        (answer('{"segments": [{"start": "0"}]}'), Malformed),
        (answer('{"segments": ["x"]}'), Malformed),
    ],
)
def test_what_is_no_transcript(theirs, kind):
    with pytest.raises(kind) as caught:
        transcript_from(theirs, TIMED)
    if isinstance(theirs, dict) and "usageMetadata" in theirs:
        assert caught.value.usage.audio_input == 320  # it is billed all the same


def test_the_request_says_what_is_known():
    body = {
        **TIMED, "audio": AUDIO._replace(kind="mp3"), "languages": ["de", "fr"], "prompt": "A meeting",
        "temperature": 0, "vocabulary": ["Patchbay", "Köln"], "task": "translate", "channels": True,
    }  # fmt: skip
    pieces, losses = heard_to(body, "gemini-2.5-flash")
    sent = orjson.loads(b"".join(pieces.parts))
    blob, told = sent["contents"][0]["parts"]
    assert blob == {"inlineData": {"mimeType": "audio/mp3", "data": b64encode(b"RIFF").decode()}}
    for words in ("in English", "de or fr", "Patchbay, Köln", "A meeting"):
        assert words in told["text"]
    config = sent["generationConfig"]
    assert (config["temperature"], config["thinkingConfig"]) == (0, {"thinkingBudget": 0})
    assert losses == ["channels was left out: it cannot be told there"]


@pytest.mark.parametrize("more", [{"diarize": True}, {"timestamps": ("segment", "word")}])
def test_it_claims_neither_speakers_nor_words(more):
    with pytest.raises(ParameterRefused):
        heard_to({**TIMED, **more}, "gemini-3.8-flash")


# While it is written.


def events(*pieces: str, finish: str | None = "STOP") -> bytes:
    chunks = [answer(piece, None) for piece in pieces]
    if finish:
        chunks.append(answer("", finish))
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\r\n\r\n" for chunk in chunks)


def hearing(body=TIMED):
    return GeminiHearing(body=body, model="m", limit=100_000, secrets=())


@examples(50)
@given(places=PLACES)
def test_a_segment_is_told_once_it_is_whole(places):
    reader = hearing()
    frames = [frame for part in cut(events(*TWO), places) for frame in reader.feed(part)] + reader.finish()
    told = [orjson.loads(frame.raw) for frame in frames]
    assert [one["type"].rpartition(".")[2] for one in told] == ["delta", "segment", "delta", "segment", "done"]
    assert "".join(one["delta"] for one in told if "delta" in one) == told[-1]["text"] == "Guten Tag. Bis morgen!"
    assert told[3] == {
        "type": "transcript.text.segment", "id": "seg_001", "start": 2.0, "end": 4.0, "text": "Bis morgen!",
    }  # fmt: skip
    assert [frame.kind for frame in frames] == [Kind.OUTPUT] * 4 + [Kind.END]
    assert reader.transcript and reader.transcript.language == "de"
    assert reader.usage.audio_input == 320


def test_without_times_there_are_only_words():
    reader = hearing({"audio": AUDIO})
    frames = [*reader.feed(events(TWO)), *reader.finish()]
    assert [frame.kind for frame in frames] == [Kind.OUTPUT, Kind.OUTPUT, Kind.END]


def test_silence_has_an_end():
    reader = hearing()
    frames = reader.feed(events(said())) + reader.finish()
    (end,) = frames
    assert (end.kind, orjson.loads(end.raw)["text"]) == (Kind.END, "")
    assert reader.transcript and reader.transcript.reason == NOBODY


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (events(TWO[:40], finish=None), StreamCut),
        (events(TWO, finish=None), StreamCut),
        (events(TWO[:-9], finish="STOP"), Malformed),
        (events(TWO[:-9], finish="MAX_TOKENS"), BrokenOff),
        (events("", finish="SAFETY"), ContentRefused),
        (events(said(segment("09:00", "09:01", "Beyond."))), Malformed),
        (b'data: {"error": {"code": 500, "message": "boom"}}\n\n', StreamFailed),
    ],
)
def test_a_broken_stream_of_a_transcript_is_no_transcript(raw, kind):
    reader = hearing()
    with pytest.raises(kind):
        [*reader.feed(raw), *reader.feed(b""), *reader.finish()]
    assert not reader.ended


# Speech.

RATE = "audio/L16;codec=pcm;rate=24000"


def spoken(*pieces: bytes, finish: str | None = "STOP", kind: str = RATE) -> bytes:
    parts = [[{"inlineData": {"mimeType": kind, "data": b64encode(piece).decode()}}] for piece in pieces]
    chunks: list[Any] = [{"candidates": [{"content": {"parts": one}}]} for one in parts]
    if finish:
        used = {"promptTokenCount": 6, "candidatesTokenCount": 64}
        chunks.append({"candidates": [{"finishReason": finish}], "usageMetadata": used})
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)


def speech():
    return GeminiSpeech(characters=12, model="m", limit=100_000, secrets=())


@examples(50)
@given(places=PLACES)
def test_speech_is_pcm_and_its_samples_stay_whole(places):
    reader = speech()
    raw = spoken(b"\1\2\3", b"\4\5", b"\6")
    frames = [frame for part in cut(raw, places) for frame in reader.feed(part)] + reader.finish()
    assert b"".join(frame.raw for frame in frames) == b"\1\2\3\4\5\6"
    assert all(len(frame.raw) % 2 == 0 for frame in frames)
    assert (frames[-1].raw, frames[-1].kind, reader.sound) == (b"", Kind.END, Sound("pcm", 24000, 1))
    usage = reader.usage
    assert (usage.source, usage.input, usage.output, usage.audio_output, usage.characters) == (
        "reported",
        6,
        0,
        64,
        12,
    )


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (spoken(b"\1\2", finish=None), StreamCut),
        (spoken(b"\1\2", finish="MAX_TOKENS"), StreamCut),
        (spoken(), Malformed),
        (spoken(finish="OTHER"), BrokenOff),
        (spoken(finish="SAFETY"), ContentRefused),
        (spoken(b"\1\2", kind="audio/mpeg"), Malformed),
        (spoken(b"\1\2").replace(b"AQI=", b"A!I="), Malformed),
        (spoken(b"\1\2", finish=None) + spoken(b"\1\2", kind="audio/L16;rate=16000"), Malformed),
        (b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\n\n', ContentRefused),
    ],
)
def test_broken_speech_never_ends_well(raw, kind):
    reader = speech()
    with pytest.raises(kind):
        [*reader.feed(raw), *reader.feed(b""), *reader.finish()]
    assert not reader.ended


@pytest.mark.parametrize(
    ("mime", "sound"),
    [
        (RATE, Sound("pcm", 24000, 1)),
        ("audio/pcm; rate=16000; channels=2", Sound("pcm", 16000, 2)),
        ("audio/L16", Sound("pcm", 24000, 1)),
    ],
)
def test_what_its_type_says(mime, sound):
    assert sound_of(mime) == sound


def test_how_it_is_to_be_said():
    body = {
        "input": "Hi",
        "voice": "Puck",
        "instructions": "cheerful",
        "style": "calm",
        "speed": 1.5,
        "language": "de",
    }
    new, losses = said_to(body, "gemini-3.8-flash-tts")
    assert new["contents"][0]["parts"] == [
        {"text": "Hi", "speechMetadata": {"style": "cheerful, calm, 1.5 times as fast as usual"}}
    ]
    assert new["generationConfig"]["speechConfig"] == {"voiceConfig": {"voice": "Puck"}, "languageCode": "de"}
    assert losses == ["speed was asked for in words: there is no number for it"]
    old, _ = said_to({"input": "Hi", "instructions": "cheerful"}, "gemini-3.1-flash-tts-preview")
    assert old["contents"][0]["parts"] == [{"text": "Read aloud (cheerful):\nHi"}]
    assert old["generationConfig"]["speechConfig"]["voiceConfig"] == {"prebuiltVoiceConfig": {"voiceName": "Kore"}}
    with pytest.raises(ParameterRefused):
        said_to({"input": "<speak/>", "ssml": True}, "gemini-3.8-flash-tts")
