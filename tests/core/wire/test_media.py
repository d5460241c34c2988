"""What bytes are by how they begin, and what may stand in a data: URL."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequest
from core.providers.table import TABLE
from core.wire.chat import chat_facts
from core.wire.media import SCHEMES, kind_of, kind_within, read_data_url, scheme_of
from tests.core.fakes import examples

BEGINNINGS = [
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
    (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
    (b"RIFF\x24\x00\x00\x00AVI LIST", None),
    (b"\x00\x00\x00\x1cftypavif", "image/avif"),
    (b"\x00\x00\x00\x1cftypheic", "image/heic"),
    (b"\x00\x00\x00\x1cftypmif1", "image/heif"),
    (b"\x00\x00\x00\x1cftypM4A ", "audio/mp4"),
    (b"\x00\x00\x00\x1cftypisom", "video/mp4"),
    (b"%PDF-1.7", "application/pdf"),
    (b"ID3\x04\x00", "audio/mpeg"),
    (b"\xff\xfb\x90\x64", "audio/mpeg"),
    (b"\xff\xf1\x50\x80", None),  # AAC in ADTS
    (b"OggS\x00\x02", "audio/ogg"),
    (b"fLaC\x00\x00\x00\x22", "audio/flac"),
    (b"\x1aE\xdf\xa3\x9fB\x86\x81", "video/webm"),
    (b"<!doctype html><img>", None),
    (b"<svg xmlns=", None),
    (b"BM6\x00", None),
    (b"", None),
    (b"\xff", None),
]


@pytest.mark.parametrize(("head", "kind"), BEGINNINGS)
def test_the_first_bytes_say_what_it_is(head, kind):
    assert kind_of(head) == kind


def test_boxes_of_films_hold_sound_where_sound_is_wanted():
    film = b"\x00\x00\x00\x1cftypisom"
    assert (kind_of(film), kind_of(film, "audio/"), kind_of(film, "image/")) == ("video/mp4", "audio/mp4", "video/mp4")
    assert kind_of(b"\x1aE\xdf\xa3", "audio/") == "audio/webm"
    assert kind_of(b"GIF89a", "audio/") == "image/gif"
    assert kind_within(base64.b64encode(film).decode(), "audio/") == "audio/mp4"
    assert kind_within("!!") is kind_within("") is None


@examples(200)
@given(st.binary(max_size=40))
def test_any_bytes_may_come(head):
    kind = kind_of(head)
    assert kind is None or "/" in kind


def url_of(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@examples()
@given(st.binary(min_size=1, max_size=400))
def test_its_size_is_that_of_the_file(data):
    data = b"\x89PNG\r\n\x1a\n" + data
    found = read_data_url(url := url_of(data), "here")
    assert (found.size, base64.b64decode(url[found.start :])) == (len(data), data)


def test_its_first_bytes_go_over_its_words():
    assert read_data_url(url_of(BEGINNINGS[1][0], "image/png"), "here").type == "image/jpeg"
    assert read_data_url(url_of(b"hello", "Image/SVG+xml;charset=utf-8"), "here").type == "image/svg+xml"
    assert read_data_url(url_of(b"\0\0\0\x18ftypheis", "image/heic"), "here").type == "image/heic"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:", "must be data:<type>;base64,<data>"),
        ("data:,hello", "must be data:<type>;base64,<data>"),
        ("data:image/svg+xml,<svg/>", "must be data:<type>;base64,<data>"),
        ("data:image/png;base64;" + "x" * 300 + ",AAAA", "must be data:<type>;base64,<data>"),
        ("data:image/png;base64,", "holds nothing"),
        ("data:image/png;base64,????", "is not valid base64"),
        ("data:image/png;base64,aGVs\nbG8=", "is not valid base64"),
        ("data:image/png;base64,aGVsbG8", "is not valid base64"),
        ("data:image/png;base64,_-_-", "is not valid base64"),
        ("data:image/png;base64,äöüß", "is not valid base64"),
        ("data:image/png;base64," + "A" * 401, "its end is missing"),
        ("data:image/png;base64," + "A" * 399 + "!", "is not valid base64"),
    ],
)
def test_what_is_wrong_names_its_place(url, words):
    image = {"type": "image_url", "image_url": {"url": url}}
    messages = [{"role": "user", "content": "a"}, {"role": "user", "content": [image]}]
    with pytest.raises(BadRequest) as caught:
        chat_facts({"messages": messages})
    assert words in caught.value.message
    assert caught.value.param == "messages[1].content[0].image_url.url"
    assert caught.value.code == "invalid_data_url"
    assert url == "data:" or url not in caught.value.message


def test_facts_know_the_images_and_not_what_is_on_them():
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": url_of(b"\x89PNG\r\n\x1a\n" + bytes(92))}},
        {"type": "image_url", "image_url": {"url": url_of(b"GIF89a")}},
    ]
    facts = chat_facts({"messages": [{"role": "user", "content": parts}]})
    assert (facts.images, facts.image_bytes, facts.links) == (2, 100, False)
    assert facts.image_types == {"image/png", "image/gif"}
    link = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    facts = chat_facts({"messages": [{"role": "user", "content": [link]}]})
    assert (facts.images, facts.image_bytes, facts.links) == (1, 0, True)


@pytest.mark.parametrize(
    ("part", "links"),
    [
        ({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, False),
        ({"type": "input_audio", "input_audio": {"data": "https://example.com/a.wav", "format": "wav"}}, True),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}, False),
        ({"type": "file", "file": {"file_data": "http://example.com/a.pdf", "filename": "a.pdf"}}, True),
        ({"type": "file", "file": {"file_url": "http://example.com/a.pdf"}}, True),
        ({"type": "file", "file": {"file_id": "file-1"}}, False),
        ({"type": "audio_url", "audio_url": {"url": "https://example.com/a.mp3"}}, True),
    ],
)
def test_addresses_of_other_files_are_seen(part, links):
    assert chat_facts({"messages": [{"role": "user", "content": [part]}]}).links is links


@pytest.mark.parametrize("kind", ["input_audio", "file", "audio_url", "video_url"])
def test_a_file_is_an_object(kind):
    with pytest.raises(BadRequest, match=rf"messages\[0\]\.content\[0\]\.{kind} must be an object"):
        chat_facts({"messages": [{"role": "user", "content": [{"type": kind, kind: "x"}]}]})


@pytest.mark.parametrize(
    ("data", "declared", "words"),
    [
        (b"hello", "image/png", "does not begin as image/png does"),
        (b"hello", "IMAGE/JPG", "does not begin as image/jpg does"),
        (b"hello", "", "is text/plain, not an image"),
        (b"hello", "text/plain", "is text/plain, not an image"),
        (b"%PDF-1.7", "image/png", "is application/pdf, not an image"),
        (b"OggS", "image/svg+xml", "is audio/ogg, not an image"),
    ],
)
def test_what_is_known_to_be_no_image_is_refused(data, declared, words):
    with pytest.raises(BadRequest, match=words) as caught:
        read_data_url(url_of(data, declared), "here")
    assert (caught.value.param, caught.value.code) == ("here", "invalid_image")


def asked(kind, field, text):
    return {"messages": [{"role": "user", "content": [{"type": kind, kind: {field: text}}]}]}


PLACES = [("image_url", "url"), ("video_url", "url"), ("audio_url", "url"), ("file", "file_url")]


@pytest.mark.parametrize(("kind", "field"), PLACES)
@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "", "/etc/passwd", "//x/y", " https://x/y", "x.png"]
)
def test_no_other_addresses_are_taken(kind, field, url):
    with pytest.raises(BadRequest, match="must be an https:// or data: address") as caught:
        chat_facts(asked(kind, field, url))
    assert caught.value.param == f"messages[0].content[0].{kind}.{field}"


@pytest.mark.parametrize(("kind", "field"), [("input_audio", "data"), ("file", "file_data")])
def test_nor_in_the_place_of_a_file(kind, field):
    with pytest.raises(BadRequest, match="must be an https:// or data: address"):
        chat_facts(asked(kind, field, "file:///etc/passwd"))
    assert not chat_facts(asked(kind, field, "aGVsbG8=")).links


@pytest.mark.parametrize(("kind", "field"), PLACES)
def test_a_scheme_may_be_written_large(kind, field):
    body = asked(kind, field, "HTTPS://Example.com/A.png")
    assert chat_facts(body).links
    assert body == asked(kind, field, "https://Example.com/A.png")  # for all who look at it next
    body = asked(kind, field, "DATA:image/png;base64,iVBORw0KGgo=")
    assert not chat_facts(body).links
    assert body == asked(kind, field, "data:image/png;base64,iVBORw0KGgo=")
    with pytest.raises(BadRequest, match="does not begin as image/png"):
        chat_facts(asked("image_url", "url", "DATA:image/png;base64,aGVsbG8="))


def test_what_only_one_provider_reads_is_known_here():
    """The schemes of all rows' own addresses."""
    assert {scheme_of(own) for row in TABLE for own in row.images.own} <= SCHEMES
