"""Figures of sound: what a large upload costs in time and memory, and how soon speech begins."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import orjson

from tests.benchmarks.figures import Pair, _cpu_at_rest
from tests.benchmarks.load import BenchmarkError, Connection
from tests.benchmarks.servers import Server, serving
from tests.benchmarks.upstream import SPEECH_HEAD, Upstream

UPLOAD_BYTES = 10 * 10**6
_MODEL = "openai/whisper-1"
_VOICE = "openai/tts-1"
_BOUNDARY = "sound-of-a-benchmark"
_RATE = 16_000
_SMALL = 20_000
_IN_A_ROW = 8  # uploads: what one of them leaves behind is seen in the next ones


def upload(port: int, size: int = UPLOAD_BYTES) -> bytes:
    """A request with a WAV of 10 MB in a form, as SDKs send it."""
    fields = {"model": _MODEL, "response_format": "json"}
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    named = 'Content-Disposition: form-data; name="file"; filename="talk.wav"\r\nContent-Type: audio/wav'
    head = ("".join(parts) + f"--{_BOUNDARY}\r\n{named}\r\n\r\n").encode()
    body = head + _wav(size) + f"\r\n--{_BOUNDARY}--\r\n".encode()
    start = (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return start.encode() + body


def _wav(size: int) -> bytes:
    samples = bytes(range(256)) * ((size - 44) // 256)  # a buzz: what is in it is the provider's to hear
    form = b"fmt " + (16).to_bytes(4, "little") + b"\x01\x00\x01\x00" + _RATE.to_bytes(4, "little")
    form += (_RATE * 2).to_bytes(4, "little") + b"\x02\x00\x10\x00"
    data = b"data" + len(samples).to_bytes(4, "little") + samples
    return b"RIFF" + (4 + len(form) + len(data)).to_bytes(4, "little") + b"WAVE" + form + data


async def upload_cpu(floor: Server, ours: Server, upstream: Upstream, count: int) -> Pair:
    """CPU milliseconds of the server for one upload of 10 MB that goes on to a provider."""
    return Pair(await _upload_cpu(floor, upstream, count), await _upload_cpu(ours, upstream, count))


async def _upload_cpu(server: Server, upstream: Upstream, count: int) -> float:
    raw = upload(server.port)
    async with Connection.to(server.port) as connection:
        await connection.ask(raw)  # what is imported on first use is no part of each upload
        before, asked = await _cpu_at_rest(server), upstream.requests
        for _ in range(count):
            await connection.ask(raw)
        spent = await _cpu_at_rest(server) - before
    if upstream.requests - asked < count:
        raise BenchmarkError(f"only {upstream.requests - asked} of {count} uploads reached the provider")
    return spent / count / 1e6


async def upload_memory(command: Sequence[str], home: Path, settings: dict[str, str]) -> Pair:
    """Megabytes by which a fresh server grows at most while it passes uploads on, against those of one of them."""
    folder = Path(mkdtemp(dir=home))
    async with serving(command, folder, settings) as ours, Connection.to(ours.port) as connection:
        raw = upload(ours.port)
        await connection.ask(upload(ours.port, _SMALL))  # what is imported on first use is no part of it
        before = _resident(ours.pid, "VmRSS")
        _forget_peak(ours.pid)
        for _ in range(_IN_A_ROW):
            await connection.ask(raw)
        peak = _resident(ours.pid, "VmHWM")
    return Pair(UPLOAD_BYTES / 1e6, max(0.0, peak - before))


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _resident(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchmarkError(f"{field} of process {pid} is not told")


async def first_sound(ours: Server, upstream: Upstream, count: int) -> Pair:
    """Microseconds until the first byte of speech, from the provider itself and through the gateway."""
    direct = [await _first_byte(upstream.port) for _ in range(count)]
    through = [await _first_byte(ours.port) for _ in range(count)]
    return Pair(sorted(direct)[count // 2], sorted(through)[count // 2])


async def _first_byte(port: int) -> float:
    body = orjson.dumps({"model": _VOICE, "input": "One word after the other.", "voice": "alloy"})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        began = time.perf_counter_ns()
        writer.write(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (port, len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise BenchmarkError(f"speech was refused: {head[:300].decode(errors='replace')}")
        first = await reader.readuntil(SPEECH_HEAD)
        return (time.perf_counter_ns() - began) / 1000 if first else 0.0
    finally:
        writer.close()
