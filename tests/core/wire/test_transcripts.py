"""Requests in the words of several APIs made one, and what of a transcript is told in which form."""

import json

import pytest

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.audio import Audio, Segment, Transcript, Word
from core.types.usage import Usage
from core.wire.languages import known_tag, name_of, tag_of
from core.wire.sound import transcript_answers
from core.wire.sound.transcripts import MOST_PHRASES, Wanted, canonical, from_form, transcript_facts, with_vocabulary

AUDIO = Audio(b"x" * 1000, "wav", "pcm", 90_500, 16_000)


def made(**fields):
    body, _ = canonical({"audio": AUDIO, **fields})
    return body


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("en", "en"), ("EN", "en"), ("en-us", "en-US"), ("en_GB", "en-GB"), ("English", "en"), (" german ", "de"),
        ("zh-hans-cn", "zh-Hans-CN"), ("yue", "yue"), ("es-419", "es-419"), ("Haitian Creole", "ht"),
    ],
)  # fmt: skip
def test_languages(given, tag):
    assert tag_of(given) == tag == made(language=given)["language"]


@pytest.mark.parametrize("given", ["klingonese!", "e", "en-", "123", "a language"])
def test_languages_that_are_none(given):
    with pytest.raises(BadRequest) as found:
        made(language=given)
    assert found.value.param == "language"
    assert known_tag(given) == given


def test_languages_that_are_left_open_and_several():
    assert not {"language", "languages"} & made(language="auto").keys()
    assert not {"language", "languages"} & made(language="", languages=[]).keys()
    assert made(languages=["German"])["language"] == "de"
    assert made(languages=["German", "en", "de"])["languages"] == ["de", "en"]
    assert (name_of("en-US"), name_of("xx"), name_of(None)) == ("english", "xx", None)


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({}, set()),
        ({"response_format": "text"}, set()),
        ({"response_format": "srt"}, {Feature.SEGMENTS}),
        ({"response_format": "vtt"}, {Feature.SEGMENTS}),
        ({"response_format": "verbose_json"}, {Feature.SEGMENTS}),
        ({"response_format": "verbose_json", "timestamp_granularities": ["word"]}, {Feature.WORDS}),
        ({"response_format": "srt", "timestamp_granularities": ["word"]}, {Feature.WORDS, Feature.SEGMENTS}),
        ({"timestamps": True}, {Feature.SEGMENTS}),
        ({"timestamps": "words"}, {Feature.WORDS}),
        ({"timestamps": False}, set()),
        ({"response_format": "diarized_json"}, {Feature.SPEAKERS}),
        ({"diarize": True, "timestamps": ["word", "segment"]}, {Feature.SPEAKERS, Feature.WORDS}),
        ({"max_speakers": 3}, {Feature.SPEAKERS}),
        ({"max_speakers": 3, "diarize": False}, set()),
        ({"known_speakers": [{"name": "A"}]}, {Feature.SPEAKERS}),
        ({"task": "translate"}, {Feature.TO_ENGLISH}),
        ({"single_utterance": True}, {Feature.ONE_UTTERANCE}),
    ],
)
def test_what_is_needed_of_who_answers(fields, features):
    assert transcript_facts(made(**fields)).features == features


def test_facts_and_parameters():
    facts = transcript_facts(made(prompt="p" * 40, keywords=["a"], temperature=0.5, hotwords="x", language="en"))
    assert facts.params == {"prompt", "vocabulary", "temperature", "hotwords", "language"}
    assert facts.unknown_params == {"hotwords"}
    assert (facts.audio_ms, facts.audio_bytes, facts.audio_kind, facts.language) == (90_500, 1000, "wav", "en")
    assert facts.input_tokens == 91 * 10 + 11
    assert transcript_facts(made()).input_tokens == 91 * 10


def test_phrases_are_one_list_however_they_are_called():
    body = made(vocabulary=["a", "b"], keywords=["b", " c "], phraseList={"phrases": ["d", ""], "biasingWeight": 2})
    assert body["vocabulary"] == ["a", "b", "c", "d"]
    assert with_vocabulary(body, ["d", "e"])["vocabulary"] == ["a", "b", "c", "d", "e"]
    many = [str(number) for number in range(MOST_PHRASES)]
    assert with_vocabulary(made(keywords=["first"]), many)["vocabulary"] == ["first", *many[:-1]]
    with pytest.raises(BadRequest, match="more than"):
        made(keywords=[*many, "one more"])
    with pytest.raises(BadRequest, match=r"keywords\[0\] must be a string"):
        made(keywords=[1])


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ([("a[]", "x"), ("a[]", "y")], {"a": ["x", "y"]}),
        ([("list", "x, y"), ("list", "z")], {"list": ["x", "y", "z"]}),
        ([("list", '["x, y"]')], {"list": ["x, y"]}),
        ([("list", "only one")], {"list": ["only one"]}),
        ([("object[type]", "server_vad"), ("object[n]", "3")], {"object": {"type": "server_vad", "n": "3"}}),
        ([("flag", "True"), ("number", "0.5"), ("whole", "3")], {"flag": True, "number": 0.5, "whole": 3}),
        ([("word", "true"), ("odd", "true")], {"word": "true", "odd": "true"}),
        ([("table", '{"a": 1}')], {"table": {"a": 1}}),
    ],
)
def test_fields_of_forms(fields, body):
    kinds = {
        "list": (list,), "flag": (bool,), "number": (int, float), "whole": (int,), "word": (str,), "table": (dict,),
    }  # fmt: skip
    assert from_form(fields, kinds) == body


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a[]"), ("a[b]", "a[b]"), ("a[]", "a[b]")])
def test_fields_that_contradict_each_other(names):
    with pytest.raises(BadRequest, match="twice"):
        from_form([(name, "x") for name in names], {})


SEGMENTS = (
    Segment(" One two.", 0.0, 1.0, "A", 0.9, (Word("One", 0.0, 0.4), Word("two.", 0.5, 1.0))),
    Segment(" Three.", 1.5, 2.0, "B", None),
)
TRANSCRIPT = Transcript("One two. Three.", "en-US", 2.5, SEGMENTS)


def test_usage_is_in_tokens_where_it_was_sold_in_them():
    assert transcript_answers.usage_of(Usage("reported", audio_ms=2500), TRANSCRIPT) == {
        "type": "duration",
        "seconds": 3,
    }
    usage = Usage("reported", input=4, audio_input=25, output=6, audio_ms=2500)
    assert transcript_answers.usage_of(usage, TRANSCRIPT) == {
        "type": "tokens", "input_tokens": 29, "output_tokens": 6, "total_tokens": 35,
        "input_token_details": {"audio_tokens": 25, "text_tokens": 4},
    }  # fmt: skip


def test_deltas_add_up_to_the_text_whatever_segments_say():
    for segments in (SEGMENTS, (), (Segment("not in it", 0, 1), SEGMENTS[1])):
        events = map(json.loads, transcript_answers.events(TRANSCRIPT._replace(segments=segments), diarized=False))
        assert "".join(one["delta"] for one in events) == TRANSCRIPT.text


def test_what_nobody_told_of_a_segment_is_null():
    body = json.loads(transcript_answers.rendered(TRANSCRIPT, Wanted("verbose_json", segments=True), Usage()))
    first, second = body["segments"]
    assert first["avg_logprob"] == pytest.approx(-0.105, abs=0.001) and second["avg_logprob"] is None
    assert first["no_speech_prob"] is None and first["seek"] == 0 and second["seek"] == 150
    assert body["language"] == "english" and "words" not in body


def test_words_have_the_speaker_of_their_segment():
    found = transcript_answers.native(TRANSCRIPT)
    assert [(one["text"], one["speaker"]) for one in found["words"]] == [("One", "A"), ("two.", "A")]
    assert found["speakers"] == [{"name": "A", "seconds": 1.0}, {"name": "B", "seconds": 0.5}]
