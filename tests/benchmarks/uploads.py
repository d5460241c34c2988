"""What a large upload costs the gateway by itself: CPU, and memory beside what it holds anyway.

python -m tests.benchmarks.uploads [--provider NAME --url URL]: without a provider, who is asked answers at once.
"""

import argparse
import asyncio
import io
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

import httpx

from core.providers.contract import Call, Reply
from core.types.audio import Transcript
from core.types.usage import Usage
from tests.benchmarks.servers import Server, serving

SIZE = 10 * 2**20
KINDS = {"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac"}
MOST_MS, MOST_TIMES = 60.0, 1.5
_ROUNDS = 9


class Upload(NamedTuple):
    ms: float  # of CPU
    times: float  # the body's size that the process grew by at its highest


class Deaf:
    """Answers at once, so that all that is measured is ours."""

    def __init__(self, *_: Any) -> None:
        """It needs nothing."""

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        return Reply(Transcript("nothing"), Usage("reported", audio_ms=call.body["audio"].ms))


def audio(kind: str) -> bytes:
    """Noise of about that size: nothing in it is easy to pack."""
    import av
    import numpy as np

    made, chance = io.BytesIO(), np.random.default_rng(1)
    with av.open(made, "w", format=kind) as out:
        stream: Any = out.add_stream(KINDS[kind], rate=16_000)
        stream.bit_rate = 64_000
        out.start_encoding()
        while made.tell() < SIZE:
            samples = chance.integers(-8000, 8000, (1, 16_000), dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = 16_000
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return made.getvalue()


async def upload(server: Server, client: httpx.AsyncClient, data: bytes, kind: str) -> Upload:
    _forget_highest(server)
    rest, before = _memory(server)["VmRSS"], server.cpu_ns()
    answer = await client.post("/v1/audio/transcriptions", files={"file": (f"noise.{kind}", data)})
    answer.raise_for_status()
    spent = server.cpu_ns() - before
    return Upload(spent / 1e6, (_memory(server)["VmHWM"] - rest) / len(data))


def _forget_highest(server: Server) -> None:
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")


def _memory(server: Server) -> Mapping[str, int]:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return {
        name: int(rest.split()[0]) * 1024 for name, _, rest in (one.partition(":") for one in lines) if "kB" in rest
    }


async def measured(data: Mapping[str, bytes], settings: Mapping[str, str]) -> dict[str, Upload]:
    command = [sys.executable, "-m", "tests.benchmarks.uploads", "--serve"]
    found = {}
    with tempfile.TemporaryDirectory() as home:
        environ = {"PYTHONPATH": str(Path(__file__).parents[2]), "LOG_LEVEL": "error", **settings}
        async with (
            serving(command, Path(home), environ) as server,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client,
        ):
            for kind, one in data.items():
                await upload(server, client, one, kind)  # loads what it needs
                rounds = [await upload(server, client, one, kind) for _ in range(_ROUNDS)]
                found[kind] = Upload(median(each.ms for each in rounds), max(each.times for each in rounds))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--provider", default="deaf")
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    if given.serve:
        _serve()
        return
    name = given.provider.upper()
    settings = {f"{name}_API_KEY": "key", **({f"{name}_BASE_URL": given.url} if given.url else {})}
    for kind, one in asyncio.run(measured({kind: audio(kind) for kind in KINDS}, settings)).items():
        good = one.ms <= MOST_MS and one.times <= MOST_TIMES
        print(f"{kind:5} {one.ms:6.1f} ms CPU  {one.times:5.2f} × the body  {'ok' if good else 'TOO MUCH'}")


def _serve() -> None:
    from core.capabilities import Capability
    from core.providers import registry, table
    from infra.local.server import serve

    deaf = table.Row(
        name="deaf",
        title="Deaf",
        adapter=Deaf,
        base_url="https://deaf.invalid",
        capabilities=frozenset({Capability.TRANSCRIBE}),
        default_models={Capability.TRANSCRIBE: "deaf-1"},
    )

    class Point:
        name, value = "deaf", "here"

        @staticmethod
        def load() -> table.Row:
            return deaf

    points: Any = [Point]
    import uvloop

    with mock.patch.object(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else []):
        uvloop.run(serve(as_json=True))


if __name__ == "__main__":
    main()
