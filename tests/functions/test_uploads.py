"""Forms with audio, as clients send them and as they should not."""

import asyncio
from typing import Any

import pytest

from core.errors import PatchbayError
from core.http.uploads import Form, read_form
from tests.contract import ears

BOUNDARY = b"----patchbay-test"
TYPE = b"multipart/form-data; boundary=" + BOUNDARY
WAV = ears.spoken("Hello there.")
ROUTE = "/v1/audio/transcriptions"


def part(name: str, content: bytes, *headers: str, more: str = "") -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"{more}', *headers]
    return b"--" + BOUNDARY + b"\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


FILE = part("file", WAV, "Content-Type: audio/wav", more='; filename="hello.wav"')
PLAIN = form(part("model", b"ears/ears-1"), FILE)


def read(raw: bytes, step: int = 65536, kind: bytes = TYPE, limit: int = 10**7) -> Form:
    pieces = [raw[start : start + step] for start in range(0, len(raw), step)] or [b""]
    messages = [
        {"type": "http.request", "body": piece, "more_body": place + 1 < len(pieces)}
        for place, piece in enumerate(pieces)
    ]

    async def receive() -> Any:
        return messages.pop(0)

    return asyncio.run(read_form(receive, {b"content-type": kind}, limit, "LIMIT", frozenset({"file"})))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with ears.serving(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture
def gateway(running):
    ears.forget()
    yield running
    ears.forget()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 19, 64, 1000])
def test_a_form_is_the_same_however_it_is_cut(step):
    tricky = b"\r\n--" + BOUNDARY[:-1] + b"\r\n\r\n--" + bytes(range(256)) + b"\r"
    raw = b"preamble\r\n" if step > 64 else b""
    raw += form(part("a", "ä€".encode()), part("file", tricky, more='; filename="x"'), part("b", b""))
    found = read(raw.removeprefix(b"preamble\r\n"), step)
    assert found.fields == [("a", "ä€"), ("b", "")]
    assert [(one.field, one.name, one.data) for one in found.files] == [("file", "x", tricky)]


@pytest.mark.parametrize(
    ("headers", "name", "kind"),
    [
        ('; filename="ä ö.wav"', "ä ö.wav", ""),
        ('; filename="a\\"b.wav"', 'a"b.wav', ""),
        ("; filename=plain.wav", "plain.wav", ""),
        ("; filename*=utf-8''%C3%A4.wav", "", ""),  # which forms must not have: it is a file by its field
        ("", "", ""),
    ],
)
def test_names_of_files(headers, name, kind):
    (found,) = read(form(part("file", b"123", more=headers))).files
    assert (found.name, found.type, found.data) == (name, kind, b"123")


BROKEN = {
    "no boundary": (b"multipart/form-data", PLAIN, "names no boundary"),
    "another boundary": (b"multipart/form-data; boundary=other", PLAIN, "cannot be read"),
    "a long boundary": (b"multipart/form-data; boundary=" + b"x" * 300, PLAIN, "boundary is too long"),
    "nothing": (TYPE, b"", "its end is missing"),
    "cut off": (TYPE, PLAIN[:-20], "its end is missing"),
    "text": (TYPE, b"hello", "cannot be read"),
    "no name": (TYPE, form(b"--" + BOUNDARY + b"\r\nContent-Type: text/plain\r\n\r\nx\r\n"), "part 1 has no name"),
    "not UTF-8": (TYPE, form(part("model", b"\xff\xfe")), "model is not UTF-8"),
    "base64": (TYPE, form(part("file", b"AAAA", "Content-Transfer-Encoding: base64")), "transfer encoding"),
    "a long header": (TYPE, form(part("file", b"x", "X-Odd: " + "y" * 9000)), "header size"),
    "many headers": (TYPE, form(part("file", b"x", *[f"X-{one}: y" for one in range(40)])), "header count"),
    "many parts": (TYPE, form(*[part("a", b"x")] * 301), "more than 300 parts"),
    "long text": (TYPE, form(part("prompt", b"x" * (8 * 2**20 + 1))), "bytes of text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_form_is_told(name):
    kind, raw, words = BROKEN[name]
    with pytest.raises(PatchbayError) as found:
        read(raw, kind=kind)
    assert (found.value.status, found.value.code) == (400, "invalid_form")
    assert words in found.value.message


def test_a_large_file_is_refused_before_all_of_it_came():
    raw = form(part("file", b"x" * 100_000, more='; filename="a"'))
    for given in (raw, raw[:60_000]):
        with pytest.raises(PatchbayError) as found:
            read(given, 1000, limit=50_000)
        assert found.value.status == 413
        assert "LIMIT" in found.value.message and "audio_url" in found.value.message


def post(gateway, raw: bytes = PLAIN, route: str = ROUTE, **headers: str):
    given = {"content-type": TYPE.decode(), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return gateway.http.post(route, content=raw, headers=given)


def test_a_form_is_answered(gateway):
    answer = post(gateway)
    assert (answer.status_code, answer.json()["text"]) == (200, "Hello there.")
    (call,) = ears.asked_of("ears")
    assert (call.body["audio"].data, call.body["audio"].name) == (WAV, "hello.wav")
    assert "x-patchbay-warnings" not in answer.headers


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([part("model", b"ears")], "file"),
        ([FILE, FILE], "file"),
        ([FILE, part("picture", b"x", more='; filename="x.png"')], "picture"),
        ([FILE, part("audio_base64", b"AAAA")], "file"),
        ([FILE, part("temperature", b"warm")], "temperature"),
        ([FILE, part("temperature", b"3")], "temperature"),
        ([FILE, part("stream", b"perhaps")], "stream"),
        ([FILE, part("model", b"a"), part("model", b"b")], "model"),
        ([FILE, part("response_format", b"docx")], "response_format"),
        ([FILE, part("timestamp_granularities[]", b"letter")], "timestamp_granularities"),
        ([FILE, part("language", b"klingonese!")], "language"),
        ([FILE, part("max_speakers", b"1000"), part("diarize", b"true")], "max_speakers"),
        ([FILE, part("min_speakers", b"3"), part("max_speakers", b"2")], "min_speakers"),
        ([FILE, part("stream", b"true"), part("response_format", b"srt")], "response_format"),
        ([FILE, part("task", b"translate"), part("diarize", b"true")], "task"),
        ([FILE, part("known_speaker_names[]", b"A"), part("known_speaker_names[]", b"A")], "known_speakers"),
        ([FILE, part("known_speaker_references[]", b"AAAA")], "known_speaker_references"),
        ([FILE, part("keywords[]", b"x" * 300)], "keywords"),
        ([FILE, part("fallback", b"maybe")], "fallback"),
    ],
)
def test_wrong_fields_are_named_and_nobody_is_asked(gateway, parts, param):
    answer = post(gateway, form(*parts))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert not ears.asked_of("ears")


def test_fields_of_a_form_are_what_json_would_have(gateway):
    fields = {
        "provider": "second", "fallback": "false", "temperature": "0.5", "prompt": "", "language": "German",
        "timestamp_granularities[]": "word", "keywords[]": "Patchbay", "vocabulary": "one, two", "diarize": "TRUE",
        "max_speakers": "3", "known_speakers": '["Ann"]', "phrase_list": '{"phrases": ["three"]}',
        "cache": "on",
    }  # fmt: skip
    parts = [part(name, value.encode()) for name, value in fields.items()]
    answer = post(gateway, form(FILE, *parts, part("keywords[]", b"Bay")), "/api/ai/transcribe")
    assert answer.status_code == 200, answer.text
    (call,) = ears.asked_of("second")
    body = {name: value for name, value in call.body.items() if name != "audio"}
    assert body == {
        "temperature": 0.5, "language": "de", "timestamps": ("word",), "diarize": True,
        "task": "transcribe", "max_speakers": 3, "known_speakers": [{"name": "Ann", "audio": None}],
    }  # fmt: skip
    warnings = answer.json()["warnings"]
    assert "vocabulary was not sent: second/second-1 does not take it" in warnings
    assert "cache=on had no effect: answers with modalities or audio are not kept" in warnings


def test_what_a_form_says_of_its_file_is_only_told_when_it_is_wrong(gateway):
    lying = part("file", WAV, "Content-Type: audio/mpeg", more='; filename="song.flac"')
    answer = post(gateway, form(lying))
    assert answer.status_code == 200
    assert ears.asked_of("ears")[0].body["audio"].kind == "wav"
    told = answer.headers["x-patchbay-warnings"]
    assert "its file name says flac, but the audio is wav" in told
    assert "its content type says mp3, but the audio is wav" in told


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin", "origin": "http://localhost:8787"}, 200),
        ({"host": "evil.example"}, 403),
    ],
)
def test_forms_of_other_sites_pages_are_not_taken(gateway, headers, status):
    answer = post(gateway, **headers)
    assert answer.status_code == status, answer.text
    assert bool(ears.asked_of("ears")) == (status == 200)


@pytest.mark.parametrize("route", ["/api/ai/chat", "/v1/chat/completions", "/v1/embeddings", "/api/ai/route"])
def test_routes_without_files_take_no_forms(gateway, route):
    answer = post(gateway, route=route)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_content_type")


def test_other_kinds_of_bodies_are_not_taken_for_audio(gateway):
    for kind in ("audio/wav", "application/x-www-form-urlencoded", "text/plain"):
        answer = gateway.http.post(ROUTE, content=WAV, headers={"content-type": kind})
        assert answer.status_code == 415, answer.text


def test_a_key_is_needed_for_forms_as_for_all(tmp_path):
    with ears.serving(tmp_path, PATCHBAY_API_KEY="secret") as gateway:
        assert (post(gateway)).status_code == 401
        assert (post(gateway, authorization="Bearer secret")).status_code == 200
        assert len(ears.asked_of("ears")) == 1
    ears.forget()


def test_the_limit_is_a_setting(tmp_path):
    environ = {"PATCHBAY_MAX_AUDIO_BYTES": "20000", "PATCHBAY_MAX_BODY_BYTES": "30000"}
    with ears.serving(tmp_path, **environ) as gateway:
        answer = post(gateway)
        assert answer.status_code == 413
        assert "PATCHBAY_MAX_AUDIO_BYTES" in answer.json()["error"]["message"]
        answer = gateway.http.post("/api/ai/transcribe", json={"audio_base64": "A" * 40_000})
        assert answer.status_code == 413
        assert "send it as a form, or its address" in answer.json()["error"]["message"]
        assert not ears.asked_of("ears")
