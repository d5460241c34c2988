"""What every place for blobs promises, on a folder and on S3."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from core.bootstrap import open_blobs
from core.config.settings import Settings
from core.errors import StoreUnavailable
from tests.core.fakes import run

BAD_KEYS = ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".hidden", "a/.b"]
BAD_KEYS += ["a\\b", "a,b", "a\0b", "a b", "ä", "a\n", "C:a", "x" * 201]


@pytest.fixture(params=["folder", "s3"])
def settings(request, tmp_path):
    bucket = request.getfixturevalue("aws").bucket() if request.param == "s3" else None
    return Settings(home=tmp_path, bucket=bucket)


@pytest.fixture
def use(settings):
    @asynccontextmanager
    async def opened():
        blobs = await open_blobs(settings)
        try:
            yield blobs
        finally:
            await blobs.close()

    def work(scene):
        async def scenes():
            async with opened() as blobs:
                return await scene(blobs)

        return run(scenes())

    return work


def test_what_was_put_can_be_read(use):
    async def write(blobs):
        await blobs.put("jobs/1/input.mp3", bytes(range(256)) * 1000, "audio/mpeg")
        await blobs.put("jobs/1/empty", b"", "text/plain")

    async def read(blobs):
        assert await blobs.get("jobs/1/input.mp3") == bytes(range(256)) * 1000
        assert await blobs.get("jobs/1/empty") == b""
        assert await blobs.get("jobs/2") is None

    use(write)
    use(read)


def test_a_put_replaces_and_a_delete_removes(use):
    async def scene(blobs):
        await blobs.put("a", b"1", "text/plain")
        await blobs.put("a", b"22", "text/plain")
        assert await blobs.get("a") == b"22"
        await blobs.delete("a")
        await blobs.delete("a")
        assert await blobs.get("a") is None
        assert list(await blobs.list()) == []

    use(scene)


def test_keys_by_prefix_in_order(use):
    keys = ["b", "a/b/c", "a", "a/b", "a-b", "a/2.json", "a/10.json"]

    async def scene(blobs):
        assert list(await blobs.list()) == []
        for key in keys:
            await blobs.put(key, key.encode(), "text/plain")
        assert list(await blobs.list()) == sorted(keys)
        assert list(await blobs.list("a/")) == ["a/10.json", "a/2.json", "a/b", "a/b/c"]
        assert list(await blobs.list("a/b")) == ["a/b", "a/b/c"]
        assert list(await blobs.list("c")) == []

    use(scene)


def test_what_is_no_key(use):
    async def scene(blobs):
        for key in BAD_KEYS:
            calls = [blobs.put(key, b"x", "text/plain"), blobs.get(key), blobs.delete(key)]
            calls += [blobs.list(key)] if key not in {"", "a/"} else []
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(end, ValueError) for end in ends), (key, ends)

    use(scene)


def test_half_a_body_is_never_read(use):
    whole = [bytes([number]) * 200_000 for number in range(8)]

    async def scene(blobs):
        await blobs.put("a", whole[0], "text/plain")
        writes = asyncio.gather(*(blobs.put("a", body, "text/plain") for body in whole))
        while not writes.done():
            assert await blobs.get("a") in whole
        await writes
        assert list(await blobs.list()) == ["a"]

    use(scene)


def test_a_place_that_is_not_there_says_so(tmp_path, aws):
    (tmp_path / "blobs").write_text("a file")

    async def scene(settings):
        blobs = await open_blobs(settings)
        try:
            await blobs.put("a", b"1", "text/plain")
        finally:
            await blobs.close()

    with pytest.raises(StoreUnavailable, match="blobs"):
        run(scene(Settings(home=tmp_path)))
    with pytest.raises(StoreUnavailable, match="S3 bucket nowhere: there is no such table, bucket or queue"):
        run(scene(Settings(home=tmp_path, bucket="nowhere")))
