"""The nearest layer: its bound, its order of leaving, its time."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from core.cache.memory import Memory, Stored
from core.types.target import Target
from core.types.usage import Usage
from tests.core.fakes import examples

NOW = 1_800_000_000.0
BIG = 10**9


def stored(size=10, *, at=NOW, until=int(NOW) + 300, warnings=()):
    return Stored(b"x" * size, Target("p", "default", "m"), Usage(), 1, "d", at, until, warnings)


def test_it_gives_until_the_second_it_is_over():
    memory = Memory(BIG)
    memory.put("a", stored())
    assert memory.get("a", NOW + 299.9) is not None
    assert memory.get("a", NOW + 300) is None
    assert memory.get("a", NOW) is None, "what is over is gone"
    assert memory._size == 0


def test_a_clock_put_right_takes_back_what_is_from_the_future():
    memory = Memory(BIG)
    memory.put("a", stored())
    assert memory.get("a", NOW - 30) is not None, "another machine's clock may be a little ahead"
    assert memory.get("a", NOW - 3600) is None


def test_the_longest_unused_leaves_first():
    memory = Memory(3 * stored(1000).size)
    for key in "abc":
        memory.put(key, stored(1000))
    assert memory.get("a", NOW)
    memory.put("d", stored(1000))
    assert [key for key in "abcd" if memory.get(key, NOW)] == ["a", "c", "d"]


def test_what_is_larger_than_all_room_is_not_kept():
    memory = Memory(5000)
    memory.put("a", stored(100))
    memory.put("b", stored(6000))
    assert memory.get("b", NOW) is None
    assert memory._size == 0


@examples()
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4000), st.integers(-200, 200)), max_size=60))
def test_its_size_is_what_it_holds_and_never_above_the_bound(steps):
    memory = Memory(10_000)
    for key, size, at in steps:
        if size % 3:
            memory.put(str(key), stored(size, at=NOW + at, until=int(NOW) + at + 100, warnings=("w" * (size % 50),)))
        else:
            memory.get(str(key), NOW)
        assert memory._size == sum(one.size for one in memory._entries.values()) <= 10_000


def test_small_answers_take_no_more_than_is_counted():
    most = 2_000_000
    memory = Memory(most)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(3000):
            text = f"{number:064}"
            # Nothing shared, as when it was read from the store.
            entry = Stored(
                text.encode() * 3, Target(f"provider{number}", f"account{number}", f"model-{number}"),
                Usage("reported", *(1000 + number + one for one in range(10))), 10**6 + number, text[:32] + "d",
                NOW + number / 7, int(NOW) + number, (f"warning {number}",),
            )  # fmt: skip
            memory.put(text, entry)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(memory._entries) < 3000, "the bound was reached"
    assert grown <= most
