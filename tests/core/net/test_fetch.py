"""The guarded fetch against real servers on loopback: what it brings, where it stops, whom it never asks."""

import asyncio
import contextlib
import gzip
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver

from core.errors import MediaUnavailable
from core.net.fetch import Fetch
from tests.core.fakes import run

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
OK = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nconnection: close\r\n"
HERE = "127.0.0.1"  # the tests' own servers; all of 127/8 else is as private as ever
NOT_ALLOWED = "there is no such host, or it is not allowed"


class Peer:
    """A server that answers each request with what `answer(path)` gives, and remembers who asked."""

    def __init__(self, answer):
        self._answer = answer
        self.requests = []
        self.port, self.url = 0, ""

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            said = self._answer(head.split()[1].decode())
            if isinstance(said, bytes):
                said = [said]
            for part in said:
                await asyncio.sleep(0) if isinstance(part, bytes) else await part
                if isinstance(part, bytes):
                    writer.write(part)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(answer, host=HERE):
    made = Peer(answer)
    server = await asyncio.start_server(made.serve, host, 0)
    made.port = server.sockets[0].getsockname()[1]
    made.url = f"http://{HERE}:{made.port}"
    async with server:
        yield made


class Names(AbstractResolver):
    """Names → the addresses they have at the first look, the second, and so on."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(looks) for name, looks in names.items()}
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        looks = self.names[host]
        addresses = looks.pop(0) if len(looks) > 1 else looks[0]
        return [
            {"hostname": host, "host": one, "port": port, "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
             "proto": 0, "flags": socket.AI_NUMERICHOST}
            for one in addresses.split()
        ]  # fmt: skip

    async def close(self):
        pass


def room(most=1 << 20):
    """Counts what is taken, and stops at `most`."""
    left = most

    def take(size):
        nonlocal left
        left -= size
        if left < 0:
            raise MediaUnavailable("too large")

    return take


def fetched(answer, path="/a.png", *, private=(HERE,), most=1 << 20, url=None, **options):
    """What comes of asking one server, and what it was asked."""

    async def work():
        async with peer(answer) as server:
            where = (url or "{url}" + path).format(url=server.url, port=server.port)
            try:
                return await Fetch(private, **options).get(where, room(most)), server.requests
            except MediaUnavailable as error:
                return error, server.requests

    return run(work())


def refused(url, names=None, **options):
    with pytest.raises(MediaUnavailable) as caught:
        run(Fetch(resolver=names, **options).get(url, room()))
    return caught.value.message


def says(body, *headers):
    return lambda _: OK + b"".join(one + b"\r\n" for one in headers) + b"\r\n" + body


class TestBringing:
    def test_a_file_comes_as_it_is(self):
        data, requests = fetched(says(PICTURE))
        assert data == PICTURE
        assert len(requests) == 1

    def test_it_says_nothing_of_who_asks(self):
        _, (head,) = fetched(says(PICTURE))
        names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"accept", b"accept-encoding", b"user-agent", b"connection"}

    def test_redirects_are_followed_without_cookies(self):
        def answer(path):
            if path == "/start":
                return b"HTTP/1.1 302 Found\r\nlocation: next\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
            return OK + b"\r\n" + PICTURE

        data, requests = fetched(answer, "/start")
        assert data == PICTURE
        assert [head.split()[1] for head in requests] == [b"/start", b"/next"]
        assert b"cookie" not in requests[1].lower()

    @pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip"])
    def test_what_is_packed_all_the_same_is_unpacked(self, encoding):
        data, _ = fetched(says(gzip.compress(PICTURE), b"content-encoding: " + encoding))
        assert data == PICTURE

    def test_a_host_that_the_operator_named_may_be_private(self):
        async def work():
            async with peer(says(PICTURE)) as server:
                fetch = Fetch(("minio.internal",), resolver=Names(minio_internal=["127.0.0.1"]))
                return await fetch.get(f"http://minio.internal:{server.port}/", room())

        assert run(work()) == PICTURE


class TestLimits:
    def test_no_more_than_was_wanted(self):
        error, _ = fetched(says(b"x" * 200_000), most=100_000)
        assert error.message == "too large"

    def test_a_bomb_is_not_unpacked_to_its_end(self):
        taken = 0

        def take(size):
            nonlocal taken
            taken += size
            if taken > 100_000:
                raise MediaUnavailable("too large")

        async def work():
            bomb = gzip.compress(bytes(64 << 20))
            async with peer(says(bomb, b"content-encoding: gzip")) as server:
                await Fetch((HERE,)).get(server.url + "/", take)

        with pytest.raises(MediaUnavailable, match="too large"):
            run(work())
        assert taken < 200_000

    @pytest.mark.parametrize(
        "packed",
        [gzip.compress(PICTURE), zlib.compress(PICTURE)[:2] + b"\0\0\0\xff\xff" * 20_000],
        ids=["after its end", "of nothing"],
    )
    def test_a_body_that_unpacks_to_nothing_has_an_end(self, packed):
        """What follows the end of a packed file, and blocks without content, come to no bytes of a file."""

        def answer(_):
            yield OK + b"content-encoding: gzip\r\n\r\n" + packed
            while True:
                yield b"\0\0\0\xff\xff" * 13_000

        error, _ = fetched(answer, most=100_000)
        assert error.message in {"it cannot be unpacked", "too large"}

    def test_what_comes_counts_where_it_is_more_than_what_is_in_it(self):
        taken: list[int] = []

        async def work():
            packed = zlib.compress(PICTURE)[:2] + b"\0\0\0\xff\xff" * 20_000
            async with peer(says(packed, b"content-encoding: deflate")) as server:
                await Fetch((HERE,)).get(server.url + "/", taken.append)

        with pytest.raises(MediaUnavailable):
            run(work())
        assert sum(taken) == 100_002

    def test_names_that_take_long_hold_up_no_provider(self, monkeypatch):
        """Providers' names are looked up in the loop's own threads."""
        real, closed = socket.getaddrinfo, threading.Event()
        loop: Any = None
        held = asyncio.Event()

        def slow(host, *rest, **more):
            if host.endswith(".slow.example"):
                loop.call_soon_threadsafe(held.set)
                closed.wait(15)
                raise socket.gaierror("no such name")
            return real(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", slow)

        async def work():
            nonlocal loop
            loop = asyncio.get_running_loop()
            loop.set_default_executor(ThreadPoolExecutor(1))
            fetches = [asyncio.create_task(Fetch().get(f"http://{n}.slow.example/", room())) for n in range(8)]
            await held.wait()
            found = await asyncio.wait_for(loop.getaddrinfo(HERE, 80), 10)
            closed.set()
            return found, await asyncio.gather(*fetches, return_exceptions=True)

        found, ended = run(work())
        assert found[0][4] == (HERE, 80)
        assert {one.message for one in ended} == {NOT_ALLOWED}

    def test_a_server_that_never_lets_us_in_is_not_waited_for(self, monkeypatch):
        monkeypatch.setattr("core.net.fetch._CONNECT_SECONDS", 0.05)

        async def work():
            with socket.socket() as full, contextlib.ExitStack() as others:
                full.bind((HERE, 0))
                full.listen(0)
                for _ in range(2):  # nobody accepts them, and there is no room for more
                    other = others.enter_context(socket.socket())
                    other.setblocking(False)
                    other.connect_ex(full.getsockname())
                with pytest.raises(MediaUnavailable) as caught:
                    await Fetch((HERE,)).get(f"http://{HERE}:{full.getsockname()[1]}/", room())
                return caught.value.message

        assert run(work()) == "its server could not be reached in time"

    @pytest.mark.parametrize("packed", [gzip.compress(PICTURE)[:-9], b"nothing of the kind", gzip.compress(b"a") * 2])
    def test_what_cannot_be_unpacked_is_not_half_given(self, packed):
        error, _ = fetched(says(packed, b"content-encoding: gzip"))
        assert error.message == "it cannot be unpacked"

    def test_an_unknown_packing_is_not_taken_for_the_file(self):
        error, _ = fetched(says(PICTURE, b"content-encoding: br"))
        assert "packed" in error.message

    def test_a_slow_drip_ends(self):
        def answer(_):
            yield OK + b"\r\n"
            while True:
                yield b"x"
                yield asyncio.sleep(0.01)

        error, _ = fetched(answer, seconds=0.2)
        assert error.message == "it did not come whole within 0.2 s"

    def test_a_broken_body_is_not_half_given(self):
        error, _ = fetched(says(PICTURE, b"content-length: 5000"))
        assert error.message == "the connection broke before it came whole"

    def test_nothing_is_not_a_file(self):
        error, _ = fetched(says(b""))
        assert error.message == "it is empty"

    def test_redirects_have_an_end(self):
        moved = b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n"
        error, requests = fetched(lambda _: moved)
        assert "redirected more than 5 times" in error.message
        assert len(requests) == 6

    @pytest.mark.parametrize("status", [b"404 Not Found", b"500 Oops", b"206 Partial", b"304 Not Modified"])
    def test_another_status_is_said(self, status):
        error, _ = fetched(lambda _: b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
        assert status[:3].decode() in error.message

    def test_no_http_is_an_error_of_ours(self):
        error, _ = fetched(lambda _: b"SSH-2.0-OpenSSH\r\n\r\n")
        assert isinstance(error, MediaUnavailable)


class TestWords:
    @pytest.mark.parametrize(
        "url",
        [
            "", "picture.png", "file:///etc/passwd", "ftp://example.com/a", "data:text/plain,a",
            "http:///a", "//example.com/a", "http://[", "http://a:b:c/", "http://example.com:99999/", "http://a\n.com/",
            "http://" + "a" * 9000,
        ],
    )  # fmt: skip
    def test_what_is_no_address_is_not_asked_for(self, url):
        names = Names()
        refused(url, names)
        assert names.asked == []

    def test_a_user_in_it_is_refused(self):
        assert "user or password" in refused("http://me:secret@example.com/a.png", Names())

    @pytest.mark.parametrize("port", [0, 22, 25, 79, 444, 1023])
    def test_ports_of_other_services_are_refused(self, port):
        assert "not allowed" in refused(f"http://example.com:{port}/", Names())

    def test_a_redirect_is_held_to_the_same(self):
        for location in (
            b"file:///etc/passwd",
            b"http://a:b@example.com/",
            b"http://example.com:25/",
            b"",
            b"http://[",
        ):
            moved = b"HTTP/1.1 302 Found\r\nlocation: " + location + b"\r\ncontent-length: 0\r\n\r\n"
            error, requests = fetched(lambda _, moved=moved: moved, resolver=Names())
            assert isinstance(error, MediaUnavailable), location
            assert len(requests) == 1


PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.1.2.3", "168.63.129.16",
    "169.254.169.254", "172.16.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::",
    "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip


class TestNeverAsked:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_a_private_address(self, address):
        host = f"[{address}]" if ":" in address else address
        assert refused(f"http://{host}:8080/") == NOT_ALLOWED

    @pytest.mark.parametrize("address", PRIVATE)
    def test_a_name_for_one(self, address):
        names = Names(sly_example=[address])
        assert refused("http://sly.example/", names) == NOT_ALLOWED
        assert names.asked == ["sly.example"]

    @pytest.mark.parametrize(
        "host",
        ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "localhost", "127.0.0.1.", "①②⑦.0.0.1", "[::]",
         "[fe80::1%25lo]"],
    )  # fmt: skip
    def test_loopback_in_other_clothes(self, host):
        """By the system's own resolver, which knows some of them."""

        async def work():
            async with peer(says(PICTURE)) as server:
                with pytest.raises(MediaUnavailable) as caught:
                    await Fetch().get(f"http://{host}:{server.port}/", room())
                return caught.value.message, server.requests

        said, requests = run(work())
        assert requests == []
        assert said == NOT_ALLOWED

    def test_the_words_do_not_tell_who_is_there(self):
        there, nobody = Names(db_internal=["10.0.0.7"]), Names()
        assert refused("http://db.internal/", there) == refused("http://db.internal/", nobody)

    def test_a_name_that_changes_its_mind_is_looked_up_once(self):
        """The second look of a rebinding name would lead to this machine; there is none."""

        async def work():
            async with peer(says(PICTURE), "127.0.0.2") as victim:
                names = Names(rebind_example=["203.0.113.9", "127.0.0.2"])
                with pytest.raises(MediaUnavailable, match="not allowed"):
                    await Fetch(resolver=names).get(f"http://rebind.example:{victim.port}/", room())
                with pytest.raises(MediaUnavailable, match="not allowed"):
                    await Fetch(resolver=names).get(f"http://rebind.example:{victim.port}/", room())
                return victim.requests, names.asked

        requests, asked = run(work())
        assert requests == []
        assert len(asked) == 2

    def test_a_name_that_changes_between_hops_is_checked_again(self):
        async def work():
            moved = b"HTTP/1.1 307 Moved\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n"
            async with peer(lambda _: moved, "0.0.0.0") as server:
                names = Names(rebind_example=[HERE, "127.0.0.2"])
                with pytest.raises(MediaUnavailable, match="not allowed"):
                    await Fetch((HERE,), resolver=names).get(f"http://rebind.example:{server.port}/", room())
                return server.requests, names.asked

        requests, asked = run(work())
        assert len(requests) == 1
        assert len(asked) == 2

    def test_of_several_addresses_only_the_allowed_are_tried(self):
        async def work():
            async with peer(says(PICTURE), "0.0.0.0") as server:
                names = Names(both_example=["127.0.0.2 127.0.0.1"])
                data = await Fetch((HERE,), resolver=names).get(f"http://both.example:{server.port}/", room())
                return data, server.requests

        data, requests = run(work())
        assert data == PICTURE
        assert len(requests) == 1

    @pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "http://[::1]:{port}/",
                                        "http://0.0.0.0:{port}/", "http://2130706433:{port}/"])  # fmt: skip
    def test_a_redirect_to_one(self, target):
        async def work():
            async with peer(says(PICTURE), "127.0.0.2") as victim:
                where = target.format(port=victim.port).encode()
                moved = b"HTTP/1.1 302 Found\r\nlocation: " + where + b"\r\ncontent-length: 0\r\n\r\n"
                async with peer(lambda _: moved) as server:
                    with pytest.raises(MediaUnavailable) as caught:
                        await Fetch((HERE,)).get(server.url + "/", room())
                return caught.value.message, victim.requests

        said, requests = run(work())
        assert said == NOT_ALLOWED
        assert requests == []

    def test_a_proxy_of_the_environment_is_not_asked(self, monkeypatch):
        """Though it may be connected to: the proxy would look the name up by itself."""

        async def work():
            async with peer(says(PICTURE)) as proxy:
                for name in ("HTTP_PROXY", "http_proxy"):
                    monkeypatch.setenv(name, proxy.url)
                for name in ("NO_PROXY", "no_proxy"):
                    monkeypatch.delenv(name, raising=False)
                with pytest.raises(MediaUnavailable):
                    await Fetch((HERE,), resolver=Names(a_example=["10.0.0.1"])).get("http://a.example/", room())
                return proxy.requests

        assert run(work()) == []

    def test_a_network_of_the_operators_opens_that_network_alone(self):
        error, requests = fetched(says(PICTURE), private=("10.0.0.0/8", "fd00::/8"))
        assert error.message == NOT_ALLOWED
        assert requests == []
        data, _ = fetched(says(PICTURE), private=("127.0.0.0/8",))
        assert data == PICTURE
