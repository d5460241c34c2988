"""One round of each figure: floor and ours in turn, because a machine's mood lasts longer than a request."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import orjson

from infra.local.sandbox import handler_of, sandbox
from tests.benchmarks.load import MODEL, TRANSLATED, BenchmarkError, Connection, chats, turns
from tests.benchmarks.servers import Server, environment
from tests.benchmarks.upstream import CHUNKS, PACED, PACED_CHUNKS, Upstream

ROUND_SECONDS = 3.0
CONCURRENCY = 16
WARM_UP = 50
# Calls that succeed at the failing provider for each that fails there, so that no breaker opens.
HEALTHY = 4
CATALOGUE = 10_000
ROOT = Path(__file__).parents[2]
SDKS = ("openai", "anthropic", "azure", "boto3", "litellm", "httpx", "httpx2")


@dataclass(frozen=True, slots=True)
class Pair:
    floor: float
    ours: float


async def cpu_per_chat(floor: Server, ours: Server, upstream: Upstream, count: int) -> Pair:
    """CPU microseconds of the server for one of 16 concurrent chats."""
    return Pair(await _cpu_per_chat(floor, upstream, count), await _cpu_per_chat(ours, upstream, count))


async def translated(ours: Server, upstream: Upstream, count: int) -> Pair:
    """The same where the provider has another dialect, against passing through in the same server."""
    return Pair(
        await _cpu_per_chat(ours, upstream, count), await _cpu_per_chat(ours, upstream, count, model=TRANSLATED)
    )


async def _cpu_per_chat(server: Server, upstream: Upstream, count: int, model: str = MODEL) -> float:
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection.to(server.port)) for _ in range(CONCURRENCY)]
        await _share(connections, server.port, WARM_UP * 4, model)
        before, asked = await _cpu_at_rest(server), upstream.requests
        done = await _share(connections, server.port, count, model)
        spent = await _cpu_at_rest(server) - before
    if upstream.requests - asked < done:
        raise BenchmarkError(f"only {upstream.requests - asked} of {done} chats reached the provider")
    return spent / done / 1000


async def _cpu_at_rest(server: Server) -> int:
    # Work put off until after the answer is part of the bill.
    await asyncio.sleep(0.15)
    return server.cpu_ns()


async def _share(connections: list[Connection], port: int, count: int, model: str) -> int:
    requests = chats(port, model=model)
    shared = turns(count, ROUND_SECONDS)

    async def work(connection: Connection) -> int:
        done = 0
        for _ in shared:
            await connection.ask(next(requests))
            done += 1
        return done

    return sum(await asyncio.gather(*map(work, connections)))


async def latency(floor: Server, ours: Server, count: int) -> Pair:
    """p50 microseconds of a chat on one warm connection."""
    floors, own = [], []
    async with Connection.to(floor.port) as to_floor, Connection.to(ours.port) as to_ours:
        floor_chats, own_chats = chats(floor.port, model=MODEL), chats(ours.port, model=MODEL)
        for _ in turns(WARM_UP + count, ROUND_SECONDS):
            floors.append((await to_floor.ask(next(floor_chats))).micros)
            own.append((await to_ours.ask(next(own_chats))).micros)
    return Pair(_steady(floors, WARM_UP), _steady(own, WARM_UP))


async def cache_hit(floor: Server, ours: Server, upstream: Upstream, count: int) -> Pair:
    """p50 microseconds of an answer from the cache, against a chat that asks the provider."""
    floors, own = [], []
    async with Connection.to(floor.port) as to_floor, Connection.to(ours.port) as to_ours:
        floor_chats, again = chats(floor.port, model=MODEL), next(chats(ours.port, model=MODEL, cache="on"))
        await to_ours.ask(again)
        asked = upstream.requests
        for _ in turns(WARM_UP + count, ROUND_SECONDS):
            floors.append((await to_floor.ask(next(floor_chats))).micros)
            own.append((await to_ours.ask(again)).micros)
    if (more := upstream.requests - asked - len(floors)) > 0:
        raise BenchmarkError(f"{more} of {len(own)} answers did not come from the cache")
    return Pair(_steady(floors, WARM_UP), _steady(own, WARM_UP))


async def stream_chunk(floor: Server, ours: Server, upstream: Upstream, count: int, model: str = MODEL) -> Pair:
    """Microseconds for one chunk of a stream whose provider sends as fast as it can."""
    floors, own = [], []
    async with Connection.to(floor.port) as to_floor, Connection.to(ours.port) as to_ours:
        floor_chats = chats(floor.port, model=MODEL, stream=True)
        own_chats = chats(ours.port, model=model, stream=True)
        for _ in turns(1 + count, ROUND_SECONDS):
            floors.append(await _chunk(to_floor, floor_chats, upstream))
            own.append(await _chunk(to_ours, own_chats, upstream))
    return Pair(_steady(floors, 1), _steady(own, 1))


async def _chunk(connection: Connection, requests: Iterator[bytes], upstream: Upstream) -> float:
    answer = await connection.ask(next(requests))
    if answer.body.count(b"data: ") < CHUNKS or not answer.body.endswith(b"data: [DONE]\n\n"):
        raise BenchmarkError(f"a stream was cut or changed: it ends with {answer.body[-300:]!r}")
    return (answer.ended - upstream.released) / CHUNKS / 1000


async def paced_chunk(floor: Server, ours: Server, count: int) -> Pair:
    """CPU microseconds of the server for one chunk of several streams whose chunks come one by one."""
    return Pair(await _paced(floor, count), await _paced(ours, count))


async def _paced(server: Server, count: int) -> float:
    requests = chats(server.port, model=MODEL, stream=True, user=PACED)
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection.to(server.port)) for _ in range(count)]
        before = await _cpu_at_rest(server)
        answers = await asyncio.gather(*(connection.ask(next(requests)) for connection in connections))
        spent = await _cpu_at_rest(server) - before
    chunks = sum(answer.body.count(b"data: ") for answer in answers)
    if chunks < count * PACED_CHUNKS:
        raise BenchmarkError(f"only {chunks} chunks of {count} streams came")
    return spent / chunks / 1000


async def failover(gateway: Server, bad: Upstream, good: Upstream, count: int) -> Pair:
    """Microseconds of a chat that the first provider fails, against those of its two calls made singly."""
    singly, over = [], []
    skipped = 0
    async with Connection.to(gateway.port) as to_gateway, Connection.to(bad.port) as to_bad:
        at_bad, at_good = chats(gateway.port, provider="together"), chats(gateway.port, provider="openai")
        direct, free = chats(bad.port), chats(gateway.port)
        for _ in turns(WARM_UP // 5 + count, ROUND_SECONDS):
            bad.failing = False
            for _ in range(HEALTHY):
                await to_gateway.ask(next(at_bad))
            answered = await to_gateway.ask(next(at_good))
            bad.failing = True
            refused = await to_bad.ask(next(direct), expected=500)
            asked = bad.requests
            result = await to_gateway.ask(next(free))
            skipped += bad.requests == asked
            singly.append(answered.micros + refused.micros)
            over.append(result.micros)
    if skipped:
        raise BenchmarkError(f"the failing provider was left out of {skipped} in {len(over)} chats")
    return Pair(_steady(singly, WARM_UP // 5), _steady(over, WARM_UP // 5))


def _steady(values: list[float], warm_up: int) -> float:
    if len(values) <= warm_up:
        raise BenchmarkError(f"only {len(values)} answers in {ROUND_SECONDS:g} s: too slow to measure")
    return median(values[warm_up:])


def import_cpu(home: Path) -> Pair:
    """CPU milliseconds to import the chat function, against an empty program."""
    return Pair(_python(home, "pass")[0], _python(home, "import functions.chat.app")[0])


def catalogue(home: Path) -> Pair:
    """CPU milliseconds to load a catalogue of 10,000 models, against importing what loads it."""
    path = home / "models.json"
    if not path.exists():
        built_in = orjson.loads((ROOT / "core/config/models.json").read_bytes())
        many = zip(range(CATALOGUE), cycle(built_in), strict=False)
        path.write_bytes(orjson.dumps([{**entry, "id": f"{entry['id']}-{number}"} for number, entry in many]))
    imported = "import pathlib; from core.config.catalog import load"
    loaded = f"{imported}; assert len(load(pathlib.Path('models.json')).entries) == {CATALOGUE}"
    return Pair(_python(home, imported)[0], _python(home, loaded)[0])


async def cold_start(home: Path, upstream: Upstream) -> Pair:
    """CPU milliseconds of a fresh process until it has answered its first event, through awslambdaric."""
    return Pair(
        await _cold_start(home, upstream, "tests.benchmarks.base.handler"),
        await _cold_start(home, upstream, handler_of("chat")),
    )


async def _cold_start(home: Path, upstream: Upstream, handler: str) -> float:
    # Provider and table are the same loopback server: it takes whatever is posted.
    address = f"http://127.0.0.1:{upstream.port}"
    environ = environment(home) | {
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": f"{address}/v1",
        "PATCHBAY_API_KEY": "local-key",
        "PATCHBAY_TABLE": "bench",
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
    before, said = resource.getrusage(resource.RUSAGE_CHILDREN), list[str]()
    async with sandbox("chat", handler, environ, said.append) as running:
        outcome = await running.invoke((ROOT / "events/chat.json").read_bytes())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if outcome.kind != "response" or orjson.loads(outcome.body)["statusCode"] != 200:
        raise BenchmarkError(f"{handler} failed: {outcome.body[:300]!r} {said[-3:]}")
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


def bootstrap_cpu(home: Path) -> Pair:
    """CPU milliseconds when all is imported that chat needs, and when it is configured and built, in one process."""
    imported = "import time, core.bootstrap, core.http.app, functions.chat.routes as chat; a = time.process_time()"
    built = "core.http.app.make_app('Patchbay', chat.ROUTES, chat.OPERATIONS, core.bootstrap.build())"
    said = _python(home, f"{imported}; {built}; print(a, time.process_time())")[1]
    return Pair(*(float(seconds) * 1000 for seconds in said.split()))


def sdks_imported(home: Path) -> list[str]:
    """Which SDKs the chat function's import brings in; a cold start would pay for each."""
    code = f"import functions.chat.app, sys; print(*(name for name in {SDKS} if name in sys.modules))"
    return _python(home, code)[1].split()


def _python(home: Path, code: str) -> tuple[float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = environment(home) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise BenchmarkError(done.stderr.strip().rpartition("\n")[2])
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000, done.stdout
