"""Where to cut, by how loud it is: no codec is needed to say that."""

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.audio.cutting import _limit, _share
from core.audio.pauses import Pause, best, levels, pauses

LEVELS = st.lists(st.integers(0, 160 * 32_768), min_size=1, max_size=400)


def test_levels_are_those_of_each_step() -> None:
    samples = array("h", [0] * 320 + [100, -100] * 160 + [-32_768] * 100)
    assert levels(samples.tobytes(), 320) == [0, 16_000, 50 * 32_768]


def test_the_noise_of_a_room_is_a_pause() -> None:
    of = [*[3000] * 20, *[210, 190, 205] * 5, *[2500] * 20]
    assert list(pauses(of)) == [Pause(20, 15)]
    assert best(of, 0) == 27


def test_the_longest_pause_wins_and_of_long_ones_the_nearest() -> None:
    def talk(*runs: int) -> list[int]:
        return [level for place, run in enumerate(runs) for level in [(9000, 20)[place % 2]] * run]

    assert best(talk(50, 5, 50, 20, 50, 6, 50), 0) == 50 + 5 + 50 + 10
    assert best(talk(50, 30, 50, 60, 50, 40, 50), aim=60) == 65
    assert best(talk(50, 30, 50, 60, 50, 40, 50), aim=270) == 260


def test_quiet_speech_is_no_pause() -> None:
    quiet = [*[40] * 30, *[2] * 10, *[35] * 30]
    assert best(quiet, 0) == 35


def test_applause_does_not_make_speech_a_pause() -> None:
    talk = [level for _ in range(10) for level in [*[400] * 60, *[6] * 20]]
    at = best([*talk, *[20_000] * 40, *talk], 100)
    assert ([*talk, *[20_000] * 40, *talk])[at] == 6


@given(LEVELS, st.integers(0, 500))
def test_there_is_always_a_place_and_it_is_one_of_the_quiet_ones(of: list[int], aim: int) -> None:
    at = best(of, aim)
    runs = list(pauses(of))
    assert 0 <= at < len(of)
    assert any(run.first <= at <= run.first + run.steps for run in runs)
    assert of[at] <= min(of) + (max(of) - min(of)) * 0.1 + 1 or len(of) >= 50, "outliers are those of many"
    assert all(a.first + a.steps < b.first for a, b in pairwise(runs))


@given(left=st.integers(1, 10_000_000), limit=st.integers(50, 200_000))
def test_shares_fit_and_what_is_left_fits_the_rest(left: int, limit: int) -> None:
    count = 0
    while left > limit:
        first, aim, last = _share(left, limit)
        assert 1 <= first <= aim <= last <= limit
        assert first < last, "there is room to look for a pause"
        left -= first  # the worst that can be chosen
        count += 1
        if count > 50:
            return
    assert _share(left, limit).last == limit


def test_limits_in_seconds_and_bytes_hold_together() -> None:
    assert _limit(60, None, "flac") == 2987
    assert _limit(None, 25_000_000, "wav") == int((25_000_000 - 16_384) / 32_000 * 50)
    assert _limit(60, 500_000, "mp3") == 2987
