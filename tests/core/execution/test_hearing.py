"""Audio in parts: no word lost or doubled, times of the whole, nothing heard twice, speakers by one kind of name."""

import asyncio

import pytest

from core.audio.cutting import cut
from core.audio.measuring import measure
from core.errors import ContextTooLong, ServerFault, TooManyInputs
from core.execution.hearing import Hearing, joined, labelled
from core.providers.contract import Reply
from core.providers.row import Hears
from core.types.audio import Audio, Segment, Transcript, Word
from core.types.target import Target
from core.types.usage import Usage
from infra.local.simulators import signal
from tests.core.fakes import run

ONE, TWO = Target("one", "default", "m"), Target("two", "default", "m")
TEXT = " ".join(f"Sentence number {number} says something new." for number in range(20))
SAMPLES = signal.say(TEXT, rate=8000)
WAV = signal.wav(SAMPLES, 8000)


def audio_of(data: bytes) -> Audio:
    found = measure(data)
    return Audio(data, found.kind, found.codec, found.ms, found.rate, found.channels)


AUDIO = audio_of(WAV)
PARTS = Hears(most_seconds=15.0)


class Listener:
    """Hears; fails when told to."""

    def __init__(self, fails=lambda _audio: None):
        self.asked: list[Audio] = []
        self.at_once = self.most_at_once = 0
        self._fails = fails

    async def __call__(self, audio: Audio) -> Reply[Transcript]:
        self.asked.append(audio)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if error := self._fails(audio):
            raise error
        words = tuple(Word(one.word, one.start, one.end) for one in signal.heard(bytes(audio.data)))
        text = " ".join(one.text for one in words)
        segments = (Segment(text, words[0].start, words[-1].end, words=words),) if words else ()
        return Reply(Transcript(text, "en", 0, segments, words, 0.5), Usage("reported", audio_ms=audio.ms))


def hear(hearing, listener, hears=PARTS, target=ONE, billed=lambda ms: ms):
    return run(hearing.at(target, hears, listener, billed))


def test_what_fits_is_sent_as_it_came():
    listener = Listener()
    reply = hear(Hearing(AUDIO, whole=True), listener, Hears())
    assert reply.value.text == TEXT and reply.warnings == ()
    assert listener.asked == [AUDIO]


def test_parts_are_heard_side_by_side_and_joined():
    listener = Listener()
    reply = hear(Hearing(AUDIO, whole=False), listener)
    whole = signal.heard(WAV)
    assert reply.value.text == TEXT
    assert [one.text for one in reply.value.words] == [one.word for one in whole]
    for word, heard in zip(reply.value.words, whole, strict=True):
        assert (word.start, word.end) == pytest.approx((heard.start, heard.end), abs=0.06)
    assert listener.most_at_once == 4
    assert sum(one.ms for one in listener.asked) == pytest.approx(AUDIO.ms, abs=20)
    assert reply.usage.audio_ms == sum(one.ms for one in listener.asked)
    assert (reply.value.language, reply.value.confidence) == ("en", pytest.approx(0.5))


def test_of_each_request_what_is_sold_is_paid_for():
    reply = hear(Hearing(AUDIO, whole=False), (listener := Listener()), billed=lambda ms: -(-ms // 60_000) * 60_000)
    assert reply.usage.audio_ms == 60_000 * len(listener.asked)


def test_what_was_heard_is_not_asked_again_of_the_same_target():
    hearing, fails = Hearing(AUDIO, whole=False), iter([None, ServerFault("broken")])
    first = Listener(lambda _audio: next(fails, None))
    with pytest.raises(ServerFault):
        hear(hearing, first)
    done = hearing.spent().audio_ms
    assert done > 0 and hearing.spent().source == "unknown"
    second = Listener()
    reply = hear(hearing, second)
    assert reply.value.text == TEXT
    assert len(first.asked) - 1 + len(second.asked) == len(list(cut(WAV, 15.0 * 0.98)))
    assert reply.usage.audio_ms + done == pytest.approx(AUDIO.ms, abs=20)


def test_another_target_hears_all_of_it():
    hearing, fails = Hearing(AUDIO, whole=False), iter([None, ServerFault("broken")])
    with pytest.raises(ServerFault):
        hear(hearing, Listener(lambda _audio: next(fails, None)))
    listener = Listener()
    reply = hear(hearing, listener, target=TWO)
    assert reply.value.text == TEXT
    assert sum(one.ms for one in listener.asked) == pytest.approx(AUDIO.ms, abs=20)


def test_a_part_that_is_too_large_is_halved_and_its_times_hold():
    listener = Listener(lambda audio: TooManyInputs("too much") if audio.ms > 25_000 else None)
    for hears in (Hears(), Hears(most_seconds=40.0)):
        reply = hear(Hearing(AUDIO, whole=False), listener, hears)
        assert reply.value.text == TEXT
        starts = [one.start for one in reply.value.words]
        assert starts == sorted(starts)
        assert starts[-1] == pytest.approx(signal.heard(WAV)[-1].start, abs=0.06)


def test_where_all_must_be_heard_at_once_bytes_are_saved_and_seconds_are_not():
    listener = Listener()
    small = Hears(most_bytes=len(WAV) // 2, kinds=frozenset({"wav", "ogg"}))
    reply = hear(Hearing(AUDIO, whole=True), listener, small)
    assert (reply.value.text, [one.kind for one in listener.asked]) == (TEXT, ["ogg"])
    with pytest.raises(ContextTooLong, match=r"all .* s are heard at once, and here 15 s are"):
        hear(Hearing(AUDIO, whole=True), listener)
    with pytest.raises(TooManyInputs):
        hear(Hearing(AUDIO, whole=True), Listener(lambda _audio: TooManyInputs("too much")), Hears())


def test_half_an_hour_is_heard_word_for_word_with_the_times_of_the_whole():
    import numpy as np

    minute = signal.say(" ".join(f"Sentence {number} of this minute is said." for number in range(22)), rate=8000)
    minute = np.concatenate([minute, signal.silence(60, 8000)])[: 60 * 8000]
    data = signal.wav(np.tile(minute, 30), 8000)
    audio = audio_of(data)
    assert audio.ms == 1_800_000
    listener = Listener()
    reply = hear(Hearing(audio, whole=False), listener, Hears(most_seconds=300.0, most_bytes=25 * 2**20))
    once = signal.hear(minute, 8000)
    assert len(listener.asked) >= 6
    assert [one.text for one in reply.value.words] == [one.word for one in once] * 30
    for place, word in enumerate(reply.value.words):
        round_, of_it = divmod(place, len(once))
        assert word.start == pytest.approx(round_ * 60 + once[of_it].start, abs=0.06)
    assert reply.value.duration == 1800


def test_joined_languages_reasons_and_confidence():
    parts = [
        (0.0, Transcript("", None, reason="nothing was said")),
        (5.0, Transcript("ein kurzer Satz", "de", confidence=0.5)),
        (9.0, Transcript("one", "en", confidence=1.0)),
    ]
    found = joined(parts, 12.0)
    assert (found.text, found.language, found.reason, found.duration) == ("ein kurzer Satz one", "de", None, 12.0)
    assert found.confidence == pytest.approx((0.5 * 15 + 1.0 * 3) / 18)
    silent = joined([(0.0, Transcript("", reason="nothing was said")), (5.0, Transcript(""))], 9.0)
    assert (silent.text, silent.reason) == ("", "nothing was said")
    assert (
        joined([(0.0, Transcript("今日は。", "ja")), (5.0, Transcript("会議です。", "ja"))], 9.0).text
        == "今日は。会議です。"
    )


def test_speakers_have_letters_in_the_order_of_their_words():
    names = ["Guest-2", "1", "A", "Guest-2", None]
    made = Transcript(
        "", segments=tuple(Segment("x", 0, 1, name, words=(Word("x", 0, 1, None, name),)) for name in names)
    )
    assert [one.speaker for one in labelled(made).segments] == ["A", "B", "C", "A", None]
    known = labelled(made, ["1", "B"])
    assert [one.speaker for one in known.segments] == ["A", "1", "C", "A", None]
    assert [one.words[0].speaker for one in known.segments] == ["A", "1", "C", "A", None]
