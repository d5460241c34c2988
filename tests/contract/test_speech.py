"""Speech through a gateway over a provider on loopback, and what is heard at the end of it."""

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest

from core.clock import SystemClock
from core.config.prices import moment
from core.http.speech import speech_request
from core.providers.registry import Registry
from core.providers.table import TABLE
from core.types.caller import LOCAL
from infra.local.simulators.signal import heard, say, text
from tests.contract.rooms import room
from tests.contract.speaker import RATE, row, samples_of, speaker, steepest, words_in
from tests.core.fakes import run

SPEAK, OPENAI = "/api/ai/speak", "/v1/audio/speech"
JSON = {"accept": "application/json"}
SENTENCES = [f"Sentence number {number} says nothing new, but it says it well." for number in range(400)]
LONG = " ".join(SENTENCES)[:20_000].rsplit(" ", 1)[0]


@asynccontextmanager
async def house(tmp_path, *rows, rate=RATE, clock=None, **environ):
    """A gateway with these rows, each with a provider of its own."""
    async with contexts(len(rows), rate) as speakers:
        for one, there in zip(rows, speakers, strict=True):
            environ |= {f"{one.name.upper()}_BASE_URL": there.url, f"{one.name.upper()}_API_KEY": "k"}
        async with room(Registry(rows), tmp_path, environ, clock) as here:
            yield here, speakers


@asynccontextmanager
async def contexts(count, rate):
    if not count:
        yield []
        return
    async with speaker(rate) as first, contexts(count - 1, rate) as others:
        yield [first, *others]


def post(here, route=OPENAI, headers=None, **body):
    return here.http.post(route, json={"input": "Hello there, you.", **body}, headers=headers)


def test_bytes_pass_through_untouched(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, [there]):
            return [
                (await post(here, response_format=kind), there.said(there.asked[-1])[0])
                for kind in ("mp3", "wav", "pcm")
            ]

    for answer, said in run(scenario()):
        assert answer.status_code == 200
        assert answer.content == said


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_what_the_provider_lacks_is_made_of_what_it_has(tmp_path, kind):
    async def scenario():
        async with house(tmp_path, row("acme", says=("wav",))) as (here, [there]):
            return await post(here, response_format=kind, input="One two. Three four!"), there.asked

    answer, asked = run(scenario())
    assert [one["response_format"] for one in asked] == ["wav"]
    found = words_in(samples_of(answer.content)) if kind == "pcm" else text(heard(answer.content))
    assert found == "One two. Three four!"


def test_another_rate_is_made_here(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, _):
            return await post(here, response_format="wav", sample_rate=8000), await post(
                here, response_format="pcm", sample_rate=48_000
            )

    low, high = run(scenario())
    assert int.from_bytes(low.content[24:28], "little") == 8000 and text(heard(low.content)) == "Hello there, you."
    assert high.headers["content-type"] == "audio/pcm;rate=48000;channels=1"
    assert words_in(samples_of(high.content), 48_000) == "Hello there, you."


def test_a_long_text_is_said_whole_in_order_and_without_clicks(tmp_path):
    rate = 8000

    async def scenario():
        async with house(tmp_path, row("acme", says=("wav",), most_characters=2000), rate=rate) as (here, [there]):
            body = {"response_format": "wav", "sample_rate": rate, "input": LONG}
            answer = await post(here, **body)
            receipt = (await here.http.get(f"/api/ai/decisions/{answer.headers['x-patchbay-decision']}")).json()
            return answer, receipt, there.asked, there.steepest

    answer, receipt, asked, loudest = run(scenario(), 50)
    assert receipt["usage"]["characters"] == len(LONG)
    assert len(asked) >= 10 and max(len(one["input"]) for one in asked) <= 2000
    assert "".join(one["input"] for one in asked) == LONG
    samples = samples_of(answer.content[44:])
    assert words_in(samples, rate) == LONG
    assert steepest(samples) <= loudest  # than in the parts themselves: no join is a step


def test_joins_have_no_step_even_where_parts_begin_and_end_aloud(tmp_path):
    """A provider that cuts in the middle of a tone: every edge would click."""

    async def scenario():
        async with house(tmp_path, row("acme", most_characters=10)) as (here, [there]):
            tone = (8000 * np.cos(np.arange(RATE // 2) * 2 * np.pi * 221 / RATE)).astype(np.int16)  # at its height
            there.said = lambda _body: (tone.tobytes(), "audio/pcm")
            return await post(here, response_format="pcm", input="One two. Six ten. End now."), tone

    answer, tone = run(scenario())
    samples = samples_of(answer.content)
    assert len(samples) >= 2.9 * len(tone)
    assert steepest(samples) < 1.5 * steepest(tone)
    assert steepest(np.concatenate([tone, tone])) > 3 * steepest(tone)  # as it would be without


def test_the_next_part_is_made_while_the_first_is_heard(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme", most_characters=40)) as (here, [there]):
            there.fault = lambda number, _body: "held" if number == 1 else None
            asking = asyncio.create_task(post(here, response_format="pcm", input=" ".join(SENTENCES[:4])))
            await there.reached(2)
            await there.reached(3, unless=0.1)
            ahead = len(there.asked)
            there.gate.set()
            return ahead, await asking, len(there.asked)

    ahead, answer, all_of_them = run(scenario())
    assert ahead == 2 and all_of_them > 3  # one ahead, and no more
    assert words_in(samples_of(answer.content)) == " ".join(SENTENCES[:4])


def test_who_does_not_stream_is_asked_for_the_first_sentence_first(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme", streams=False)) as (here, [there]):
            await post(here, response_format="pcm", input=" ".join(SENTENCES[:12]))
            streamed = [len(one["input"]) for one in there.asked]
            there.asked.clear()
            await post(here, headers=JSON, response_format="pcm", input=" ".join(SENTENCES[:12]))
            return streamed, [len(one["input"]) for one in there.asked]

    streamed, whole = run(scenario())
    assert streamed[0] < 130 and len(streamed) > 1 and streamed[0] < streamed[1]
    assert len(whole) == 1


def test_who_fails_before_the_first_byte_is_replaced_and_the_voice_is_said(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme"), row("other")) as (here, [first, _]):
            said = []
            for wrong in (503, "empty", 429):
                first.fault = lambda _number, _body, wrong=wrong: wrong
                answer = await post(here)
                receipt = (await here.http.get(f"/api/ai/decisions/{answer.headers['x-patchbay-decision']}")).json()
                said.append((answer, receipt))
            return said

    for answer, receipt in run(scenario()):
        assert answer.status_code == 200 and text(heard(answer.content)) == "Hello there, you."
        assert answer.headers["x-patchbay-provider"] == "other"
        assert [one["outcome"] for one in receipt["attempts"]] == ["failed", "ok"]
        assert receipt["attempts"][-1]["usage"]["characters"] == 17


def test_all_of_it_is_replaced_where_it_is_wanted_whole(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme"), row("other")) as (here, [first, _]):
            first.fault = lambda _number, _body: "cut"
            return await post(here, SPEAK, JSON, response_format="wav", voice="some-voice", provider="acme")

    answer = run(scenario()).json()
    assert answer["provider"] == "other" and [one["outcome"] for one in answer["attempts"]] == ["failed", "ok"]
    assert text(heard(base64.b64decode(answer["audio_base64"]))) == "Hello there, you."
    assert (answer["format"], answer["content_type"], answer["characters"]) == ("wav", "audio/wav", 17)
    assert answer["audio_ms"] == pytest.approx(len(say("Hello there, you.", rate=RATE)) / RATE * 1000, abs=2)


def test_where_nothing_can_be_streamed_all_of_it_is_replaced(tmp_path):
    """On Lambda, whose handler says how long it may take and how large it may be."""

    async def scenario():
        async with house(tmp_path, row("acme"), row("other")) as (here, [first, _]):
            first.fault = lambda _number, _body: "cut"
            app = here.http._transport.app

            async def on_lambda(scope, receive, send):
                await app({**scope, "patchbay.allowed": 20.0, "patchbay.most_bytes": 6_000_000}, receive, send)

            there = httpx.ASGITransport(on_lambda)
            async with httpx.AsyncClient(transport=there, base_url="http://localhost") as http:
                asked = {"input": "Hello there, you.", "provider": "acme"}
                sound = await http.post(OPENAI, json=asked)
                events = await http.post(SPEAK, json={**asked, "stream_format": "sse"})
            return sound, events

    sound, events = run(scenario())
    assert sound.headers["x-patchbay-provider"] == "other" and sound.headers["content-type"] == "audio/mpeg"
    assert text(heard(sound.content)) == "Hello there, you."
    assert int(sound.headers["content-length"]) == len(sound.content)
    assert sound.headers["x-patchbay-attempts"] == "2" and sound.headers["x-patchbay-cost-usd"] != "pending"
    assert events.text.count("speech.audio.done") == 1 and '"type":"error"' not in events.text


def test_a_later_part_is_tried_again_at_the_same_provider(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme", most_characters=70)) as (here, [there]):
            there.fault = lambda number, _body: 503 if number == 2 else None
            answer = await post(here, response_format="pcm", input=" ".join(SENTENCES[:3]))
            receipt = (await here.http.get(f"/api/ai/decisions/{answer.headers['x-patchbay-decision']}")).json()
            return answer, receipt, there.asked

    answer, receipt, asked = run(scenario())
    assert words_in(samples_of(answer.content)) == " ".join(SENTENCES[:3])
    assert len(asked) == 4 and receipt["outcome"] == "ok"


@pytest.mark.parametrize("wrong", ["cut", "empty", 401])
def test_what_breaks_after_the_first_byte_is_an_error_and_no_end(tmp_path, wrong):
    async def scenario():
        async with house(tmp_path, row("acme", most_characters=70), row("other")) as (here, [first, other]):
            first.fault = lambda number, _body: wrong if number > 1 else None
            answer = await post(here, SPEAK, response_format="pcm", input=" ".join(SENTENCES[:3]), stream_format="sse")
            receipt = (await here.http.get(f"/api/ai/decisions/{answer.headers['x-patchbay-decision']}")).json()
            return answer, receipt, other.asked

    answer, receipt, asked_of_others = run(scenario())
    events = answer.text.strip().split("\n\n")
    assert '"type":"error"' in events[-1] and "speech.audio.done" not in answer.text
    assert receipt["outcome"] == "cut" and asked_of_others == []
    assert receipt["usage"]["characters"] > 0


def test_events_carry_the_sound_and_the_native_ones_the_receipt(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, [there]):
            return [await post(here, route, stream_format="sse") for route in (OPENAI, SPEAK)], there.said(
                there.asked[0]
            )[0]

    answers, said = run(scenario())
    for answer, native in zip(answers, (False, True), strict=True):
        events = [json.loads(one.removeprefix("data: ")) for one in answer.text.strip().split("\n\n")]
        assert {one["type"] for one in events[:-1]} == {"speech.audio.delta"}
        assert b"".join(base64.b64decode(one["audio"]) for one in events[:-1]) == said
        assert events[-1]["type"] == "speech.audio.done"
        assert ("receipt" in events[-1]) == native


def test_sound_of_another_kind_is_heard_before_all_of_it_is_there(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme", says=("wav",))) as (here, [there]):
            there.fault = lambda _number, _body: "held"  # after a quarter of a second
            request = speech_request({"input": SENTENCES[0], "response_format": "mp3"}, OPENAI, None, b"")
            gateway = await here.service.open()
            async with await gateway.speak(LOCAL, request) as live:
                async for batch in live.frames():
                    return batch[-1].raw
            return b""

    assert run(scenario()).startswith(b"\xff")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "audio/mpeg"),
        ("audio/mpeg, application/json", "audio/mpeg"),
        ("application/octet-stream", "audio/mpeg"),
        ("*/*", "audio/mpeg"),
    ],
)
def test_json_is_for_who_asks_for_nothing_else(tmp_path, accept, kind):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, _):
            return await post(here, headers={"accept": accept})

    assert run(scenario()).headers["content-type"] == kind


def test_a_caller_who_leaves_ends_it_and_is_settled(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme", most_characters=70)) as (here, [there]):
            there.fault = lambda _number, _body: "held"
            body = {"input": " ".join(SENTENCES[:4]), "response_format": "pcm"}
            request = speech_request(body, OPENAI, None, b"")
            gateway = await here.service.open()
            async with await gateway.speak(LOCAL, request) as live:
                async for _ in live.frames():
                    break
            there.gate.set()
            await there.gone.wait()
            return (await gateway.ledger.recent("local", 1))[0], len(there.asked)

    receipt, asked = run(scenario())
    assert receipt["outcome"] == "cancelled" and asked <= 2


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"input": ""}, "input", "must be a text"),
        ({"input": " \n"}, "input", "must be a text"),
        ({"input": 5}, "input", "input"),
        ({"input": "a" * 100_001}, "input", "100000"),
        ({"response_format": "ogg"}, "response_format", "mp3, opus, aac"),
        ({"speed": 9}, "speed", "0.25 to 4"),
        ({"voice": {}}, "voice", "voice"),
        ({"voice": ["a"]}, "voice", "voice"),
        ({"language": "german!"}, "language", "such as en"),
        ({"gender": "x"}, "gender", "female"),
        ({"stream_format": "wav"}, "stream_format", "sse"),
        ({"sample_rate": 1}, "sample_rate", "8000"),
        ({"boundaries": True}, "boundaries", "application/json"),
        ({"input": "<speak>a<b></speak>"}, "input", "well formed"),
        ({"input": '<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>', "ssml": True}, "input", "document type"),
        ({"input": "<speak><break/></speak>"}, "input", "says nothing"),
    ],
)
def test_a_request_that_cannot_be_served_says_what_is_wrong(tmp_path, body, param, words):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, [there]):
            return await post(here, **body), there.asked

    answer, asked = run(scenario())
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["param"] == param and words in error["message"]
    assert asked == []


def test_ssml_is_read_as_text_where_nothing_is_lost(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, [there]):
            plain = "<speak version='1.0'><p><s>One &amp; two.</s><s>Three.</s></p></speak>"
            first = await post(here, input=plain)
            second = await post(here, input="<speak>One<break time='1s'/>two</speak>")
            third = await post(here, input="<speak>as it stands", ssml=False)
            return first, second, third, there.asked

    first, second, third, asked = run(scenario())
    assert first.status_code == third.status_code == 200
    assert [one["input"] for one in asked] == ["One & two. Three.", "<speak>as it stands"]
    assert second.status_code == 400 and "does not take ssml" in second.json()["error"]["message"]


def test_a_cache_that_was_asked_for_is_told_to_have_no_effect(tmp_path):
    async def scenario():
        async with house(tmp_path, row("acme")) as (here, [there]):
            return [await post(here, cache="on") for _ in range(2)], there.asked

    answers, asked = run(scenario())
    assert len(asked) == 2
    assert all("speech is not kept" in one.headers["x-patchbay-warnings"] for one in answers)


class Later(SystemClock):
    """The time of that day, from now on."""

    def __init__(self, day):
        self._moved = moment(day) - time.time()

    def now(self):
        return super().now() + self._moved


@pytest.mark.parametrize(("day", "who"), [("2027-01-05", "openai"), ("2027-01-06", "acme")])
def test_who_has_no_model_any_more_is_passed_over_and_the_next_one_speaks(tmp_path, day, who):
    async def scenario():
        chain, openai = {"SPEAK_CHAIN": "openai,acme"}, next(one for one in TABLE if one.name == "openai")
        async with house(tmp_path, openai, row("acme"), clock=Later(day), **chain) as (here, speakers):
            plan = await here.http.post("/api/ai/route", json={"capability": "speak", "input": "Hello there, you."})
            named = {"capability": "speak", "model": "gpt-4o-mini-tts", "input": "Hello there, you."}
            chosen = await here.http.post("/api/ai/route", json=named)
            answer = None if who == "openai" else await post(here)
            alone = await here.http.post(SPEAK, json={"input": "Hello.", "provider": "openai", "fallback": False})
            return plan.json(), chosen.json(), answer, alone, speakers

    plan, chosen, answer, alone, speakers = run(scenario())
    assert plan["candidates"][0]["provider"] == who
    if who == "openai":  # nobody chose it, so nobody is told; who names it is
        assert not plan["candidates"][0]["warnings"]
        assert "deprecated and ends on 2027-01-06" in chosen["candidates"][0]["warnings"][0]
        return
    assert answer.status_code == 200 and text(heard(answer.content)) == "Hello there, you."
    assert not speakers[0].asked
    (out,) = plan["excluded"]
    reason = "is its model for speech, which is retired, and nobody succeeds it: set OPENAI_TTS_MODEL, or name another"
    assert reason in out["reason"] and "is retired and nobody succeeds it; name" in chosen["excluded"][0]["reason"]
    assert alone.status_code == 503 and "OPENAI_TTS_MODEL" in alone.json()["error"]["message"]
