"""However the network cuts a stream, its events are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed
from core.wire import sse
from tests.core.fakes import PLACES, cut, examples

LIMIT = 1 << 20
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
LINES = st.one_of(
    WORDS.map(lambda words: f"data: {words}"),
    WORDS.map(lambda words: f"data:{words.lstrip()}"),
    WORDS.map(lambda words: f": {words}"),
    st.sampled_from(["event: delta", "id: 7", "retry: 10", ": keep-alive", "data: [DONE]"]),
)
EVENTS = st.lists(st.lists(LINES, min_size=1, max_size=4), max_size=8)
# A bare CR may not be mixed with LF: together they are one line end.
ENDINGS = st.sampled_from([("\n",), ("\r\n",), ("\n", "\r\n"), ("\r",)])


@st.composite
def streams(draw):
    """A stream, and the data of its events."""
    endings = st.sampled_from(draw(ENDINGS))
    text, expected = "", []
    for lines in draw(EVENTS):
        text += "".join(line + draw(endings) for line in lines) + draw(endings)
        data = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
        if data:
            expected.append("\n".join(data).encode())
    return text.encode(), expected


def read(parts, limit=LIMIT):
    splitter = sse.Splitter(limit)
    blocks = [splitter.feed(part) for part in parts] + [splitter.flush()]
    data = [sse.data_of(event) for block in blocks for event in sse.events(block)]
    return [one for one in data if one is not None]


def trimmed(data):
    # How many blanks stood before the data is nobody's business: it is JSON.
    return [one.lstrip(b" ") for one in data]


@examples(400)
@given(streams(), PLACES)
def test_any_split_gives_the_same_events(stream, places):
    text, expected = stream
    assert trimmed(read(cut(text, places))) == trimmed(expected)


@examples(100)
@given(streams())
def test_one_byte_at_a_time_gives_the_same_events(stream):
    text, expected = stream
    assert trimmed(read([bytes([byte]) for byte in text])) == trimmed(expected)


@examples(200)
@given(streams(), PLACES)
def test_every_block_is_of_whole_events(stream, places):
    splitter = sse.Splitter(LIMIT)
    for part in cut(stream[0], places):
        block = splitter.feed(part)
        assert not block or block.endswith(b"\n\n")
        assert b"\r" not in block


@pytest.mark.parametrize("blank", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
def test_every_way_to_write_a_blank_line_ends_an_event(blank):
    assert read([b"data: 1" + blank + b"data: 2" + blank]) == [b"1", b"2"]


def test_a_crlf_cut_in_half_is_one_line_end():
    assert read([b"data: 1\r", b"\n", b"data: 2\r", b"\n\r", b"\n"]) == [b"1\n2"]


def test_more_blank_lines_than_needed_make_no_events():
    assert read([b"\n\ndata: 1\n\n\n\n\ndata: 2\n\n\n"]) == [b"1", b"2"]


def test_bytes_of_a_letter_cut_in_half_come_together():
    text = "data: señor 你好\n\n".encode()
    assert read([text[:8], text[8:14], text[14:]]) == ["señor 你好".encode()]


@pytest.mark.parametrize("text", [b"data: 1\n\n", b"data: 1\r\n\r\n"])
def test_an_event_is_given_with_its_last_byte_and_not_with_the_next_event(text):
    for place in range(1, len(text)):
        splitter = sse.Splitter(LIMIT)
        assert splitter.feed(text[:place]) == b""
        assert splitter.feed(text[place:]) == b"data: 1\n\n"
        assert splitter.flush() == b""


class TestLimit:
    def test_an_event_that_never_ends_is_malformed(self):
        splitter = sse.Splitter(100)
        for _ in range(10):
            assert splitter.feed(b"data: 456 ") == b""
        with pytest.raises(Malformed, match="100 bytes"):
            splitter.feed(b"7")

    def test_it_counts_the_unfinished_event_alone(self):
        splitter = sse.Splitter(100)
        for _ in range(50):
            assert splitter.feed(b"data: 1\n\nda")
            assert splitter.feed(b"ta: 2\n\n")

    def test_an_event_up_to_the_limit_passes(self):
        assert read([b"data: " + b"x" * 94, b"\n\n"], limit=100) == [b"x" * 94]

    def test_nothing_piles_up_when_only_carriage_returns_come(self):
        splitter = sse.Splitter(100)
        for _ in range(12):
            assert splitter.feed(b"data: 1\r") == b""
        with pytest.raises(Malformed):
            splitter.feed(b"data: 100")


class TestFlush:
    @pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b"\r"])
    def test_it_gives_an_event_without_its_blank_line(self, tail):
        splitter = sse.Splitter(LIMIT)
        assert splitter.feed(b"data: 1\n\ndata: 2" + tail) == b"data: 1\n\n"
        assert splitter.flush() == b"data: 2\n\n"

    def test_it_gives_nothing_after_a_whole_event(self):
        splitter = sse.Splitter(LIMIT)
        splitter.feed(b"data: 1\n\n")
        assert splitter.flush() == b""

    def test_it_gives_nothing_for_blank_lines(self):
        splitter = sse.Splitter(LIMIT)
        splitter.feed(b"\r")
        splitter.feed(b"\n")
        assert splitter.flush() == b""

    def test_it_gives_what_is_left_only_once(self):
        splitter = sse.Splitter(LIMIT)
        splitter.feed(b"data: 1")
        assert splitter.flush() == b"data: 1\n\n"
        assert splitter.flush() == b""


class TestData:
    @pytest.mark.parametrize(
        ("event", "data"),
        [
            (b"data: x", b"x"),
            (b"data:x", b"x"),
            (b"data:", b""),
            (b"data: a: b", b"a: b"),
            (b"data: a\ndata: b", b"a\nb"),
            (b"data: a\ndata:\ndata: b", b"a\n\nb"),
            (b"event: delta\ndata: x", b"x"),
            (b": note\ndata: x\nid: 3", b"x"),
            (b": keep-alive", None),
            (b"event: ping", None),
            (b"database: x", None),
        ],
    )
    def test_forms(self, event, data):
        assert sse.data_of(event) == data

    def test_what_is_made_can_be_read(self):
        assert sse.events(sse.event(b'{"a": 1}')) == [b'data: {"a": 1}']
        assert read([sse.event(b'{"a": 1}'), sse.DONE]) == [b'{"a": 1}', b"[DONE]"]
