"""One end for a request, and a fair share of the rest for each attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.execution.deadline import Deadline
from tests.core.fakes import examples


@pytest.mark.parametrize(("now", "left"), [(90, 10), (100, 0), (101, 0), (1e9, 0), (99.5, 0.5)])
def test_what_remains_is_never_negative(now, left):
    assert Deadline(at=100).remaining(now) == left


@pytest.mark.parametrize(("targets", "share"), [(1, 30), (2, 15), (3, 10), (0, 30)])
def test_shares_are_equal(targets, share):
    assert Deadline(at=100).share(70, targets) == share


@pytest.mark.parametrize("targets", [0, 1, 5])
def test_after_the_end_there_is_no_share(targets):
    assert Deadline(at=100).share(100, targets) == 0
    assert Deadline(at=100).share(150, targets) == 0


@examples(200)
@given(st.floats(0, 1000), st.integers(1, 20))
def test_whoever_uses_up_a_share_leaves_as_much_for_each_after(start, targets):
    deadline, now = Deadline(at=1000), start
    first = deadline.share(now, targets)
    for left in range(targets, 0, -1):
        share = deadline.share(now, left)
        assert share == pytest.approx(first, abs=1e-6)
        now += share
    assert deadline.remaining(now) == pytest.approx(0, abs=1e-6)


@examples(200)
@given(st.floats(0, 2000), st.integers(0, 20))
def test_no_share_is_more_than_remains(now, targets):
    deadline = Deadline(at=1000)
    assert 0 <= deadline.share(now, targets) <= deadline.remaining(now)
