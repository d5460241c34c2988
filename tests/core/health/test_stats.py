"""What traffic says about a target, and what it does not say."""

import pytest

from core.health.stats import Stats
from core.types.attempt import Attempt
from core.types.target import Target

A, B = Target("azure", "default", "a"), Target("azure", "default", "b")


def attempt(target=A, outcome="ok", *, ms=100.0, at=1000.0, **facts):
    return Attempt(number=1, target=target, outcome=outcome, started_at=at, ms=ms, **facts)


def failure(target=A, *, fault="provider", **facts):
    return attempt(target, "failed", error="ServerFault", why="down", fault=fault, **facts)


def seen(*attempts):
    stats = Stats()
    for one in attempts:
        stats.observe(one)
    return stats


def test_without_traffic_nothing_is_known():
    assert seen().healthy("azure") is None
    assert seen().targets == {}


def test_an_answer_is_good_news():
    stats = seen(attempt(at=1234.5))
    assert stats.healthy("azure") is True
    assert (stats.targets[A].ok, stats.targets[A].failed, stats.targets[A].last_at) == (1, 0, 1234.5)


def test_a_failure_is_bad_news_until_the_next_answer():
    stats = seen(attempt(), failure(), failure())
    assert stats.healthy("azure") is False
    assert (stats.targets[A].failed, stats.targets[A].failed_in_a_row) == (2, 2)
    assert stats.targets[A].last_error == "ServerFault: down"
    stats.observe(attempt())
    assert stats.healthy("azure") is True
    assert (stats.targets[A].failed, stats.targets[A].failed_in_a_row) == (2, 0)


@pytest.mark.parametrize("fault", ["provider", "account", "network"])
def test_faults_that_count(fault):
    assert seen(failure(fault=fault)).healthy("azure") is False


@pytest.mark.parametrize("one", [failure(fault="caller"), attempt(outcome="cancelled")])
def test_what_the_caller_did_says_nothing(one):
    assert seen(one).healthy("azure") is None
    stats = seen(failure(), one)
    assert stats.healthy("azure") is False
    assert stats.targets[A].failed == 1


def test_a_provider_is_well_when_one_of_its_targets_is():
    assert seen(failure(A), attempt(B)).healthy("azure") is True
    assert seen(failure(A), failure(B)).healthy("azure") is False


def test_targets_are_kept_apart():
    stats = seen(attempt(A), failure(B), failure(Target("openai", "default", "a")))
    assert (stats.targets[A].failed, stats.targets[B].failed) == (0, 1)
    assert stats.healthy("openai") is False
    assert stats.healthy("together") is None


def test_the_time_is_an_average_that_follows():
    stats = seen(attempt(ms=100.0))
    assert stats.targets[A].ms == 100.0
    for _ in range(50):
        stats.observe(attempt(ms=200.0))
    assert stats.targets[A].ms == pytest.approx(200, abs=1)


def test_one_outlier_does_not_rule():
    stats = seen(*[attempt(ms=100.0)] * 20, attempt(ms=10_000.0))
    assert 100 < (stats.targets[A].ms or 0) < 5000


def test_failures_have_no_time():
    assert seen(failure(ms=5.0)).targets[A].ms is None
    assert seen(attempt(ms=100.0), failure(ms=5.0)).targets[A].ms == 100.0


def test_it_stays_small_whatever_names_callers_make_up():
    stats = Stats()
    for number in range(5000):
        stats.observe(attempt(Target("azure", "default", f"made-up-{number}")))
    assert len(stats.targets) <= 2000
    assert Target("azure", "default", "made-up-4999") in stats.targets


def test_a_busy_target_is_not_forgotten_for_names_callers_make_up():
    stats = Stats()
    for number in range(5000):
        stats.observe(failure())
        stats.observe(attempt(Target("azure", "default", f"made-up-{number}")))
    assert stats.targets[A].failed_in_a_row == 5000


def test_who_misses_a_schema_is_not_ill():
    missed = attempt(outcome="failed", error="SchemaMissed", why="the answer is not JSON", fault="provider")
    stats = seen(missed, missed)
    assert stats.healthy("azure") is True
    assert (stats.targets[A].failed, stats.targets[A].last_error) == (2, "SchemaMissed: the answer is not JSON")
    assert seen(failure(), missed).healthy("azure") is False, "it does not make anybody well either"
