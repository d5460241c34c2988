"""Files in place of addresses: once for a request, whoever is asked, and only where bytes are wanted."""

import asyncio
import base64

import pytest

from core.errors import MediaUnavailable
from core.execution.media import NO_MEDIA, Media, Room, wanted
from core.providers.row import Images
from tests.core.fakes import run

PNG, WAV, PDF = b"\x89PNG\r\n\x1a\n" + bytes(20), b"RIFF\x24\x00\x00\x00WAVEfmt ", b"%PDF-1.7\n"
FILES = {"https://a/p.png": PNG, "https://a/q.gif": b"GIF89a", "https://a/w.wav": WAV, "https://a/d.pdf": PDF,
         "https://a/page": b"<!doctype html>", "https://a/noise": b"\x00\xfe"}  # fmt: skip
BYTES = Images(urls=False)


class Web:
    """Stands for the fetch: what lies where, and what was asked for."""

    def __init__(self, files=FILES):
        self.files = files
        self.asked = []
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, url, take):
        self.asked.append(url)
        await self.open.wait()
        if url not in self.files:
            raise MediaUnavailable("its server answered 404")
        take(len(self.files[url]))
        return self.files[url]


def image(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def call(*parts):
    messages = [
        {"role": "system", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, *parts]},
    ]
    return {"messages": messages, "n": 1}


async def had(media, asked, takes=BYTES):
    await media.ready(asked, takes)
    return media.given(asked, takes)


def given(asked, takes=BYTES, web=None, most=1 << 20):
    async def work():
        with Media(Room((web or Web()).get, most)) as media:
            return await had(media, asked, takes)

    return run(work())


def refused(asked, takes=BYTES, **options):
    with pytest.raises(MediaUnavailable) as caught:
        given(asked, takes, **options)
    assert (caught.value.status, caught.value.fault, caught.value.code) == (400, "caller", "media_unavailable")
    return caught.value


def data(kind, raw):
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def parts_of(made):
    return made["messages"][1]["content"][1:]


def test_an_address_becomes_what_it_leads_to():
    asked = call(image("https://a/p.png", detail="low"), image(data("image/png", PNG)))
    made = given(asked)
    assert parts_of(made) == [image(data("image/png", PNG), detail="low"), image(data("image/png", PNG))]
    assert made["messages"][0] is asked["messages"][0]
    assert made["n"] == 1
    assert parts_of(asked)[0]["image_url"]["url"] == "https://a/p.png"


def test_who_takes_addresses_gets_them():
    web = Web()
    asked = call(image("https://a/p.png"))
    assert given(asked, Images(), web) is asked
    assert web.asked == []


def test_sound_and_documents_are_never_taken_as_addresses():
    sound = {"type": "input_audio", "input_audio": {"data": "https://a/w.wav", "format": "wav"}}
    file = {"type": "file", "file": {"file_data": "https://a/d.pdf", "filename": "d.pdf"}}
    made = given(call(sound, file, image("https://a/p.png")), Images())
    assert parts_of(made) == [
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"}},
        {"type": "file", "file": {"file_data": data("application/pdf", PDF), "filename": "d.pdf"}},
        image("https://a/p.png"),
    ]


@pytest.mark.parametrize("field", ["file_data", "file_url"])
@pytest.mark.parametrize(
    ("url", "held"),
    [
        ("https://a/d.pdf", {"filename": "d.pdf", "file_data": data("application/pdf", PDF)}),
        ("https://a/page", {"filename": "page", "file_data": data("text/plain", b"<!doctype html>")}),
    ],
)
def test_a_document_has_a_name(field, url, held):
    made = given(call({"type": "file", "file": {field: url}, "cache_control": {}}), Images())
    assert parts_of(made) == [{"type": "file", "file": held, "cache_control": {}}]


def test_who_takes_addresses_of_documents_gets_them():
    web = Web()
    asked = call({"type": "file", "file": {"file_url": "https://a/d.pdf"}}, image("https://a/p.png"))
    assert given(asked, Images(documents=True), web) is asked
    assert web.asked == []


def test_who_fetches_over_tls_alone_is_given_the_rest():
    web = Web({**FILES, "http://a/p.png": PNG})
    asked = call(image("http://a/p.png"), image("https://a/p.png"))
    assert parts_of(given(asked, Images(plain=False), web)) == [
        image(data("image/png", PNG)),
        image("https://a/p.png"),
    ]
    assert web.asked == ["http://a/p.png"]


def test_addresses_that_only_one_can_read_are_his():
    web = Web()
    asked = call(image("gs://bucket/p.png"), {"type": "file", "file": {"file_url": "gs://bucket/d.pdf"}})
    assert given(asked, Images(urls=False, own=("gs://",)), web) is asked
    assert web.asked == []


def test_a_box_that_may_hold_a_film_holds_sound_here():
    web = Web({"https://a/b": b"\x00\x00\x00\x1cftypisom"})
    made = given(call({"type": "audio_url", "audio_url": {"url": "https://a/b"}}), BYTES, web)
    assert parts_of(made)[0]["audio_url"]["url"].startswith("data:audio/mp4;base64,")


def test_a_body_of_another_dialect_would_still_have_the_addresses():
    asked = call(image("https://a/p.png"))
    assert wanted(asked, BYTES)
    assert not wanted(asked, Images())
    assert not wanted(call(image(data("image/png", PNG))), BYTES)


def test_one_file_is_fetched_once_for_all_attempts():
    web = Web()
    asked = call(image("https://a/p.png"), image("https://a/p.png"), image("https://a/q.gif"))

    async def work():
        with Media(Room(web.get, 1 << 20)) as media:
            return [await had(media, asked) for _ in range(3)]

    first, second, third = run(work())
    assert first == second == third
    assert sorted(web.asked) == ["https://a/p.png", "https://a/q.gif"]


def test_what_cannot_be_had_is_not_asked_for_again():
    web = Web()

    async def work():
        with Media(Room(web.get, 1 << 20)) as media:
            for _ in range(2):
                with pytest.raises(MediaUnavailable, match=r"messages\[1\].content\[1\].image_url.url cannot be used"):
                    await had(media, call(image("https://a/none.png")), BYTES)

    run(work())
    assert web.asked == ["https://a/none.png"]


def test_an_attempt_that_is_given_up_leaves_the_file_to_the_next():
    async def work():
        web = Web()
        web.open.clear()
        with Media(Room(web.get, 1 << 20)) as media:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await had(media, call(image("https://a/p.png")), BYTES)
            web.open.set()
            made = await had(media, call(image("https://a/p.png")), BYTES)
        return web.asked, parts_of(made)

    asked, parts = run(work())
    assert asked == ["https://a/p.png"]
    assert parts == [image(data("image/png", PNG))]


def test_nothing_is_left_when_the_request_is_over():
    async def work():
        web = Web()
        web.open.clear()
        with Media(Room(web.get, 1 << 20)) as media:
            waiting = asyncio.create_task(had(media, call(image("https://a/p.png")), BYTES))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        return web.asked, [one for one in asyncio.all_tasks() if "Media._file" in repr(one)]

    asked, left = run(work())
    assert asked == ["https://a/p.png"]
    assert not left


@pytest.mark.parametrize(
    ("part", "takes", "words"),
    [
        (image("https://a/none"), BYTES, "its server answered 404"),
        (image("https://a/page"), BYTES, "what is there is text/plain"),
        (image("https://a/noise"), BYTES, "no file of a known kind"),
        (image("https://a/d.pdf"), BYTES, "what is there is application/pdf"),
        (image("https://a/w.wav"), BYTES, "what is there is audio/wav"),
        (image("https://a/q.gif"), Images(urls=False, types=frozenset({"image/png"})), "does not take image/gif"),
        (image("https://a/p.png"), Images(urls=False, most_bytes=10), "it has 28 bytes, and this provider takes"),
        (image("gs://bucket/p.png"), BYTES, "only some providers know what gs: means"),
        (image("gs://bucket/p.png"), Images(), "only some providers know what gs: means"),
        ({"type": "input_audio", "input_audio": {"data": "https://a/p.png"}}, BYTES, "what is there is image/png"),
    ],
)
def test_what_cannot_be_used_names_its_place_and_why(part, takes, words):
    error = refused(call(part), takes)
    kind = part["type"]
    place = f"messages[1].content[1].{kind}.{'data' if kind == 'input_audio' else 'url'}"
    assert error.param == place
    assert error.message.startswith(f"{place} cannot be used: ")
    assert words in error.message
    assert "https://" not in error.message


def test_a_limit_of_one_provider_is_none_of_the_next():
    async def work():
        with Media(Room(Web().get, 1 << 20)) as media:
            with pytest.raises(MediaUnavailable):
                await had(media, call(image("https://a/p.png")), Images(urls=False, most_bytes=10))
            return await had(media, call(image("https://a/p.png")), BYTES)

    assert parts_of(run(work())) == [image(data("image/png", PNG))]


def test_all_files_together_have_a_limit():
    error = refused(call(image("https://a/p.png"), image("https://a/q.gif")), most=len(PNG) + 1)
    assert f"larger than {len(PNG) + 1} bytes in all" in error.message


def test_so_many_files_are_not_fetched():
    web = Web()
    error = refused(call(*(image(f"https://a/{number}") for number in range(65))), web=web)
    assert "more than 64 parts name files" in error.message
    assert web.asked == []


def test_not_all_are_fetched_at_once():
    async def work():
        web = Web({f"https://a/{number}": PNG for number in range(20)})
        web.open.clear()
        with Media(Room(web.get, 1 << 20)) as media:
            made = asyncio.create_task(had(media, call(*map(image, web.files)), BYTES))
            for _ in range(5):
                await asyncio.sleep(0)
            begun = len(web.asked)
            web.open.set()
            await made
        return begun, len(web.asked)

    assert run(work()) == (8, 20)


def test_without_addresses_there_is_nothing_to_do():
    asked = call(image(data("image/png", PNG)))
    assert given(asked) is asked
    with NO_MEDIA:
        pass


def test_a_file_counts_as_often_as_it_is_named():
    """What a provider is sent grows with each use, though it is fetched once."""
    web, part = Web(), image("https://a/p.png")
    error = refused(call(*[part] * 3), web=web, most=3 * len(PNG) - 1)
    assert "larger than 83 bytes in all, each counted as often as it is named" in error.message
    assert len(parts_of(given(call(*[part] * 3), web=Web(), most=3 * len(PNG)))) == 3
    assert "more than 64 parts name files" in refused(call(*[part] * 65)).message


def test_who_keeps_us_waiting_is_named_and_the_time_is_one_for_all():
    async def work():
        web = Web({f"https://a/{number}": PNG for number in range(20)})
        web.open.clear()
        said = []
        with Media(Room(web.get, 1 << 20), 0.05) as media:
            for _ in range(2):
                with pytest.raises(MediaUnavailable) as caught:
                    await media.ready(call(*map(image, web.files)), BYTES)
                said.append(caught.value)
        return said, len(web.asked)

    (first, second), asked = run(work())
    assert first.cause == "messages[1].content[1].image_url.url cannot be used: still waiting for it after 50 ms"
    assert (first.status, first.fault, first.message) == (400, "caller", second.message)
    assert asked == 8  # the others had no turn in that time, and get none after it


def test_all_requests_together_hold_so_much_and_give_it_back():
    async def work():
        room = Room(Web().get, len(PNG))
        asked, others = call(image("https://a/p.png")), [Media(room) for _ in range(8)]
        for other in others:
            await had(other, asked)
        with Media(room) as ninth, pytest.raises(MediaUnavailable) as caught:
            await ninth.ready(asked, BYTES)
        for other in others:
            other.__exit__()
        with Media(room) as last:
            await had(last, asked)
        return caught.value, room.left

    error, left = run(work())
    assert (error.status, error.fault, error.type) == (503, "gateway", "overloaded_error")
    assert "this gateway fetches as much for others as it may. Ask again" in error.message
    assert left == 8 * len(PNG)


def test_all_requests_together_fetch_so_many_at_once():
    async def work():
        web = Web({f"https://a/{number}": PNG for number in range(40)})
        web.open.clear()
        room, urls = Room(web.get, 1 << 20), list(web.files)
        others = [(Media(room), call(*map(image, urls[first : first + 8]))) for first in range(0, 32, 8)]
        waiting = [asyncio.create_task(media.ready(asked, BYTES)) for media, asked in others]
        for _ in range(5):
            await asyncio.sleep(0)
        with Media(room, 0.05) as late, pytest.raises(MediaUnavailable) as caught:
            await late.ready(call(image(urls[32])), BYTES)
        begun = len(web.asked)
        web.open.set()
        await asyncio.gather(*waiting)
        with Media(room) as later:
            await later.ready(call(image(urls[33])), BYTES)
        return caught.value, begun

    error, begun = run(work())
    assert begun == 32
    assert (error.status, error.fault) == (503, "gateway")  # it is not the caller who keeps it waiting
