"""The one HTTP client for providers. Foreign exceptions end here; nothing is retried or followed here."""

import asyncio
import re
import time
from collections.abc import AsyncIterable, Mapping
from email.utils import parsedate_to_datetime, parsedate_tz
from io import BytesIO
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from core.errors import (
    ConnectTimeout,
    Dropped,
    IdleTimeout,
    Malformed,
    TargetError,
    Unreachable,
)
from core.net.sessions import Sessions

# Everything the client raises; the last is what its pure-Python parser says of a broken body.
_FOREIGN = (aiohttp.ClientError, OSError, ValueError, HttpProcessingError)
_LARGE = 2**20
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")
_REQUEST_ID_HEADERS = (
    "x-request-id", "request-id", "x-requestid", "apim-request-id", "x-ms-request-id", "x-ds-trace-id",
    "x-debug-trace-id",
)  # fmt: skip


def address(text: str) -> URL:
    """Parsed once, because parsing costs more than looking at it."""
    return URL(text, encoded=True)


class Transport:
    """Keep-alive connections to any number of hosts. Bound to the loop it is opened on."""

    def __init__(self, *, connect_timeout: float = 5.0, proxy: bool = False, sessions: Sessions | None = None) -> None:
        self.sessions = sessions or Sessions()  # of libraries that connect by themselves
        self._timeout = aiohttp.ClientTimeout()
        self.connect_timeout = connect_timeout
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    @property
    def connect_timeout(self) -> float | None:
        """Seconds to connect; a new value holds from the next request on."""
        return self._timeout.sock_connect

    @connect_timeout.setter
    def connect_timeout(self, seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds)

    @property
    def proxy(self) -> bool:
        """Whether proxies named in the environment are used."""
        return self._proxy

    async def open(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Limits belong to accounts (execution/gate), not to sockets.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._proxy,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        return self

    async def close(self) -> None:
        await self.sessions.close()
        await self._disconnect()

    async def renew(self) -> None:
        """Forget every connection: after a pause the other end may be gone without a word."""
        await self._disconnect()
        await self.open()

    async def _disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None = None,
        *,
        idle: float = 60.0,
    ) -> "Incoming":
        """Send and wait for the head of the answer, whatever its status. A body in parts needs its length said."""
        if self._session is None:
            raise RuntimeError("the transport is not open")
        # A large body goes out in pieces, so that copying it does not hold up everybody else.
        data = BytesIO(body) if isinstance(body, bytes) and len(body) > _LARGE else body
        try:
            response = await self._session.request(
                method, url, headers=headers, data=data, allow_redirects=False, timeout=self._timeout
            )
        except _FOREIGN as error:
            raise target_error(error) from error
        return Incoming(response, idle)


class Incoming:
    """A response whose body has not been read."""

    __slots__ = ("_alarm", "_idle", "_late", "_loop", "_response", "_waiting_since", "status")

    def __init__(self, response: aiohttp.ClientResponse, idle: float) -> None:
        self._response = response
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._late = False
        self._waiting_since: float | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.status = response.status

    def header(self, name: str) -> str | None:
        return self._response.headers.get(name)

    @property
    def request_id(self) -> str | None:
        headers = self._response.headers
        return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)

    @property
    def retry_after(self) -> float | None:
        return retry_after(self._response.headers)

    async def read(self, limit: int) -> bytes:
        """The whole body, or Malformed when it is larger, packed or not, than anybody asked for."""
        parts: list[bytes] = []
        size = self._response.content_length or 0
        if size <= limit:
            size = 0
            while size <= limit and (part := await self.part()):
                parts.append(part)
                size += len(part)
        if size > limit:
            self.close()
            raise Malformed(f"the answer is larger than {limit} bytes", provider_status=self.status)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def part(self) -> bytes:
        """What has arrived since the last call; empty at the end. Silence longer than `idle` is an error."""
        content = self._response.content
        if not content.is_eof():
            self._waiting_since = self._loop.time()
            if self._alarm is None:
                self._alarm = self._loop.call_later(self._idle, self._ring)
        try:
            data = await content.readany()
        except _FOREIGN as error:
            self.close()
            if self._late:
                raise IdleTimeout(f"nothing came for {self._idle:g} s") from error
            raise target_error(error) from error
        self._waiting_since = None
        return data

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()

    def _ring(self) -> None:
        # One timer for many parts: it looks when it rings instead of being moved at each part.
        now = self._loop.time()
        since = now if self._waiting_since is None else self._waiting_since
        if now - since >= self._idle:
            self._late = True
            # Closing alone does not wake a reader whose parser has given up on the body.
            self._response.content.set_exception(TimeoutError())
            self._response.close()
        else:
            self._alarm = self._loop.call_at(since + self._idle, self._ring)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the provider, or a proxy before it, says: retry-after-ms, a number, or a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _number(headers.get("retry-after"))
    return _until(headers.get("retry-after")) if seconds is None else seconds


def _until(date: str | None) -> float | None:
    if date is None or parsedate_tz(date) is None:
        return None
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


def target_error(error: BaseException) -> TargetError:
    """The one place where the client's exceptions become ours."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeout("could not connect in time")
        case aiohttp.ServerTimeoutError():
            return IdleTimeout("the provider stopped sending")
        case aiohttp.ClientConnectorError():
            return Unreachable(f"could not connect to {error.host}:{error.port} ({_reason(error)})")
        case aiohttp.InvalidURL() | aiohttp.ClientHttpProxyError():
            return Unreachable(f"the address cannot be used ({_reason(error)})")
        case aiohttp.ClientPayloadError():
            return Dropped("the connection broke in the middle of the answer")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientConnectionError():
            return Dropped("the connection broke before an answer came")
        case aiohttp.ClientResponseError():
            return Malformed("the answer is not valid HTTP")
        case aiohttp.ClientError() | ValueError() | HttpProcessingError():
            return Malformed(f"the answer cannot be read ({type(error).__name__})")
        case OSError():
            return Dropped(f"the connection broke ({_reason(error)})")
    raise error


def _reason(error: BaseException) -> str:
    inner = getattr(error, "os_error", None) or error
    return getattr(inner, "strerror", None) or type(inner).__name__
