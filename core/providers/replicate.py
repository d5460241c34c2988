"""Replicate: predictions that are made, waited for or streamed, and cancelled when nobody waits any more."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

from core.config.settings import Account
from core.errors import IdleTimeout, Malformed, TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.api import Api, checked, credentials
from core.providers.contract import Call, Reply
from core.providers.row import Row
from core.types.frame import Frame
from core.types.usage import Usage
from core.wire.openai import Completion
from core.wire.replicate.answers import (
    DONE,
    ReplicateStream,
    completion_from,
    created_of,
    prediction_of,
    read_error,
    text_of,
)
from core.wire.replicate.request import place_of, request_to

_WAIT = 5  # seconds that a creation may take to give the answer itself; whoever leaves in them pays no more than these
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0  # between two looks at a prediction
_LOOKS = 3  # that may fail in a row: the answer is being paid for
_CANCEL_SECONDS = 10.0
_COUNT_SECONDS = 5.0  # for what was used, once all output has come

log = logging.getLogger("patchbay")

Prediction = dict[str, Any]


class Replicate:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        key, token = (secret.reveal() if secret else "" for secret in (account.key, account.token))
        root = (account.base_url or row.base_url or "").rstrip("/").removesuffix("/v1")
        self._credentials = credentials(row, key, token)
        self._api = Api(transport, root, self._credentials, (key, token), read_error)
        self._transport = transport
        self._tasks: set[asyncio.Task[None]] = set()  # which the loop itself would forget

    async def chat(self, call: Call) -> Reply[Completion]:
        given, warnings = self._input(call)
        prediction = await self.created(call, {"input": given}, {"prefer": f"wait={_WAIT}"})
        ident = prediction["id"]
        prediction = await self.done(prediction, call.idle)
        try:
            made = completion_from(prediction, call.target.model, _length(call), *self._api.secrets)
        except TargetError as error:
            error.request_id = ident
            raise
        return Reply(made, made.usage, ident, warnings)

    async def chat_stream(self, call: Call) -> "_Stream":
        given, warnings = self._input(call)
        prediction = await self.created(call, {"input": given, "stream": True}, {})
        ident = prediction["id"]
        reader = ReplicateStream(
            ident=ident, length=_length(call), model=call.target.model, created=created_of(prediction),
            limit=call.max_bytes, keep_usage=call.wants_usage, secrets=self._api.secrets,
        )  # fmt: skip
        url = (prediction.get("urls") or {}).get("stream")
        try:
            answer = await self._listen(url, call) if self._is_theirs(url) else None
        except BaseException as error:
            self.abandon(ident)
            if isinstance(error, TargetError):
                error.request_id = ident
            raise
        return _Stream(self, ident, reader, answer, call.idle, warnings)

    async def models(self) -> list[str]:
        """The models that write, of the many that there are."""
        body = await self._api.get_json(self._api.url("/v1/collections/language-models"))
        listed = body.get("models") if type(body) is dict else None
        if type(listed) is not list:
            raise Malformed("the model list is not a list")
        rows = [one for one in listed if type(one) is dict]
        return [f"{one['owner']}/{one['name']}" for one in rows if one.get("owner") and one.get("name")]

    async def done(self, prediction: Prediction, idle: float) -> Prediction:
        """The same once it is over; who does not wait for that has it cancelled."""
        ident, pause = prediction["id"], _FIRST_PAUSE
        try:
            while prediction["status"] not in DONE:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
                prediction = await self.look(ident, idle)
        except BaseException:
            self.abandon(ident)
            raise
        return prediction

    async def look(self, ident: str, idle: float) -> Prediction:
        """How a prediction is getting on; a look that fails is tried again."""
        url = self._api.url(f"/v1/predictions/{quote(ident, safe='')}")
        failed = 0
        while True:
            try:
                async with asyncio.timeout(idle):
                    return prediction_of(await self._api.get_json(url, idle=idle))
            except TimeoutError:
                raise IdleTimeout(f"nothing came for {idle:g} s", request_id=ident) from None
            except TargetError as error:
                error.request_id, failed = ident, failed + 1
                if failed == _LOOKS or not error.again:
                    raise
                await asyncio.sleep(error.retry_after or failed * _FIRST_PAUSE)

    def abandon(self, ident: str) -> None:
        """Cancel it there, without anybody waiting for that."""
        self.aside(self._cancel(ident))

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self, ident: str) -> None:
        url = self._api.url(f"/v1/predictions/{quote(ident, safe='')}/cancel")
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                answer = await self._transport.send("POST", url, self._credentials)
                answer.close()
        except (TargetError, TimeoutError) as error:
            log.warning("prediction %s could not be cancelled: %s", ident, type(error).__name__)

    async def created(self, call: Call, body: Mapping[str, Any], headers: Mapping[str, str]) -> Prediction:
        """A new prediction. Who leaves before its id has come leaves somebody behind to cancel it."""
        path, more = place_of(call.target.model)
        made = self._api.post_json(self._api.url(path), {**body, **more}, call, headers)
        sending = asyncio.ensure_future(made)
        try:
            found, _ = await asyncio.shield(sending)
        except asyncio.CancelledError:
            self.aside(self._cancel_when_made(sending))
            raise
        return prediction_of(found)

    async def _cancel_when_made(self, sending: "asyncio.Future[tuple[Any, Incoming]]") -> None:
        try:
            async with asyncio.timeout(_WAIT + _CANCEL_SECONDS):
                prediction = prediction_of((await sending)[0])
        except (TargetError, TimeoutError):
            return  # nothing was made, or nothing that could be named
        if prediction["status"] not in DONE:
            await self._cancel(prediction["id"])

    def _input(self, call: Call) -> tuple[dict[str, Any], tuple[str, ...]]:
        given, losses = request_to(call.body, call.target.model)
        return given, checked(losses, call)

    def _is_theirs(self, url: Any) -> bool:
        """Whether a stream's address is at their own API or, encrypted, beside it: the key goes along."""
        if type(url) is not str:
            return False
        own, other = urlsplit(self._api.root), urlsplit(url)
        if (own.scheme, own.netloc) == (other.scheme, other.netloc):
            return True
        domain = (own.hostname or "").partition(".")[2]
        beside = "." in domain and (other.hostname or "").endswith(f".{domain}")
        return other.scheme == "https" and beside

    async def _listen(self, url: Any, call: Call) -> Incoming:
        headers = {**self._credentials, "accept": "text/event-stream", "cache-control": "no-store"}
        answer = await self._transport.send("GET", address(url), headers, idle=call.idle)
        if answer.status != 200:
            raise await self._api.refusal(answer)
        self._api.must_stream(answer)
        return answer


class _Stream:
    """An open prediction: its events, or without a stream of them what each look at it shows."""

    def __init__(
        self,
        owner: Replicate,
        ident: str,
        reader: ReplicateStream,
        answer: Incoming | None,
        idle: float,
        warnings: tuple[str, ...],
    ) -> None:
        self._owner, self._reader, self._answer, self._idle = owner, reader, answer, idle
        self.request_id: str | None = ident
        self._ident = ident
        self.warnings = warnings
        self._shown = 0
        self._pause = _FIRST_PAUSE

    @property
    def usage(self) -> Usage:
        return self._reader.usage

    @property
    def outputs(self) -> int:
        return self._reader.outputs

    async def next(self) -> list[Frame] | None:
        reader = self._reader
        if reader.ended:
            return None
        if reader.complete:
            return reader.settled(await self._over())
        if self._answer is None:
            return await self._looked()
        part = b"" if reader.failed else await self._answer.part()
        try:
            return reader.feed(part) if part or reader.failed else reader.finish()
        except TargetError:
            if reader.over and (prediction := await self._over()):
                reader.count(prediction)
            raise

    async def _over(self) -> Prediction | None:
        """Its events are over; what they do not say is what was used."""
        with suppress(TargetError):  # they have said all else
            prediction = await self._owner.look(self._ident, min(self._idle, _COUNT_SECONDS))
            return prediction if prediction["status"] in DONE else None
        return None

    async def _looked(self) -> list[Frame]:
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)
        prediction = await self._owner.look(self._ident, self._idle)
        text = text_of(prediction)
        frames = self._reader.text(text[self._shown :]) if len(text) > self._shown else []
        self._shown = max(self._shown, len(text))
        return [*frames, *self._reader.settled(prediction)] if prediction["status"] in DONE else frames

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        if not self._reader.over and self._ident:
            self._owner.abandon(self._ident)
            self._ident = ""


def _length(call: Call) -> int | None:
    return call.body.get("max_completion_tokens") or call.body.get("max_tokens")
