"""What all recognisers' answers go through: times that must be those of the audio, texts joined as they are."""

import re
from base64 import b64decode

import orjson
import pytest

from core.errors import CredentialRefused, Malformed, ParameterRefused, RequestRefused
from core.types.audio import Segment, Word
from core.wire.forms import form, hole, json_with
from core.wire.openai import read_error
from core.wire.sound.recognisers import base_of, joined, left_out, ordered, placed, refusing_files, seconds_of


def segments(*times):
    return [Segment(f"s{index}", start, end) for index, (start, end) in enumerate(times)]


def times(found):
    return None if found is None else [(one.start, one.end) for one in found]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(3, 3.0), (3.25, 3.25), ("3.25", 3.25), ("3.25s", 3.25), ("01:02", 62.0), ("01:02.5", 62.5),
     ("1:01:02,25", 3662.25), ("75:00", 4500.0), (None, None), (True, None), (-1, None), ("-1", None),
     ("soon", None), ("1:2:3:4", None), (float("nan"), None), (float("inf"), None), ([], None)],
)  # fmt: skip
def test_times_as_people_and_programs_write_them(said, seconds):
    assert seconds_of(said) == seconds


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ([(0, 1), (1, 2)], [(0, 1), (1, 2)]),
        ([(0, 30)], [(0, 10)]),  # a window longer than what was left
        ([(0, 3), (2.5, 4)], [(0, 3), (2.5, 4)]),  # two at once
        ([(3, 4), (2.5, 5)], [(3, 4), (3, 5)]),  # a slip
        ([(5, 2)], [(5, 5)]),
        ([(10.5, 11)], [(10, 10)]),
        ([(3, 4), (0, 1)], None),
        ([(0, 1), (12, 13)], None),
        ([(float("inf"), 1)], None),
        ([], []),
    ],
)
def test_slips_are_mended_and_nonsense_is_not_passed_on(given, made):
    assert times(ordered(segments(*given), 10.0)) == made


def test_nobody_gets_times_that_are_wrong():
    wrong = segments((3, 4), (0, 1))
    told: list[str] = []
    assert placed(wrong, 10.0, told, needed=False) == ()
    assert told == ["the segments were left out: their times are not those of the audio"]
    with pytest.raises(Malformed, match="times of its words are not those of the audio"):
        placed([Word("a", 20, 21)], 10.0, [], needed=True, what="words")


def test_who_gets_mended_times_is_told():
    told: list[str] = []
    assert times(placed(segments((0, 3), (2.5, 12)), 10.0, told, needed=True)) == [(0, 3), (2.5, 10.0)]
    assert told == ["times of segments were mended: they overlapped, or were outside of the audio"]
    told.clear()
    assert times(placed(segments((0, 3), (3.02, 10.05)), 10.0, told, needed=True)) == [(0, 3), (3.02, 10.0)]
    assert told == []
    assert placed(segments((0, 9999)), 10.0, told, needed=False) == ()


def test_texts_are_joined_as_their_script_is_written():
    assert joined([" Hello there.", "", "You? "]) == "Hello there. You?"
    assert joined(["你好。", "世界"]) == "你好。世界"
    assert joined(["안녕하세요.", "세계"]) == "안녕하세요. 세계"


def test_what_cannot_be_told_is_named_once():
    body = {
        "audio": 1,
        "timestamps": ("segment",),
        "prompt": "x",
        "channels": False,
        "known_speakers": ["A"],
        "model": "m",
    }
    assert left_out(body, {"prompt"}) == ["known_speakers was left out: it cannot be told there"]
    assert base_of("de-AT") == base_of("de_AT") == base_of("DE") == "de"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "the audio could not be decoded", ParameterRefused),
        (422, "unsupported file extension", ParameterRefused),
        (400, "temperature must be a number", RequestRefused),
        (401, "this audio key is wrong", CredentialRefused),
    ],
)
def test_a_refusal_of_the_file_is_one_provider_s_alone(status, message, kind):
    raw = b'{"error": {"message": "%b", "type": "invalid_request_error"}}' % message.encode()
    error = refusing_files(read_error)(status, raw, request_id="r1")
    assert type(error) is kind
    assert (error.provider_status, error.request_id, error.message) == (status, "r1", message)


class TestForms:
    def test_a_form_has_its_file_last_and_says_its_length(self):
        kind, body = form({"model": "m", "language": "de"}, "file", "a.wav", "audio/wav", b"\r\n--x\0", "mark")
        raw = b"".join(body.parts)
        assert len(raw) == body.length
        assert kind == "multipart/form-data; boundary=mark"
        assert re.findall(rb'name="(\w+)"', raw) == [b"model", b"language", b"file"]
        assert raw.endswith(b"Content-Type: audio/wav\r\n\r\n\r\n--x\0\r\n--mark--\r\n")

    @pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 3 * 2**16 - 1, 3 * 2**16 + 1])
    def test_a_file_inside_of_json(self, size):
        data = bytes(index % 251 for index in range(size))
        body = json_with({"inputs": hole("data:x;base64,"), "prompt": "\0file\0 is no hole"}, data)
        raw = b"".join(body.parts)
        assert len(raw) == body.length
        found = orjson.loads(raw)
        assert b64decode(found["inputs"].removeprefix("data:x;base64,")) == data
        assert found["prompt"] == "\0file\0 is no hole"
