"""Subtitles that a parser reads, at lengths that people read."""

import io
from itertools import pairwise
from typing import Any

import pytest
import webvtt

from core.types.audio import Segment, Transcript, Word
from core.wire import subtitles

LONG = (
    "Welcome everybody to the meeting, which is about the budget of the coming year and of the years after it. "
    "We have very little time today, so please be short. Right."
)


def words_of(text, start=0.0, step=0.4):
    return tuple(
        Word(one.strip(".,"), start + place * step, start + place * step + 0.3)
        for place, one in enumerate(text.split())
    )


def segment(text, start, end, speaker=None, *, timed=True):
    step = (end - start) / len(text.split())
    return Segment(text, start, end, speaker, words=words_of(text, start, step) if timed else ())


def transcript(*segments):
    return Transcript(" ".join(one.text for one in segments), duration=segments[-1].end, segments=segments)


def seconds(time):
    hours, minutes, rest = time.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def parsed_srt(text: str) -> list[tuple[float, float, str]]:
    found: Any = webvtt.from_buffer(io.StringIO(text), "srt")
    return [(seconds(one.start), seconds(one.end), one.text) for one in found]


def parsed_vtt(text: str) -> list[Any]:
    found: Any = webvtt.from_string(text)
    return list(found)


@pytest.mark.parametrize("timed", [True, False])
def test_cues_are_readable_and_say_every_word_once(timed):
    made = transcript(segment(LONG, 0.0, 15.0, timed=timed), segment("And that was all.", 15.5, 17.0, timed=timed))
    for cues in (
        parsed_srt(subtitles.srt(made)),
        [(seconds(one.start), seconds(one.end), one.text) for one in parsed_vtt(subtitles.vtt(made))],
    ):
        assert " ".join(text.replace("\n", " ") for _, _, text in cues) == made.text
        for start, end, text in cues:
            lines = text.split("\n")
            assert len(lines) <= 2 and max(map(len, lines)) <= 42
            assert 0.04 <= end - start <= 7.0
        assert all(one[1] <= after[0] for one, after in pairwise(cues))


def test_times_are_those_of_the_words():
    made = Transcript("One two three. Four five six.", segments=(
        Segment("One two three. Four five six.", 0.0, 30.0, words=(
            Word("One", 1.0, 1.2), Word("two", 1.5, 1.7), Word("three", 2.0, 2.4),
            Word("Four", 20.0, 20.2), Word("five", 20.5, 20.7), Word("six", 21.0, 21.5),
        )),
    ))  # fmt: skip
    cues = parsed_srt(subtitles.srt(made))
    assert [text for _, _, text in cues] == ["One two three.", "Four five six."]
    assert [start for start, _, _ in cues] == pytest.approx([1.0, 20.0])
    assert cues[0][1] < 3.0  # nothing stands there while nobody speaks


def test_speakers_are_voices_in_vtt_and_names_in_srt():
    made = transcript(
        segment("Hello there.", 0.0, 1.0, "Ann <b>"),
        segment("I am here.", 1.2, 2.0, "Ann <b>"),
        segment("So am I.", 2.5, 3.5, "B"),
    )
    assert [one.voice for one in parsed_vtt(subtitles.vtt(made))] == ["Ann &lt;b&gt;", "Ann &lt;b&gt;", "B"]
    assert [text for _, _, text in parsed_srt(subtitles.srt(made))] == [
        "Ann ‹b›: Hello there.",
        "I am here.",
        "B: So am I.",
    ]


def test_two_who_speak_at_once_are_both_shown():
    made = transcript(
        segment("A long sentence of mine.", 0.0, 4.0, "A", timed=False), segment("No.", 1.0, 2.0, "B", timed=False)
    )
    assert [(one.speaker, one.start, one.end) for one in subtitles.cues(made)] == [("A", 0.0, 4.0), ("B", 1.0, 2.0)]


def test_what_would_be_markup_or_break_a_cue_is_text():
    made = transcript(segment("a --> b <i>c</i> & d\n\n00:00 e\x00", 0.0, 3.0, timed=False))
    (cue,) = parsed_vtt(subtitles.vtt(made))
    assert cue.raw_text == "a --&gt; b &lt;i&gt;c&lt;/i&gt; &amp; d 00:00 e"
    assert [text for _, _, text in parsed_srt(subtitles.srt(made))] == ["a --› b ‹i›c‹/i› & d 00:00 e"]


def test_scripts_without_spaces_are_broken_between_characters():
    text = "今日は予算について話します。" * 6
    made = transcript(Segment(text, 0.0, 24.0))
    cues = parsed_srt(subtitles.srt(made))
    assert "".join(text.replace("\n", "") for _, _, text in cues) == text
    assert all(len(line) <= 21 for _, _, text in cues for line in text.split("\n"))


def test_a_transcript_without_segments_or_without_words():
    assert subtitles.srt(Transcript("", duration=3.0)) == ""
    assert subtitles.vtt(Transcript("", duration=3.0)) == "WEBVTT\n"
    only_words = Transcript("One two.", duration=3.0, words=words_of("One two.", 1.0))
    assert parsed_srt(subtitles.srt(only_words))[0][0] == pytest.approx(1.0)
    assert parsed_srt(subtitles.srt(Transcript("One two.", duration=3.0))) == [(0.0, 3.0, "One two.")]


def test_hours_and_zero_lengths():
    made = transcript(segment("Late.", 3_661.5, 3_661.5, timed=False))
    assert subtitles.srt(made).splitlines()[1] == "01:01:01,500 --> 01:01:02,300"
