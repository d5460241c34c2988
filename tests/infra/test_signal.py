"""What simulators say is heard again, word for word, through every format."""

import io
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.simulators.signal import SPEAKERS, Heard, hear, heard, say, silence, text, wav
from tests.sound import encoded, recording, spoken

WORDS = (
    'The quick brown fox, jumps over the lazy dog. "Straße" Ünïcödé 北京市海淀区。 and 12,5 % – so it is! '
    "🙂 naïve E-mail a I. https://example.com/a?b=c&d"
)
TALK = ((0, "Good morning, how are you?"), (1, "Fine, thanks: and yourself?"), (0, "Never better."), (3, "Same."))
ENCODINGS = [
    *(("mp3", rate, 64_000) for rate in (8000, 16_000, 24_000, 44_100, 48_000)),
    *(("m4a", rate, 64_000) for rate in (8000, 16_000, 24_000, 44_100, 48_000)),
    *(("ogg", rate, 32_000) for rate in (8000, 16_000, 24_000, 44_100, 48_000)),
    *(("flac", rate, 0) for rate in (16_000, 44_100)),
    ("mp3", 16_000, 32_000), ("aac", 24_000, 64_000), ("webm", 48_000, 32_000), ("wav24", 44_100, 0),
    ("wavf", 16_000, 0),
]  # fmt: skip


def noise(seconds: float, rate: int = 16_000, level: float = 200) -> np.ndarray:
    return np.random.default_rng(7).normal(0, level, round(seconds * rate)).astype(np.int16)


def words(found: list[Heard]) -> list[tuple[str, int]]:
    return [(each.word, each.speaker) for each in found]


def said(*turns: tuple[int, str]) -> list[tuple[str, int]]:
    return [(word, speaker) for speaker, line in turns for word in line.split()]


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 44_100, 48_000])
def test_what_is_said_is_heard_at_every_rate(rate: int) -> None:
    assert text(hear(say(WORDS, rate=rate), rate)) == WORDS
    assert words(heard(wav(spoken(TALK, rate), rate))) == said(*TALK)


@pytest.mark.parametrize(("kind", "rate", "bitrate"), ENCODINGS)
def test_words_speakers_and_times_survive_an_encoding(kind: str, rate: int, bitrate: int) -> None:
    turns = (*TALK, (2, WORDS))
    before = hear(spoken(turns, rate), rate)
    after = heard(recording(turns, kind, rate, bitrate))
    assert words(after) == words(before) == said(*turns)
    slack = 0.1 if kind == "aac" else 0.03  # a bare AAC stream does not say what its encoder put before the sound
    assert max(abs(a.start - b.start) + abs(a.end - b.end) for a, b in zip(after, before, strict=True)) < slack


def test_times_are_those_at_which_it_is_said() -> None:
    first, second = say("one"), say("two.")
    found = hear(np.concatenate([silence(1.0), first, silence(0.75), second]))
    assert [each.start for each in found] == pytest.approx([1.0, 1.75 + len(first) / 16_000], abs=0.005)
    assert [each.end - each.start for each in found] == pytest.approx([6 * 0.032, 7 * 0.032], abs=0.005)
    assert all(a.end < b.start for a, b in pairwise(hear(say(WORDS))))


def test_it_is_said_at_about_the_pace_of_people() -> None:
    prose = "Please send the report to everyone in the office before noon, and tell them what changed. Thank you!"
    minutes = len(say(prose)) / 16_000 / 60
    assert 130 < len(prose.split()) / minutes < 170


def test_noise_silence_and_other_levels_in_between() -> None:
    talk = [noise(1), say(WORDS) // 8, silence(2), say(WORDS, 1), noise(0.5), say(WORDS, 2) * 1.5, noise(1)]
    sound = np.concatenate(talk)
    under = sound + noise(len(sound) / 16_000)
    assert words(hear(np.clip(under, -32768, 32767).astype(np.int16))) == said((0, WORDS), (1, WORDS), (2, WORDS))


@pytest.mark.parametrize("sound", [silence(3), noise(30), noise(30, level=8000), np.zeros(0, np.int16)])
def test_nothing_is_heard_where_nothing_is_said(sound: np.ndarray) -> None:
    assert hear(sound) == []
    assert hear((np.sin(np.arange(160_000) / 16_000 * 2 * np.pi * 440) * 8000).astype(np.int16)) == []


def test_pieces_cut_at_pauses_are_the_whole() -> None:
    sound = say("one two three. four five, six seven. eight")
    found = hear(sound)
    for before, after in pairwise(found):
        at = round((before.end + after.start) / 2 * 16_000)
        parts = hear(sound[:at]), hear(sound[at:])
        assert words(parts[0]) + words(parts[1]) == words(found)
        assert parts[1][0].start == pytest.approx(after.start - at / 16_000, abs=0.006)


def test_a_word_that_is_cut_is_not_heard_and_its_neighbours_are() -> None:
    sound = say("before broken after")
    broken = hear(sound)[1]
    at = round((broken.start + broken.end) / 2 * 16_000)
    assert text(hear(sound[:at])) == "before"
    assert text(hear(sound[at:])) == "after"


def test_words_without_a_pause_between_them() -> None:
    sound = say("none")
    tight = sound[: round(hear(sound)[0].end * 16_000)]
    assert text(hear(np.concatenate([tight] * 5))) == "none none none none none"


@pytest.mark.parametrize("length", [59, 60, 61, 200, 1000])
def test_a_word_of_any_length_is_one_word(length: int) -> None:
    word = ("långt–北京🙂" * length)[:length]
    assert [each.word for each in hear(say(f"a {word} b"))] == ["a", word, "b"]


def test_a_speaker_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="speakers"):
        say("hello", len(SPEAKERS))


@given(line=st.text(max_size=40), speaker=st.integers(0, len(SPEAKERS) - 1))
@settings(max_examples=50, deadline=None)
def test_any_text(line: str, speaker: int) -> None:
    assert words(hear(say(line, speaker))) == said((speaker, line))


def test_a_long_talk() -> None:
    turn = say(WORDS)
    times = 300 * 16_000 // len(turn) + 1
    found = hear(np.tile(turn, times))
    assert text(found) == " ".join([WORDS] * times)
    assert found[-1].end > 295


def test_a_stereo_file_is_heard_as_one_channel() -> None:
    mono = say("both sides")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(np.repeat(mono, 2).tobytes())
    assert text(heard(file.getvalue())) == "both sides"
    assert text(heard(encoded(mono, "mp4"))) == "both sides"
