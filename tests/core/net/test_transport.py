"""The one HTTP client against real sockets that misbehave: only our errors come out of it."""

import asyncio
import gzip
import re
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from core.errors import (
    ConnectTimeout,
    Dropped,
    IdleTimeout,
    Malformed,
    TargetError,
    Unreachable,
)
from core.net.transport import Transport, retry_after, target_error
from tests.core.fakes import run

HEADERS = {"authorization": "Bearer k", "content-type": "application/json"}
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
MIB = 1 << 20


class Peer:
    """A server of raw bytes: `talk(peer, reader, writer)` for each request, and what it saw."""

    def __init__(self, talk):
        self._talk = talk
        self.connections = 0
        self.requests = []
        self.sent = 0
        self.release = asyncio.Event()  # set when the test is over
        self.url = URL()
        self._lines = {}

    async def serve(self, reader, writer):
        self.connections += 1
        self._lines[asyncio.current_task()] = writer
        try:
            while (head := await self._request(reader)) is not None:
                self.requests.append(head)
                if not await self._talk(self, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    @staticmethod
    async def _request(reader):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        return head + await reader.readexactly(int(length[1]) if length else 0)

    async def flood(self, writer, piece, times):
        """Write until the other side has had enough."""
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)

    async def hang_up(self):
        self.release.set()
        for writer in self._lines.values():
            writer.transport.abort()
        await asyncio.gather(*self._lines, return_exceptions=True)


@asynccontextmanager
async def peer(talk):
    made = Peer(talk)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions")
    try:
        yield made
    finally:
        server.close()
        await made.hang_up()
        await server.wait_closed()


@asynccontextmanager
async def transport(**options):
    made = await Transport(**options).open()
    try:
        yield made
    finally:
        await made.close()


def says(*parts, stay=False):
    """Write these bytes and hang up, or stay for the next request."""

    async def talk(_, __, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
        return stay

    return talk


def then_silent(*parts):
    async def talk(peer, _, writer):
        for part in parts:
            writer.write(part)
        await writer.drain()
        await peer.release.wait()
        return False

    return talk


async def post(client, url, **options):
    return await client.send("POST", url, HEADERS, b'{"messages": []}', **options)


def exchange(talk, use=None, *, limit=MIB, seconds=20, **options):
    """One request; by default its whole body is read."""

    async def work():
        async with peer(talk) as server, transport() as client:
            answer = await post(client, server.url, **options)
            try:
                return await (answer.read(limit) if use is None else use(answer, server))
            finally:
                answer.close()

    return run(work(), seconds)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def all_subclasses(cls):
    found = set()
    for sub in cls.__subclasses__():
        found |= {sub} | all_subclasses(sub)
    return found


KEY = ConnectionKey("api.example", 443, True, True, None, None, None)


def instance(cls):
    """One of these as the client would make it."""
    if issubclass(cls, UnixClientConnectorError):
        return cls("/tmp/socket", KEY, OSError(2, "No such file"))
    if issubclass(cls, aiohttp.ClientConnectorCertificateError):
        return cls(KEY, ssl.SSLCertVerificationError("self-signed certificate"))
    if issubclass(cls, aiohttp.ClientConnectorError):
        return cls(KEY, OSError(111, "Connection refused"))
    if issubclass(cls, aiohttp.ClientResponseError):
        return cls(None, (), status=400, message="Bad Request")
    if issubclass(cls, aiohttp.ServerFingerprintMismatch):
        return cls(b"a", b"b", "api.example", 443)
    if issubclass(cls, aiohttp.InvalidURL):
        return cls("http://[")
    return cls("went wrong")


CLIENT_ERRORS = sorted({aiohttp.ClientError} | all_subclasses(aiohttp.ClientError), key=lambda cls: cls.__name__)


class TestMapping:
    @pytest.mark.parametrize("cls", CLIENT_ERRORS, ids=lambda cls: cls.__name__)
    def test_no_exception_of_the_client_escapes(self, cls):
        error = target_error(instance(cls))
        assert type(error) is not TargetError
        assert isinstance(error, TargetError)
        assert error.message

    def test_the_walk_found_them(self):
        assert len(CLIENT_ERRORS) > 20

    @pytest.mark.parametrize(
        ("cls", "expected"),
        [
            (aiohttp.ClientConnectorError, Unreachable),
            (aiohttp.ClientConnectorDNSError, Unreachable),
            (aiohttp.ClientConnectorCertificateError, Unreachable),
            (aiohttp.ClientConnectorSSLError, Unreachable),
            (aiohttp.ClientProxyConnectionError, Unreachable),
            (aiohttp.InvalidURL, Unreachable),
            (aiohttp.ConnectionTimeoutError, ConnectTimeout),
            (aiohttp.SocketTimeoutError, IdleTimeout),
            (aiohttp.ServerDisconnectedError, Dropped),
            (aiohttp.ClientOSError, Dropped),
            (aiohttp.ClientConnectionResetError, Dropped),
            (aiohttp.ClientPayloadError, Dropped),
            (aiohttp.ClientResponseError, Malformed),
            (aiohttp.ContentTypeError, Malformed),
        ],
    )
    def test_the_class_says_what_happened(self, cls, expected):
        assert type(target_error(instance(cls))) is expected

    @pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), BrokenPipeError(), OSError(5, "I/O error")])
    def test_the_systems_own_errors_are_mapped(self, error):
        assert type(target_error(error)) is Dropped

    def test_what_is_not_the_networks_is_not_hidden(self):
        with pytest.raises(ZeroDivisionError):
            target_error(ZeroDivisionError())

    def test_it_names_the_host(self):
        assert "api.example:443" in target_error(instance(aiohttp.ClientConnectorError)).message


class TestSending:
    def test_a_refused_connection_is_unreachable(self):
        async def work():
            async with transport() as client:
                await post(client, URL(f"http://127.0.0.1:{free_port()}/v1"))

        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            run(work())

    def test_no_such_host_is_unreachable(self):
        async def work():
            async with transport() as client:
                await post(client, URL("http://no-such-host.invalid/v1"))

        with pytest.raises(Unreachable, match=r"no-such-host\.invalid"):
            run(work())

    @pytest.mark.parametrize("url", ["http:///v1", "ftp://127.0.0.1/v1", "/v1"])
    def test_a_useless_address_is_an_error_of_ours(self, url):
        async def work():
            async with transport() as client:
                await post(client, URL(url))

        with pytest.raises(TargetError):
            run(work())

    def test_plain_words_on_a_tls_port_are_an_error_of_ours(self):
        async def talk(_, writer):
            writer.write(b"220 welcome\r\n")
            writer.close()

        async def work():
            server = await asyncio.start_server(talk, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server, transport() as client:
                await post(client, URL(f"https://127.0.0.1:{port}/v1"))

        with pytest.raises(Unreachable):
            run(work())

    def test_the_request_arrives_as_it_was_given(self):
        async def look(answer, server):
            await answer.read(MIB)
            return server.requests[0]

        request = exchange(says(OK), look)
        assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert request.endswith(b'\r\n\r\n{"messages": []}')
        head = request.lower()
        assert b"\r\nauthorization: bearer k\r\n" in head
        for unasked in (b"user-agent:", b"accept-encoding:", b"cookie:"):
            assert unasked not in head

    def test_cookies_are_not_kept(self):
        async def work():
            cookie = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\n{}"
            async with peer(says(cookie, stay=True)) as server, transport() as client:
                for _ in range(2):
                    answer = await post(client, server.url)
                    await answer.read(MIB)
                    answer.close()
                return server.requests

        assert b"cookie" not in run(work())[1].lower()

    def test_a_closed_transport_says_so(self):
        async def work():
            client = await Transport().open()
            await client.close()
            await client.close()
            await post(client, URL("http://127.0.0.1:1/"))

        with pytest.raises(RuntimeError, match="not open"):
            run(work())


class TestHead:
    def test_closed_without_a_byte_is_dropped(self):
        with pytest.raises(Dropped):
            exchange(says())

    @pytest.mark.parametrize("raw", [b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-le", b"H"])
    def test_half_a_head_is_an_error_of_ours(self, raw):
        with pytest.raises((Dropped, Malformed)):
            exchange(says(raw))

    @pytest.mark.parametrize(
        "raw",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            b"220 smtp.example ESMTP\r\n\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 100_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: 1\r\n" % number for number in range(50_000)) + b"\r\n",
        ],
    )
    def test_invalid_http_is_malformed(self, raw):
        with pytest.raises(Malformed):
            exchange(says(raw))

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_redirect_is_followed(self, status):
        async def look(answer, server):
            await answer.read(MIB)
            return answer.status, len(server.requests)

        raw = b"HTTP/1.1 %d Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n" % status
        assert exchange(says(raw, stay=True), look) == (status, 1)

    @pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 429, 500, 503, 599])
    def test_any_status_is_an_answer(self, status):
        async def look(answer, _):
            return answer.status

        assert exchange(says(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status), look) == status

    def test_an_interim_answer_is_passed_over(self):
        assert exchange(says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) == b"{}"

    @pytest.mark.parametrize(
        ("headers", "found"),
        [
            ({"x-request-id": "a"}, "a"),
            ({"request-id": "b"}, "b"),
            ({"apim-request-id": "c"}, "c"),
            ({"x-ms-request-id": "d"}, "d"),
            ({"apim-request-id": "c", "x-request-id": "a"}, "a"),
            ({"X-Request-ID": "A"}, "A"),
            ({}, None),
        ],
    )
    def test_the_request_id(self, headers, found):
        async def look(answer, _):
            return answer.request_id

        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        assert exchange(says(f"HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n".encode()), look) == found

    def test_headers_are_found_in_any_case(self):
        async def look(answer, _):
            return answer.header("Content-Type"), answer.header("x-none"), answer.retry_after

        raw = b"HTTP/1.1 429 Slow\r\ncontent-TYPE: text/html\r\nRetry-After: 3\r\ncontent-length: 0\r\n\r\n"
        assert exchange(says(raw), look) == ("text/html", None, 3.0)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "2"}, 2.0),
            ({"retry-after": " 2 "}, 2.0),
            ({"retry-after": "0"}, 0.0),
            ({"retry-after": "1.5"}, 1.5),
            ({"retry-after-ms": "250"}, 0.25),
            ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
            ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
            ({"retry-after": ""}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "-1"}, None),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "inf"}, None),
            ({"retry-after": "1e9"}, None),
            ({"retry-after": "0x10"}, None),
            ({"retry-after": "1 2"}, None),
            ({"retry-after": "99999999999999999999"}, None),
            ({"retry-after": "Fri, 20 Nov 2020 10:00:00 GMT"}, 0.0),
            ({"retry-after": "Fri, 99 Nov"}, None),
            ({"retry-after-ms": "-5"}, None),
        ],
    )
    def test_forms(self, headers, seconds):
        assert retry_after(headers) == seconds


class TestBody:
    def test_a_whole_body(self):
        assert exchange(says(OK)) == b"{}"

    def test_chunks_make_a_body(self):
        assert exchange(says(CHUNKED, b"1\r\n{\r\n", b"1\r\n}\r\n", b"0\r\n\r\n")) == b"{}"

    def test_a_body_up_to_the_end_of_the_connection(self):
        assert exchange(says(b"HTTP/1.1 200 OK\r\n\r\n", b"{}")) == b"{}"

    def test_an_empty_body(self):
        assert exchange(says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) == b""

    def test_half_a_body_is_dropped(self):
        with pytest.raises(Dropped):
            exchange(says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"))

    @pytest.mark.parametrize("tail", [b"", b"5\r\n{", b"2\r\n{}\r\n", b"2\r\n{}", b"0\r\n"])
    def test_chunks_without_an_end_are_dropped(self, tail):
        with pytest.raises(Dropped):
            exchange(says(CHUNKED + tail))

    @pytest.mark.parametrize("tail", [b"xyz\r\n{}\r\n", b"2\r\n{}garbage\r\n", b"-1\r\n", b"ffffffffffffffffffff\r\n"])
    @pytest.mark.parametrize("late", [False, True])
    def test_invalid_chunks_are_an_error_of_ours(self, tail, late):
        parts = [CHUNKED + b"1\r\n{\r\n", tail] if late else [CHUNKED + tail]

        async def talk(peer, _, writer):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.02)
            await peer.release.wait()

        # The client itself waits for ever here (aiohttp 3.14 with its C parser), so silence must end it.
        with pytest.raises(TargetError):
            exchange(talk, seconds=2, idle=0.2)

    @pytest.mark.parametrize("late", [False, True])
    def test_invalid_chunks_in_a_stream_are_an_error_of_ours(self, late):
        async def talk(peer, _, writer):
            writer.write(CHUNKED)
            if late:
                writer.write(b"1\r\n{\r\n")
                await asyncio.sleep(0.02)
            writer.write(b"xyz\r\n")
            await peer.release.wait()

        async def use(answer, _):
            while await answer.part():
                pass

        with pytest.raises(TargetError):
            exchange(talk, use, seconds=2, idle=0.2)

    @pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
    def test_a_body_that_is_not_in_its_encoding_is_an_error_of_ours(self, encoding):
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: 9\r\n\r\n" % encoding
        with pytest.raises(TargetError):
            exchange(says(head + b"{'a': 12}"))

    def test_a_reset_in_the_middle_is_dropped(self):
        async def talk(_, __, writer):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()

        with pytest.raises(Dropped):
            exchange(talk)


class TestHugeBody:
    LIMIT = 256 * 1024

    def huge(self, head, piece):
        """What the server could send before it was cut off."""
        sent = []

        async def talk(peer, _, writer):
            writer.write(head)
            try:
                await peer.flood(writer, piece, 2000)
            finally:
                sent.append(peer.sent)

        with pytest.raises(Malformed, match=str(self.LIMIT)):
            exchange(talk, limit=self.LIMIT)
        return sent[0]

    def test_a_length_beyond_the_limit_is_not_read(self):
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2000 * 65536)
        assert self.huge(head, b"x" * 65536) < 32 * MIB

    def test_without_a_length_it_is_read_up_to_the_limit(self):
        assert self.huge(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536) < 32 * MIB

    def test_chunks_are_read_up_to_the_limit(self):
        assert self.huge(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n") < 32 * MIB

    @pytest.mark.parametrize("length", [True, False])
    def test_a_small_body_that_unpacks_to_a_huge_one(self, length):
        packed = gzip.compress(b"x" * 16 * MIB)
        assert len(packed) < self.LIMIT
        framing = b"content-length: %d\r\n" % len(packed) if length else b"connection: close\r\n"
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n" + framing + b"\r\n"
        with pytest.raises(Malformed, match=str(self.LIMIT)):
            exchange(says(head + packed), limit=self.LIMIT)

    def test_exactly_the_limit_passes(self):
        body = b"x" * self.LIMIT
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
        assert exchange(says(head + body), limit=self.LIMIT) == body
        assert exchange(says(b"HTTP/1.1 200 OK\r\n\r\n" + body), limit=self.LIMIT) == body


async def parts_of(answer):
    parts = []
    while part := await answer.part():
        parts.append(part)
    return parts


class TestParts:
    def test_they_come_as_they_are_sent(self):
        async def talk(_, __, writer):
            for piece in (CHUNKED, b"2\r\nab\r\n", b"2\r\ncd\r\n", b"0\r\n\r\n"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

        async def use(answer, _):
            return await parts_of(answer)

        assert b"".join(exchange(talk, use)) == b"abcd"

    def test_after_the_end_there_is_nothing(self):
        async def use(answer, _):
            await parts_of(answer)
            return await answer.part()

        assert exchange(says(OK), use) == b""

    @pytest.mark.parametrize("before", [b"", b"2\r\nab\r\n"])
    def test_silence_is_an_idle_timeout(self, before):
        async def use(answer, _):
            return await parts_of(answer)

        with pytest.raises(IdleTimeout, match=r"0\.05"):
            exchange(then_silent(CHUNKED + before), use, idle=0.05)

    def test_silence_later_is_an_idle_timeout_too(self):
        async def talk(peer, _, writer):
            writer.write(CHUNKED)
            for _ in range(6):
                writer.write(b"2\r\nab\r\n")
                await asyncio.sleep(0.04)
            await peer.release.wait()

        async def use(answer, _):
            parts = []
            try:
                while part := await answer.part():
                    parts.append(part)
            except IdleTimeout:
                return b"".join(parts)

        assert exchange(talk, use, idle=0.2) == b"ab" * 6

    def test_a_slow_reader_is_not_a_silent_provider(self):
        async def talk(_, __, writer):
            writer.write(CHUNKED + b"2\r\nab\r\n")
            await asyncio.sleep(0.02)
            writer.write(b"2\r\ncd\r\n0\r\n\r\n")
            return True

        async def use(answer, _):
            parts = []
            while part := await answer.part():
                parts.append(part)
                await asyncio.sleep(0.2)
            return b"".join(parts)

        assert exchange(talk, use, idle=0.05) == b"abcd"

    def test_a_reader_that_comes_late_still_waits_its_time(self):
        """The first alarm rings while nobody reads; the next silence must be noticed all the same."""

        async def use(answer, _):
            first = await answer.part()
            await asyncio.sleep(0.15)
            with pytest.raises(IdleTimeout):
                await answer.part()
            return first

        assert exchange(then_silent(CHUNKED + b"2\r\nab\r\n"), use, idle=0.05) == b"ab"

    def test_a_cut_is_dropped(self):
        async def use(answer, _):
            return await parts_of(answer)

        with pytest.raises(Dropped):
            exchange(says(CHUNKED + b"2\r\nab\r\n"), use)

    def test_leaving_early_ends_the_connection(self):
        gone = []

        async def talk(peer, reader, writer):
            writer.write(CHUNKED + b"2\r\nab\r\n")
            await writer.drain()
            gone.append(await reader.read())

        async def use(answer, _):
            await answer.part()

        exchange(talk, use)
        assert gone == [b""]


class TestConnections:
    def test_one_is_used_again_after_a_whole_answer(self):
        async def work():
            async with peer(says(OK, stay=True)) as server, transport() as client:
                for _ in range(5):
                    answer = await post(client, server.url)
                    assert await answer.read(MIB) == b"{}"
                    answer.close()
                return server.connections, len(server.requests)

        assert run(work()) == (1, 5)

    def test_one_is_used_again_after_a_whole_stream(self):
        async def work():
            whole = CHUNKED + b"2\r\nab\r\n0\r\n\r\n"
            async with peer(says(whole, stay=True)) as server, transport() as client:
                for _ in range(3):
                    answer = await post(client, server.url)
                    await parts_of(answer)
                    answer.close()
                return server.connections, len(server.requests)

        assert run(work()) == (1, 3)

    def test_one_is_not_used_again_after_half_an_answer(self):
        async def work():
            half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"
            async with peer(says(half, stay=True)) as server, transport() as client:
                for _ in range(2):
                    answer = await post(client, server.url)
                    answer.close()
                return server.connections

        assert run(work()) == 2

    def test_many_at_once_do_not_wait_for_each_other(self):
        async def work():
            everybody = asyncio.Event()

            async def talk(peer, _, writer):
                if peer.connections == 150:
                    everybody.set()
                await everybody.wait()
                writer.write(OK)

            async def one(client, url):
                answer = await post(client, url)
                body = await answer.read(MIB)
                answer.close()
                return body

            async with peer(talk) as server, transport() as client:
                return await asyncio.gather(*(one(client, server.url) for _ in range(150)))

        assert run(work()) == [b"{}"] * 150

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
    def test_a_proxy_in_the_environment_is_ignored(self, name, monkeypatch):
        for other in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        assert exchange(says(OK)) == b"{}"

    def test_a_proxy_is_used_when_asked_for(self, monkeypatch):
        for other in ("NO_PROXY", "no_proxy", "http_proxy"):
            monkeypatch.delenv(other, raising=False)

        async def work():
            async with peer(says(OK)) as server, transport(proxy=True) as client:
                monkeypatch.setenv("HTTP_PROXY", str(server.url.origin()))
                answer = await post(client, URL("http://api.example/v1"))
                answer.close()
                return server.requests[0]

        assert run(work()).startswith(b"POST http://api.example/v1 HTTP/1.1")

    def test_cancelling_leaves_no_connection_open(self):
        async def work():
            async with peer(then_silent()) as server, transport() as client:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await post(client, server.url)
                return len(server.requests)

        assert run(work()) == 1
