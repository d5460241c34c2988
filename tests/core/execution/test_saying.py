"""A text in parts as one stream: times of words, what fails on the way, who gives up."""

import asyncio

import numpy as np
import pytest

from core.errors import AdapterBroken, Malformed, ServerFault, StreamCut
from core.execution.saying import Saying
from core.types.audio import Sound, Word
from core.types.frame import Frame, Kind
from core.types.usage import UNKNOWN_USAGE, Usage
from infra.local.simulators.signal import hear, say, silence
from tests.core.fakes import run

RATE = 24_000
PCM = Sound("pcm", RATE)
TEXTS = ("One two three. ", "Four five six. ", "Seven eight nine.")


class Source:
    """Says a text with half a second of silence before it, and knows when each word comes."""

    request_id = "req_1"
    outputs = 1

    def __init__(self, text, *, usage=UNKNOWN_USAGE, error=None, sound=PCM, silent=False):
        samples = np.concatenate([silence(0.5, RATE), say(text, rate=RATE)])
        self.sound, self.usage, self.closed = sound, usage, False
        self.boundaries = [Word(one.word, one.start, one.end) for one in hear(samples, RATE)]
        pieces = [] if silent else np.array_split(samples, 5)
        self._frames = [[Frame(piece.tobytes(), Kind.OUTPUT)] for piece in pieces]
        self._frames.append([Frame(b"", Kind.END)])
        self._error = error

    async def next(self):
        await asyncio.sleep(0)
        if self.closed:
            raise StreamCut("closed")
        if self._error is not None and len(self._frames) < 5:
            raise self._error
        return self._frames.pop(0) if self._frames else None

    def close(self):
        self.closed = True


def saying(ask, texts=TEXTS, wanted=PCM, *, counted=True):
    async def asked(text):
        return await asyncio.sleep(0, ask(text))

    return Saying(asked, texts, wanted, lambda _error: 0.0, counted=counted)


async def all_of(one):
    """All its sound, up to its end."""
    await one.open()
    data = bytearray()
    while (frames := await one.next()) is not None:
        for frame in frames:
            data += frame.raw
        if frames and frames[-1].kind is Kind.END:
            break
    return np.frombuffer(bytes(data), "<i2")


def test_words_of_all_parts_come_when_they_say():
    one = saying(Source)
    found = hear(run(all_of(one)), RATE)
    assert [word.text for word in one.boundaries] == " ".join(TEXTS).split() == [real.word for real in found]
    for word, real in zip(one.boundaries, found, strict=True):
        assert word.start == pytest.approx(real.start, abs=0.02)
        assert word.end == pytest.approx(real.end, abs=0.02)


def test_characters_are_counted_where_nobody_else_does_and_are_what_is_sold():
    one = saying(Source)
    run(all_of(one))
    assert one.usage == Usage("reported", characters=sum(map(len, TEXTS)))
    other = saying(Source, counted=False)
    run(all_of(other))
    assert other.usage == Usage("unknown", characters=sum(map(len, TEXTS)))


def test_what_is_reported_is_added_up():
    one = saying(lambda text: Source(text, usage=Usage("reported", input=3, audio_output=50, characters=len(text))))
    run(all_of(one))
    assert one.usage == Usage("reported", input=9, audio_output=150, characters=sum(map(len, TEXTS)))


def test_a_part_that_fails_before_it_sounds_is_tried_once_more():
    asked = []

    def ask(text):
        asked.append(text)
        if asked.count(text) == 1 and text == TEXTS[1]:
            raise ServerFault("down")
        return Source(text)

    assert [word.word for word in hear(run(all_of(saying(ask))), RATE)] == " ".join(TEXTS).split()
    assert sorted(asked) == sorted([*TEXTS, TEXTS[1]])


@pytest.mark.parametrize("late", [TEXTS[1], TEXTS[2]])
def test_a_part_that_fails_in_its_middle_is_the_end(late):
    asked = []

    def ask(text):
        asked.append(text)
        return Source(text, error=ServerFault("down") if text == late else None)

    with pytest.raises(ServerFault):
        run(all_of(saying(ask)))
    assert asked.count(late) == 1  # or it would be heard twice


def test_a_part_without_sound_is_no_part():
    with pytest.raises(Malformed, match="no sound"):
        run(all_of(saying(lambda text: Source(text, silent=text == TEXTS[1]))))


def test_an_adapters_own_mistake_is_told_as_one(caplog):
    def ask(text):
        return Source(text) if text == TEXTS[0] else 1 / 0

    with pytest.raises(AdapterBroken, match="ZeroDivisionError"):
        run(all_of(saying(ask)))


def test_who_gives_up_leaves_nobody_behind():
    sources = []

    def ask(text):
        sources.append(Source(text))
        return sources[-1]

    async def scenario():
        before, one = asyncio.all_tasks(), saying(ask)
        await one.open()
        await one.next()
        for _ in range(5):  # turns of the loop, in which the next part gets under way
            await asyncio.sleep(0)
        one.close()
        with pytest.raises(StreamCut):
            await one.next()
        await asyncio.sleep(0)
        return asyncio.all_tasks() - before

    assert run(scenario()) == set()
    assert len(sources) == 2 and all(source.closed for source in sources)


def test_a_head_is_not_sound_yet():
    class Wav(Source):
        def __init__(self, text):
            super().__init__(text, sound=Sound("wav", RATE))
            self._frames = [[Frame(b"R" * 44, Kind.OUTPUT)], [Frame(b"s" * 999, Kind.OUTPUT)], [Frame(b"", Kind.END)]]

    async def scenario():
        one = saying(Wav, TEXTS[:1], Sound("wav", RATE))
        await one.open()
        return [frame.kind for _ in range(3) for frame in await one.next()]

    assert run(scenario()) == [Kind.META, Kind.OUTPUT, Kind.END]
