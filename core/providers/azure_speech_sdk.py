"""The vendor's Speech SDK on the loop: a library of native threads and blocking calls, kept at arm's length.

What was found out about version 1.53 on the wire is said where it is dealt with.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from core.errors import IdleTimeout, LibraryUnusable, PatchbayError, StreamCut, TargetError
from core.net.sessions import Sessions
from core.wire.azure.speech_errors import cancelled

# Names that the SDK does not document; its version is pinned with hashes (requirements.txt).
_PROPERTIES = {
    # It would try up to five times by itself, for minutes and unseen: retries are ours, and so is their number.
    "SPEECH-Error-MaxRetryCount": "0",
    "SpeechSynthesis_MaxRetryTimes": "0",
    # What the destruction of a recogniser waits for at most that is still at work or has failed; else 10 s.
    "SPEECH-StopRecognitionTimeoutInSeconds": "1",
}


class Place(NamedTuple):
    """Where the service is, and who asks."""

    key: str
    region: str | None = None
    host: str | None = None  # ws://…: a server with the paths of a region's host
    endpoint: str | None = (
        None  # wss://…: the address of a resource of its own, below which paths begin with /stt, /tts
    )


class Done(NamedTuple):
    """The end of what a session has to say; an error if it was not a proper one."""

    error: PatchbayError | None = None


@cache
def _loaded(process: int) -> Any:
    """The SDK, which is 15 MB of native code, on first use; `process` because a fork leaves its threads behind."""
    try:
        import azure.cognitiveservices.speech as sdk  # noqa: PLC0415 - see above
    except ImportError as error:
        words = "the Speech SDK is not installed here (azure-cognitiveservices-speech)"
        raise LibraryUnusable(words) from error
    except OSError as error:
        raise LibraryUnusable(f"the Speech SDK cannot be loaded here: {error}") from error
    loader: int = getattr(sdk, "_patchbay_process", process)
    if loader != process:
        raise LibraryUnusable("the Speech SDK was loaded before this process was forked, and its threads are not here")
    sdk._patchbay_process = process  # noqa: SLF001 - ours, on the one thing that a fork copies
    return sdk


def load() -> Any:
    return _loaded(os.getpid())


def config_of(sdk: Any, place: Place) -> Any:
    if place.host:
        config = sdk.SpeechConfig(host=place.host, subscription=place.key)
    elif place.endpoint:
        config = sdk.SpeechConfig(endpoint=place.endpoint, subscription=place.key)
    else:
        config = sdk.SpeechConfig(subscription=place.key, region=place.region)
    for name, value in _PROPERTIES.items():
        config.set_property_by_name(name, value)
    return config


class Mail:
    """What native threads say, on the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[Any] = deque()
        self._came = asyncio.Event()
        self._closed = False

    def post(self, item: Any) -> None:
        """From a native thread: it must be quick, and what is raised here would be swallowed there."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._put, item)

    async def get(self, patience: float) -> Any:
        """The next item. Left to itself the SDK would wait 70 s for a service that says nothing."""
        while not self._items or self._closed:
            if self._closed:
                raise StreamCut("the session was given up")
            self._came.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._came.wait()
            except TimeoutError:
                raise IdleTimeout(f"nothing came for {patience:g} s") from None
        return self._items.popleft()

    def close(self) -> None:
        """On the loop: who waits for more need not."""
        self._closed = True
        self._items.clear()
        self._came.set()

    def _put(self, item: Any) -> None:
        self._items.append(item)
        self._came.set()


class Native:
    """What one session holds of the SDK. Made in one thread and ended in another, never on the loop."""

    def __init__(self, owner: Any, signals: tuple[Any, ...]) -> None:
        self.owner = owner  # recogniser or synthesizer; the last reference to it
        self.signals = signals
        self.stream: Any = None  # of audio for a recogniser
        self.more: Iterator[bytes] | None = None  # of that audio
        self.future: Any = None  # of its one operation
        self.stop: Callable[[], Any] | None = None  # what ends that early, where dropping the owner would not

    def end(self, *, finished: bool) -> None:
        """Blocks: up to a second after a failure, and 38 s for a silent synthesis that is not stopped."""
        for signal in self.signals:
            signal.disconnect_all()  # first: an event under way must not meet what is being torn down
        # Never for a recogniser: after an error its stop() makes the destructor wait for 10 s more.
        if self.stop is not None and not finished:
            self.stop().get()
        self.signals, self.stop, self.stream, self.more = (), None, None, None
        self.owner = None  # destroys it, which ends what is under way
        future, self.future = self.future, None
        if future is not None:
            future.get()  # over by now; who never asks for it leaks its handle


class Session:
    """One native session in its place among all: `begin`, then `mail` until Done, then `close`."""

    def __init__(self, sessions: Sessions, secrets: tuple[str, ...], *, sends: bool = False) -> None:
        """`sends`: so much that it takes a while, for which there is a third thread."""
        self.mail = Mail()
        self._sessions = sessions
        self._threads = 3 if sends else 2
        self._secrets = secrets
        self._starting: Future[Native] | None = None
        self._entered = False
        self.finished = False  # it said so itself, well or not
        self.request_id: str | None = None  # by which the vendor knows it; set from a native thread

    async def begin(self, make: Callable[[Mail], Native]) -> Native:
        await self._sessions.enter(self._threads)
        self._entered = True
        self._starting = self._sessions.submit(lambda: self._made(make))
        try:
            return await asyncio.shield(asyncio.wrap_future(self._starting))
        except BaseException:
            self.close()
            raise

    async def next(self, patience: float) -> Any:
        item = await self.mail.get(patience)
        if isinstance(item, Done):
            self.finished = True
            if isinstance(item.error, TargetError):
                item.error.request_id = self.request_id
            if item.error is not None:
                raise item.error
        return item

    def named(self, name: str) -> None:
        """From a native thread: what the vendor calls it."""
        self.request_id = name

    def cancelled(self, code: Any, details: str) -> None:
        """From a native thread: the SDK has given up."""
        self.mail.post(Done(cancelled(code.name, details, *self._secrets)))

    def close(self) -> None:
        """Ends it in a thread, whatever state it is in; may be called twice."""
        self.mail.close()
        starting, self._starting = self._starting, None
        if starting is not None:
            self._entered = False
            finished = self.finished
            self._sessions.end(lambda: _end(starting, finished=finished), self._threads)
        elif self._entered:
            self._entered = False
            self._sessions.leave(self._threads)

    def _made(self, make: Callable[[Mail], Native]) -> Native:
        try:
            return make(self.mail)
        except (RuntimeError, ValueError) as error:
            failed = cancelled("RuntimeError", str(error), *self._secrets)
        # Not from there: the frames of what failed hold native objects, which would be destroyed on the loop.
        raise failed


def _end(starting: "Future[Native]", *, finished: bool) -> None:
    try:
        native = starting.result()
    except PatchbayError:
        return  # it never began, and who wanted it was told
    del starting  # the last but one reference
    native.end(finished=finished)
