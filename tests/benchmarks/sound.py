"""What sound costs: measuring 10 MB of each kind, and cutting it into parts of ten minutes. CPU of one core.

python -m tests.benchmarks.sound [FILE]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.audio import cut, measure

MB = 1_000_000
# What people send of each kind, in kbit/s; the last is a browser's recorder at its lowest, without a duration.
KINDS = {
    "wav": 256, "flac": 150, "mp3": 64, "mp3-bare": 64, "m4a": 64, "aac": 64, "ogg": 32, "webm": 32, "webm-live": 24,
}  # fmt: skip
PROSE = "It was a cold day in November, and nobody knew what to do about it. So they went on, talking all night long!"


def main() -> None:
    if len(sys.argv) > 1:
        one(Path(sys.argv[1]))
        return
    print(f"{'kind':10} {'MB':>5} {'minutes':>8} {'measure':>10} {'grown':>9} {'cut':>9} {'grown':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / kind
            path.write_bytes(recorded(kind))
            # In a process of its own, whose memory is that of nothing else.
            subprocess.run([sys.executable, "-m", "tests.benchmarks.sound", path], check=True)


def recorded(kind: str) -> bytes:
    import numpy as np

    from infra.local.simulators.signal import say, silence
    from tests.sound import encoded

    turns = np.concatenate([part for speaker in range(3) for part in (say(PROSE, speaker), silence(0.5))])
    samples = 10 * MB * 8 // (1000 * KINDS[kind]) * 16_000
    talk = np.tile(turns, samples // len(turns) + 1)[:samples]
    return encoded(talk, kind, bitrate=KINDS[kind] * 1000)


def one(path: Path) -> None:
    data = path.read_bytes()
    measure(data if "m4a" in path.name else data[:200_000])  # loads the codecs
    held = _peak()
    measuring = min(_cpu(lambda: measure(data)) for _ in range(5))
    measured = _peak()
    cutting = _cpu(lambda: [len(part.audio.data) for part in cut(data, 600)])
    seconds = measure(data).ms / 1000
    size = f"{path.name:10} {len(data) / MB:5.1f} {seconds / 60:8.1f}"
    whole = f"{measuring * 1000:7.1f} ms {measured - held:6.1f} MB"
    print(f"{size} {whole} {seconds / cutting:7.0f} x {_peak() - measured:7.1f} MB", flush=True)


def _peak() -> float:
    """Linux keeps a process' own high-water mark here; that of `resource` begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
