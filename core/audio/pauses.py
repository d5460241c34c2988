"""Where sound is best cut: in the middle of a pause, told from speech by how loud the rest is. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

STEP_MS = 20  # of sound has one level
_LONG = 25  # steps of a pause, beyond which a longer one is no better
_CLEAR = 15  # steps of a pause that need no second look
# Of the way from the quietest to the loudest, what is still a pause: little where somebody laughs or claps and all
# speech is quiet beside it, more where people breathe and hardly stop.
_SHARES = (0.005, 0.02, 0.05, 0.1)
_OUTLIERS = 0.02


class Pause(NamedTuple):
    first: int  # in steps
    steps: int

    @property
    def middle(self) -> int:
        return self.first + self.steps // 2


def levels(pcm: bytes | memoryview, step: int) -> list[int]:
    """How loud each step of so many samples is. Every second sample is heard: half the work, the same answer."""
    samples = memoryview(pcm).cast("h")
    return [sum(map(abs, samples[at : at + step : 2])) for at in range(0, len(samples), step)]


def pauses(of: Sequence[int], share: float = _SHARES[-1]) -> Iterator[Pause]:
    """Runs of levels that are low for this recording; its own noise is no sound."""
    ordered = sorted(of)
    aside = int(len(ordered) * _OUTLIERS)
    quiet, loud = ordered[aside], ordered[-1 - aside]
    first = 0
    for low, run in groupby(level <= quiet + (loud - quiet) * share for level in of):
        count = sum(1 for _ in run)
        if low:
            yield Pause(first, count)
        first += count


def best(of: Sequence[int], aim: int) -> int:
    """The step to cut before: in the longest pause, and of those that are long enough in the one nearest to `aim`."""
    found = Pause(0, 0)
    for share in _SHARES:
        found = max(pauses(of, share), key=lambda pause: (min(pause.steps, _LONG), -abs(pause.middle - aim)))
        if found.steps >= _CLEAR:
            break
    return found.middle
