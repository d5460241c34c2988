"""Azure Speech by REST and by the native Speech SDK, against simulators that hear and say what is in the sound."""

import asyncio
import gc
import json
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from core import errors
from core.capabilities import Capability
from core.config.secrets import Secret
from core.config.settings import Account
from core.errors import (
    BadAudio,
    IdleTimeout,
    LibraryUnusable,
    ModelMissing,
    ParameterRefused,
    RequestRefused,
    SessionsFull,
    Stopping,
)
from core.net.sessions import Sessions
from core.net.transport import Transport
from core.providers import azure_speech_live, azure_speech_sdk
from core.providers.azure_speech import FAST, LIVE, AzureSpeech, addresses
from core.providers.azure_speech_sdk import Place
from core.providers.contract import Call, Speaks, Transcribes, TranscribesLive
from core.providers.registry import Registry
from core.providers.table import TABLE
from core.types.audio import Audio, Sound
from core.types.frame import Kind
from core.types.target import Target
from infra.local.simulators.delivery import Waits
from infra.local.simulators.fleet import Fleet
from infra.local.simulators.signal import heard, silence, text
from tests.contract.rooms import room
from tests.sound import encoded, recording, spoken

KEY = "speech-key-0123456789"
ROW = next(row for row in TABLE if row.name == "azure")
FIRST, SECOND = "Hello there, my friend.", "How are you today?"
TALK = ((0, FIRST), (1, SECOND))


def audio(turns=TALK, kind="wav"):
    data, seconds = recording(turns, kind), len(spoken(turns)) / 16_000
    return Audio(data, kind, ms=round(seconds * 1000), rate=16_000)


def hearing(model=LIVE, idle=20.0, **body):
    return Call(Target("azure", "default", model), {"audio": audio(), "language": "en", **body}, idle, 2**24)


def saying(model="azure-tts-neural", idle=20.0, **body):
    return Call(Target("azure", "default", model), {"input": FIRST, "sound": Sound(), **body}, idle, 2**24)


@asynccontextmanager
async def speech(sessions=None, waits=Waits(slow=0.01)):  # noqa: B008 - frozen
    """An adapter before a simulator; nothing of it is left afterwards."""
    fleet = Fleet(("azure",), waits=waits)
    await fleet.start()
    transport = await Transport(sessions=sessions).open()
    try:
        yield AzureSpeech(ROW, Account(speech_key=Secret(KEY), speech_url=fleet.url("azure")), transport), fleet
    finally:
        await transport.close()
        assert transport.sessions.running == 0
        await fleet.stop()


async def said(source):
    """All sound of a source, and that it ended."""
    whole, kinds = b"", []
    try:
        while (frames := await source.next()) is not None:
            whole += b"".join(frame.raw for frame in frames)
            kinds += [frame.kind for frame in frames]
    finally:
        source.close()
    assert kinds.count(Kind.END) == 1 and kinds[-1] is Kind.END
    return whole


async def ended(adapter):
    """Endings take up to two seconds, or longer on a busy machine, and nobody waits for them but this."""
    for _ in range(2000):
        if not adapter._transport.sessions.running:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a session never ended")


def test_it_does_what_its_rows_say():
    for what in (Capability.TRANSCRIBE, Capability.DIARIZE, Capability.SPEAK):
        one = ROW.services[what]
        adapter: object = AzureSpeech(one, Account(speech_region="eastus2"), Transport())
        assert (
            isinstance(adapter, Transcribes) and isinstance(adapter, TranscribesLive) and isinstance(adapter, Speaks)
        )


@pytest.mark.parametrize("model", [FAST, LIVE])
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
def test_what_was_said_by_either_way(model, kind):
    async def scenario():
        async with speech() as (adapter, _):
            return await adapter.transcribe(hearing(model, audio=audio(kind=kind), timestamps=("segment", "word")))

    reply = asyncio.run(scenario())
    made = reply.value
    assert made.text == f"{FIRST} {SECOND}"
    assert [one.text for one in made.segments] == [FIRST, SECOND]
    assert [one.text for one in made.words] == f"{FIRST} {SECOND}".split()
    assert made.segments[1].start == pytest.approx(len(spoken(((0, FIRST),))) / 16_000, abs=0.05)
    assert (made.language, reply.usage.source, reply.usage.audio_ms) == ("en-US", "reported", audio().ms)
    assert reply.request_id and reply.warnings == ()
    assert 0.8 < (made.confidence or 0) < 1


@pytest.mark.parametrize("model", [FAST, LIVE])
def test_who_said_it_by_either_way(model):
    async def scenario():
        async with speech() as (adapter, _):
            turns = (*TALK, (0, "I am fine."))
            return await adapter.transcribe(hearing(model, audio=audio(turns), diarize=True, max_speakers=4))

    reply = asyncio.run(scenario())
    speakers = [(one.speaker, one.text) for one in reply.value.segments]
    assert speakers == [("speaker_1", FIRST), ("speaker_2", SECOND), ("speaker_1", "I am fine.")]
    assert all(one.speaker for one in reply.value.words)
    assert ("max_speakers" in " ".join(reply.warnings)) == (model == LIVE)


def test_what_it_is_told_arrives():
    async def scenario():
        async with speech() as (adapter, fleet):
            await adapter.transcribe(hearing(FAST, vocabulary=["Patchbay"], diarize=True, max_speakers=3))
            desk = fleet._simulators["azure"]._desk
            definition = desk["definition"]
            await adapter.transcribe(hearing(LIVE, vocabulary=["Patchbay"], profanity="masked", diarize=True))
            context = desk["speech.context"]
            live = fleet.requests("azure")[-1]
            reply = await adapter.transcribe(hearing(LIVE, language=None))
            return definition, context, live, desk["speech.context"], reply.warnings

    definition, context, live, guessing, warnings = asyncio.run(scenario())
    assert definition["phraseList"] == {"phrases": ["Patchbay"]}
    assert definition["diarization"] == {"enabled": True, "maxSpeakers": 3}
    assert context["dgi"]["Groups"][0]["Items"] == [{"Text": "Patchbay"}]
    assert context["phraseDetection"]["speakerDiarization"]["mode"] == "Anonymous"
    assert live.headers["ocp-apim-subscription-key"] == KEY and "profanity=masked" in live.query
    assert guessing["languageId"]["mode"] == "DetectContinuous" and len(guessing["languageId"]["languages"]) == 10
    assert "no language was named" in warnings[0]


def test_one_utterance_ends_with_the_first_pause():
    async def scenario():
        async with speech() as (adapter, _):
            with pytest.raises(ParameterRefused):
                await adapter.transcribe(hearing(FAST, single_utterance=True))
            return (await adapter.transcribe(hearing(single_utterance=True))).value.text

    assert asyncio.run(scenario()) == FIRST


def test_what_is_heard_comes_while_it_is_heard():
    async def scenario():
        async with speech() as (adapter, _):
            source = await adapter.transcribe_stream(hearing(timestamps=("segment",)))
            frames = []
            while (some := await source.next()) is not None:
                frames += some
            with pytest.raises(ModelMissing):
                await adapter.transcribe_stream(hearing(FAST))
            return frames, source

    frames, source = asyncio.run(scenario())
    events = [json.loads(frame.raw) for frame in frames]
    assert [one["type"].rpartition(".")[2] for one in events] == ["delta", "segment", "delta", "segment", "done"]
    assert "".join(one.get("delta", "") for one in events) == events[-1]["text"] == f"{FIRST} {SECOND}"
    assert [frame.kind for frame in frames] == [Kind.OUTPUT] * 4 + [Kind.END]
    assert source.transcript.text == events[-1]["text"] and source.usage.audio_ms == audio().ms and source.outputs == 2


@pytest.mark.parametrize("model", [FAST, LIVE])
def test_sound_without_words_is_an_answer(model):
    quiet = Audio(encoded(silence(2)), "wav", ms=2000)

    async def scenario():
        async with speech() as (adapter, _):
            return (await adapter.transcribe(hearing(model, audio=quiet))).value

    made = asyncio.run(scenario())
    assert (made.text, made.reason, made.duration) == ("", "no speech was recognised", 2.0)


def test_a_file_that_turns_out_to_be_none_is_the_callers():
    async def scenario():
        async with speech() as (adapter, _):
            with pytest.raises(BadAudio):
                await adapter.transcribe(hearing(audio=Audio(b"RIFF" + b"\0" * 400, "wav", ms=1000)))
            with pytest.raises(ParameterRefused, match="decoded"):
                await adapter.transcribe(hearing(FAST, audio=Audio(b"RIFF" + b"\0" * 400, "wav", ms=1000)))
            await ended(adapter)

    asyncio.run(scenario())


@pytest.mark.parametrize("boundaries", [False, True])
@pytest.mark.parametrize("kind", ["mp3", "opus", "wav", "pcm", "flac"])
def test_speech_says_its_text(kind, boundaries):
    async def scenario():
        async with speech() as (adapter, _):
            source = await adapter.speak(
                saying(input="Tom & <Jerry>, 漢字.", sound=Sound(kind), boundaries=boundaries)
            )
            return source, await said(source)

    source, sound = asyncio.run(scenario())
    assert source.sound.kind == (kind if kind in {"mp3", "opus"} or (kind, boundaries) == ("wav", False) else "pcm")
    from infra.local.simulators.signal import wav

    if source.sound.kind == "pcm":
        import numpy as np

        sound = wav(np.frombuffer(sound, "<i2"), source.sound.rate)
    assert text(heard(sound)) == "Tom & <Jerry>, 漢字."
    assert source.usage.characters == len("Tom &amp; &lt;Jerry&gt;, 漢字.") + 2
    assert source.request_id
    words = [(one.text, one.start) for one in source.boundaries]
    assert [word for word, _ in words] == (["Tom", "&", "<Jerry>,", "漢字."] if boundaries else [])
    assert [start for _, start in words] == sorted(start for _, start in words)


def test_the_callers_own_ssml_and_the_voice_arrive():
    async def scenario():
        async with speech() as (adapter, fleet):
            body = {"input": 'Hi <break time="1s"/> you', "ssml": True, "voice": "de-DE-KatjaNeural"}
            await said(await adapter.speak(saying(**body)))
            with pytest.raises(RequestRefused):
                await adapter.speak(saying(input="<speak>Hi", ssml=True))
            with pytest.raises(ParameterRefused):
                await adapter.speak(saying(voice="nobody"))
            await said(await adapter.speak(saying("azure-tts-neural-hd")))
            return [one.body.decode() for one in fleet.requests("azure")]

    first, *_, last = asyncio.run(scenario())
    assert '<voice name="de-DE-KatjaNeural">Hi <break' in first
    assert 'name="en-US-Ava:DragonHDLatestNeural"' in last


async def _spoken(adapter, idle):
    return await said(await adapter.speak(saying(idle=idle, boundaries=True)))


# What the service does → what becomes of it at each way: live, one utterance, with speakers, speech with its times.
WAYS = {
    "live": lambda adapter, idle: adapter.transcribe(hearing(idle=idle)),
    "once": lambda adapter, idle: adapter.transcribe(hearing(idle=idle, single_utterance=True)),
    "speakers": lambda adapter, idle: adapter.transcribe(hearing(idle=idle, diarize=True)),
    "speech": _spoken,
}
FAULTS = {
    "401": "CredentialRefused", "403": "CredentialRefused", "400": "ParameterRefused", "404": "Malformed",
    "429:5": "RateLimited", "500": "ServerFault", "503": "Overloaded", "drop_headers": "Unreachable",
    "drop_body": "Dropped", "cut_stream@0": "Dropped", "wrong_content_type": "Malformed", "hang": "IdleTimeout",
    "stream_stall@0": "IdleTimeout", "stream_error@0": "ServerFault", "close:1007": "QuotaExhausted",
    "close:1011": "ServerFault", "refuse": "Unreachable",
}  # fmt: skip
PHRASES = {
    "phrase:TooManyRequests": "RateLimited", "phrase:Error": "ServerFault", "phrase:Forbidden": "QuotaExhausted",
    "cut_stream@1": "Dropped", "stream_error@1": "ServerFault", "truncated_json": "ServerFault",
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_each_failure_is_told_once_and_leaves_nothing(way):
    """Counted: no retry by the SDK, no session, no recogniser, no thread is left."""

    async def scenario():
        async with speech() as (adapter, fleet):
            faults = FAULTS | (PHRASES if way == "live" else {})
            for fault, kind in faults.items():
                await fleet.fault("azure", fault)
                before = len(fleet.requests("azure"))
                with pytest.raises(errors.TargetError) as caught:
                    await WAYS[way](adapter, 1.0 if kind == "IdleTimeout" else 20)
                assert type(caught.value) is getattr(errors, kind), (fault, caught.value)
                assert KEY not in str(caught.value)
                assert len(fleet.requests("azure")) - before == (fault != "refuse"), fault
                await fleet.clear()
            await WAYS[way](adapter, 20)
            await ended(adapter)
        return natives()

    before = threads()
    assert asyncio.run(scenario()) == {}
    assert settled(before)


def natives():
    """What is alive of the SDK's recognisers, synthesizers and streams."""
    gc.collect()
    kinds = (type(one).__name__ for one in gc.get_objects() if str(type(one).__module__).startswith("azure."))
    names = {"SpeechRecognizer", "ConversationTranscriber", "SpeechSynthesizer", "PushAudioInputStream", "EventSignal"}
    return {name: count for name, count in Counter(kinds).items() if name in names}


def threads():
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def settled(most):
    """Threads that are through take a moment to be gone."""
    import time

    for _ in range(300):
        if threads() <= most:
            return True
        time.sleep(0.01)
    return False


def test_what_broke_off_says_what_was_heard_of_it():
    async def scenario():
        async with speech() as (adapter, fleet):
            await fleet.fault("azure", "cut_stream@1")
            with pytest.raises(errors.Dropped) as caught:
                await adapter.transcribe(hearing())
            await ended(adapter)
            return caught.value

    error = asyncio.run(scenario())
    assert error.billed and error.request_id
    assert error.usage is not None and error.usage.source == "estimated"
    assert error.usage.audio_ms == audio().ms  # all of it had gone out


def test_no_more_sessions_than_may_the_next_one_waits():
    async def scenario():
        sessions = Sessions(2)
        async with speech(sessions) as (adapter, fleet):
            most, held = 0, []
            await fleet.fault("azure", "stream_stall@0")
            held = [await adapter.transcribe_stream(hearing()) for _ in range(2)]
            await fleet.clear()
            waiting = [asyncio.create_task(adapter.transcribe(hearing())) for _ in range(3)]
            await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0.005)
                most = max(most, sessions.running)
            assert most == 2 and not any(one.done() for one in waiting)
            waiting.pop().cancel()  # who leaves the queue takes nobody's place
            for one in held:
                one.close()
            return [reply.value.text for reply in await asyncio.gather(*waiting)]

    assert asyncio.run(scenario()) == [f"{FIRST} {SECOND}"] * 2


def test_no_more_sessions_than_may_the_next_one_is_refused():
    async def scenario():
        async with speech(Sessions(1, "refuse")) as (adapter, fleet):
            await fleet.fault("azure", "stream_stall@0")
            held = await adapter.transcribe_stream(hearing())
            with pytest.raises(SessionsFull, match="all 1 live sessions") as caught:
                await adapter.transcribe(hearing())
            held.close()
            await fleet.clear()
            await ended(adapter)
            assert (await adapter.transcribe(hearing())).value.text
            return caught.value

    error = asyncio.run(scenario())
    assert (error.status, error.fault, error.next) == (503, "gateway", True)


def test_many_sessions_at_once_share_few_threads():
    """Beside the SDK's own, which are three for each while audio is sent."""

    async def scenario():
        count = 12
        async with speech(Sessions(count)) as (adapter, _):
            before = threads()
            asked = [asyncio.create_task(adapter.transcribe(hearing())) for _ in range(count + 4)]
            most = before
            while not all(one.done() for one in asked):
                most = max(most, threads())
                await asyncio.sleep(0.001)
            replies = await asyncio.gather(*asked)
            return most - before, {reply.value.text for reply in replies}

    most, texts = asyncio.run(scenario())
    assert texts == {f"{FIRST} {SECOND}"}
    assert most <= 3 * 12 + 4 + 16 + 2  # those that start and end sessions, and the simulator's


def test_who_leaves_leaves_nothing_behind():
    async def scenario():
        async with speech() as (adapter, fleet):
            for fault in ("hang", "stream_stall@0"):
                await fleet.fault("azure", fault)
                for way in WAYS.values():
                    task = asyncio.create_task(way(adapter, 20))
                    await asyncio.sleep(0.05)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                await fleet.clear()
            await ended(adapter)
        return natives()

    assert asyncio.run(scenario()) == {}


def test_a_service_that_closes_ends_what_is_under_way():
    async def scenario():
        fleet = Fleet(("azure",))
        await fleet.start()
        await fleet.fault("azure", "stream_stall@0")
        transport = await Transport(sessions=Sessions(2)).open()
        adapter = AzureSpeech(ROW, Account(speech_key=Secret(KEY), speech_url=fleet.url("azure")), transport)
        held = [await adapter.transcribe_stream(hearing()) for _ in range(2)]
        waiting = asyncio.create_task(adapter.transcribe(hearing()))
        await asyncio.sleep(0.01)
        for one in held:
            one.close()
        held[0].close()  # twice does no harm
        await transport.close()
        with pytest.raises(Stopping):
            await waiting
        running = transport.sessions.running
        await fleet.stop()
        return running, natives()

    assert asyncio.run(scenario()) == (0, {})


def test_a_library_that_cannot_be_loaded_is_said(monkeypatch):
    async def scenario():
        async with speech() as (adapter, _):
            with pytest.raises(LibraryUnusable, match="not installed") as caught:
                await adapter.transcribe(hearing())
            assert (await adapter.transcribe(hearing(FAST))).value.text  # REST does without
            return caught.value

    azure_speech_sdk._loaded.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "azure.cognitiveservices.speech", None)
    error = asyncio.run(scenario())
    azure_speech_sdk._loaded.cache_clear()
    assert error.next and error.fault == "gateway"


def test_after_a_fork_it_says_that_it_cannot(monkeypatch):
    azure_speech_sdk.load()
    monkeypatch.setattr("os.getpid", lambda: 1)
    with pytest.raises(LibraryUnusable, match="forked"):
        azure_speech_sdk.load()


@pytest.mark.parametrize(
    ("region", "url", "speak", "live"),
    [
        ("west", None, "https://west.tts.speech.microsoft.com", Place("k", region="west")),
        (
            None,
            "https://west.api.cognitive.microsoft.com/",
            "https://west.tts.speech.microsoft.com",
            Place("k", "west"),
        ),
        ("west", "https://my.example.com/", "https://my.example.com/tts", Place("k", endpoint="wss://my.example.com")),
        (None, "http://127.0.0.1:5000", "http://127.0.0.1:5000", Place("k", host="ws://127.0.0.1:5000")),
    ],
)
def test_where_it_is(region, url, speak, live):
    found = addresses(region, url, "k")
    assert str(found.speak) == f"{speak}/cognitiveservices/v1" and found.live == live
    assert (
        found.transcribe.path == "/speechtotext/transcriptions:transcribe"
        and found.token.path == "/sts/v1.0/issueToken"
    )


def test_by_the_address_of_a_resource_of_its_own(monkeypatch):
    """Its paths begin with what they are for; here without TLS, which no simulator has."""

    async def scenario():
        async with speech() as (adapter, fleet):
            base = fleet.url("azure").replace("http", "ws")
            adapter._where = adapter._where._replace(live=Place(KEY, endpoint=base))
            for more in ({}, {"single_utterance": True}, {"diarize": True}):
                assert (await adapter.transcribe(hearing(**more))).value.text.startswith(FIRST)
            await said(await adapter.speak(saying(boundaries=True)))
            return [one.path for one in fleet.requests("azure")]

    assert asyncio.run(scenario()) == ["/stt/speech/universal/v2"] * 3 + ["/tts/cognitiveservices/websocket/v1"]


def test_over_http_with_a_key_for_speech_alone(tmp_path):
    """Who has no chat there has speech all the same, and what it cannot do with it is said."""

    async def scenario():
        fleet = Fleet(("azure",))
        await fleet.start()
        try:
            environ = {"AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": fleet.url("azure")}
            async with room(Registry(), tmp_path, environ) as here:
                file = {"file": ("a.wav", recording(TALK))}
                plain = await here.http.post("/api/ai/transcribe", files=file, data={"language": "en"})
                diarized = await here.http.post(
                    "/v1/audio/transcriptions",
                    files={"file": ("a.mp3", recording(TALK, "mp3"))},
                    data={"model": "azure/azure-stt", "response_format": "diarized_json"},
                )
                chat = await here.http.post("/api/ai/chat", json={"messages": [{"role": "user", "content": "Hi"}]})
                sound = await here.http.post(
                    "/v1/audio/speech", json={"model": "auto", "input": FIRST, "voice": "alloy"}
                )
                return plain, diarized, chat, sound
        finally:
            await fleet.stop()

    plain, diarized, chat, sound = asyncio.run(scenario())
    body = plain.json()
    assert (body["text"], body["method"], body["provider"]) == (f"{FIRST} {SECOND}", "azure_speech", "azure")
    assert body["model"] == FAST and body["cost"]["nano_usd"] is None  # its price is not confirmed
    assert [one["text"] for one in diarized.json()["segments"]] == [FIRST, SECOND]
    assert len({one["speaker"] for one in diarized.json()["segments"]}) == 2
    assert chat.status_code == 503 and "AZURE_OPENAI_KEY" in chat.text
    assert text(heard(sound.content)) == FIRST and sound.headers["x-patchbay-provider"] == "azure"


def test_a_failure_goes_on_to_the_next_provider(tmp_path):
    async def scenario():
        fleet = Fleet(("azure", "openai"))
        await fleet.start()
        try:
            environ = {
                "AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": fleet.url("azure"), "OPENAI_API_KEY": "k",
                "OPENAI_BASE_URL": f"{fleet.url('openai')}/v1", "AZURE_STT_MODEL": LIVE,
            }  # fmt: skip
            await fleet.fault("azure", "close:1011")
            async with room(Registry(), tmp_path, environ) as here:
                answer = await here.http.post("/api/ai/transcribe", files={"file": ("a.wav", recording(TALK))})
                return answer.json()
        finally:
            await fleet.stop()

    body = asyncio.run(scenario())
    assert (body["text"], body["provider"]) == (f"{FIRST} {SECOND}", "openai")
    assert body["attempts"][0]["error"] == "ServerFault"


def test_a_deadline_in_the_middle_of_what_is_heard_live_is_said(tmp_path):
    async def scenario():
        fleet = Fleet(("azure",))
        await fleet.start()
        try:
            environ = {"AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": fleet.url("azure")}
            await fleet.fault("azure", "stream_stall@1")
            async with room(Registry(), tmp_path, environ) as here:
                answer = await here.http.post(
                    "/api/ai/transcribe",
                    files={"file": ("a.wav", recording(TALK))},
                    data={"model": f"azure/{LIVE}", "stream": "true", "fallback": "false"},
                    headers={"x-patchbay-timeout-ms": "1500"},
                )
                decision = answer.headers["x-patchbay-decision"]
                return answer, (await here.http.get(f"/api/ai/decisions/{decision}")).json()
        finally:
            await fleet.stop()

    answer, receipt = asyncio.run(scenario())
    first, *_, last = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert first["delta"] == FIRST
    assert (last["error"]["class"], last["error"]["fault"]) == ("AttemptTimeout", "caller")
    assert receipt["outcome"] == "cut" and receipt["error"] == "AttemptTimeout"


def hasten(monkeypatch):
    """Sound goes out faster than it does, but no faster than the simulator hears it."""
    monkeypatch.setitem(azure_speech_sdk._PROPERTIES, "SPEECH-TransmitLengthBeforThrottleMs", "600000")
    monkeypatch.setattr(azure_speech_live, "_PACE", 30.0)


def test_silence_of_any_length_is_no_silence_of_the_service(monkeypatch):
    """Nothing is said for five minutes, or from the first to the last."""
    hasten(monkeypatch)
    paused = np.concatenate([spoken(TALK), silence(300), spoken(TALK)])

    async def scenario():
        async with speech() as (adapter, _):
            asked = [
                adapter.transcribe(hearing(audio=Audio(encoded(one), "wav", ms=len(one) // 16, rate=16_000)))
                for one in (paused, silence(200))
            ]
            return [reply.value for reply in await asyncio.gather(*asked)]

    made, nothing = asyncio.run(scenario())
    assert made.text == " ".join([FIRST, SECOND] * 2)
    assert made.segments[2].start == pytest.approx(len(spoken(TALK)) / 16_000 + 300, abs=0.05)
    assert (nothing.text, nothing.reason) == ("", "no speech was recognised")


def test_the_id_that_comes_with_the_first_sound_is_in_the_attempt(tmp_path):
    async def scenario():
        fleet = Fleet(("azure",))
        await fleet.start()
        try:
            async with room(Registry(), tmp_path, live_alone(fleet)) as here:
                asked = {"input": FIRST, "boundaries": True}
                answer = await here.http.post("/api/ai/speak", json=asked, headers={"accept": "application/json"})
                return answer.json()["attempts"][0]["request_id"]
        finally:
            await fleet.stop()

    assert asyncio.run(scenario())


def live_alone(fleet, **environ):
    return {"AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": fleet.url("azure"), "AZURE_STT_MODEL": LIVE, **environ}


def test_who_found_no_place_in_time_is_told_so_and_the_next_one_answers(tmp_path):
    async def scenario():
        fleet = Fleet(("azure", "openai"))
        await fleet.start()
        try:
            environ = live_alone(
                fleet, OPENAI_API_KEY="k", OPENAI_BASE_URL=f"{fleet.url('openai')}/v1", PATCHBAY_SPEECH_SESSIONS="1",
                PATCHBAY_ANSWER_TIMEOUT="0.5",
            )  # fmt: skip
            async with room(Registry(), tmp_path, environ) as here:
                await here.http.get("/api/ai/models")
                assert here.service._lasting is not None
                sessions = here.service._lasting.transport.sessions
                await sessions.enter()
                file = {"file": ("a.wav", recording(TALK))}
                first = await here.http.post("/api/ai/transcribe", files=file)
                last = await here.http.post(
                    "/api/ai/transcribe", files=file, data={"fallback": "false"},
                    headers={"x-patchbay-timeout-ms": "500"},
                )  # fmt: skip
                health = here.service.stats.healthy("azure")
                sessions.leave()
                return first.json(), last, health
        finally:
            await fleet.stop()

    first, last, health = asyncio.run(scenario())
    assert (first["text"], first["provider"], health) == (f"{FIRST} {SECOND}", "openai", None)
    error = last.json()["error"]
    for one in (first["attempts"][0], error["attempts"][0]):
        assert (one["error"], one["fault"], one.get("may_be_billed", False)) == ("SessionsFull", "gateway", False)
    assert last.status_code == 503 and "PATCHBAY_SPEECH_SESSIONS" in error["message"]


def test_what_cannot_be_sent_in_time_is_cut_or_not_asked(tmp_path, monkeypatch):
    """Sound goes out at twice its pace: parts go side by side, and speakers need all of it at once."""
    hasten(monkeypatch)
    long = encoded(np.concatenate([spoken(TALK), silence(180), spoken(TALK)]), "flac")

    async def scenario():
        fleet = Fleet(("azure",))
        await fleet.start()
        try:
            async with room(Registry(), tmp_path, live_alone(fleet)) as here:
                file, hurry = {"file": ("a.flac", long)}, {"x-patchbay-timeout-ms": "80000"}
                parted = await here.http.post("/api/ai/transcribe", files=file, data={"language": "en"}, headers=hurry)
                refused = await here.http.post("/api/ai/diarize", files=file, headers=hurry)
                return parted.json(), refused
        finally:
            await fleet.stop()

    parted, refused = asyncio.run(scenario())
    assert parted["text"] == " ".join([FIRST, SECOND] * 2) and "in 2 parts" in " ".join(parted["warnings"])
    assert refused.status_code == 400 and "x-patchbay-timeout-ms" in refused.json()["error"]["message"]


def test_what_a_session_had_been_sent_when_its_time_ran_out_is_in_its_attempt(tmp_path):
    async def scenario():
        fleet = Fleet(("azure",))
        await fleet.start()
        try:
            await fleet.fault("azure", "stream_stall@1")
            async with room(Registry(), tmp_path, live_alone(fleet)) as here:
                answer = await here.http.post(
                    "/api/ai/transcribe", files={"file": ("a.wav", recording(TALK))},
                    headers={"x-patchbay-timeout-ms": "800"},
                )  # fmt: skip
                return answer.json()["error"]["attempts"][0]
        finally:
            await fleet.stop()

    attempt = asyncio.run(scenario())
    assert attempt["error"] == "AttemptTimeout" and attempt["usage"]["source"] == "estimated"
    assert attempt["usage"]["audio_ms"] == audio().ms


def test_a_session_that_says_nothing_is_given_up_by_our_own_clock():
    """The SDK itself would wait for 70 seconds."""

    async def scenario():
        async with speech() as (adapter, fleet):
            await fleet.fault("azure", "hang")
            with pytest.raises(IdleTimeout, match="nothing came for"):
                await adapter.transcribe(hearing(idle=0.1))
            await ended(adapter)

    asyncio.run(scenario())
