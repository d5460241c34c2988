"""Transcription and speech in OpenAI's dialect: the adapters, over loopback, at simulators and at worse servers."""

import asyncio
import json
import tracemalloc
from contextlib import asynccontextmanager

import numpy as np
import pytest

from core.capabilities import Capability
from core.config.secrets import Secret
from core.config.settings import Account
from core.errors import (
    ContextTooLong,
    CredentialRefused,
    Dropped,
    IdleTimeout,
    Malformed,
    ModelMissing,
    ParameterRefused,
    RateLimited,
    RequestRefused,
    ServerFault,
    StreamCut,
    StreamFailed,
    TargetError,
)
from core.net.transport import Transport
from core.providers.contract import HOP, Call
from core.providers.registry import load_adapter
from core.providers.table import TABLE
from core.types.audio import Audio, Sound
from core.types.frame import Frame, Kind
from core.types.target import Target
from infra.local.simulators.forms import read_form
from infra.local.simulators.signal import hear, heard, say, silence, text, wav
from tests.contract.rooms import counted, fleet
from tests.contract.upstream import as_json, upstream

WORDS = "Good morning, and welcome. Shall we begin?"
KEY = "sk-not-a-real-one-1234"
WHISPERS = {
    "openai": "whisper-1", "together": "openai/whisper-large-v3", "groq": "whisper-large-v3", "local": "large-v3",
}  # fmt: skip
DIARIZING = {"openai": "gpt-4o-transcribe-diarize", "together": WHISPERS["together"], "local": WHISPERS["local"]}
SPEAKING = {
    "openai": "tts-1", "together": "hexgrad/Kokoro-82M", "groq": "canopylabs/orpheus-v1-english",
}  # fmt: skip
ROWS = {row.name: row for row in TABLE}
PREFIXES = {"groq": "/openai/v1"}


def audio(*lines, pause=0.5):
    parts = [part for speaker, line in lines for part in (say(line, speaker), silence(pause))]
    samples = np.concatenate(parts)
    return Audio(wav(samples), "wav", "pcm_s16le", len(samples) // 16, 16_000)


HELLO = audio((0, WORDS))
TALK = audio((0, "Hello, who is there?"), (3, "It is me."), (0, "Come in."))


def call(vendor, model, **body):
    return Call(Target(vendor, "default", model), body, idle=5, max_bytes=2**22, hop=1)


@asynccontextmanager
async def adapter(vendor, url, capability=Capability.TRANSCRIBE, **account):
    transport = await Transport().open()
    given = Account(key=Secret(KEY), base_url=url, **account)
    row = ROWS[vendor].of(given, capability)
    try:
        yield load_adapter(row)(row, given, transport)
    finally:
        await transport.close()


def asked(vendor, work, *faults, capability=Capability.TRANSCRIBE, **account):
    """What `work` returns, given an adapter of a simulated vendor, and what the vendor was asked."""

    async def scenario():
        async with fleet((vendor,)) as running:
            for fault in faults:
                await running.fault(vendor, fault)
            url = running.url(vendor) + PREFIXES.get(vendor, "/v1")
            async with adapter(vendor, url, capability, **account) as one:
                return await work(one), running.requests(vendor)

    return asyncio.run(scenario())


def transcribed(vendor, model=None, *faults, **body):
    body = {"audio": HELLO, **body}
    reply, (request, *_) = asked(
        vendor, lambda one: one.transcribe(call(vendor, model or WHISPERS[vendor], **body)), *faults
    )
    return reply, request


async def collected(source, frames=None):
    """Frames until the end; an error is raised as a reader would meet it, with those before in his list."""
    frames = [] if frames is None else frames
    try:
        while (some := await source.next()) is not None:
            frames += some
    finally:
        source.close()
    return frames


def spoken(vendor, model=None, *faults, voice=None, **body):
    async def work(one):
        source = await one.speak(call(vendor, model or SPEAKING[vendor], **{"input": WORDS, **body}))
        return source, await collected(source)

    (source, frames), requests = asked(vendor, work, *faults, capability=Capability.SPEAK, voice=voice)
    return source, frames, json.loads(requests[0].body)


def sound_of(frames):
    return b"".join(one.raw for one in frames)


@pytest.mark.parametrize("vendor", WHISPERS)
class TestWhisper:
    def test_a_transcript_has_its_times_and_its_language(self, vendor):
        reply, request = transcribed(vendor, timestamps=("word", "segment"), language="en-US")
        found, there = reply.value, heard(bytes(HELLO.data))
        assert (found.text, found.language, found.duration) == (WORDS, "en", HELLO.ms / 1000)
        assert [one.text for one in found.segments] == ["Good morning, and welcome.", "Shall we begin?"]
        assert [one.start for one in found.words] == pytest.approx([one.start for one in there], abs=0.01)
        assert (reply.usage.source, reply.usage.audio_ms, reply.warnings) == ("reported", HELLO.ms, ())
        form = read_form(request)
        assert form.files["file"] == ("audio.wav", HELLO.data)
        assert form.one("language") == "en"
        assert form.several("timestamp_granularities") == ["segment", "word"]

    def test_it_is_asked_with_our_own_headers(self, vendor):
        reply, request = transcribed(vendor)
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert (request.headers[HOP], request.headers["user-agent"]) == ("2", "patchbay")
        assert int(request.headers["content-length"]) == len(request.body)
        assert not [name for name in request.headers if "stainless" in name]
        assert reply.request_id == request.headers.get("x-request-id", reply.request_id)

    def test_vocabulary_and_prompt_are_one_prompt(self, vendor):
        _, request = transcribed(vendor, vocabulary=["Ada", "Patchbay"], prompt="A meeting.")
        assert read_form(request).one("prompt") == "Ada, Patchbay. A meeting."

    def test_into_english(self, vendor):
        reply, request = transcribed(vendor, task="translate", language="de")
        assert request.path.endswith("/audio/translations")
        assert (reply.value.text, reply.value.language) == (WORDS, "en")
        assert read_form(request).one("language") is None

    def test_silence_is_no_text_with_its_reason(self, vendor):
        quiet = Audio(wav(silence(1.0)), "wav", "", 1000, 16_000)
        reply, _ = transcribed(vendor, audio=quiet, timestamps=("word",))
        assert (reply.value.text, reply.value.reason) == ("", "no speech was recognised")
        assert reply.value.words == reply.value.segments == ()

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ("401", CredentialRefused), ("404", ModelMissing), ("429:2", RateLimited), ("500", ServerFault),
            ("drop_headers", Dropped), ("drop_body", Dropped), ("truncated_json", Malformed),
            ("wrong_content_type", Malformed), ("huge_body", Malformed),
        ],
    )  # fmt: skip
    def test_failures_are_told_as_everywhere(self, vendor, fault, error):
        with pytest.raises(error) as caught:
            transcribed(vendor, None, fault)
        assert KEY not in str(caught.value)
        assert caught.value.retry_after == (2 if fault == "429:2" else None)


class TestGpt:
    def test_words_and_languages_have_fields_of_their_own(self):
        reply, request = transcribed("openai", "gpt-transcribe", vocabulary=["Ada", "Lin"], languages=["en-GB", "de"])
        form = read_form(request)
        assert form.several("keywords") == ["Ada", "Lin"]
        assert form.several("languages") == ["en", "de"]
        assert form.one("response_format") == "json"
        assert (reply.value.text, reply.value.language, reply.warnings) == (WORDS, "en", ())

    def test_tokens_are_the_provider_s(self):
        reply, _ = transcribed("openai", "gpt-4o-transcribe", prompt="Ada and Lin")
        usage = reply.usage
        assert (usage.source, usage.audio_input) == ("reported", -(-HELLO.ms // 100))
        assert (usage.input > 0, usage.output > 0, usage.audio_ms) == (True, True, HELLO.ms)

    @pytest.mark.parametrize("model", ["gpt-transcribe", "gpt-4o-mini-transcribe"])
    @pytest.mark.parametrize("wish", [{"timestamps": ("word",)}, {"timestamps": ("segment",)}, {"diarize": True},
                                      {"task": "translate"}])  # fmt: skip
    def test_what_they_cannot_tell_is_not_asked(self, model, wish):
        async def work(one):
            with pytest.raises(ParameterRefused):
                await one.transcribe(call("openai", model, audio=HELLO, **wish))

        assert asked("openai", work)[1] == []


class TestSpeakers:
    @pytest.mark.parametrize("vendor", DIARIZING)
    def test_who_said_what(self, vendor):
        reply, _ = transcribed(vendor, DIARIZING[vendor], audio=TALK, diarize=True)
        first, second, third = reply.value.segments
        assert [one.text for one in (first, second, third)] == ["Hello, who is there?", "It is me.", "Come in."]
        assert first.speaker == third.speaker != second.speaker
        assert len(reply.value.speakers) == 2

    def test_known_voices_have_their_names(self):
        known = [{"name": "Ada", "audio": audio((3, "This is how I sound."))}, {"name": "Lin", "audio": None}]
        reply, request = transcribed(
            "openai", DIARIZING["openai"], audio=TALK, diarize=True, known_speakers=known, max_speakers=2, prompt="Hi"
        )
        assert reply.value.speakers == ("A", "Ada")
        form = read_form(request)
        assert (form.one("chunking_strategy"), form.one("response_format")) == ("auto", "diarized_json")
        assert [one.split(":")[0] for one in reply.warnings] == ["prompt", "max_speakers", "known_speakers"]

    def test_how_many_there_are_is_said_where_it_can_be(self):
        reply, request = transcribed("together", audio=TALK, diarize=True, min_speakers=1, max_speakers=1)
        assert reply.value.speakers == ("SPEAKER_00",)
        form = read_form(request)
        assert (form.one("diarize"), form.one("min_speakers"), form.one("max_speakers")) == ("true", "1", "1")

    def test_together_is_told_to_look_for_the_language(self):
        reply, request = transcribed("together", audio=audio((0, "Guten Tag, das ist nicht die Tür und der Hof.")))
        assert read_form(request).one("language") == "auto"
        assert reply.value.language == "de"


class TestLive:
    def live(self, *faults, model="gpt-4o-transcribe", **body):
        async def work(one):
            source = await one.transcribe_stream(call("openai", model, **{"audio": HELLO, **body}))
            return source, await collected(source)

        (source, frames), (request,) = asked("openai", work, *faults)
        assert read_form(request).one("stream") == "true"
        return source, frames

    def test_events_are_told_as_they_come(self):
        source, frames = self.live()
        *pieces, last = [json.loads(one.raw) for one in frames]
        assert "".join(one["delta"] for one in pieces) == last["text"] == WORDS
        assert [one.kind for one in frames] == [Kind.OUTPUT] * 7 + [Kind.END]
        assert source.transcript.text == WORDS
        assert (source.usage.source, source.usage.audio_ms) == ("reported", HELLO.ms)
        assert source.usage.audio_input > 0

    def test_segments_have_their_speakers(self):
        source, frames = self.live(model=DIARIZING["openai"], audio=TALK, diarize=True)
        assert [json.loads(one.raw)["type"] for one in frames[:-1]] == ["transcript.text.segment"] * 3
        assert [one.speaker for one in source.transcript.segments] == ["A", "B", "A"]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ("cut_stream@2", TargetError), ("no_end_marker", StreamCut),
            ("stream_error@1", (StreamFailed, ServerFault)),
            ("truncated_json", Malformed), ("wrong_content_type", Malformed), ("stream_error@0", TargetError),
        ],
    )  # fmt: skip
    def test_a_broken_one_is_an_error(self, fault, error):
        with pytest.raises(error):
            self.live(fault)


class TestSpeech:
    @pytest.mark.parametrize(
        ("vendor", "wanted", "given"),
        [
            *[("openai", kind, kind) for kind in ("mp3", "opus", "aac", "flac", "wav", "pcm")],
            ("together", "mp3", "pcm"), ("together", "pcm", "pcm"), ("groq", "mp3", "wav"), ("groq", "wav", "wav"),
        ],
    )  # fmt: skip
    def test_it_says_the_text(self, vendor, wanted, given):
        source, frames, _ = spoken(vendor, sound=Sound(wanted))
        said = sound_of(frames)
        found = hear(np.frombuffer(said, "<i2"), source.sound.rate) if given == "pcm" else heard(said)
        assert (source.sound.kind, text(found)) == (given, WORDS)
        assert (frames[-1].raw, frames[-1].kind) == (b"", Kind.END)
        assert all(one.kind is Kind.OUTPUT for one in frames[:-1])
        assert (source.usage.source, source.usage.characters) == ("reported", len(WORDS))

    def test_sound_in_events_says_what_was_used(self):
        source, frames, body = spoken("openai", "gpt-4o-mini-tts", sound=Sound("mp3"), instructions="Calmly.")
        assert text(heard(sound_of(frames))) == WORDS
        assert (body["stream_format"], body["instructions"]) == ("sse", "Calmly.")
        usage = source.usage
        assert (usage.source, usage.input > 0, usage.audio_output > 0) == ("reported", True, True)

    def test_samples_come_from_together_while_they_are_made(self):
        _, frames, body = spoken("together", sound=Sound("pcm"), language="en-US")
        assert len(frames) > 3
        assert (body["stream"], body["response_format"], body["response_encoding"]) == (True, "raw", "pcm_s16le")
        assert (body["sample_rate"], body["language"]) == (24_000, "en")

    def test_who_says_it(self):
        sound = Sound("wav")
        assert spoken("openai", sound=sound, voice="nova")[2]["voice"] == "nova"  # as the account says
        assert spoken("openai", sound=sound)[2]["voice"] == "alloy"
        assert spoken("groq", sound=sound)[2]["voice"] == "autumn"

        async def work(one):
            return await collected(await one.speak(call("openai", "tts-1", input=WORDS, voice="echo", sound=sound)))

        assert json.loads(asked("openai", work, capability=Capability.SPEAK)[1][0].body)["voice"] == "echo"

    def test_what_a_model_overlooks_is_said(self):
        source, _, body = spoken("openai", sound=Sound("wav"), instructions="Calmly.", speed=1.5)
        assert (body.get("instructions"), body["speed"]) == (None, 1.5)
        assert source.warnings == ("instructions: this model takes none (openai/tts-1)",)

    def test_a_voice_that_only_others_have_is_their_chance(self):
        with pytest.raises(ParameterRefused):
            asked(
                "openai", lambda one: one.speak(call("openai", "tts-1", input="Hi", voice="x", sound=Sound())),
                capability=Capability.SPEAK,
            )  # fmt: skip

    @pytest.mark.parametrize(("vendor", "model", "kind"), [
        ("openai", "tts-1", "mp3"), ("openai", "gpt-4o-mini-tts", "mp3"), ("together", "hexgrad/Kokoro-82M", "pcm"),
        ("groq", "canopylabs/orpheus-v1-english", "wav"),
    ])  # fmt: skip
    @pytest.mark.parametrize(
        "fault",
        ["cut_stream@2", "stream_error@2", "no_end_marker", "truncated_json", "drop_body", "wrong_content_type",
         "huge_body", "429"],
    )  # fmt: skip
    def test_sound_that_breaks_off_never_ends_well(self, vendor, model, kind, fault):
        with pytest.raises(TargetError) as caught:
            spoken(vendor, model, fault, sound=Sound(kind))
        assert KEY not in str(caught.value)

    def test_what_came_before_the_break_was_given(self):
        async def work(one):
            source = await one.speak(call("openai", "tts-1", input=WORDS, sound=Sound("wav")))
            frames: list[Frame] = []
            with pytest.raises(Dropped):
                await collected(source, frames)
            return sound_of(frames)

        said, _ = asked("openai", work, "cut_stream@3", capability=Capability.SPEAK)
        assert (said[:4], len(said)) == (b"RIFF", 3 * 4096)


def at(url, capability, work):
    async def scenario():
        async with adapter("openai", url, capability) as one:
            return await work(one)

    return asyncio.run(scenario())


def listening(said, model="whisper-1", **body):
    """What becomes of an answer that no simulator gives."""
    with upstream(lambda *_: said) as url:
        return at(url, Capability.TRANSCRIBE, lambda one: one.transcribe(
            call("openai", model, **{"audio": HELLO, **body})
        ))  # fmt: skip


@pytest.mark.parametrize(
    ("said", "body", "error"),
    [
        (as_json([]), {}, Malformed),
        (as_json({"words": []}), {}, Malformed),
        (as_json({"error": {"message": "odd"}}), {}, ServerFault),
        (as_json({"text": "Hi", "segments": [{"text": "Hi"}]}), {}, Malformed),
        (as_json({"text": "Hi", "segments": "none"}), {}, Malformed),
        (as_json({"text": "Hi", "segments": []}), {"timestamps": ("word",)}, Malformed),
        (as_json({"text": "Hi", "segments": []}), {"timestamps": ("segment",)}, Malformed),
        (as_json({"text": "Hi", "segments": []}), {"diarize": True}, Malformed),
        (as_json({"error": {"message": "Audio file might be corrupted", "param": "file"}}, 400), {}, ParameterRefused),
        (as_json({"error": {"message": "audio duration 1600 seconds is longer than 1400 seconds which is the maximum"
                            " for this model"}}, 400), {}, ContextTooLong),
        (as_json({"error": {"message": "temperature must be a number", "param": "temperature"}}, 400), {},
         RequestRefused),
    ],
)  # fmt: skip
def test_odd_answers(said, body, error):
    with pytest.raises(error) as caught:
        listening(said, **body)
    assert caught.value.request_id == "req_upstream"
    assert (caught.value.usage is not None) == (caught.value.message.startswith("the answer of"))


def test_a_key_that_is_quoted_is_cut_out():
    with pytest.raises(CredentialRefused) as caught:
        listening(as_json({"error": {"message": f"Incorrect API key provided: {KEY}."}}, 401))
    assert KEY not in caught.value.message


def test_tokens_that_nobody_counted_are_estimated_and_never_free():
    usage = listening(as_json({"text": "Hello there"}), "gpt-4o-transcribe").usage
    assert (usage.source, usage.audio_input, usage.output) == ("estimated", -(-HELLO.ms // 100), 3)


@pytest.mark.parametrize(
    "said", [(200, "audio/mpeg", b""), (200, "audio/mpeg", b"<html>not found</html>"), (200, "audio/wav", b"RI"),
             (200, "application/json", b'{"error": "odd"}'), (200, "audio/mpeg", wav(silence(0.2)))],
)  # fmt: skip
def test_what_is_no_sound(said):
    async def work(one):
        return await collected(await one.speak(call("openai", "tts-1", input="Hi", sound=Sound("mp3"))))

    with upstream(lambda *_: said) as url, pytest.raises(Malformed):
        at(url, Capability.SPEAK, work)


def test_a_server_that_knows_no_events_gives_sound_as_it_is():
    async def work(one):
        source = await one.speak(call("openai", "gpt-4o-mini-tts", input="Hi", sound=Sound("wav")))
        return await collected(source), source.usage

    whole = wav(say("Hi"))
    with upstream(lambda *_: (200, "audio/wav", whole)) as url:
        frames, usage = at(url, Capability.SPEAK, work)
    assert (sound_of(frames), usage.source, usage.characters) == (whole, "unknown", 2)


@pytest.mark.parametrize("capability", [Capability.TRANSCRIBE, Capability.SPEAK])
def test_who_falls_silent_is_not_waited_for(capability):
    async def work(one):
        if capability is Capability.SPEAK:
            return await collected(await one.speak(quick("tts-1", input=WORDS, sound=Sound("mp3"))))
        return await collected(await one.transcribe_stream(quick("gpt-transcribe", audio=HELLO)))

    def quick(model, **body):
        return call("openai", model, **body)._replace(idle=0.2)

    with pytest.raises(IdleTimeout):
        asked("openai", work, "stream_stall@1", capability=capability)


def test_the_own_tier_is_found_by_its_host():
    async def scenario():
        async with fleet(("local",)) as running, adapter("local", running.url("local")) as one:
            return await one.transcribe(call("local", "large-v3", audio=HELLO))

    assert asyncio.run(scenario()).value.text == WORDS


def test_a_wav_that_is_shorter_than_it_says_was_cut():
    async def work(one):
        return await collected(await one.speak(call("openai", "tts-1", input="Hi", sound=Sound("wav"))))

    whole = wav(say("Hello"))
    with upstream(lambda *_: (200, "audio/wav", whole[:-100])) as url, pytest.raises(StreamCut):
        at(url, Capability.SPEAK, work)
    endless = whole[:4] + b"\xff\xff\xff\xff" + whole[8:]  # as those are sent whose length nobody knows
    with upstream(lambda *_: (200, "audio/wav", endless)) as url:
        assert sound_of(at(url, Capability.SPEAK, work)) == endless


def test_connections_are_kept_and_renewed_with_all_others():
    """The SDK has none of its own: after a pause its uploads go over new ones, too."""

    async def scenario():
        async with fleet(("openai",)) as running, counted(running.url("openai")) as (url, made):
            transport = await Transport().open()
            given = Account(key=Secret(KEY), base_url=f"{url}/v1")
            row = ROWS["openai"].of(given, Capability.TRANSCRIBE)
            one = load_adapter(row)(row, given, transport)
            for _ in range(3):
                await one.transcribe(call("openai", "whisper-1", audio=HELLO))
            before = len(made)
            await transport.renew()
            await one.transcribe(call("openai", "whisper-1", audio=HELLO))
            await transport.close()
            return before, len(made)

    assert asyncio.run(scenario()) == (1, 2)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_an_upload_is_not_copied_whatever_it_lies_in(kind):
    size = 8 * 2**20
    big = HELLO._replace(data=kind(size))

    async def swallow(reader, writer):
        """Read a request piece by piece and keep nothing of it."""
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length:")[2].split()[0])
        while left > 0:
            left -= len(await reader.read(min(left, 2**16)))
        body = b'{"text":"Hi"}'
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async def scenario():
        server = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, adapter("openai", f"http://127.0.0.1:{port}/v1") as one:
            await one.transcribe(call("openai", "gpt-transcribe", audio=HELLO))  # imports
            tracemalloc.start()
            try:
                await one.transcribe(call("openai", "gpt-transcribe", audio=big))
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert asyncio.run(scenario()) < size / 8
