"""What a request costs in the gateway, as ratios to a floor measured in the same run on the same machine.

python -m tests.benchmarks.run [--quick] [--gateway COMMAND] [--keep FILE] [--save]
"""

import argparse
import asyncio
import os
import platform
import shlex
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import uvloop

from tests.benchmarks import figures, load, uploads
from tests.benchmarks.figures import Pair
from tests.benchmarks.load import BenchmarkError
from tests.benchmarks.servers import LOAD_CORE, pin, serving
from tests.benchmarks.upstream import Upstream

HERE = Path(__file__).parent
WORSE = 1.10


@dataclass(frozen=True, slots=True)
class Figure:
    key: str
    title: str
    unit: str
    times: float | None = None  # ours may be this many times the floor
    plus: float | None = None  # or this much more
    most: float | None = None  # or this much in all


CPU = Figure("cpu_per_chat", "CPU per chat, 16 at once", "µs", times=2.2)
LATENCY = Figure("latency_p50", "p50 on a warm connection", "µs", times=1.6)
CACHE_HIT = Figure("cache_hit", "p50 of an answer from the cache", "µs", times=1.0)
CHUNK = Figure("stream_chunk", "passed-through stream chunk", "µs", plus=4)
TRANSLATED = Figure("translated_cpu", "CPU per translated chat, against a passed one", "µs", times=2.0)
# Of the 40 µs that a translated chunk may take in all, the floor takes about 6.
TRANSLATED_CHUNK = Figure("translated_chunk", "translated stream chunk", "µs", plus=34)
# Without a limit: peers are known by the burst above, people see this one.
PACED = Figure("paced_chunk", "chunk of a paced stream, 20 at once", "µs")
FAILOVER = Figure("failover", "failover after a 500", "µs", plus=1000)
UPLOAD = Figure("upload_cpu", "CPU of an upload of 10 MB", "ms", most=60)
UPLOAD_MEMORY = Figure("upload_memory", "memory that such an upload takes", "MB", times=1.5)
SPEECH = Figure("first_sound", "first byte of speech, against the provider's", "µs", plus=5000)
IMPORT = Figure("import_cpu", "import functions.chat.app", "ms")
COLD = Figure("cold_start", "cold start of the chat function", "ms", times=1.25)
BOOTSTRAP = Figure("bootstrap_cpu", "configuration, catalogue, bootstrap of chat", "ms", plus=25)
CATALOGUE = Figure("catalogue_10k", "load a catalogue of 10,000 models", "ms", plus=60)


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    chats: int
    pairs: int
    streams: int
    failovers: int
    uploads: int
    seconds: float  # for all rounds of one figure


FULL = Size(rounds=9, chats=4000, pairs=1000, streams=30, failovers=100, uploads=10, seconds=30)
QUICK = Size(rounds=3, chats=2000, pairs=400, streams=15, failovers=50, uploads=4, seconds=6)


@dataclass(frozen=True, slots=True)
class Result:
    figure: Figure
    pairs: Sequence[Pair] = ()
    problem: str = ""

    @property
    def floor(self) -> float:
        return median(pair.floor for pair in self.pairs)

    @property
    def ours(self) -> float:
        return median(pair.ours for pair in self.pairs)

    @property
    def ratio(self) -> float:
        return median(pair.ours / pair.floor for pair in self.pairs)

    @property
    def added(self) -> float:
        return median(pair.ours - pair.floor for pair in self.pairs)

    @property
    def over(self) -> bool:
        figure = self.figure
        return bool(
            self.problem
            or (figure.times is not None and self.ratio > figure.times)
            or (figure.plus is not None and self.added > figure.plus)
            or (figure.most is not None and self.ours > figure.most)
        )


async def rounds(figure: Figure, size: Size, measure: Callable[[], Awaitable[Pair]]) -> Result:
    pairs: list[Pair] = []
    try:
        async with asyncio.timeout(size.seconds):
            for _ in range(size.rounds):
                pairs.append(await measure())  # noqa: PERF401 - a timeout keeps the rounds before it
    except TimeoutError:
        return Result(figure, pairs, "" if pairs else f"not one round ended in {size.seconds:g} s")
    except (BenchmarkError, OSError) as error:
        return Result(figure, problem=str(error))
    return Result(figure, pairs)


async def measure(gateway: Sequence[str], size: Size, home: Path) -> list[Result]:
    if task := asyncio.current_task():  # ended by a signal, it must still end its servers
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    floor_command = [sys.executable, str(HERE / "floor.py")]
    async with Upstream.listening() as good, Upstream.listening() as bad:
        one = {"OPENAI_API_KEY": "bench", "OPENAI_BASE_URL": f"http://127.0.0.1:{good.port}/v1"}
        two = one | {"TOGETHER_API_KEY": "bench", "TOGETHER_BASE_URL": f"http://127.0.0.1:{bad.port}/v1"}
        async with (
            serving(floor_command, _folder(home, "floor"), one) as floor,
            serving(gateway, _folder(home, "one"), one) as ours,
        ):
            measures = {
                CPU: partial(figures.cpu_per_chat, floor, ours, good, size.chats),
                LATENCY: partial(figures.latency, floor, ours, size.pairs),
                CACHE_HIT: partial(figures.cache_hit, floor, ours, good, size.pairs),
                CHUNK: partial(figures.stream_chunk, floor, ours, good, size.streams),
                PACED: partial(figures.paced_chunk, floor, ours, 20),
                UPLOAD: partial(uploads.upload_cpu, floor, ours, good, size.uploads),
                UPLOAD_MEMORY: partial(uploads.upload_memory, gateway, home, one),
                SPEECH: partial(uploads.first_sound, ours, good, size.failovers),
            }
            results = [await rounds(figure, size, call) for figure, call in measures.items()]
        other = one | {"ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{good.port}"}
        async with (
            serving(floor_command, _folder(home, "floor-again"), one) as floor,
            serving(gateway, _folder(home, "other"), other) as ours,
        ):
            call = partial(figures.translated, ours, good, size.chats)
            results.append(await rounds(TRANSLATED, size, call))
            call = partial(figures.stream_chunk, floor, ours, good, size.streams, load.TRANSLATED)
            results.append(await rounds(TRANSLATED_CHUNK, size, call))
        async with serving(gateway, _folder(home, "two"), two) as ours:
            call = partial(figures.failover, ours, bad, good, size.failovers)
            results.append(await rounds(FAILOVER, size, call))
        call = partial(figures.cold_start, _folder(home, "cold"), good)
        results.append(await rounds(COLD, size, call))
    return results


def imports(size: Size, home: Path) -> Result:
    try:
        sdks = figures.sdks_imported(home)
        pairs = [figures.import_cpu(home) for _ in range(size.rounds)]
    except BenchmarkError as error:
        return Result(IMPORT, problem=str(error))
    return Result(IMPORT, pairs, f"it brings in {', '.join(sdks)}" if sdks else "")


def processes(figure: Figure, size: Size, measure: Callable[[], Pair]) -> Result:
    try:
        return Result(figure, [measure() for _ in range(size.rounds)])
    except BenchmarkError as error:
        return Result(figure, problem=str(error))


def _folder(home: Path, name: str) -> Path:
    folder = home / name
    folder.mkdir()
    return folder


def table(results: Sequence[Result], kept: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [("figure", "floor (min-max)", "ours (min-max)", "result", "limit", "")]
    rows += [_row(result, kept.get(result.figure.key)) for result in results]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(result: Result, kept: dict[str, float] | None) -> tuple[str, ...]:
    figure = result.figure
    limit = "-"
    if figure.times is not None:
        limit = f"{figure.times:.2f} x"
    elif figure.plus is not None:
        limit = f"+{figure.plus:g} {figure.unit}"
    elif figure.most is not None:
        limit = f"{figure.most:g} {figure.unit}"
    verdict = f"FAILED: {result.problem}" if result.problem else "OVER" if result.over else "ok"
    if not result.pairs:
        return (figure.title, "-", "-", "-", limit, verdict)
    if kept and _is_worse(result, kept):
        verdict += f", WORSE than the kept {kept['ratio']:.2f} x: now {result.ratio:.2f} x"
    shown = f"{result.ratio:.2f} x" if figure.plus is None else f"{result.added:+.1f} {figure.unit}"
    floors, own = [pair.floor for pair in result.pairs], [pair.ours for pair in result.pairs]
    return (figure.title, _spread(floors, figure.unit), _spread(own, figure.unit), shown, limit, verdict)


def _spread(values: Sequence[float], unit: str) -> str:
    digits = 0 if median(values) >= 100 else 1 if median(values) >= 10 else 2
    return f"{median(values):.{digits}f} {unit} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def record(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "figures": {
            result.figure.key: {
                "unit": result.figure.unit,
                "floor": round(result.floor, 2),
                "ours": round(result.ours, 2),
                "ratio": round(result.ratio, 3),
            }
            for result in results
            if result.pairs
        },
    }


def _command(text: str) -> list[str]:
    """Paths are meant from here, though the servers start elsewhere."""
    return [str(Path(word).absolute()) if Path(word).is_file() else word for word in shlex.split(text)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = f"{Path(sys.executable).with_name('patchbay')} serve"
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests")
    parser.add_argument("--gateway", default=default, metavar="COMMAND", help="what to measure instead of ours")
    parser.add_argument("--keep", type=Path, default=HERE / "results.json", metavar="FILE", help="the kept result")
    parser.add_argument("--save", action="store_true", help="keep this result though a figure became worse")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    pin(LOAD_CORE)
    with tempfile.TemporaryDirectory(prefix="patchbay-bench-") as folder:
        home = Path(folder)
        try:
            results = uvloop.run(measure(_command(options.gateway), size, home))
        except BenchmarkError as error:
            raise SystemExit(str(error)) from error
        results += [
            imports(size, home),
            processes(BOOTSTRAP, size, partial(figures.bootstrap_cpu, home)),
            processes(CATALOGUE, size, partial(figures.catalogue, home)),
        ]
    kept = orjson.loads(options.keep.read_bytes())["figures"] if options.keep.exists() else {}
    print(table(results, kept))
    over = any(result.over for result in results)
    worse = any(_is_worse(result, kept.get(result.figure.key)) for result in results)
    if options.save or not (options.quick or over or worse):
        options.keep.write_bytes(orjson.dumps(record(results), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return int(over or (worse and not options.save))


def _is_worse(result: Result, kept: dict[str, float] | None) -> bool:
    """More than a tenth worse than what was kept: of the ratio, or of the limit where the limit is a difference."""
    if not kept or not result.pairs:
        return False
    if result.figure.plus is not None:
        return result.added > kept["ours"] - kept["floor"] + (WORSE - 1) * result.figure.plus
    return result.ratio > kept["ratio"] * WORSE


if __name__ == "__main__":
    sys.exit(main())
