"""An account's way to its provider's API: address, credentials, refusals in our words and without keys."""

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from yarl import URL

from core.config.settings import Account
from core.errors import Malformed, RequestRefused, TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.contract import HOP, Call, lost
from core.providers.frames import Frames
from core.providers.row import Row
from core.types.pieces import Pieces
from core.wire import openai
from core.wire.faults import cut

if TYPE_CHECKING:  # whoever speaks the canonical dialect need not load it
    from core.wire.canonical import ForeignStream

_MAX_ERROR_BYTES = 64 * 1024
_MAX_LIST_BYTES = 4 * 2**20
_LONGEST_HEADER = 200
_PIECE = 2**18

ReadError = Callable[..., TargetError]  # as core.wire.openai.read_error


class Api:
    """`root` is where paths are appended; `read_error` reads the provider's own form of refusals."""

    def __init__(
        self,
        transport: Transport,
        root: str,
        credentials: Mapping[str, str],
        secrets: tuple[str, ...],
        read_error: ReadError = openai.read_error,
    ) -> None:
        self.root = root
        self.secrets = secrets
        self._transport = transport
        self._read_error = read_error
        self._headers = {"accept": "*/*", "user-agent": "patchbay", **credentials}
        self._post_headers = {**self._headers, "content-type": "application/json", HOP: "1"}

    @classmethod
    def of(cls, row: Row, account: Account, transport: Transport, read_error: ReadError = openai.read_error) -> "Api":
        """By the row's header for the key; a token wins over a key."""
        key, token = (secret.reveal() if secret else "" for secret in (account.key, account.token))
        root = (account.base_url or row.base_url or "").rstrip("/")
        return cls(transport, root, credentials(row, key, token), (key, token), read_error)

    def url(self, path: str) -> URL:
        return address(self.root + path)

    async def post(
        self,
        url: URL,
        body: Mapping[str, Any] | Sequence[Any],
        call: Call,
        headers: Mapping[str, str] | None = None,
    ) -> Incoming:
        """The head of an answer that is no refusal; its body is still to be read."""
        try:
            raw = orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise RequestRefused(f"the body cannot be sent on: {error}") from error
        return await self.send(url, raw, call, headers)

    async def send(
        self, url: URL, body: bytes | AsyncIterable[bytes], call: Call, headers: Mapping[str, str] | None = None
    ) -> Incoming:
        """The same for a body of any kind, which the headers name."""
        sent = self._post_headers
        if call.hop:
            sent = {**sent, HOP: str(call.hop + 1)}
        if headers:
            sent = {**sent, **headers}
        answer = await self._transport.send("POST", url, sent, body, idle=call.idle)
        if not 200 <= answer.status < 300:
            raise await self.refusal(answer)
        return answer

    async def post_json(
        self,
        url: URL,
        body: Mapping[str, Any] | Sequence[Any],
        call: Call,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, Incoming]:
        """A whole answer in JSON, and the head it came with."""
        return await self._whole(await self.post(url, body, call, headers), call)

    async def post_file(self, url: URL, body: Pieces, kind: str, call: Call) -> tuple[Any, Incoming]:
        """The same of a body with a file in it."""
        return await self._whole(await self.send_file(url, body, kind, call), call)

    async def send_file(self, url: URL, body: Pieces, kind: str, call: Call) -> Incoming:
        """The head of an answer to a body that is sent in pieces."""
        headers = {"content-type": kind, "content-length": str(body.length)}
        return await self.send(url, _sent(body), call, headers)

    async def _whole(self, answer: Incoming, call: Call) -> tuple[Any, Incoming]:
        try:
            return openai.read_json(await answer.read(call.max_bytes)), answer
        except TargetError as error:
            self.tell(error, answer)
            raise
        finally:
            answer.close()

    async def get_json(self, url: URL, headers: Mapping[str, str] | None = None, idle: float = 60.0) -> Any:
        answer = await self._transport.send("GET", url, {**self._headers, **(headers or {})}, idle=idle)
        if answer.status != 200:
            raise await self.refusal(answer)
        try:
            return openai.read_json(await answer.read(_MAX_LIST_BYTES))
        finally:
            answer.close()

    def tell(self, error: TargetError, answer: Incoming) -> None:
        """Add what the head of the answer said."""
        error.request_id, error.provider_status = self.said(answer.request_id), answer.status

    def said(self, words: str | None) -> str | None:
        """A header of the provider's, without a key that it may quote."""
        return words and cut(words, *self.secrets)[:_LONGEST_HEADER]

    def must_stream(self, answer: Incoming, kind: str = "text/event-stream") -> None:
        """Malformed, and closed, when what begins is no stream of this kind."""
        came = self.said(answer.header("content-type")) or "no content type"
        if kind not in came:
            answer.close()
            what = "an event stream" if kind == "text/event-stream" else f"a stream of {kind}"
            raise Malformed(f"the answer is not {what} ({came})", request_id=self.said(answer.request_id))

    def frames(self, answer: Incoming, stream: "type[ForeignStream]", call: Call, warnings: tuple[str, ...]) -> Frames:
        """An event stream of another dialect, read as a canonical one."""
        self.must_stream(answer)
        reader = stream(
            model=call.target.model, created=int(time.time()), limit=call.max_bytes, keep_usage=call.wants_usage,
            secrets=self.secrets,
        )  # fmt: skip
        return Frames(answer, reader, self.said(answer.request_id), warnings)

    async def refusal(self, answer: Incoming) -> TargetError:
        try:
            raw = await answer.read(_MAX_ERROR_BYTES)
        except TargetError:
            raw = b""  # the status alone still says what happened
        finally:
            answer.close()
        return self._read_error(
            answer.status,
            raw,
            secrets=self.secrets,
            request_id=self.said(answer.request_id),
            retry_after=answer.retry_after,
        )


async def _sent(body: Pieces) -> AsyncIterator[bytes]:
    for part in body.parts:
        view = memoryview(part)
        for start in range(0, len(view), _PIECE):
            yield bytes(view[start : start + _PIECE])


def root_of(row: Row, account: Account) -> str:
    """The API's root; a user may give the host alone, or any address below it as a portal shows it."""
    base = account.base_url or row.base_url or ""
    if not row.path_prefix:
        return base
    scheme, _, rest = base.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    first = "/" + row.path_prefix.split("/")[1]
    return f"{scheme}://{host}{(slash + path).partition(first)[0].rstrip('/')}{row.path_prefix}"


def credentials(row: Row, key: str, token: str) -> dict[str, str]:
    if token:
        return {"authorization": f"Bearer {token}"}
    if not key:
        return {}
    return {row.key_header: f"Bearer {key}" if row.key_header == "authorization" else key}


def checked(losses: list[str], call: Call) -> tuple[str, ...]:
    """What a translation leaves out, as warnings; whoever is strict had rather ask somebody else."""
    return lost(losses, call.target, strict=call.strict)
