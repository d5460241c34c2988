"""What users' addresses lead to, fetched with limits and never from where only this machine should reach.

The client is the one that providers are asked with: its `socket_factory` is shown each address right before it is
connected to, so no second look-up can come between the check and the connection. Each hop has a session of its own.
"""

import asyncio
import socket
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from core.errors import MediaUnavailable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_FOREIGN = (aiohttp.ClientError, OSError, ValueError, HttpProcessingError, zlib.error)
_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "patchbay"}
_MOVED = frozenset({301, 302, 303, 307, 308})
_REDIRECTS = 5
_SECONDS = 20.0  # for one file, with all redirects
_CONNECT_SECONDS = 5.0
_LONGEST = 8192  # characters of an address
_PORTS = frozenset({80, 443})
_FREE_PORTS = 1024  # from here on; below are mail, shells and their kin
_PIECE = 64 * 1024
_NOT_THERE = "there is no such host, or it is not allowed"

# Names that callers choose are looked up in threads of their own: slow ones hold up each other, and no provider's.
_LOOK_UPS = ThreadPoolExecutor(8, thread_name_prefix="patchbay-fetch")

_PUBLIC_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Beside what Python knows as not global: addresses that lead elsewhere, and where clouds keep their own services.
_OTHERS: tuple[Network, ...] = tuple(
    ip_network(one)
    for one in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "2002::/16", "3fff::/20")
)


class Fetch:
    """`private` are hosts and networks that may be read though they are not public."""

    def __init__(
        self,
        private: Iterable[str] = (),
        *,
        resolver: AbstractResolver | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        self._hosts, self._networks = _parted(private)
        self._resolver = resolver or _Names()
        self._seconds = seconds

    async def get(self, url: str, take: Callable[[int], None]) -> bytes:
        """The whole body. `take` hears of each piece's size and raises when it is enough."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(_usable(url), take)
        except aiohttp.ConnectionTimeoutError:
            raise MediaUnavailable("its server could not be reached in time") from None
        except TimeoutError:
            raise MediaUnavailable(f"it did not come whole within {self._seconds:g} s") from None
        except _FOREIGN as error:
            raise _unavailable(error) from error

    async def _follow(self, url: URL, take: Callable[[int], None]) -> bytes:
        for _ in range(_REDIRECTS + 1):
            async with self._session(url) as session, session.get(
                url, headers=_HEADERS, allow_redirects=False
            ) as answer:  # fmt: skip
                if answer.status not in _MOVED:
                    return await _body(answer, take)
                onwards = answer.headers.get("location", "")
            url = _usable(onwards, url)
        raise MediaUnavailable(f"it is redirected more than {_REDIRECTS} times")

    def _session(self, url: URL) -> aiohttp.ClientSession:
        trusted = (url.host or "").lower() in self._hosts

        def checked(found: tuple[Any, ...]) -> socket.socket:
            family, kind, protocol, _, where = found
            if not (trusted or self._is_allowed(where[0])):
                raise _NotAllowed
            return socket.socket(family, kind, protocol)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver, use_dns_cache=False, force_close=True, socket_factory=checked,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS),
            auto_decompress=False,
            trust_env=False,  # a proxy would look the name up by itself
        )  # fmt: skip

    def _is_allowed(self, text: str) -> bool:
        address = ip_address(text.partition("%")[0])
        meant = _meant(address)
        return _is_public(meant) or any(one in network for network in self._networks for one in (address, meant))


class _Names(AbstractResolver):
    """The system's own look-up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        ask = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(_LOOK_UPS, ask)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(where[0]), port=port, family=kind, proto=protocol, flags=flags)
            for kind, _, protocol, _, where in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _NotAllowed(OSError):
    """Raised where the client makes its socket, and found again in what it makes of it."""


def _parted(private: Iterable[str]) -> tuple[frozenset[str], tuple[Network, ...]]:
    hosts, networks = set(), []
    for one in private:
        try:
            networks.append(ip_network(one))
        except ValueError:
            hosts.add(one.lower())
    return frozenset(hosts), tuple(networks)


def _meant(address: Address) -> Address:
    """The address inside of one that only carries it."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _OTHERS)


def _usable(text: str, base: URL | None = None) -> URL:
    """An address that may be asked for, as far as its words tell."""
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise MediaUnavailable("it is no address")
    url = URL(text) if base is None else base.join(URL(text))
    if url.scheme not in {"http", "https"} or not url.host:
        raise MediaUnavailable("it must begin with http:// or https:// and name a host")
    if url.user is not None or url.password is not None:
        raise MediaUnavailable("there is a user or password in it")
    if url.port not in _PORTS and (url.port or 0) < _FREE_PORTS:
        raise MediaUnavailable(f"port {url.port} is not allowed")
    return url.with_fragment(None)


async def _body(answer: aiohttp.ClientResponse, take: Callable[[int], None]) -> bytes:
    if answer.status != 200:
        raise MediaUnavailable(f"its server answered {answer.status}")
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise MediaUnavailable("it comes packed in a way that was not asked for")
    unpacker = None if encoding in {"", "identity"} else zlib.decompressobj(zlib.MAX_WBITS | 32)
    pieces: list[bytes] = []
    came = unpacked = counted = 0
    while part := await answer.content.read(_PIECE):
        came += len(part)
        for piece in (part,) if unpacker is None else _unpacked(unpacker, part):
            pieces.append(piece)
            unpacked += len(piece)
            # Whichever is more: packing can hide how much comes as well as how much is in it.
            take(max(came, unpacked) - counted)
            counted = max(came, unpacked)
    if not unpacked:
        raise MediaUnavailable("it is empty")
    if unpacker is not None and not unpacker.eof:
        raise zlib.error
    return b"".join(pieces)


def _unpacked(unpacker: "zlib._Decompress", part: bytes) -> Iterator[bytes]:
    """A little at a time: a small part may unpack to gigabytes, and a large one to nothing."""
    while part:
        if unpacker.eof:
            raise zlib.error  # something follows its end
        piece = unpacker.decompress(part, _PIECE)
        part = unpacker.unconsumed_tail or unpacker.unused_data
        yield piece


def _unavailable(error: BaseException) -> MediaUnavailable:
    """In our words. What is inside a network must not be told from what is not there at all."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return MediaUnavailable("its server's certificate does not hold")
        case aiohttp.ClientConnectorDNSError() | aiohttp.InvalidURL():
            return MediaUnavailable(_NOT_THERE)
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, _NotAllowed):
            return MediaUnavailable(_NOT_THERE)
        case aiohttp.ClientConnectorError():
            return MediaUnavailable("its server could not be reached")
        case zlib.error():
            return MediaUnavailable("it cannot be unpacked")
        case ValueError():
            return MediaUnavailable("it is no address")
    return MediaUnavailable("the connection broke before it came whole")
