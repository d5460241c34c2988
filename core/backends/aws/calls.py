"""Calls to AWS: clients made once, a few threads of their own, and every failure one StoreUnavailable."""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from core.errors import Misconfigured, StoreUnavailable

T = TypeVar("T")
Client = Any  # made from AWS's own descriptions at run time; there is no class to name

_THREADS = 16
_CONNECT_SECONDS = 1
_READ_SECONDS = 2
_PATIENCE = 2.0  # seconds a call may wait for a thread: while AWS hangs, those behind are told at once
# Refused before anything was done, so even a conditional write may be sent again.
_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "SlowDown"}
)
# AWS's own words for these name accounts and roles, which callers need not know.
_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
# SQS says it in its new words and, for those who know them, in its old ones.
_ABSENT = frozenset(
    {"ResourceNotFoundException", "NoSuchBucket", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}
)


class Refused(Exception):
    """AWS said no in a way that was reckoned with."""

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__(response["Error"]["Code"])
        self.response = response


class Calls:
    """One service. `where` is how messages call what is kept there."""

    def __init__(self, service: str, where: str) -> None:
        self._service = service
        self._where = where
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"patchbay-{service}")
        self._pending: set[asyncio.Future[Any]] = set()
        self._closed = False

    async def open(self) -> None:
        """In a thread, because importing boto3 takes a loop's breath away. Nothing is asked of AWS yet."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._connect)
        except BaseException:
            self._threads.shutdown(wait=False)
            raise

    async def run(self, work: Callable[[Client], T], *, expects: Collection[str] = (), once: bool = False) -> T:
        """Give `work` a client in a thread. What has begun is finished, even when the caller leaves.

        Error codes in `expects` raise Refused. `once`: a second try would not mean the same, because the first
        may have been done though its answer was lost.
        """
        self.check()
        future = asyncio.get_running_loop().run_in_executor(
            self._threads, self._work, work, expects, once, time.monotonic()
        )
        self._pending.add(future)
        future.add_done_callback(self._over)
        return await asyncio.shield(future)

    def _over(self, future: "asyncio.Future[Any]") -> None:
        self._pending.discard(future)
        if not future.cancelled():
            future.exception()  # heard, also when whoever asked has left: else the loop would log its trace

    def check(self) -> None:
        if self._closed:
            raise self.unavailable("it is closed")

    def unavailable(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"{self._where}: {why}")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._pending:
            await asyncio.wait(set(self._pending))
        self._threads.shutdown()
        for client in (self._client, self._single):
            client.close()

    def _connect(self) -> None:
        try:
            import boto3.session  # noqa: PLC0415 - slow, and only for those who keep their state on AWS
            import botocore.config  # noqa: PLC0415 - see above
            import botocore.exceptions  # noqa: PLC0415 - see above
        except ImportError as error:
            raise Misconfigured(f"{self._where} needs boto3: install patchbay[aws]") from error
        self._botocore_error: type[Exception] = botocore.exceptions.BotoCoreError
        self._client_error: type[Exception] = botocore.exceptions.ClientError

        def client(attempts: int) -> Client:
            config = botocore.config.Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": attempts},
                max_pool_connections=_THREADS,
                tcp_keepalive=True,
            )
            return session.client(self._service, config=config)

        try:
            session = boto3.session.Session()  # the default one is shared with strangers and is not for threads
            self._client, self._single = client(2), client(1)
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise StoreUnavailable(f"{self._where}: {error}") from error

    def _work(self, work: Callable[[Client], T], expects: Collection[str], once: bool, asked: float) -> T:  # noqa: FBT001 - an executor passes by place
        if time.monotonic() - asked > _PATIENCE:
            raise StoreUnavailable(f"{self._where} does not keep up: all {_THREADS} connections are busy")
        if not once:
            return self._ask(self._client, work, expects)
        try:
            return self._ask(self._single, work, {*expects, *_THROTTLED})
        except Refused as refusal:
            if str(refusal) in expects:
                raise
        time.sleep(random.uniform(0.02, 0.1))  # noqa: S311 - spreads retries, protects nothing
        return self._ask(self._single, work, expects)

    def _ask(self, client: Client, work: Callable[[Client], T], expects: Collection[str]) -> T:
        try:
            return work(client)
        except self._client_error as error:
            response: dict[str, Any] = error.response  # type: ignore[attr-defined] # botocore has no types
            code = response["Error"]["Code"]
            if code in expects:
                raise Refused(response) from None
            raise StoreUnavailable(f"{self._where}: {self._said(error, code, response)}") from error
        except self._botocore_error as error:
            raise StoreUnavailable(f"{self._where}: {error}") from error

    @staticmethod
    def _said(error: Any, code: str, response: dict[str, Any]) -> str:
        if code in _DENIED:
            return f"the credentials in use may not do {error.operation_name}"
        if code in _ABSENT:
            return "there is no such table, bucket or queue in this account and region"
        return f"{code}: {response['Error'].get('Message', 'no words')}"
