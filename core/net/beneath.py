"""Our connections beneath an SDK: it makes the request, and what it sends goes the way of all others."""

import io
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from core.net.transport import Incoming

Send = Callable[[str, Mapping[str, str], AsyncIterable[bytes]], Awaitable[Incoming]]  # address, headers, body
ANSWER = "patchbay.answer"  # the extension of the SDK's response that holds ours


def client(send: Send) -> tuple[Any, Any]:
    """An HTTP client for an SDK, and the class of its responses.

    They have no body of their own: that is read from the answer which they hold.
    """
    import httpx2  # noqa: PLC0415 - comes with the SDKs, and is for who uses one

    return httpx2.AsyncClient(transport=_transport()(send), trust_env=False, timeout=None), httpx2.Response


@cache
def _transport() -> Any:
    import httpx2  # noqa: PLC0415 - as above

    class Beneath(httpx2.AsyncBaseTransport):
        """SDKs and their clients are rings of references: what was sent is let go by closing them."""

        def __init__(self, send: Send) -> None:
            self._send: Send | None = send

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            assert isinstance(request.stream, httpx2.AsyncByteStream)  # noqa: S101 - an asynchronous client's
            assert self._send is not None  # noqa: S101 - it is open
            answer = await self._send(str(request.url), request.headers, request.stream)
            return httpx2.Response(answer.status, request=request, extensions={ANSWER: answer})

        async def aclose(self) -> None:
            self._send = None

    return Beneath


class View(io.RawIOBase):
    """Bytes as a file, without a copy of them; closed, it holds them no more."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = memoryview(data)
        self._at = 0

    def close(self) -> None:
        self._data.release()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        self._at = min(max(0, start + offset), len(self._data))
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
