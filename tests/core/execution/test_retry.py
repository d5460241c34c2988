"""After a failure: again here, on to the next, or stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core.errors
from core.clock import seeded
from core.errors import (
    AttemptTimeout,
    CredentialRefused,
    NoRoomToMend,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    SchemaMissed,
    ServerFault,
    TargetError,
)
from core.execution.retry import Retry, Step
from tests.core.fakes import examples

EVERY = [one for one in vars(core.errors).values() if isinstance(one, type) and issubclass(one, TargetError)]


def after(error, *, tries=1, left=0, remaining=600.0, retry=None, seed=1, mended=False):
    retry = retry or Retry()
    chance = seeded(seed)
    return retry.after(error, tries=tries, targets_left=left, remaining=remaining, chance=chance, mended=mended)


@pytest.mark.parametrize("cls", [cls for cls in EVERY if cls.next and not cls.mends])
def test_while_another_is_ready_nobody_waits(cls):
    assert after(cls("no", retry_after=1), left=1) == Step("next")
    assert after(cls("no"), left=3, tries=9, remaining=0) == Step("next")


def test_the_callers_own_mistake_stops_the_chain():
    assert after(RequestRefused("no"), left=5) == Step("stop")
    assert after(RequestRefused("no"), left=0) == Step("stop")


@pytest.mark.parametrize("cls", [CredentialRefused, QuotaExhausted, AttemptTimeout])
def test_the_last_one_is_not_tried_again_where_that_is_useless(cls):
    assert after(cls("no", retry_after=0)) == Step("stop")


@pytest.mark.parametrize("cls", [cls for cls in EVERY if cls.again])
def test_the_last_one_is_tried_again(cls):
    step = after(cls("no"))
    assert step.decision == "again"
    assert step.wait > 0


class TestMending:
    """An answer that is not the JSON that was asked for."""

    def test_who_answered_is_told_once_and_at_once_before_anybody_else_is_asked(self):
        assert after(SchemaMissed("no"), left=3) == Step("again", 0)
        assert after(SchemaMissed("no"), left=0) == Step("again", 0)

    def test_then_it_is_the_next_ones_turn(self):
        assert after(SchemaMissed("no"), left=1, tries=2, mended=True) == Step("next")
        assert after(SchemaMissed("no"), left=0, tries=2, mended=True) == Step("stop")

    def test_failures_before_it_do_not_count(self):
        assert after(SchemaMissed("no"), left=0, tries=3) == Step("again", 0)

    def test_no_retries_are_none_of_this_kind(self):
        never = Retry(max_retries=0)
        assert after(SchemaMissed("no"), left=1, retry=never) == Step("next")
        assert after(SchemaMissed("no"), left=0, retry=never) == Step("stop")

    def test_not_beyond_the_deadline(self):
        assert after(SchemaMissed("no"), left=0, remaining=0) == Step("stop")

    def test_what_the_cap_forbids_here_may_be_cheaper_at_the_next_one(self):
        assert after(NoRoomToMend("no"), left=3) == Step("next")
        assert after(NoRoomToMend("no"), left=0) == Step("stop")


def test_not_more_often_than_allowed():
    retry = Retry(max_retries=2)
    decisions = [after(ServerFault("no"), tries=tries, retry=retry).decision for tries in (1, 2, 3, 4)]
    assert decisions == ["again", "again", "stop", "stop"]
    assert after(ServerFault("no"), retry=Retry(max_retries=0)) == Step("stop")


class TestWait:
    @examples(200)
    @given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([0.01, 0.5, 1.0, 2.0]))
    def test_it_doubles_with_jitter_within_bounds(self, seed, tries, delay):
        step = after(ServerFault("no"), tries=tries, retry=Retry(max_retries=5, delay=delay), seed=seed)
        longest = delay * 2 ** (tries - 1)
        assert step.decision == "again"
        assert longest / 2 <= step.wait <= longest

    def test_it_differs(self):
        assert len({after(ServerFault("no"), seed=seed).wait for seed in range(20)}) > 10

    def test_no_delay_is_no_wait(self):
        assert after(ServerFault("no"), retry=Retry(delay=0)) == Step("again", 0)

    @pytest.mark.parametrize("wait", [0.0, 0.25, 5.0, 30.0])
    def test_the_provider_knows_better(self, wait):
        assert after(RateLimited("no", retry_after=wait)) == Step("again", wait)
        assert after(Overloaded("no", retry_after=wait), tries=2) == Step("again", wait)

    @pytest.mark.parametrize("wait", [30.5, 3600.0])
    def test_what_is_too_long_is_not_waited_for(self, wait):
        assert after(RateLimited("no", retry_after=wait)) == Step("stop")

    def test_nobody_waits_beyond_the_deadline(self):
        assert after(RateLimited("no", retry_after=5), remaining=4) == Step("stop")
        assert after(ServerFault("no"), remaining=0.1) == Step("stop")
        assert after(ServerFault("no"), remaining=0) == Step("stop")

    @pytest.mark.parametrize("tries", range(1, 11))
    def test_its_own_wait_is_capped_and_no_reason_to_give_up(self, tries):
        """MAX_RETRIES says how often; doubling must not end it earlier."""
        step = after(ServerFault("no"), tries=tries, retry=Retry(max_retries=10, delay=1.0, max_wait=30.0))
        assert step.decision == "again"
        assert step.wait <= 30
