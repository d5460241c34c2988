"""What live sessions of the Speech SDK cost this process: memory and threads of 100 at once, and the next one.

python -m tests.benchmarks.sessions [--sessions N] [--seconds S]
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.config.secrets import Secret
from core.config.settings import Account
from core.errors import SessionsFull
from core.net.sessions import Sessions
from core.net.transport import Transport
from core.providers.azure_speech import LIVE, AzureSpeech
from core.providers.contract import Call
from core.providers.table import TABLE
from core.types.audio import Audio
from core.types.target import Target
from infra.local.simulators.fleet import Fleet
from infra.local.simulators.signal import say, wav

MOST_MB, MOST_THREADS = 300, 300
WORDS = "One two three four five."


def threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def megabytes() -> float:
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / 2**20


async def simulate() -> None:
    """In a process of its own: what it costs must not be counted."""
    fleet = Fleet(("azure",))
    await fleet.start()
    print(fleet.url("azure"), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await fleet.stop()


@asynccontextmanager
async def simulator() -> AsyncIterator[str]:
    command = (sys.executable, "-m", "tests.benchmarks.sessions", "--simulator")
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert running.stdin is not None and running.stdout is not None
    try:
        yield (await running.stdout.readline()).decode().strip()
    finally:
        running.stdin.close()
        await running.wait()


async def measure(url: str, count: int, seconds: float) -> bool:
    transport = await Transport(sessions=Sessions(count)).open()
    account = Account(speech_key=Secret("benchmark"), speech_url=url)
    speech = AzureSpeech(next(row for row in TABLE if row.name == "azure"), account, transport)
    sound = say(" ".join([WORDS] * max(1, round(seconds / 2.2))))
    audio = Audio(wav(sound), "wav", "pcm_s16le", round(len(sound) / 16), 16_000, 1)
    call = Call(Target("azure", "default", LIVE), {"audio": audio, "language": "en"}, 60, 2**25)
    before, peak, most = megabytes(), 0.0, 0

    async def watch() -> None:
        nonlocal peak, most
        while True:
            peak, most = max(peak, megabytes()), max(most, threads())
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    began = time.monotonic()
    asked = [asyncio.create_task(speech.transcribe(call)) for _ in range(count)]
    most_running = 0
    await asyncio.sleep(0.1)
    while transport.sessions.running > most_running:
        most_running = transport.sessions.running
        await asyncio.sleep(1)  # all that may have begun by then
    transport.sessions.adjust(count, "refuse")
    try:
        await speech.transcribe(call)
        refused = False
    except SessionsFull:
        refused = True
    transport.sessions.adjust(count, "wait")
    right = sum(
        text.value.text == " ".join(WORDS for _ in range(max(1, round(seconds / 2.2))))
        for text in await asyncio.gather(*asked)
    )
    took = time.monotonic() - began
    await transport.close()
    watching.cancel()
    print(f"{most_running} of {count} sessions at once, {audio.ms / 1000:.1f} s of audio each")
    print(f"  right answers            {right} of {count} in {took:.1f} s")
    print(f"  memory                   {before:.0f} -> {peak:.0f} MB (at most {MOST_MB})")
    print(f"  threads                  {most} (at most {MOST_THREADS}), {threads()} afterwards")
    print(f"  one more is refused      {'yes' if refused else 'NO'}")
    return right == count and refused and peak <= MOST_MB and most <= MOST_THREADS


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--simulator", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.simulator:
        await simulate()
        return 0
    async with simulator() as url:
        return 0 if await measure(url, given.sessions, given.seconds) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
