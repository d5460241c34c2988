"""Long sound in parts: all words are in them, at their times, and every part fits."""

import io
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from core.audio import Part, cut, decode, encode, measure, silent
from core.errors import BadAudio
from core.types.audio import Sound
from infra.local.simulators.signal import Heard, Samples, hear, heard, say, silence, wav
from tests.sound import encoded, film

TALK = "So it was said, long ago. And nobody knew, then, what to do about it. It took years to find out! Did it help?"
LONG = np.concatenate([part for turn in range(5) for part in (say(TALK, turn % 3), silence(0.4))])
SECONDS = len(LONG) / 16_000


@cache
def long(kind: str) -> bytes:
    return encoded(LONG, kind)


def within(parts: Iterator[Part]) -> list[Heard]:
    return [
        Heard(each.word, each.start + part.start_ms / 1000, each.end + part.start_ms / 1000, each.speaker)
        for part in parts
        for each in heard(part.audio.data)  # type: ignore[arg-type]
    ]


def assert_same(found: list[Heard], true: list[Heard], slack: float = 0.03) -> None:
    assert [(each.word, each.speaker) for each in found] == [(each.word, each.speaker) for each in true]
    assert max(abs(a.start - b.start) + abs(a.end - b.end) for a, b in zip(found, true, strict=True)) < slack


@pytest.mark.parametrize("source", ["wav", "mp3", "m4a", "ogg", "flac", "webm-live", "mp4-live"])
def test_every_word_of_every_kind_at_its_time(source: str) -> None:
    data = long(source)
    parts = list(cut(data, most_seconds=15))
    assert len(parts) > SECONDS / 15
    assert_same(within(iter(parts)), heard(data), 0.012)
    for part in parts:
        true = measure(part.audio.data)
        assert (true.kind, true.codec, true.ms) == (part.audio.kind, part.audio.codec, part.audio.ms)
        assert part.audio.ms <= 15_000
    assert [part.start_ms for part in parts[1:]] == [part.start_ms + part.audio.ms for part in parts[:-1]]


@pytest.mark.parametrize("kind", ["flac", "wav", "mp3", "m4a", "ogg", "webm"])
def test_parts_of_every_kind_fit_in_seconds_and_bytes(kind: str) -> None:
    parts = list(cut(wav(LONG), most_seconds=25, most_bytes=400_000, kind=kind))
    assert {part.audio.kind for part in parts} == {kind}
    assert all(len(part.audio.data) <= 400_000 and measure(part.audio.data, 25) for part in parts)
    assert_same(within(iter(parts)), hear(LONG))


def test_parts_are_of_about_the_same_length() -> None:
    lengths = [part.audio.ms for part in cut(wav(np.tile(LONG, 6)), most_seconds=SECONDS * 4)]
    assert len(lengths) == 2
    assert min(lengths) > 0.7 * max(lengths)


def test_cuts_lie_in_pauses_in_spite_of_noise() -> None:
    noise = np.random.default_rng(5).normal(0, 150, len(LONG)).astype(np.int16)
    assert_same(within(cut(wav(LONG // 4 + noise), most_seconds=15)), hear(LONG))


def test_what_fits_is_one_part() -> None:
    (part,) = cut(wav(LONG))
    assert (part.start_ms, part.audio.ms) == (0, round(SECONDS * 1000))


def test_speech_without_a_pause_is_cut_all_the_same() -> None:
    tone = (np.sin(np.arange(16_000 * 30) / 16_000 * 2 * np.pi * 300) * 9000).astype(np.int16)
    parts = list(cut(wav(tone), most_seconds=7))
    assert all(part.audio.ms <= 6750 for part in parts)
    assert sum(part.audio.ms for part in parts) == 30_000


def test_parts_are_never_too_short_for_a_word() -> None:
    assert all(part.audio.ms <= 1000 for part in cut(wav(LONG[:80_000]), most_seconds=0.5))
    short = [part.audio.ms for part in cut(wav(silence(10)), most_bytes=100)]
    assert sum(short) == 10_000
    assert max(short) <= 1000


def test_files_are_cut_where_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(long("mp3"))
    with path.open("rb") as file:
        assert list(cut(file, 30)) == list(cut(path, 30)) == list(cut(path.read_bytes(), 30))


def test_parts_come_when_they_are_asked_for_and_memory_is_that_of_one() -> None:
    data = wav(np.tile(LONG, 5))
    next(cut(data, 60))  # what is loaded once is none of it
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for part in cut(data, 60):
        assert len(part.audio.data) < 2_000_000
    assert tracemalloc.get_traced_memory()[1] - before < len(data) / 2
    tracemalloc.stop()


def test_a_little_file_of_a_long_silence_is_bounded() -> None:
    minute = bytes(32_000 * 60)
    bomb = encode((minute for _ in range(20)), Sound("flac", 16_000))
    assert len(bomb) < 300_000
    with pytest.raises(BadAudio, match="1200 s long; at most 900 s") as found:
        next(cut(bomb, 60, most_in_all=900))
    assert found.value.code == "too_long"
    with pytest.raises(BadAudio, match="at most 600 s"):
        list(decode(bomb, most_seconds=600))


@pytest.mark.parametrize("kind", ["wav", "mp3-bare", "flac", "ogg"])
def test_a_file_that_is_cut_off_gives_what_is_there(kind: str) -> None:
    data = long(kind)
    half = data[: len(data) // 2]
    whole = [each.word for each in heard(data)]
    found = [each.word for each in within(cut(half, 10))]
    assert len(whole) * 0.4 < len(found) < len(whole) * 0.6
    assert found == whole[: len(found)]


def test_a_recorder_that_was_paused_keeps_its_time() -> None:
    """WebM whose clock runs on while nothing is written."""
    first, second = say("before the break."), say("after it.")
    data = paused(first, second, after=10.0)
    found = heard(data)
    assert " ".join(each.word for each in found) == "before the break. after it."
    assert found[3].start == pytest.approx(10.0, abs=0.03)
    assert_same(within(cut(data, 5)), found)
    assert measure(data).ms == pytest.approx(10_000 + len(second) / 16, abs=30)


def test_the_sound_of_a_film_is_cut() -> None:
    assert_same(within(cut(film(LONG[: 16_000 * 20], rate=16_000), 10)), hear(LONG[: 16_000 * 20]))


def test_whether_there_is_anything_to_hear() -> None:
    noise = np.random.default_rng(5).normal(0, 5, 48_000).astype(np.int16)
    assert silent(wav(silence(3)))
    assert silent(encoded(noise, "mp3"))
    assert not silent(wav(np.concatenate([silence(3), say("oh") // 50])))


def paused(first: Samples, second: Samples, after: float) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="webm", options={"live": "1"}) as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        for sound, at in ((first, 0.0), (second, after)):
            resampler = av.AudioResampler(stream.format, "mono", 48_000, 960)
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), "s16", "mono")
            frame.sample_rate = 16_000
            for number, ready in enumerate(resampler.resample(frame)):
                ready.pts = round(at * 48_000) + number * 960
                out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return file.getvalue()
