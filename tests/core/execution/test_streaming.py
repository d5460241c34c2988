"""A stream may be replaced until its first output, and is let go of whatever happens before."""

import asyncio

import pytest

from core.errors import FirstTokenTimeout, Malformed, ServerFault, StreamCut
from core.execution.streaming import commit
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from tests.core.fakes import run

META, OUTPUT, USAGE, END = (Frame(kind.name.encode(), kind) for kind in (Kind.META, Kind.OUTPUT, Kind.USAGE, Kind.END))


class Source:
    """A stream of given batches; an error in its place is raised, ... waits for ever."""

    def __init__(self, *batches, request_id=None):
        self.batches = list(batches)
        self.request_id = request_id
        self.closed = 0
        self.usage = Usage()
        self.outputs = 0

    async def next(self):
        batch = self.batches.pop(0) if self.batches else None
        if batch is ...:
            await asyncio.Event().wait()
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def close(self):
        self.closed += 1


async def opened(source):
    return source


async def refused(error):
    raise error


def committed(source, seconds=5.0):
    return run(commit(opened(source), seconds))


class TestHolding:
    @pytest.mark.parametrize(
        ("batches", "held"),
        [
            ([[OUTPUT]], [OUTPUT]),
            ([[META], [OUTPUT]], [META, OUTPUT]),
            ([[META], [], [META, META], [OUTPUT]], [META, META, META, OUTPUT]),
            ([[META, OUTPUT, META]], [META, OUTPUT, META]),
            ([[META], [USAGE], [OUTPUT]], [META, USAGE, OUTPUT]),
        ],
    )
    def test_everything_before_the_first_output_is_held(self, batches, held):
        source = Source(*batches, [OUTPUT], [END])
        made = committed(source)
        assert list(made.held) == held
        assert made.source is source
        assert source.closed == 0

    def test_what_comes_after_is_not_waited_for(self):
        source = Source([META], [OUTPUT], ...)
        committed(source)
        assert source.batches == [...]

    def test_an_empty_answer_is_an_answer(self):
        source = Source([META], [META, END])
        assert list(committed(source).held) == [META, META, END]
        assert source.closed == 0


class TestFailing:
    @pytest.mark.parametrize("batches", [[], [[META]], [[META], []]])
    @pytest.mark.parametrize("error", [ServerFault("down"), StreamCut("cut"), Malformed("html")])
    def test_before_output_closes_the_source(self, batches, error):
        source = Source(*batches, error)
        with pytest.raises(type(error)) as caught:
            committed(source)
        assert caught.value is error
        assert source.closed == 1

    def test_while_opening_there_is_nothing_to_close(self):
        with pytest.raises(ServerFault):
            run(commit(refused(ServerFault("down")), 5))

    def test_a_bug_closes_the_source(self):
        source = Source([META], ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            committed(source)
        assert source.closed == 1

    def test_the_request_id_of_the_stream_goes_with_its_error(self):
        with pytest.raises(ServerFault) as caught:
            committed(Source(ServerFault("down"), request_id="req_1"))
        assert caught.value.request_id == "req_1"
        with pytest.raises(ServerFault) as caught:
            committed(Source(ServerFault("down", request_id="req_2"), request_id="req_1"))
        assert caught.value.request_id == "req_2"


class TestFirstToken:
    @pytest.mark.parametrize("batches", [[], [[META]], [[META], [META], [USAGE]]])
    def test_no_output_in_time_closes_the_source(self, batches):
        source = Source(*batches, ..., request_id="req_1")
        with pytest.raises(FirstTokenTimeout, match=r"0\.05") as caught:
            committed(source, 0.05)
        assert caught.value.status == 504
        assert caught.value.request_id == "req_1"
        assert source.closed == 1

    def test_the_time_begins_before_the_stream_is_open(self):
        with pytest.raises(FirstTokenTimeout):
            run(commit(asyncio.Event().wait(), 0.05))  # type: ignore[arg-type] # never opens

    def test_pings_do_not_buy_time(self):
        class Pinging(Source):
            async def next(self):
                await asyncio.sleep(0.005)
                return [META]

        source = Pinging()
        with pytest.raises(FirstTokenTimeout):
            committed(source, 0.05)
        assert source.closed == 1


class TestCancelling:
    @pytest.mark.parametrize("batches", [[], [[META]]])
    def test_closes_the_source_and_stays_cancelled(self, batches):
        source = Source(*batches, ...)

        async def work():
            task = asyncio.ensure_future(commit(opened(source), 5))
            for _ in range(20):
                await asyncio.sleep(0)
            assert source.batches == []
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(work())
        assert source.closed == 1

    def test_by_a_shorter_deadline_outside_is_not_a_first_token_timeout(self):
        source = Source([META], ...)

        async def work():
            async with asyncio.timeout(0.05):
                await commit(opened(source), 5)

        with pytest.raises(TimeoutError):
            run(work())
        assert source.closed == 1
