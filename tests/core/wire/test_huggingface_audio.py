"""Hugging Face's recognition, and Cohere's: what goes out, what comes back, and what is none."""

from base64 import b64decode

import orjson
import pytest

from core.errors import Malformed, ParameterRefused, ServerFault
from core.types.audio import Audio
from core.wire.cohere import audio as cohere_audio
from core.wire.huggingface.audio import heard_to, transcript_from
from core.wire.sound.recognisers import NOBODY

AUDIO = Audio(b"RIFFdata", "wav", ms=10_000)
BODY = {"audio": AUDIO}
TIMED = {**BODY, "timestamps": ("segment",)}


def test_audio_alone_goes_as_it_is():
    kind, pieces, losses = heard_to({**BODY, "prompt": "x"})
    assert (kind, b"".join(pieces.parts), pieces.length) == ("audio/wav", b"RIFFdata", 8)
    assert losses == ["prompt was left out: it cannot be told there"]


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (TIMED, {"return_timestamps": True}),
        ({"audio": AUDIO._replace(ms=30_001)}, {"return_timestamps": True}),
        ({**BODY, "temperature": 0}, {"generation_parameters": {"temperature": 0}}),
    ],
)
def test_what_is_asked_of_it_goes_along_in_json(body, parameters):
    kind, pieces, _ = heard_to(body)
    sent = orjson.loads(b"".join(pieces.parts))
    assert (kind, b64decode(sent["inputs"]), sent["parameters"]) == ("application/json", b"RIFFdata", parameters)


@pytest.mark.parametrize("more", [{"diarize": True}, {"timestamps": ("word",)}, {"task": "translate"}])
def test_what_it_cannot_tell_it_is_not_asked(more):
    for asked in (heard_to, lambda body: cohere_audio.fields_of({**body, "language": "de"}, "m")):
        with pytest.raises(ParameterRefused):
            asked({**BODY, **more})


def chunk(text, *times):
    return {"text": text, "timestamp": [*times]}


def test_chunks_are_segments_and_the_last_may_have_no_end():
    made = transcript_from(
        {"text": " Hi. You.", "chunks": [chunk(" Hi.", 0.0, 1.5), chunk(" You.", 1.5, None)]}, TIMED
    )
    assert made.text == "Hi. You."
    assert [(one.text, one.start, one.end) for one in made.segments] == [("Hi.", 0.0, 1.5), ("You.", 1.5, 10.0)]
    assert transcript_from([{"text": "Hi."}], BODY).text == "Hi."
    assert transcript_from({"text": ""}, TIMED).reason == NOBODY


@pytest.mark.parametrize(
    ("theirs", "body", "kind"),
    [
        ({}, BODY, Malformed),
        ([], BODY, Malformed),
        ({"text": None}, BODY, Malformed),
        ({"error": "Model is overloaded"}, BODY, ServerFault),
        ({"text": "Hi", "chunks": "x"}, BODY, Malformed),
        ({"text": "Hi", "chunks": [{"text": "Hi"}]}, BODY, Malformed),
        ({"text": "Hi"}, TIMED, Malformed),
        ({"text": "Hi", "chunks": [chunk("Hi", 5, 6), chunk("Ho", 0, 1)]}, TIMED, Malformed),
        ({"text": "Hi", "chunks": [chunk("Hi", 29.0, 30.0)]}, TIMED, Malformed),
    ],
)
def test_what_is_no_transcript(theirs, body, kind):
    with pytest.raises(kind):
        transcript_from(theirs, body)


def test_cohere_is_told_one_language():
    fields, losses = cohere_audio.fields_of({**BODY, "language": "de-AT", "temperature": 0.5, "prompt": "x"}, "m")
    assert fields == {"model": "m", "language": "de", "temperature": "0.5"}
    assert losses == ["prompt was left out: it cannot be told there"]
    for body in (BODY, {**BODY, "languages": ["de", "en"]}):
        with pytest.raises(ParameterRefused, match="set language") as caught:
            cohere_audio.fields_of(body, "m")
        assert caught.value.param == "language"


@pytest.mark.parametrize("theirs", [None, [], {}, {"text": 1}])
def test_cohere_without_text(theirs):
    with pytest.raises(Malformed):
        cohere_audio.transcript_from(theirs, BODY)


def test_cohere_heard_nobody():
    assert cohere_audio.transcript_from({"text": " "}, BODY)[:2] == ("", None)
