"""Any number of inputs: split, sent side by side, joined in order; what is done once is not done again."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ContextTooLong, Malformed, RequestRefused, ServerFault, TooManyInputs
from core.execution.batch import Batch, Room
from core.providers.contract import Reply
from core.types.plan import Candidate
from core.types.target import Target
from core.types.usage import Usage
from core.wire.embeddings import Embeddings, Limits, items, size_of
from tests.core.fakes import examples, run

ONE, TWO = Target("one", "default", "m"), Target("two", "default", "m")
WIDE = Limits(1000, 10**6)


def vector_of(item):
    return [float(sum(map(ord, item))), float(len(item))]


class Provider:
    """Answers with what its inputs add up to; fails when told to."""

    def __init__(self, fails=lambda _given: None, *, reports=True):
        self.asked = []
        self.at_once = self.most_at_once = 0
        self._fails, self._reports = fails, reports

    async def __call__(self, given_input):
        inputs = items(given_input)
        self.asked.append(inputs)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if error := self._fails(inputs):
            raise error
        usage = Usage("reported", input=len(inputs)) if self._reports else Usage()
        found = Embeddings([vector_of(one) for one in inputs], 2, usage, "m", b"raw")
        return Reply(found, usage, f"req_{len(self.asked)}")


def texts(count):
    return [f"text {number}" for number in range(count)]


@given(st.integers(1, 60), st.integers(1, 12), st.integers(2, 30))
@examples()
def test_the_answer_is_the_same_however_it_is_split(count, inputs, tokens):
    provider = Provider()
    reply = run(Batch(texts(count)).at(Candidate(ONE, space="m"), Room(None, Limits(inputs, tokens)), provider))
    assert reply.value.vectors == [vector_of(one) for one in texts(count)]
    assert reply.usage == reply.value.usage == Usage("reported", input=count)
    assert (reply.value.dimensions, reply.value.model) == (2, "m")
    assert all(len(asked) <= inputs for asked in provider.asked)
    assert provider.most_at_once <= 4


def test_one_part_is_sent_as_it_came_and_comes_back_as_it_came():
    seen = []
    provider = Provider()

    async def send(given_input):
        seen.append(given_input)
        return await provider(given_input)

    for given_input in ("a text", ["a text"], ["a", "b"]):
        reply = run(Batch(given_input).at(Candidate(ONE, space="m"), Room(None, WIDE), send))
        assert seen.pop() is given_input
        assert (reply.value.raw, reply.request_id) == (b"raw", f"req_{len(provider.asked)}")


def test_usage_that_nobody_reports_is_estimated():
    reply = run(Batch(texts(5)).at(Candidate(ONE, space="m"), Room(None, Limits(2, 100)), Provider(reports=False)))
    assert reply.usage == Usage("estimated", input=sum(map(size_of, texts(5))))


def test_what_one_target_made_is_kept_for_the_next_of_its_model():
    batch = Batch(texts(10))
    broken = Provider(lambda inputs: ServerFault("down") if "text 4" in inputs else None)
    with pytest.raises(ServerFault):
        run(batch.at(Candidate(ONE, space="m"), Room(None, Limits(2, 1000)), broken))
    done = 2 * (len(broken.asked) - 1)
    assert batch.spent() == Usage("reported", input=done)
    whole = Provider()
    reply = run(batch.at(Candidate(TWO, space="m"), Room(None, Limits(3, 1000)), whole))
    assert sum(map(len, whole.asked)) == 10 - done
    assert reply.value.vectors == [vector_of(one) for one in texts(10)]
    assert reply.usage == Usage("reported", input=10 - done)
    (warning,) = batch.warnings
    assert f"{done} by one/m" in warning and f"{10 - done} by two/m" in warning


def test_after_a_failure_nothing_more_is_begun_and_what_is_under_way_may_end():
    batch = Batch(texts(100))
    broken = Provider(lambda inputs: ServerFault("down") if inputs == ["text 0"] else None)
    with pytest.raises(ServerFault):
        run(batch.at(Candidate(ONE, space="m"), Room(None, Limits(1, 1000)), broken))
    assert len(broken.asked) == 4
    assert batch.spent() == Usage("reported", input=3)


def test_the_same_target_is_only_asked_again_for_what_is_missing():
    fails = [ServerFault("down")]
    batch = Batch(texts(6))
    provider = Provider(lambda inputs: fails.pop() if "text 2" in inputs and fails else None)
    with pytest.raises(ServerFault):
        run(batch.at(Candidate(ONE, space="m"), Room(None, Limits(2, 1000)), provider))
    run(batch.at(Candidate(ONE, space="m"), Room(None, Limits(2, 1000)), provider))
    assert provider.asked[-1] == ["text 2", "text 3"]
    assert len(provider.asked) == 4
    assert batch.warnings == []


def test_another_model_starts_anew():
    batch = Batch(texts(4))
    broken = Provider(lambda inputs: ServerFault("down") if "text 0" in inputs else None)
    with pytest.raises(ServerFault):
        run(batch.at(Candidate(ONE, space="m"), Room(None, Limits(2, 1000)), broken))
    whole = Provider()
    run(batch.at(Candidate(TWO, space="other"), Room(None, WIDE), whole))
    assert whole.asked == [texts(4)]
    assert batch.warnings == []


def test_who_runs_out_of_time_leaves_what_is_done():
    async def scenario():
        batch, provider = Batch(texts(4)), Provider()

        async def send(given_input):
            if given_input == ["text 3"]:
                await asyncio.Event().wait()
            return await provider(given_input)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await batch.at(Candidate(ONE, space="m"), Room(None, Limits(1, 1000)), send)
        assert batch.spent() == Usage("reported", input=3)
        await batch.at(Candidate(TWO, space="m"), Room(None, WIDE), provider)
        assert provider.asked[-1] == ["text 3"]

    run(scenario())


def test_when_all_is_there_nobody_is_asked_and_nothing_is_owed():
    batch, provider = Batch(texts(4)), Provider()
    run(batch.at(Candidate(ONE, space="m"), Room(None, WIDE), provider))
    reply = run(batch.at(Candidate(TWO, space="m"), Room(None, WIDE), provider))
    assert reply.value.vectors == [vector_of(one) for one in texts(4)]
    assert reply.usage == Usage("reported")
    assert len(provider.asked) == 1


@pytest.mark.parametrize("error", [TooManyInputs("batch size"), ContextTooLong("too large", provider_status=413)])
def test_a_part_that_is_too_large_is_halved(error):
    provider = Provider(lambda inputs: error if len(inputs) > 3 else None)
    reply = run(Batch(texts(20)).at(Candidate(ONE, space="m"), Room(None, WIDE), provider))
    assert reply.value.vectors == [vector_of(one) for one in texts(20)]
    assert reply.usage == Usage("reported", input=20)
    assert sorted(len(asked) for asked in provider.asked) == [2] * 4 + [3] * 4 + [5] * 4 + [10] * 2 + [20]


def test_one_input_that_is_too_large_is_a_failure():
    with pytest.raises(TooManyInputs):
        run(
            Batch("a text").at(
                Candidate(ONE, space="m"), Room(None, WIDE), Provider(lambda _inputs: TooManyInputs("too large"))
            )
        )


def test_a_text_that_is_too_long_for_the_model_is_not_sought_by_halving():
    provider = Provider(lambda _inputs: ContextTooLong("too long", provider_status=400))
    with pytest.raises(ContextTooLong):
        run(Batch(texts(8)).at(Candidate(ONE, space="m"), Room(None, WIDE), provider))
    assert len(provider.asked) == 1


def test_which_text_is_the_longest_is_said_when_one_is_too_long():
    given_input = [*texts(9), "a long text " * 10, *texts(5)]
    provider = Provider(
        lambda inputs: ContextTooLong("too long.", provider_status=400) if given_input[9] in inputs else None
    )
    with pytest.raises(ContextTooLong) as caught:
        run(Batch(given_input).at(Candidate(ONE, space="m"), Room(None, Limits(4, 1000)), provider))
    assert caught.value.message == "too long (the longest text it was sent is input[9])"
    assert caught.value.param == "input[9]"


def test_a_refusal_names_the_input_by_the_callers_count():
    def fails(inputs):
        if "text 7" in inputs:
            place = inputs.index("text 7")
            return RequestRefused(f"Invalid 'input[{place}]': bad.", param=f"input[{place}]")
        return None

    with pytest.raises(RequestRefused) as caught:
        run(Batch(texts(10)).at(Candidate(ONE, space="m"), Room(None, Limits(3, 1000)), Provider(fails)))
    assert caught.value.param == "input[7]"
    assert caught.value.message == "Invalid 'input[7]': bad."


def test_vectors_of_another_length_than_expected_are_no_answer():
    with pytest.raises(Malformed, match="2 dimensions, not 5"):
        run(Batch("x").at(Candidate(ONE, space="m"), Room(5, WIDE), Provider()))
