"""What to do after a failure: the same target again, the next one, or stop. The one owner of retries."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from core.errors import TargetError
from core.types.attempt import Decision


class Step(NamedTuple):
    decision: Decision
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Retry:
    """While another target is ready nobody waits; the last one is tried again, with jitter and Retry-After.

    An answer that can be mended is asked for once more at the same target, told what was wrong, before anybody else
    is: whose answer was nearly right is nearest to a right one. Without any retries nothing is mended.
    """

    max_retries: int = 2
    delay: float = 1.0
    max_wait: float = 30.0

    def after(
        self,
        error: TargetError,
        *,
        tries: int,
        targets_left: int,
        remaining: float,
        chance: Random,
        mended: bool = False,
    ) -> Step:
        """`tries` at this target so far, `targets_left` after it, `remaining` seconds until the deadline.

        `mended`: this target was already told once what was wrong.
        """
        if not error.next:
            return Step("stop")
        if error.mends and not mended and self.max_retries and remaining > 0:
            return Step("again")
        if targets_left:
            return Step("next")
        if not error.again or tries > self.max_retries:
            return Step("stop")
        backoff = self.delay * 2 ** (tries - 1) * chance.uniform(0.5, 1.0)
        wait = min(backoff, self.max_wait) if error.retry_after is None else error.retry_after
        if wait > self.max_wait or wait > remaining:
            return Step("stop")
        return Step("again", wait)
