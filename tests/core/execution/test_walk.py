"""The fallback loop: who is tried, how often, and that every permit is closed exactly once."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capabilities import Capability
from core.clock import seeded
from core.errors import (
    AdapterBroken,
    AllTargetsFailed,
    AttemptTimeout,
    ContextTooLong,
    CredentialRefused,
    DeadlinePassed,
    MediaUnavailable,
    NoTarget,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    SchemaMissed,
    ServerFault,
    TargetError,
)
from core.execution.deadline import Deadline
from core.execution.gate import InFlight, Refused
from core.execution.retry import Retry
from core.execution.walk import Walk
from core.types.plan import Candidate, Plan
from core.types.target import Target
from tests.core.fakes import FakeClock, examples, run

FOREVER = 10_000.0


class Permit:
    def __init__(self, target):
        self.target = target
        self.closed = []

    def close(self, outcome):
        self.closed.append(outcome)


class Gate:
    """Admits everybody but whom it refuses: `refuses[name]` counts down, None refuses always."""

    def __init__(self, refuses=None):
        self.refuses = dict(refuses or {})
        self.asked = []
        self.permits = []

    def admit(self, target):
        self.asked.append(target.provider)
        if target.provider in self.refuses:
            left = self.refuses[target.provider]
            if left is None or left > 0:
                self.refuses[target.provider] = left and left - 1
                raise Refused(f"{target.provider} is cooling")
        permit = Permit(target)
        self.permits.append(permit)
        return permit

    @property
    def outcomes(self):
        return [permit.closed for permit in self.permits]


class Clock(FakeClock):
    """Time in which something can happen while somebody sleeps."""

    at_sleep: Any = None

    async def sleep(self, seconds):
        self.slept.append(seconds)
        happens = self.at_sleep() if self.at_sleep else None
        if asyncio.iscoroutine(happens):
            await happens
        self.advance(seconds)


class Scene:
    """A walk through fake targets: what each does, in turn; the last thing it does again and again."""

    def __init__(self, does, *, refuses=None, seconds=FOREVER, retry=None):
        self.clock = Clock()
        self.gate = Gate(refuses)
        self.observed = []
        self.tried = []
        self.does = {name: list(acts) for name, acts in does.items()}
        self.deadline = Deadline(self.clock.monotonic() + seconds)
        candidates = tuple(Candidate(target=Target(name, "default", "m")) for name in does)
        self.plan = Plan(capability=Capability.CHAT, strategy="fallback", policy="1", candidates=candidates)
        self.walk = Walk(clock=self.clock, chance=seeded(1), gate=self.gate, retry=retry or Retry())

    async def attempt(self, candidate):
        name = candidate.target.provider
        self.tried.append(name)
        acts = self.does[name]
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        if callable(act):
            act = act(self)
        if asyncio.iscoroutine(act):
            act = await act
        if isinstance(act, BaseException):
            raise act
        return act

    ready: Any = None

    async def first(self):
        return await self.walk.first(self.plan, self.attempt, self.deadline, self.observed.append, self.ready)

    def wins(self):
        return run(self.first())

    def fails(self, expected):
        with pytest.raises(expected) as caught:
            run(self.first())
        assert all(len(permit.closed) == 1 for permit in self.gate.permits)
        return caught.value

    def ends(self):
        """What it won, or how it failed."""
        try:
            return self.wins(), None
        except (AllTargetsFailed, NoTarget, DeadlinePassed) as error:
            return None, error

    @property
    def told(self):
        """What was observed: (number, who, outcome, error, decision)."""
        return [(one.number, one.target.provider, one.outcome, one.error, one.decision) for one in self.observed]


def after(seconds, act):
    """Time passes, then this happens."""

    def work(scene):
        scene.clock.advance(seconds)
        return act

    return work


async def hang():
    await asyncio.Event().wait()


class TestOrder:
    def test_the_first_answer_wins(self):
        scene = Scene({"a": ["hello"], "b": ["never"]})
        won = scene.wins()
        assert won.value == "hello"
        assert won.candidate.target.provider == "a"
        assert won.number == 1
        assert scene.tried == ["a"]
        assert scene.observed == []

    def test_the_winners_permit_stays_open(self):
        scene = Scene({"a": ["hello"]})
        won = scene.wins()
        assert scene.gate.permits == [won.permit]
        assert scene.gate.outcomes == [[]]

    def test_a_failure_hands_on_at_once(self):
        scene = Scene({"a": [ServerFault("down", provider_status=500)], "b": [RateLimited("slow")], "c": ["hello"]})
        won = scene.wins()
        assert (won.candidate.target.provider, won.number) == ("c", 3)
        assert scene.tried == ["a", "b", "c"]
        assert scene.clock.slept == []
        assert scene.told == [(1, "a", "failed", "ServerFault", "next"), (2, "b", "failed", "RateLimited", "next")]
        assert scene.gate.outcomes == [["failed"], ["failed"], []]

    def test_an_attempt_tells_what_happened(self):
        error = RateLimited("slow down", provider_status=429, code="limit", request_id="req_1", retry_after=7.0)
        scene = Scene({"a": [after(0.25, error)], "b": ["hello"]})
        started = scene.clock.now()
        won = scene.wins()
        (one,) = scene.observed
        assert (one.error, one.why, one.fault) == ("RateLimited", "slow down", "account")
        assert (one.status, one.code, one.request_id, one.retry_after) == (429, "limit", "req_1", 7.0)
        assert one.started_at == started
        assert one.ms == pytest.approx(250)
        assert won.started == pytest.approx(started + 0.25)

    def test_an_empty_answer_is_an_answer(self):
        assert Scene({"a": [None], "b": ["hello"]}).wins().value is None

    def test_the_callers_mistake_stops_it(self):
        scene = Scene({"a": [RequestRefused("bad", param="n")], "b": ["hello"]})
        error = scene.fails(AllTargetsFailed)
        assert scene.tried == ["a"]
        assert (error.status, error.param) == (400, "n")
        assert scene.told == [(1, "a", "failed", "RequestRefused", "stop")]

    def test_what_only_this_one_refuses_does_not(self):
        scene = Scene({"a": [ContextTooLong("long")], "b": [CredentialRefused("key")], "c": ["hello"]})
        assert scene.wins().candidate.target.provider == "c"

    def test_all_failures_are_raised_together(self):
        errors = [CredentialRefused("key"), ContextTooLong("long"), QuotaExhausted("empty")]
        scene = Scene({name: [error] for name, error in zip("abc", errors, strict=True)})
        error = scene.fails(AllTargetsFailed)
        assert list(error.errors) == errors
        assert [one.number for one in error.attempts] == [1, 2, 3]
        assert list(error.attempts) == scene.observed
        assert error.status == 502
        for word in ("a/m", "b/m", "c/m", "empty", QuotaExhausted.advice):
            assert word in error.message


class TestAgain:
    def test_the_last_one_is_tried_again(self):
        scene = Scene({"a": [CredentialRefused("key")], "b": [ServerFault("down"), ServerFault("down"), "hello"]})
        won = scene.wins()
        assert (won.value, won.number) == ("hello", 4)
        assert scene.tried == ["a", "b", "b", "b"]
        assert [one.decision for one in scene.observed] == ["next", "again", "again"]
        assert scene.gate.outcomes == [["failed"], ["failed"], ["failed"], []]

    def test_it_waits_as_the_provider_says(self):
        scene = Scene({"a": [RateLimited("slow", retry_after=7.0), RateLimited("slow", retry_after=0.5), "hello"]})
        scene.wins()
        assert scene.clock.slept == [7.0, 0.5]

    def test_it_waits_with_jitter_otherwise(self):
        scene = Scene({"a": [ServerFault("down")]}, retry=Retry(max_retries=3, delay=1.0))
        scene.fails(AllTargetsFailed)
        assert len(scene.clock.slept) == 3
        for number, wait in enumerate(scene.clock.slept):
            assert 0.5 * 2**number <= wait <= 2**number

    def test_no_permit_is_held_while_it_waits(self):
        scene = Scene({"a": [RateLimited("slow", retry_after=1.0), "hello"]})
        held = []
        scene.clock.at_sleep = lambda: held.append([permit for permit in scene.gate.permits if not permit.closed])
        scene.wins()
        assert held == [[]]

    def test_not_where_it_is_useless(self):
        scene = Scene({"a": [CredentialRefused("key")]})
        assert scene.fails(AllTargetsFailed).status == 502
        assert scene.tried == ["a"]
        assert scene.told == [(1, "a", "failed", "CredentialRefused", "stop")]

    def test_not_beyond_the_deadline(self):
        scene = Scene({"a": [RateLimited("slow", retry_after=20.0)]}, seconds=10)
        error = scene.fails(AllTargetsFailed)
        assert (scene.tried, scene.clock.slept) == (["a"], [])
        assert error.status == 429
        assert error.retry_after == 20.0

    def test_each_try_asks_the_gate(self):
        scene = Scene({"a": [ServerFault("down"), ServerFault("down"), "hello"]})
        scene.wins()
        assert scene.gate.asked == ["a", "a", "a"]


class TestGate:
    def test_who_is_refused_is_passed_over(self):
        scene = Scene({"a": ["never"], "b": ["hello"]}, refuses={"a": None})
        won = scene.wins()
        assert (won.candidate.target.provider, won.number) == ("b", 1)
        assert scene.tried == ["b"]
        assert scene.observed == []

    def test_when_all_are_refused_each_reason_is_told(self):
        scene = Scene({"a": ["never"], "b": ["never"]}, refuses={"a": None, "b": None})
        error = scene.fails(NoTarget)
        assert error.status == 503
        assert [(one.target.provider, one.code, one.reason) for one in error.excluded] == [
            ("a", "gate", "a is cooling"),
            ("b", "gate", "b is cooling"),
        ]
        assert "a is cooling" in error.message
        assert scene.tried == []

    def test_when_the_others_failed_their_failures_are_told(self):
        scene = Scene({"a": [CredentialRefused("key")], "b": ["never"]}, refuses={"b": None})
        error = scene.fails(AllTargetsFailed)
        assert [one.target.provider for one in error.attempts] == ["a"]

    def test_who_is_refused_the_second_time_ends_it(self):
        scene = Scene({"a": [ServerFault("down")]})
        scene.clock.at_sleep = lambda: scene.gate.refuses.update(a=None)
        scene.fails(AllTargetsFailed)
        assert scene.tried == ["a"]

    def test_the_one_that_counts_is_empty_afterwards(self):
        gate, target = InFlight(), Target("a", "default", "m")
        one, two = gate.admit(target), gate.admit(target)
        assert gate.counts == {target: 2}
        one.close("ok")
        one.close("failed")
        assert gate.counts == {target: 1}
        two.close("cancelled")
        assert gate.counts == {}


class TestDeadline:
    def test_nobody_is_tried_after_it(self):
        scene = Scene({"a": [after(11, ServerFault("down"))], "b": ["never"]}, seconds=10)
        scene.fails(AllTargetsFailed)
        assert scene.tried == ["a"]
        assert scene.gate.asked == ["a"]

    def test_nobody_is_tried_when_it_has_passed_already(self):
        scene = Scene({"a": ["never"]}, seconds=0)
        error = scene.fails(DeadlinePassed)
        assert (error.status, error.fault, error.code) == (504, "gateway", "deadline_passed")
        assert (scene.tried, scene.gate.asked, scene.observed) == ([], [], [])

    def test_the_callers_own_that_has_passed_is_the_callers(self):
        scene = Scene({"a": ["never"]}, seconds=0)
        scene.deadline = replace(scene.deadline, by_caller=True)
        assert scene.fails(DeadlinePassed).fault == "caller"

    def test_a_wait_that_uses_it_up_is_followed_by_nothing(self):
        scene = Scene({"a": [RateLimited("slow", retry_after=10.0)]}, seconds=10)
        scene.fails(AllTargetsFailed)
        assert scene.tried == ["a"]

    def test_who_hangs_loses_its_share_and_the_next_answers(self):
        scene = Scene({"a": [lambda _: hang()], "b": ["hello"]}, seconds=0.1)
        assert scene.wins().candidate.target.provider == "b"
        assert scene.told == [(1, "a", "failed", "AttemptTimeout", "next")]
        assert scene.gate.outcomes == [["failed"], []]

    def test_when_all_hang_it_is_a_timeout(self):
        scene = Scene({"a": [lambda _: hang()], "b": [lambda _: hang()]}, seconds=0.1)
        error = scene.fails(AllTargetsFailed)
        assert error.status == 504
        assert [type(one) for one in error.errors] == [AttemptTimeout, AttemptTimeout]

    @pytest.mark.parametrize(("seconds", "words"), [(0.0123456, "within 12 ms,"), (0.4, "within 400 ms,")])
    def test_a_time_is_told_in_whole_milliseconds(self, seconds, words):
        assert words in Scene({"a": [lambda _: hang()]}, seconds=seconds).fails(AllTargetsFailed).errors[0].message

    def test_in_too_short_a_time_nobody_is_asked_and_nothing_billed(self):
        scene = Scene({"a": ["hello"]}, seconds=0.00055)
        scene.fails(DeadlinePassed)
        assert (scene.tried, scene.observed) == ([], [])

    def test_a_timeout_of_the_adapters_own_is_a_failure_too(self):
        scene = Scene({"a": [TimeoutError()], "b": ["hello"]})
        assert scene.wins().candidate.target.provider == "b"
        assert scene.told == [(1, "a", "failed", "AttemptTimeout", "next")]


class TestBugs:
    @pytest.mark.parametrize("bug", [ZeroDivisionError("x"), KeyError("choices"), AttributeError("get"), OSError("x")])
    def test_an_adapters_bug_does_not_end_the_chain(self, bug, caplog):
        scene = Scene({"a": [bug], "b": ["hello"]})
        with caplog.at_level(logging.CRITICAL, logger="patchbay"):
            assert scene.wins().value == "hello"
        assert scene.told == [(1, "a", "failed", "AdapterBroken", "next")]
        assert scene.gate.outcomes == [["failed"], []]
        assert type(bug).__name__ in scene.observed[0].why

    def test_alone_it_is_an_error_of_ours(self, caplog):
        scene = Scene({"a": [ZeroDivisionError("secret words")]}, retry=Retry(max_retries=0))
        with caplog.at_level(logging.CRITICAL, logger="patchbay"):
            error = scene.fails(AllTargetsFailed)
        assert type(error.errors[0]) is AdapterBroken
        assert error.errors[0].fault == "gateway"
        assert "secret words" not in error.message


class Abort(BaseException):
    """What nobody catches: the process is going down."""


class TestCancelling:
    def cancelled(self, scene, ready):
        async def work():
            task = asyncio.ensure_future(scene.first())
            for _ in range(50):
                await asyncio.sleep(0)
            assert ready()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(work())

    def test_in_an_attempt_closes_its_permit_and_is_told(self):
        scene = Scene({"a": [ServerFault("down")], "b": [lambda _: hang()], "c": ["never"]})
        self.cancelled(scene, lambda: scene.tried == ["a", "b"])
        assert scene.gate.outcomes == [["failed"], ["cancelled"]]
        assert scene.told[1] == (2, "b", "cancelled", None, "done")
        assert scene.tried == ["a", "b"]

    def test_while_waiting_leaves_nothing_open(self):
        scene = Scene({"a": [RateLimited("slow", retry_after=1.0)]})

        scene.clock.at_sleep = hang
        self.cancelled(scene, lambda: scene.clock.slept)
        assert scene.gate.outcomes == [["failed"]]
        assert scene.tried == ["a"]

    def test_what_nobody_catches_closes_the_permit_too(self):
        scene = Scene({"a": [Abort()]})
        with pytest.raises(Abort):
            run(scene.first())
        assert scene.gate.outcomes == [["cancelled"]]


ACTS = st.sampled_from(
    [
        "hello",
        ServerFault("down"),
        RateLimited("slow", retry_after=1.0),
        RateLimited("slow", retry_after=100.0),
        CredentialRefused("key"),
        RequestRefused("bad"),
        ZeroDivisionError("bug"),
        TimeoutError(),
    ]
)


@examples(300)
@given(
    st.lists(st.lists(ACTS, min_size=1, max_size=4), max_size=4),
    st.lists(st.sampled_from([None, 0, 1]), min_size=4, max_size=4),
    st.sampled_from([0.0, 2.0, FOREVER]),
)
def test_whatever_happens_permits_and_attempts_agree(does, refusals, seconds):
    logging.getLogger("patchbay").disabled = True
    try:
        refuses = {name: count for name, count in zip("abcd", refusals, strict=True) if count != 0}
        scene = Scene(dict(zip("abcd", does, strict=False)), refuses=refuses, seconds=seconds)
        won, failure = scene.ends()
    finally:
        logging.getLogger("patchbay").disabled = False
    assert isinstance(failure, AllTargetsFailed) == bool(won is None and scene.observed)
    closed = [permit.closed for permit in scene.gate.permits if won is None or permit is not won.permit]
    assert closed == [["failed"]] * len(scene.observed)
    assert won is None or won.permit.closed == []
    assert [one.number for one in scene.observed] == list(range(1, len(scene.observed) + 1))
    assert [one.target.provider for one in scene.observed] == scene.tried[: len(scene.observed)]
    assert scene.tried == sorted(scene.tried)
    assert len(scene.tried) == len(scene.observed) + (won is not None)
    assert all(one.error in {cls.__name__ for cls in TargetError.__subclasses__()} for one in scene.observed)


class TestMending:
    """An answer that is not the JSON that was asked for is asked for once more where it came from."""

    def test_each_target_is_told_once(self):
        scene = Scene({"a": [SchemaMissed("x")], "b": [SchemaMissed("x")]})
        scene.fails(AllTargetsFailed)
        assert [(who, then) for _, who, _, _, then in scene.told] == [
            ("a", "again"), ("a", "next"), ("b", "again"), ("b", "stop"),
        ]  # fmt: skip
        assert not any(scene.clock.slept), "nobody waits to be told"

    def test_the_second_answer_wins(self):
        scene = Scene({"a": [SchemaMissed("x"), "right"], "b": ["other"]})
        assert scene.wins().value == "right"
        assert scene.tried == ["a", "a"]

    def test_other_failures_between_take_nothing_from_it(self):
        scene = Scene({"a": [ServerFault("x"), ServerFault("x"), SchemaMissed("x"), SchemaMissed("x")]})
        scene.fails(AllTargetsFailed)
        assert [then for *_, then in scene.told] == ["again", "again", "again", "stop"]

    def test_there_is_no_time_for_it_after_the_deadline(self):
        scene = Scene({"a": [after(10, SchemaMissed("x"))]}, seconds=10)
        scene.fails(AllTargetsFailed)
        assert [then for *_, then in scene.told] == ["stop"]

    def test_it_has_the_targets_share_of_what_is_left(self):
        scene = Scene({"a": [after(4, SchemaMissed("x")), "right"], "b": ["other"]}, seconds=10)
        assert scene.wins().value == "right"


class TestReady:
    """What an attempt needs before it begins."""

    def scene(self, *unready, **does):
        scene = Scene(does)

        async def ready(candidate):
            if candidate.target.provider in unready:
                raise MediaUnavailable("its server answered 404").at(candidate.target.provider)

        scene.ready = ready
        return scene

    def test_who_does_not_get_it_is_not_asked(self):
        scene = self.scene("a", a=["no"], b=["hello"])
        assert scene.wins().value == "hello"
        assert (scene.tried, scene.gate.asked, scene.observed) == (["b"], ["b"], [])

    def test_when_nobody_does_that_is_the_error(self):
        scene = self.scene("a", "b", a=["no"], b=["no"])
        error = scene.fails(MediaUnavailable)
        assert (error.param, scene.tried, scene.observed) == ("a", [], [])

    def test_who_was_asked_and_failed_is_named_first(self):
        scene = self.scene("a", a=["no"], b=[ServerFault("broken")])
        error = scene.fails(AllTargetsFailed)
        assert [one.target.provider for one in error.attempts] == ["b"] * 3
