"""What a file is and how long it is: by what is in it, whatever its header says."""

import io
import tracemalloc
from contextlib import suppress
from pathlib import Path
from struct import pack
from zlib import compress, crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio import Measured, decode, measure
from core.audio.kinds import sniff
from core.errors import BadAudio
from infra.local.simulators.signal import hear, say, text, wav
from tests.sound import encoded, film, recording, spoken

LINE = "one two three. four five six, seven."
SECONDS = len(spoken(LINE)) / 16_000
TAG = b"ID3\x04\0\0\0\4\0\0" + bytes(65_536)
KINDS = {
    "wav": ("wav", "pcm_s16le", 16_000),
    "wav24": ("wav", "pcm_s24le", 16_000),
    "wavf": ("wav", "pcm_f32le", 16_000),
    "mulaw": ("wav", "pcm_mulaw", 16_000),
    "adpcm": ("wav", "adpcm_ms", 16_000),
    "mp3-in-wav": ("wav", "mp3", 16_000),
    "mp3": ("mp3", "mp3", 16_000),
    "mp3-bare": ("mp3", "mp3", 16_000),
    "m4a": ("m4a", "aac", 16_000),
    "alac": ("m4a", "alac", 16_000),
    "mp4": ("mp4", "aac", 16_000),
    "mp4-live": ("mp4", "aac", 16_000),
    "aac": ("aac", "aac", 16_000),
    "ogg": ("ogg", "opus", 48_000),
    "oggflac": ("ogg", "flac", 16_000),
    "flac": ("flac", "flac", 16_000),
    "webm": ("webm", "opus", 48_000),
    "webm-live": ("webm", "opus", 48_000),
    "mkv": ("webm", "flac", 16_000),
}


def line(kind: str) -> bytes:
    return recording(LINE, kind)


def seconds(data: bytes) -> float:
    return measure(data).ms / 1000


def refused(data: bytes) -> BadAudio:
    with pytest.raises(BadAudio) as found:
        measure(data)
    assert found.value.status == 400
    return found.value


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind: str, tmp_path: Path) -> None:
    container, codec, rate = KINDS[kind]
    found = measure(line(kind))
    assert (found.kind, found.codec, found.rate, found.channels) == (container, codec, rate, 1)
    assert found.ms / 1000 == pytest.approx(SECONDS, abs=0.11)  # the bare ones keep their encoder's padding
    file = tmp_path / "named.txt"
    file.write_bytes(line(kind))
    with file.open("rb") as opened:
        opened.read(7)
        assert measure(file) == measure(opened) == measure(bytearray(line(kind))) == found


@pytest.mark.parametrize("kind", ["wav", "mp3", "m4a", "ogg", "flac", "webm", "mkv", "alac"])
def test_kinds_that_say_where_sound_begins_and_ends_are_exact(kind: str) -> None:
    assert seconds(line(kind)) == pytest.approx(SECONDS, abs=0.002)


@pytest.mark.parametrize("kind", ["wav", "mp3-bare", "aac", "ogg", "flac", "webm", "webm-live", "mp4-live"])
def test_a_file_that_is_cut_off_is_as_long_as_what_is_there(kind: str) -> None:
    half = line(kind)[: len(line(kind)) // 2]
    heard = sum(map(len, decode(half))) / 32_000
    assert seconds(half) == pytest.approx(heard, abs=0.1)
    assert heard < SECONDS * 0.8


def test_an_index_that_is_cut_off() -> None:
    assert "cut off" in refused(line("m4a")[:-200]).message


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFE, 0x80000000])
def test_a_wav_stream_that_did_not_know_its_size(size: int) -> None:
    data = wav(spoken(LINE))
    assert seconds(data[:4] + pack("<I", size) + data[8:40] + pack("<I", size) + data[44:]) == SECONDS


@pytest.mark.parametrize("claim", [0, 1, 2**31, 2**36 - 1])
def test_a_flac_header_that_lies(claim: int) -> None:
    data = line("flac")
    lie = bytes([data[21] & 0xF0 | claim >> 32]) + pack(">I", claim & 0xFFFFFFFF)
    assert seconds(data[:21] + lie + data[26:]) == pytest.approx(SECONDS, abs=0.002)


@pytest.mark.parametrize("claim", [1, 10, 2**31])
def test_an_mp3_header_that_lies(claim: int) -> None:
    data = line("mp3")
    at = data.index(b"Xing") + 8 if b"Xing" in data else data.index(b"Info") + 8
    assert seconds(data[:at] + pack(">I", claim) + data[at + 4 :]) == pytest.approx(SECONDS, abs=0.11)


def test_an_mp3_of_many_bit_rates_without_a_header() -> None:
    slow, fast = encoded(say(LINE * 5), "mp3-bare", bitrate=16_000), encoded(say(LINE), "mp3-bare", bitrate=160_000)
    assert seconds(slow + fast) == pytest.approx(len(say(LINE * 5)) / 16_000 + SECONDS, abs=0.3)


@pytest.mark.parametrize("kind", ["mp3-bare", "mp3", "flac", "aac"])
def test_tags_before_the_sound(kind: str) -> None:
    assert measure(TAG + line(kind)) == measure(TAG + TAG + line(kind)) == measure(line(kind))


def test_the_picture_of_a_cover_is_not_looked_at() -> None:
    """Of 900 million points, as it claims."""
    head = b"IHDR" + pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    body = b"IDAT" + compress(bytes(100_000))
    chunks = [pack(">I", len(each) - 4) + each + pack(">I", crc32(each)) for each in (head, body, b"IEND")]
    frame = b"\0image/png\0\3\0\x89PNG\r\n\x1a\n" + b"".join(chunks)
    frame = b"APIC" + pack(">I", len(frame)) + b"\0\0" + frame
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    data = b"ID3\3\0\0" + size + frame + line("mp3-bare")
    assert measure(data) == measure(line("mp3-bare"))
    assert text(hear(np.frombuffer(b"".join(decode(data)), np.int16))) == LINE


def test_the_rest_of_a_broken_frame_before_the_first() -> None:
    assert measure(line("mp3-bare")[100:]).kind == "mp3"
    assert measure(bytes(500) + line("mp3-bare")).kind == "mp3"


def test_ogg_streams_that_follow_each_other() -> None:
    assert seconds(line("ogg") * 3) == pytest.approx(SECONDS * 3, abs=0.05)


@pytest.mark.parametrize(("container", "kind"), [("mp4", "mp4"), ("webm", "webm")])
def test_the_sound_of_a_film(container: str, kind: str) -> None:
    rate = 48_000
    found = measure(film(spoken(LINE, rate), container, rate))
    assert found.kind == kind
    assert found.ms / 1000 == pytest.approx(SECONDS, abs=0.01)


def test_a_film_without_sound() -> None:
    assert "no audio track" in refused(film(None)).message


def test_channels_are_counted() -> None:
    data = wav(np.repeat(spoken(LINE), 2))
    stereo = data[:22] + pack("<HIIH", 2, 16_000, 64_000, 4) + data[34:]
    assert measure(stereo) == Measured("wav", "pcm_s16le", round(SECONDS * 1000), 16_000, 2)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "empty_audio", "0 bytes"),
        (bytes(5000), "bad_audio", "zero bytes"),
        (b"Dear all, this is no sound.\n" * 40, "bad_audio", "text"),
        ("Größe: 12 €\n".encode() * 90, "bad_audio", "text"),
        (b'{"error": "not found"}', "bad_audio", "wav, mp3, m4a, mp4, ogg"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "bad_audio", "no audio that can be read"),
        (b"#EXTM3U\n#EXTINF:1\n/etc/passwd\n", "bad_audio", "text"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "bad_audio", "text"),
        (b"\xff", "bad_audio", "no audio that can be read"),
        (b"RIFF\0\0\0\0WAVE", "bad_audio", "begins as wav"),
        (b"OggS", "bad_audio", "begins as ogg"),
        (b"\0\0\0\x20ftypM4A ", "bad_audio", "begins as m4a"),
        (TAG[:500], "bad_audio", "within its tags"),
        (wav(spoken(""))[:44], "empty_audio", "no sound"),
        (wav(np.zeros(0, np.int16)), "empty_audio", "no sound"),
    ],
)
def test_what_is_no_audio(data: bytes, code: str, words: str) -> None:
    error = refused(data)
    assert (error.code, words in error.message) == (code, True), error.message


@pytest.mark.parametrize(("kind", "keep"), [("flac", 100), ("ogg", 60), ("webm", 300), ("mp3", 300), ("aac", 20)])
def test_a_good_beginning_and_nothing_but_noise_after_it(kind: str, keep: int) -> None:
    error = refused(line(kind)[:keep] + np.random.default_rng(3).bytes(5000))
    assert error.code == "bad_audio"


def test_claims_that_no_sound_can_meet() -> None:
    data = wav(spoken(LINE))
    assert "1 samples a second" in refused(data[:24] + pack("<I", 1) + data[28:]).message
    assert "2147483647 samples" in refused(data[:24] + pack("<I", 2**31 - 1) + data[28:]).message
    assert refused(data[:22] + pack("<H", 65_535) + data[24:]).code == "bad_audio"


def test_too_long() -> None:
    with pytest.raises(BadAudio, match=r"3 s long; at most 2 s") as found:
        measure(line("mp3"), most_seconds=2)
    assert found.value.code == "too_long"


def test_bytes_are_not_held_twice() -> None:
    data = encoded(np.tile(spoken(LINE), 60), "wav")
    measure(data)  # what is loaded once is none of it
    tracemalloc.start()
    for source in (data, bytearray(data)):
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        measure(source)
        assert tracemalloc.get_traced_memory()[1] - before < len(data) / 4
    tracemalloc.stop()


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert sniff(data) is None or sniff(data) in {"wav", "mp3", "m4a", "mp4", "ogg", "flac", "webm", "aac"}
    with pytest.raises(BadAudio):
        measure(data)


@given(st.sampled_from(sorted(KINDS)), st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_has_an_answer(kind: str, draw: st.DataObject) -> None:
    data = bytearray(line(kind))
    for _ in range(draw.draw(st.integers(1, 8))):
        at = draw.draw(st.integers(0, min(len(data), draw.draw(st.sampled_from([64, 600, len(data)]))) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    for look in (measure, lambda source: list(decode(source, most_seconds=3600))):
        with suppress(BadAudio):
            look(io.BytesIO(data))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"m4a", "alac", "mp4", "mp4-live", "aac"}])
def test_a_file_that_is_cut_off_is_told_from_one_that_is_whole(kind):
    assert measure(line(kind)).missing == ""
    if kind in {"mp3-bare", "webm-live"}:
        return  # it never said how long it would be
    half = line(kind)[: len(line(kind)) // 2]
    found = measure(half)
    assert found.missing and found.ms <= SECONDS * 1000
