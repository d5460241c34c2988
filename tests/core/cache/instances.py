"""What the tests of the cache share: instances of it in one place, a provider, and asking as the gateway does."""

import asyncio

from core.backends.reach import Reach
from core.bootstrap import open_blobs, open_store
from core.cache.layered import Cache
from core.http.surfaces import chat_request
from core.types.caller import LOCAL
from core.types.receipt import Receipt
from core.types.target import Target
from core.types.usage import Cost, Usage

TARGET = Target("openai", "default", "m")
USAGE = Usage("reported", input=3, output=4)


class Failed(Exception):
    """What the provider says when it does not answer."""


class Provider:
    """Counts its calls; each may wait until the test opens it, and fail."""

    def __init__(self, answer=b'{"a":1}', *, failures=0, closed=False):
        self.answer = answer
        self.calls = 0
        self.started = asyncio.Event()
        self.open = asyncio.Event()
        self._failures = failures
        if not closed:
            self.open.set()

    async def __call__(self):
        self.calls += 1
        number = self.calls
        self.started.set()
        await self.open.wait()
        if number <= self._failures:
            raise Failed
        return self.answer


class Place:
    """Where instances meet. Each has a store of its own, as processes have."""

    def __init__(self, settings, clock, stack):
        self.settings = settings
        self.clock = clock
        self._stack = stack
        self._made = 0

    async def instance(self, store=None, **more):
        if store is None:
            store = await self.store()
        self._made += 1
        facts = {"ttl": 300, "configuration": "c", "owner": f"instance {self._made}", **more}
        facts = {"open_blobs": lambda: open_blobs(self.settings), "reach": Reach(self.clock), **facts}
        cache = Cache(store=store, clock=self.clock, **facts)
        self._stack.push_async_callback(cache.close)
        return cache

    async def store(self):
        store = await open_store(self.settings, self.clock)
        self._stack.push_async_callback(store.close)
        return store

    async def blobs(self):
        blobs = await open_blobs(self.settings)
        self._stack.push_async_callback(blobs.close)
        return blobs


def request(text="Hi", **fields):
    body = {"messages": [{"role": "user", "content": text}], "temperature": 0, **fields}
    return chat_request(body, "/v1/chat/completions", None, wants_usage=False)


async def ask(cache, provider, /, *, caller=LOCAL, seconds=600.0, **fields):
    """As the gateway does it: how it went, and the answer."""
    asked = request(**fields)
    ticket = cache.ticket(caller, asked, cache.clock.monotonic() + seconds)
    async with ticket:
        found = await ticket.read()
        if found is not None:
            return "hit", found.raw
        raw = await provider()
        receipt = Receipt("d" * 32, cache.clock.now(), 0.0, caller, asked, target=TARGET, usage=USAGE, cost=Cost(7))
        await ticket.write(raw, receipt)
    await cache._store.flush()  # SQLite shows it to other processes a moment later
    return "miss", raw


async def until(condition):
    """Looks again and again; the test's own time limit ends what never comes."""
    while not condition():  # noqa: ASYNC110 - nothing rings when somebody begins to wait
        await asyncio.sleep(0.002)


def at_it(cache):
    """Whether somebody in this instance has gone to ask."""
    return bool(cache.flights._under_way)
