"""What sound costs: measuring 10 MB of each kind, and cutting it. Figures are of one core, the best of five.

python -m tests.benchmarks.sound
"""

import gc
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from core.audio import cut, measure
from infra.local.simulators.signal import say, silence
from tests.sound import encoded

MB = 1_000_000
# What people send of each kind; the last is a browser's recorder at its lowest, with no duration in its header.
KINDS = {
    "wav": 256,
    "flac": 150,
    "mp3": 64,
    "mp3-bare": 64,
    "m4a": 64,
    "aac": 64,
    "ogg": 32,
    "webm": 32,
    "webm-live": 24,
}
PROSE = "It was a cold day in November, and nobody knew what to do about it. So they went on, talking all night long!"


def main() -> None:
    turns = np.concatenate([part for speaker in range(3) for part in (say(PROSE, speaker), silence(0.5))])
    print(f"{'kind':10} {'MB':>5} {'minutes':>8} {'measure':>10} {'cut':>12} {'memory':>9}")
    for kind, kbits in KINDS.items():
        seconds = 10 * MB * 8 / 1000 / kbits
        talk = np.tile(turns, int(seconds * 16_000 / len(turns)) + 1)[: int(seconds * 16_000)]
        data = encoded(talk, kind, bitrate=kbits * 1000)
        del talk
        gc.collect()
        taken = min(_cpu(partial(measure, data)) for _ in range(5))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cutting = _cpu(partial(_cut_up, data))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        length = measure(data).ms / 1000
        print(
            f"{kind:10} {len(data) / MB:5.1f} {length / 60:8.1f} {taken * 1000:7.1f} ms"
            f" {length / cutting:10.0f} x {grown:6.1f} MB"
        )


def _cut_up(data: bytes) -> None:
    for _ in cut(data, 600):
        pass


def _cpu(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
