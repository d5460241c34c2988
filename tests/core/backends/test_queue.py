"""What every queue promises, on SQLite and on SQS: the same tests, also under races."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.backends.messages import LARGEST, LONGEST_DELAY, SCHEMA
from core.backends.ports import Done, Poison, Retry
from core.errors import NotFound, StoreUnavailable
from tests.core.backends.queues import MOST, Embedded, Sqs
from tests.core.fakes import JSON, examples, run

THREADS = 16


@pytest.fixture(params=["sqlite", "sqs"])
def place(request, tmp_path):
    if request.param == "sqlite":
        yield Embedded(tmp_path)
        return
    aws = request.getfixturevalue("aws")
    yield Sqs(tmp_path, aws)
    aws.later = 0.0
    aws.fail.clear()


class Seen:
    """A handler that keeps what it saw and says what it was told to say."""

    def __init__(self, *says):
        self.messages = []
        self._says = list(says)

    async def __call__(self, message):
        self.messages.append(message)
        said = self._says.pop(0) if self._says else Done()
        if isinstance(said, Exception):
            raise said
        return said

    @property
    def bodies(self):
        return [one.body for one in self.messages]


@pytest.fixture
def use(place):
    """Run a coroutine function on a fresh queue."""

    def work(scene):
        async def scenes():
            async with place.opened() as queue:
                return await scene(queue)

        return run(scenes())

    return work


def test_what_was_sent_is_handled_once(place, use):
    seen = Seen()
    body = {"job": "1", "text": "señor 你好 \uffff\ufffe\x00\x7f\x85", "deep": {"a": [1, 2.5, True, None]}}

    async def scene(queue):
        await queue.send(body)
        await place.settle(seen)
        await place.settle(seen)

    use(scene)
    (message,) = seen.messages
    assert (message.body, message.attempt, message.v) == (body, 1, SCHEMA)
    assert message.id
    assert message.sent_at > 1_700_000_000
    assert (place.left(), place.dead()) == (0, [])


def test_many_are_sent_at_once(place, use):
    seen = Seen()

    async def scene(queue):
        await queue.send()
        assert place.left() == 0
        await queue.send(*({"n": number} for number in range(57)))
        await place.settle(seen)

    use(scene)
    assert sorted(body["n"] for body in seen.bodies) == list(range(57))
    assert len({message.id for message in seen.messages}) == 57


@pytest.mark.parametrize("delay", [10, LONGEST_DELAY])
def test_nobody_gets_it_before_its_delay(place, use, delay):
    seen = Seen()

    async def scene(queue):
        await queue.send({"n": 1}, delay=delay)
        await place.settle(seen)
        place.advance(delay - 5)
        await place.settle(seen)
        assert seen.bodies == []
        assert place.left() == 1
        place.advance(6)
        await place.settle(seen)

    use(scene)
    assert seen.bodies == [{"n": 1}]


def test_a_retry_comes_again_when_it_said(place, use):
    seen = Seen(Retry("not yet", after=100))

    async def scene(queue):
        await queue.send({"n": 1})
        await place.settle(seen)
        place.advance(95)
        await place.settle(seen)
        assert len(seen.messages) == 1
        place.advance(6)
        await place.settle(seen)

    use(scene)
    assert [message.attempt for message in seen.messages] == [1, 2]
    assert len({(message.id, message.sent_at) for message in seen.messages}) == 1
    assert (place.left(), place.dead()) == (0, [])


def test_the_backoff_says_when_the_handler_does_not(place, use):
    seen = Seen(Retry("not yet"), Retry("not yet"))

    async def scene(queue):
        await queue.send({"n": 1})
        await place.settle(seen)
        await place.settle(seen)
        assert len(seen.messages) == 1
        place.advance(4)  # 1 to 2 s, and SQS counts whole seconds
        await place.settle(seen)
        assert len(seen.messages) == 2
        place.advance(1)
        await place.settle(seen)
        assert len(seen.messages) == 2
        place.advance(6)  # 2 to 4 s
        await place.settle(seen)

    use(scene)
    assert [message.attempt for message in seen.messages] == [1, 2, 3]


@pytest.mark.parametrize("reason", ["no such file", "größer als 你", "with \x00 and \uffff\n", "x" * 5000, ""])
def test_poison_goes_to_the_dead_letters_with_its_reason(place, use, reason):
    seen = Seen(Poison(reason))

    async def scene(queue):
        await queue.send({"n": 1}, {"n": 2})
        await place.settle(seen)

    use(scene)
    ((body, said, attempts),) = place.dead()
    assert body == seen.bodies[0]
    assert said[:4] == (reason[:4] or "no r")
    assert said.isprintable()
    assert len(said) <= 1000
    assert attempts == 1
    assert place.left() == 0


def test_after_the_last_attempt_it_is_dead_with_the_last_reason(place, use):
    seen = Seen(*(Retry(f"reason {number}") for number in range(1, 10)))

    async def scene(queue):
        await queue.send({"n": 1})
        for _ in range(6):
            await place.settle(seen)
            place.advance(1000)

    use(scene)
    assert len(seen.messages) == MOST
    assert place.dead() == [({"n": 1}, f"gave up after {MOST} attempts; the last: reason {MOST}", MOST)]
    assert place.left() == 0


def test_what_a_handler_raises_is_a_reason_to_try_again(place, use, caplog):
    seen = Seen(ValueError("the caller's own words"), NotFound("no such job"), OSError("more words"))

    async def scene(queue):
        await queue.send({"n": 1})
        for _ in range(MOST):
            await place.settle(seen)
            place.advance(1000)

    use(scene)
    assert "NotFound: no such job" in caplog.text
    ((_, said, _),) = place.dead()
    assert said == f"gave up after {MOST} attempts; the last: OSError"


def test_one_failure_does_not_touch_the_others(place, use):
    handled: list[int] = []

    async def handler(message):
        if message.body["n"] % 3 == 0:
            return Poison(f"{message.body['n']}")
        if message.body["n"] % 3 == 1 and message.attempt == 1:
            raise RuntimeError
        handled.append(message.body["n"])
        return Done()

    async def scene(queue):
        await queue.send(*({"n": number} for number in range(30)))
        await place.settle(handler)
        assert sorted(handled) == list(range(2, 30, 3))
        place.advance(100)
        await place.settle(handler)

    use(scene)
    assert sorted(handled) == [number for number in range(30) if number % 3]
    assert sorted(int(reason) for _, reason, _ in place.dead()) == list(range(0, 30, 3))


def test_a_handler_that_takes_too_long_is_cut(place, use, caplog):
    cut = []

    async def handler(message):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(message.attempt)
            raise

    async def scene(queue):
        await queue.send({"n": 1})
        await place.settle(handler, limit=0.01)

    use(scene)
    assert cut == [1]
    assert "handling took longer than 0.01 s" in caplog.text
    assert place.left() == 1


def test_a_newer_message_waits_for_a_newer_version(place, use):
    seen = Seen()

    async def scene(queue):
        place.leave('{"n": 1}', SCHEMA + 1)
        for _ in range(MOST):
            await place.settle(seen)
            place.advance(200)
            await place.settle(seen)
            place.advance(200)

    use(scene)
    assert seen.messages == []
    ((body, reason, attempts),) = place.dead()
    assert (body, attempts) == ({"n": 1}, MOST)
    assert f"newer version of Patchbay (schema {SCHEMA + 1}; this one reads up to {SCHEMA})" in reason


def test_an_older_message_is_handled(place, use, monkeypatch):
    monkeypatch.setattr("core.backends.messages.SCHEMA", SCHEMA + 1)
    seen = Seen()

    async def scene(queue):
        place.leave('{"n": 1}', SCHEMA)
        await place.settle(seen)

    use(scene)
    assert [(message.body, message.v) for message in seen.messages] == [({"n": 1}, SCHEMA)]


@pytest.mark.parametrize(
    ("bodies", "delay", "says"),
    [
        ([{"n": 1}, {"text": "x" * LARGEST}], 0, "put what is large into Blobs"),
        ([{"n": 1}, {"text": "你" * (LARGEST // 3)}], 0, "may have 250000"),
        ([{"n": 1}, {"n": {1, 2}}], 0, "is JSON"),
        ([{"n": 1}, {"n": 2**70}], 0, "is JSON"),
        ([{"n": 1}, {1: 2}], 0, "is JSON"),
        ([{"n": 1}, {"n": "\ud800"}], 0, "is JSON"),
        ([{"n": 1}], -1, "0 to 900"),
        ([{"n": 1}], LONGEST_DELAY + 1, "0 to 900"),
    ],
)
def test_what_may_not_be_sent_and_then_nothing_is(place, use, bodies, delay, says):
    async def scene(queue):
        with pytest.raises(ValueError, match=says):
            await queue.send(*bodies, delay=delay)

    use(scene)
    assert place.left() == 0


def test_the_largest_goes_through_in_any_number(place, use):
    seen = Seen()
    text = "x" * (LARGEST - len('{"n":0,"text":""}'))

    async def scene(queue):
        await queue.send(*({"n": number, "text": text} for number in range(4)))
        await place.settle(seen)

    use(scene)
    assert sorted(body["n"] for body in seen.bodies) == [0, 1, 2, 3]


def test_the_largest_dies_with_its_reason(place, use):
    async def scene(queue):
        await queue.send({"text": "x" * (LARGEST - 20)})
        await place.settle(Seen(Poison("你" * 2000)))

    use(scene)
    assert len(place.dead()) == 1


def test_what_is_closed_says_so(place):
    async def scene():
        async with place.opened() as queue:
            await queue.send({"n": 1})
        await queue.close()
        await queue.send({"n": 2})

    with pytest.raises(StoreUnavailable, match="closed"):
        run(scene())
    assert place.left() == 1


def test_threads_send_and_handle_and_nothing_is_lost(place):
    """16 threads, each with a queue of its own, and four that handle; some messages fail the first time."""
    lock = threading.Lock()
    handled: list[tuple[int, int]] = []
    wanted = {(thread, number) for thread in range(THREADS) for number in range(12)}

    async def handler(message):
        n = tuple(message.body["n"])
        if n[1] == 0 and message.attempt == 1:
            return Retry("once more", after=0)
        with lock:
            handled.append(n)
        return Done()

    def enough():
        with lock:
            return set(handled) == wanted

    async def sender(thread):
        async with place.opened() as queue:
            await queue.send(*({"n": [thread, number]} for number in range(6)))
            for number in range(6, 12):
                await queue.send({"n": [thread, number]})

    async def server():
        await place.serve(handler, enough)

    def in_thread(work, *given):
        run(work(*given), 50)

    if isinstance(place, Embedded):
        place.clock.at = 1_700_000_000.0  # what is sent is due by the clock of those who handle
    with ThreadPoolExecutor(THREADS + 4) as pool:
        ends = [pool.submit(in_thread, server) for _ in range(4)]
        ends += [pool.submit(in_thread, sender, thread) for thread in range(THREADS)]
    for end in ends:
        end.result()
    assert set(handled) == wanted
    assert len(handled) == len(wanted)
    assert place.left() == 0


@examples(25)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
@example({"": [0.0, -0.0, 2**53, 1e300, 2**64 - 1, -(2**63)], "\x00": "\ufffe\uffff\u2028\U0010ffff"})
def test_json_comes_as_it_was_sent(shared, body):
    """On one queue for all examples; each handles what it sent."""
    seen = Seen()

    async def scene():
        async with shared.opened() as queue:
            await queue.send(body)
            await shared.settle(seen)

    run(scene())
    assert [json.dumps(one, sort_keys=True) for one in seen.bodies] == [json.dumps(body, sort_keys=True)]


@pytest.fixture(scope="module", params=["sqlite", "sqs"])
def shared(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("queue")
    return Embedded(home) if request.param == "sqlite" else Sqs(home, request.getfixturevalue("aws"))
