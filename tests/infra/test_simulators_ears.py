"""The simulated ears and voices of Google, Cohere, Replicate and Hugging Face, as the vendors' clients see them."""

import asyncio
import io
import json

import cohere
import httpx
import httpx2
import numpy as np
import pytest
from google import genai
from google.genai import errors, types
from huggingface_hub import AsyncInferenceClient
from replicate.client import Client
from replicate.exceptions import ReplicateError

from infra.local.simulators import signal
from infra.local.simulators.fleet import Fleet
from tests.sound import recording

SAID = "Good morning. That is all, and no more!"
HEARING, SPEAKING = "gemini-3.1-flash-lite", "gemini-3.8-flash-tts"
SEGMENTS = {
    "type": "OBJECT",
    "properties": {
        "segments": {"type": "ARRAY", "items": {"type": "OBJECT", "properties": {"text": {"type": "STRING"}}}}
    },
}


def at(vendor, work):
    """What a piece of work with a simulator's address gives."""

    async def scenario():
        running = Fleet((vendor,))
        await running.start()
        try:
            return await work(running.url(vendor))
        finally:
            await running.stop()

    return asyncio.run(scenario())


class TestGoogle:
    def asked(self, work):
        async def scenario(url):
            async with httpx2.AsyncClient(trust_env=False) as http:
                options = types.HttpOptions(base_url=url, httpx_async_client=http)
                async with genai.Client(api_key="k", http_options=options).aio as client:
                    return await work(client.models)

        return at("gemini", scenario)

    def test_what_it_hears(self):
        sound = types.Part.from_bytes(data=recording(SAID, "mp3"), mime_type="audio/mp3")
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=SEGMENTS)
        answer = self.asked(
            lambda models: models.generate_content(model=HEARING, contents=[sound, "Write it down"], config=config)
        )
        found = json.loads(answer.text)
        assert [one["text"] for one in found["segments"]] == ["Good morning.", "That is all, and no more!"]
        assert (found["language"], found["segments"][0]["start"]) == ("en", "00:00.000")
        counted = {one.modality: one.token_count for one in answer.usage_metadata.prompt_tokens_details}
        assert counted[types.MediaModality.AUDIO] > 64

    def test_who_only_chats_is_told_that_there_was_sound(self):
        sound = types.Part.from_bytes(data=recording(SAID, "mp3"), mime_type="audio/mp3")
        answer = self.asked(lambda models: models.generate_content(model=HEARING, contents=[sound, "Listen"]))
        assert answer.text.endswith('you said "Listen". I was given 1 audio part.')

    def spoken(self, model=SPEAKING, text="Hello there.", modalities=("AUDIO",), voice="Kore", **more):
        voices = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=voice))
        config = types.GenerateContentConfig(
            response_modalities=list(modalities), speech_config=types.SpeechConfig(voice_config=voices), **more
        )
        return self.asked(lambda models: models.generate_content(model=model, contents=text, config=config))

    def test_what_it_says(self):
        answer = self.spoken()
        blob = answer.candidates[0].content.parts[0].inline_data
        assert blob.mime_type == "audio/L16;codec=pcm;rate=24000"
        assert signal.text(signal.hear(np.frombuffer(blob.data, "<i2"), 24_000)) == "Hello there."
        (detail,) = answer.usage_metadata.candidates_tokens_details
        assert (detail.modality, detail.token_count) == (
            types.MediaModality.AUDIO,
            answer.usage_metadata.candidates_token_count,
        )

    def test_style_is_not_said(self):
        async def work(models):
            part = types.Part(text="Hello there.", speech_metadata=types.SpeechMetadata(style="calm"))
            voice = types.SpeechConfig(voice_config=types.VoiceConfig(voice="Puck"))
            config = types.GenerateContentConfig(response_modalities=["AUDIO"], speech_config=voice)
            chunks = await models.generate_content_stream(
                model=SPEAKING, contents=types.Content(role="user", parts=[part]), config=config
            )
            return b"".join(
                [part.inline_data.data async for chunk in chunks for part in chunk.candidates[0].content.parts or ()]
            )

        assert signal.text(signal.hear(np.frombuffer(self.asked(work), "<i2"), 24_000)) == "Hello there."

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"model": HEARING}, r"response modalities \(AUDIO\) is not supported"),
            ({"modalities": ("TEXT",)}, r"response modalities \(TEXT\) is not supported"),
            ({"voice": "alloy"}, "Voice name alloy is not supported"),
        ],
    )
    def test_what_it_turns_away(self, wrong, words):
        with pytest.raises(errors.ClientError, match=words) as caught:
            self.spoken(**wrong)
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


class TestCohere:
    def heard(self, file=None, **wrong):
        async def scenario(url):
            async with httpx.AsyncClient(trust_env=False) as http:
                client = cohere.AsyncClientV2(api_key="k", base_url=url, httpx_client=http)
                asked = {"model": "cohere-transcribe-03-2026", "language": "en", **wrong}
                return await client.audio.transcriptions.create(
                    file=file or ("a.ogg", recording(SAID, "ogg"), "audio/ogg"), **asked
                )

        return at("cohere", scenario)

    def test_what_it_hears(self):
        assert self.heard().text == SAID
        assert self.heard(temperature=0.3).text == SAID

    @pytest.mark.parametrize(
        ("wrong", "kind", "words"),
        [
            ({"language": "xx"}, cohere.BadRequestError, "language must be one of"),
            ({"temperature": 2.0}, cohere.UnprocessableEntityError, "temperature must be between"),
            ({"model": "command-a-03-2025"}, cohere.NotFoundError, "not found"),
            ({"file": ("a.txt", b"text", "text/plain")}, cohere.BadRequestError, "unsupported file extension"),
            ({"file": ("a.wav", b"text", "audio/wav")}, cohere.BadRequestError, "could not be decoded"),
        ],
    )
    def test_what_it_turns_away(self, wrong, kind, words):
        with pytest.raises(kind) as caught:
            self.heard(**wrong)
        assert words in caught.value.body["message"]


class TestReplicate:
    def made(self, **asked):
        """A prediction that has come to its end, and the file that it may name."""

        async def scenario(url):
            client = Client(api_token="k", base_url=url, trust_env=False)
            client.poll_interval = 0.001
            try:
                made = await client.predictions.async_create(**asked)
                await made.async_wait()
            finally:
                await client._async_client.aclose()
            async with httpx.AsyncClient(trust_env=False) as http:
                file = (await http.get(made.output)).content if isinstance(made.output, str) else b""
            return made.output, file

        return at("replicate", scenario)

    def test_a_file_is_put_there_and_heard(self):
        """The client puts files there by itself."""
        version = "1495a9cddc83b2203b0d8d3516e38b80fd1572ebc4bc5700ac1da56a9b3ed886"
        output, _ = self.made(version=version, input={"file": io.BytesIO(recording(SAID))})
        assert [one["text"] for one in output["segments"]] == ["Good morning.", "That is all, and no more!"]
        assert output["segments"][0]["words"][1]["word"] == " morning."
        assert (output["language"], output["num_speakers"]) == ("en", 1)

    def test_what_it_says_lies_at_an_address(self):
        _, data = self.made(model="minimax/speech-2.6-turbo", input={"text": "Hello there."})
        assert signal.text(signal.heard(data)) == "Hello there."

    @pytest.mark.parametrize(
        ("model", "given", "words"),
        [
            (
                "openai/gpt-4o-transcribe",
                {"audio": "data:audio/wav;base64,"},
                "Additional property audio is not allowed",
            ),
            ("openai/gpt-4o-transcribe", {"audio_file": "data:audio/wav;base64,AAAA"}, "format 'uri'"),
            ("openai/gpt-4o-transcribe", {"language": "en"}, "audio is required"),
            ("minimax/speech-2.6-turbo", {"text": "x", "speed": 9}, "Must be between"),
            ("minimax/speech-2.6-turbo", {"speed": 1}, "text is required"),
        ],
    )
    def test_what_it_turns_away(self, model, given, words):
        with pytest.raises(ReplicateError) as caught:
            self.made(model=model, input=given)
        assert caught.value.status == 422
        assert words in str(caught.value.detail)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # how its client sends bytes
class TestHuggingFace:
    def heard(self, audio, **more):
        async def scenario(url):
            address = f"{url}/hf-inference/models/openai/whisper-large-v3"
            async with AsyncInferenceClient(address, provider="hf-inference", api_key="k") as client:
                return await client.automatic_speech_recognition(audio, **more)

        return at("huggingface", scenario)

    def test_what_it_hears(self):
        assert self.heard(recording(SAID, "flac")).text.strip() == SAID

    def test_with_times(self):
        found = self.heard(recording(SAID), extra_body={"return_timestamps": True})
        assert [one.text for one in found.chunks] == [" Good morning.", " That is all, and no more!"]
        assert found.chunks[0].timestamp[1] < found.chunks[1].timestamp[0]
