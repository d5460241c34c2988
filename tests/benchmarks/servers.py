"""Servers under test: started on one core, watched, and ended with all that they started."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.load import BenchmarkError, Connection

START_SECONDS = 20
STOP_SECONDS = 5
_CORES = sorted(os.sched_getaffinity(0))
# With one core there is nothing to separate.
SERVER_CORE, LOAD_CORE = (_CORES[0], _CORES[1]) if len(_CORES) > 1 else (None, None)


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int

    def cpu_ns(self) -> int:
        """User and system time, children included: a launcher's own time says nothing."""
        return sum(map(_cpu_ns, _family(self.pid)))


def _cpu_ns(pid: int) -> int:
    # The kernel's clock of another process, as clock_getcpuclockid(3) builds it: /proc/<pid>/stat
    # holds the same sum, but in ticks of 10 ms.
    return time.clock_gettime_ns((~pid << 3) | 2)


def _family(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *(relative for child in children for relative in _family(child))]


def pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def _on_server_core() -> Iterator[None]:
    """What is started here inherits the server's core, its threads included."""
    pin(SERVER_CORE)
    try:
        yield
    finally:
        pin(LOAD_CORE)


def environment(home: Path) -> dict[str, str]:
    """No key, proxy or setting of the user's may reach what is measured."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PATCHBAY_HOME": str(home), "LANG": "C.UTF-8"}


@asynccontextmanager
async def serving(command: Sequence[str], home: Path, settings: dict[str, str]) -> AsyncIterator[Server]:
    port = _free_port()
    log = home / "log"
    env = environment(home) | {"HOST": "127.0.0.1", "PORT": str(port)} | settings
    with _on_server_core(), log.open("wb") as out:
        process = await _start(command, cwd=home, env=env, stdout=out, stderr=out)
    try:
        await _ready(process, port, log)
        yield Server(port, process.pid)
    finally:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        _signal(process.pid, signal.SIGKILL)
        await process.wait()


async def _start(command: Sequence[str], **options: Any) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True, **options
        )
    except OSError as error:
        raise BenchmarkError(f"cannot start {command[0]}: {error}") from error


def _signal(group: int, number: signal.Signals) -> None:
    # The group outlives a launcher that ended first; when nobody is left of it, all is done.
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    problem: Exception | None = None
    while time.monotonic() < end and process.returncode is None:
        try:
            async with asyncio.timeout(2), Connection.to(port) as connection:
                await connection.ask(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        except (OSError, BenchmarkError) as error:  # a timeout is an OSError
            problem = error
            await asyncio.sleep(0.05)
        else:
            return
    raise BenchmarkError(f"the server did not get ready ({problem}); it said:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
