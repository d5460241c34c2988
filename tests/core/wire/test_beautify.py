"""Texts in parts and as one again; what is asked of a model."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.wire.beautify.faithful import slips
from core.wire.beautify.parts import beautify_facts, joined, read_asked
from core.wire.beautify.prompt import format_of, messages_of, read_made
from core.wire.beautify.source import Source
from core.wire.schemas import schema_of

LETTERS = "ab1. ,;!?\n\"'`{}[]\\ÄßжЖ日本語。、ไทย\u0301\u200b"
texts = st.text(st.sampled_from(LETTERS), min_size=1, max_size=400).map(lambda text: text * 60)


def echoed(asked):
    """What comes of it where a model gives back what it was given."""
    source, made = Source(asked.whole, asked.language), []
    for items in asked.parts():
        if asked.numbered:
            value = {"segments": [{"n": number, "text": item.text} for number, item in enumerate(items, 1)]}
        else:
            value = {"paragraphs": [{"text": item.text} for item in items]}
        assert schema_of(format_of(asked)["json_schema"]["schema"]).misses(value) == []
        found, misses = read_made(asked, items, source, value)
        assert misses == []
        made.append(found)
    return joined(asked, asked.parts(), made, "")


@given(text=texts, what=st.sampled_from([["punctuation"], ["punctuation", "paragraphs"]]))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_between_parts(text, what):
    if not text.strip():
        return
    asked = read_asked({"text": text, "what": what})
    assert all(sum(len(item.text) for item in part) <= 6000 for part in asked.parts())
    assert slips(text, echoed(asked).text, asked.language) == []


@given(
    said=st.lists(texts, min_size=1, max_size=12), speakers=st.lists(st.sampled_from(["A", "B", None]), min_size=12)
)
@settings(max_examples=40, deadline=None)
def test_a_transcript_comes_back_segment_by_segment(said, speakers):
    segments = [
        {"id": number, "text": text, "speaker": speaker, "start": 3.0 * number, "end": 3.0 * number + 1}
        for number, (text, speaker) in enumerate(zip(said, speakers, strict=False))
    ]
    if not "".join(said).strip():
        return
    asked = read_asked({"transcript": {"segments": segments}})
    found = echoed(asked).segments
    assert [{**one, "text": ""} for one in found] == [{**one, "text": ""} for one in segments]
    for one, before in zip(found, segments, strict=True):
        assert slips(before["text"], one["text"], asked.language) == []


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("One sentence, of few words. " * 400, r"words\.$"),
        ("one word after the other " * 400, r"\w$"),
        ("一个句子。" * 2000, "。$"),
        ("x" * 13_000, "x$"),
    ],
)
def test_a_part_ends_where_something_ends(text, ends):
    parts = read_asked({"text": text}).parts()
    assert len(parts) > 1
    assert all(re.search(ends, part[-1].text) for part in parts)


def test_all_parts_count_and_each_has_to_fit():
    body = {"text": "word " * 10_000, "what": ["punctuation", "summary"]}
    asked = read_asked(body)
    facts = beautify_facts(body, asked)
    assert facts.input_tokens > 12_500 and (facts.max_output or 0) > 12_500
    assert facts.longest is not None and 1500 < facts.longest < 5000


def test_what_is_data_stands_in_its_fence():
    text = 'say ``` and ````json {"n": 1} ```` "quotes" and \\ slashes'
    asked = read_asked({"text": text})
    system, user = messages_of(asked, asked.parts()[0])
    fence = re.findall(r"^`+", user["content"])[0]
    inside = user["content"].removeprefix(f"{fence}json\n").removesuffix(f"\n{fence}")
    assert json.loads(inside) == {"paragraphs": [text]}
    assert fence not in inside and text not in system["content"]


def test_only_what_is_wanted_is_asked_for():
    told = messages_of(read_asked({"text": "x", "what": ["punctuation"]}), [])[0]["content"]
    assert "summary" not in told and "paragraph" not in told and "`names`" not in told
    told = messages_of(read_asked({"text": "x", "what": ["headings"]}), [])[0]["content"]
    assert "Leave punctuation" in told and "`names`" in told
