"""Speech made another kind of sound while it comes, and pieces of it made one."""

import io
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio import Decoder, Encoder, Joiner, encode, measure, wav_header
from core.errors import Malformed
from core.types.audio import Sound
from infra.local.simulators.signal import Samples, hear, heard, say, silence, text
from tests.sound import recording

LINE = "one two three four, five. six seven"
RATE = 24_000
SPOKEN = say(LINE, rate=RATE)
PCM = SPOKEN.tobytes()
KINDS = ["mp3", "opus", "aac", "flac", "wav", "pcm"]
CONTAINERS = {"opus": "ogg", "pcm": "wav"}


def pieces(data: bytes, size: int = 1001) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def streamed(sound: Sound, pcm: bytes = PCM, rate: int = RATE) -> bytes:
    encoder = Encoder(sound, rate)
    return b"".join([*map(encoder.add, pieces(pcm)), encoder.end()])


def file(sound: Sound, data: bytes) -> bytes:
    return wav_header(sound, len(data)) + data if sound.kind == "pcm" else data


def samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, np.int16)


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_as_a_stream_and_as_a_file(kind: str, rate: int) -> None:
    sound = Sound(kind, rate)
    whole = file(sound, encode(pieces(PCM), sound, RATE))
    for made in (file(sound, streamed(sound)), whole):
        found = measure(made)
        assert found.kind == CONTAINERS.get(kind, kind)
        assert found.rate == (48_000 if kind == "opus" else rate)
        assert found.ms == pytest.approx(len(SPOKEN) * 1000 / RATE, abs=200)
        assert text(heard(made)) == LINE
    exact = 200 if kind == "aac" else 1
    assert measure(whole).ms == pytest.approx(len(SPOKEN) * 1000 / RATE, abs=exact), "a file says where it begins"


@pytest.mark.parametrize("kind", KINDS)
def test_two_channels(kind: str) -> None:
    sound = Sound(kind, RATE, 2)
    made = file(sound, streamed(sound))
    assert measure(made).channels == 2
    assert text(heard(made)) == LINE


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_comes_as_soon_as_there_is_sound(kind: str) -> None:
    encoder = Encoder(Sound(kind, RATE))
    tenth = RATE // 10 * 2
    ready = [len(encoder.add(piece)) for piece in pieces(PCM, tenth)]
    slow = 2  # tenths of a second that an encoder looks ahead
    assert any(ready[: slow + 1])
    heard = sum(ready[: len(ready) // 2])
    assert heard > (sum(ready) + len(encoder.end())) * 0.3, "half of what was said, less what is looked ahead"


def test_a_wav_file_is_what_others_read() -> None:
    with wave.open(io.BytesIO(encode([PCM], Sound("wav", RATE)))) as found:
        assert (found.getframerate(), found.getnchannels(), found.getsampwidth()) == (RATE, 1, 2)
        assert found.readframes(found.getnframes()) == PCM
    assert streamed(Sound("wav", RATE))[4:8] == b"\xff\xff\xff\xff"


def test_nothing_said_is_a_stream_of_nothing() -> None:
    assert encode([], Sound("pcm")) == b""
    assert len(encode([], Sound("wav"))) == 44
    assert Encoder(Sound("mp3")).end() == b""


@pytest.mark.parametrize("wanted", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_becomes_any_other(kind: str, wanted: str) -> None:
    source, target = Sound(kind, RATE), Sound(wanted, 16_000)
    decoder, encoder = Decoder(source, target.rate), Encoder(target)
    made = [encoder.add(decoder.add(piece)) for piece in pieces(streamed(source))]
    made += [encoder.add(decoder.end()), encoder.end()]
    assert text(heard(file(target, b"".join(made)))) == LINE


@pytest.mark.parametrize("kind", ["pcm", "wav", "mp3", "aac"])
def test_it_is_made_while_it_comes(kind: str) -> None:
    source = streamed(Sound(kind, RATE))
    half = Decoder(Sound(kind, RATE), 16_000).add(source[: len(source) // 2])
    assert len(half) > 16_000 * 2 * len(SPOKEN) / RATE * 0.3


@given(st.sampled_from(["pcm", "wav", "mp3", "aac", "opus"]), st.lists(st.integers(1, 5000), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_the_sizes_of_pieces_do_not_matter(kind: str, sizes: list[int]) -> None:
    source, sound = recording_of(kind), Sound(kind, RATE)
    decoder, found, at, place = Decoder(sound), [], 0, 0
    while at < len(source):
        size = sizes[place % len(sizes)]
        found.append(decoder.add(source[at : at + size]))
        at, place = at + size, place + 1
    once = Decoder(sound)
    assert b"".join([*found, decoder.end()]) == once.add(source) + once.end()


def recording_of(kind: str) -> bytes:
    return _MADE.setdefault(kind, streamed(Sound(kind, RATE)))


_MADE: dict[str, bytes] = {}


@pytest.mark.parametrize("kind", ["wav24", "wavf", "mulaw", "webm", "m4a", "ogg", "flac"])
def test_what_came_is_believed_before_what_was_said_of_it(kind: str) -> None:
    data = recording(LINE, kind)
    for told in ("mp3", "wav"):
        decoder = Decoder(Sound(told), 16_000)
        pcm = b"".join([*map(decoder.add, pieces(data)), decoder.end()])
        assert text(hear(samples(pcm))) == LINE


def test_what_stands_behind_the_samples_of_a_wav_file_is_not_heard() -> None:
    data = encode([PCM], Sound("wav", RATE)) + b"LIST" + (4000).to_bytes(4, "little") + b"\x7f" * 4000
    decoder = Decoder(Sound("wav"), RATE)
    assert b"".join([*map(decoder.add, pieces(data)), decoder.end()]) == PCM


def test_pcm_of_two_channels_is_mixed() -> None:
    decoder = Decoder(Sound("pcm", RATE, 2), RATE)
    both = np.repeat(SPOKEN, 2).tobytes()
    assert text(hear(samples(b"".join([*map(decoder.add, pieces(both)), decoder.end()])), RATE)) == LINE


@pytest.mark.parametrize("kind", ["mp3", "aac", "opus", "flac", "wav"])
def test_a_providers_nonsense_is_the_providers_fault(kind: str) -> None:
    for data in (b"<html>Bad gateway</html>" * 20, b"x", streamed(Sound("wav"))[:30]):
        decoder = Decoder(Sound(kind))
        assert decoder.add(data) == b""
        with pytest.raises(Malformed, match=f"should be {kind}"):
            decoder.end()


def test_no_bytes_are_no_sound_and_no_error() -> None:
    assert Decoder(Sound("mp3")).end() == b""


def joined(parts: list[Samples], rate: int = RATE, size: int = 1001) -> Samples:
    joiner, made = Joiner(rate), []
    for part in parts:
        made += [*map(joiner.add, pieces(part.tobytes(), size)), joiner.piece()]
    return samples(b"".join(made))


def test_pieces_are_joined_without_long_pauses() -> None:
    parts = [np.concatenate([silence(0.3, RATE), say(word, rate=RATE), silence(1.5, RATE)]) for word in LINE.split()]
    found = hear(joined(parts), RATE)
    assert text(found) == LINE
    assert found[0].start == pytest.approx(0.3, abs=0.01), "the first begins as it likes"
    assert all(0.15 < after.start - before.end < 0.3 for before, after in pairwise(found))


def test_pieces_that_end_in_the_middle_of_a_wave_do_not_click() -> None:
    wave_ = (np.cos(np.arange(RATE // 2) / RATE * 2 * np.pi * 220) * 12_000).astype(np.int16)
    step = int(np.abs(np.diff(wave_.astype(int))).max())
    bare = np.concatenate([wave_[:-27], wave_[:-27]])
    made = joined([wave_[:-27], wave_[:-27]])
    assert np.abs(np.diff(bare.astype(int))).max() > 8 * step
    assert np.abs(np.diff(made.astype(int))).max() < 2 * step
    assert abs(int(made[0])) + abs(int(made[-1])) == 0
    assert len(made) == len(bare), "and nothing is left out between them"


@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_joining_does_not_depend_on_how_pieces_come(lengths: list[int], size: int) -> None:
    rng = np.random.default_rng(len(lengths))
    parts = [
        np.concatenate([np.zeros(length // 2, np.int16), rng.integers(-9000, 9000, length).astype(np.int16)])
        for length in lengths
    ]
    one, other = joined(parts, 8000, size), joined(parts, 8000, 100_000)
    assert len(one) <= sum(map(len, parts))
    assert abs(len(one) - len(other)) <= 128 * len(parts), "silence is counted in looks"


def test_silent_pieces_are_left_out() -> None:
    assert text(hear(joined([say("one", rate=RATE), silence(2, RATE), say("two", rate=RATE)]), RATE)) == "one two"
    assert len(joined([say("one", rate=RATE), silence(2, RATE)])) < RATE
