"""The simulated Gemini as Google's own SDK sees it, and what it turns away."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from infra.local.simulators.fleet import Fleet, Waits

NEW, OLD = "gemini-3.8-flash", "gemini-2.5-flash"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", parameters_json_schema=CITY),
        types.FunctionDeclaration(name="clock"),
    ]
)


@asynccontextmanager
async def fleet():
    running = Fleet(("gemini",), waits=Waits(slow=0.01))
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def with_sdk(work, key="k"):
    """What a piece of work with Google's asynchronous client gives; the simulator comes along."""

    async def scenario():
        async with fleet() as running, httpx2.AsyncClient(trust_env=False) as http:
            options = types.HttpOptions(base_url=running.url("gemini"), httpx_async_client=http)
            async with genai.Client(api_key=key, http_options=options).aio as client:
                return await work(client, running)

    return asyncio.run(scenario())


def generated(model=NEW, contents="Hello", **config):
    async def work(client, _):
        return await client.models.generate_content(
            model=model, contents=contents, config=types.GenerateContentConfig(**config)
        )

    return with_sdk(work)


def test_an_answer_and_what_it_used():
    answer = generated(system_instruction="Be kind")
    assert answer.text == f'Simulated answer from gemini ({NEW}): you said "Hello".'
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.candidates[0].content.parts[-1].thought_signature
    usage = answer.usage_metadata
    parts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    assert usage.total_token_count == sum(parts)
    assert (answer.model_version, bool(answer.response_id)) == (NEW, True)


def test_a_stream_with_thoughts():
    async def work(client, _):
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW)
        config = types.GenerateContentConfig(thinking_config=thinking)
        stream = await client.models.generate_content_stream(model=NEW, contents="Hello", config=config)
        return [chunk async for chunk in stream]

    found = with_sdk(work)
    parts = [part for chunk in found for part in chunk.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.thought) == "Simulated thought."
    said = "".join(part.text for part in parts if not part.thought)
    assert said == f'Simulated answer from gemini ({NEW}): you said "Hello".'
    assert [chunk.candidates[0].finish_reason for chunk in found].count(types.FinishReason.STOP) == 1
    assert found[0].usage_metadata.candidates_token_count is None
    assert found[-1].usage_metadata.candidates_token_count > 0


@pytest.mark.parametrize("model", [NEW, OLD])
def test_tools_called_at_once_and_answered(model):
    async def work(client, _):
        chat = client.chats.create(model=model, config=types.GenerateContentConfig(tools=[TOOLS]))
        asked = await chat.send_message("weather and clock, please")
        results = [
            types.Part.from_function_response(name=call.name, response={"output": f"{call.name} is fine"})
            for call in asked.function_calls
        ]
        return asked, await chat.send_message(results)

    asked, answered = with_sdk(work)
    assert [(call.name, call.args) for call in asked.function_calls] == [
        ("weather", {"city": "simulated"}),
        ("clock", {}),
    ]
    assert [bool(call.id) for call in asked.function_calls] == [model == NEW] * 2
    signed = [bool(part.thought_signature) for part in asked.candidates[0].content.parts]
    assert signed == [model == NEW, False]
    assert 'the tool returned "clock is fine"' in answered.text


def test_media_schemas_and_several_answers():
    picture = types.Part.from_bytes(data=b"12345678", mime_type="image/png")
    sound = types.Part.from_bytes(data=b"12345678", mime_type="audio/wav")
    answer = generated(contents=["Look", picture, sound])
    assert "1 image: image/png of 8 bytes. I was given 1 audio part." in answer.text
    counted = {one.modality.value: one.token_count for one in answer.usage_metadata.prompt_tokens_details}
    assert set(counted) == {"TEXT", "IMAGE", "AUDIO"}
    for schema in ({"response_schema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}},
                   {"response_json_schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}):  # fmt: skip  # noqa: E501 - a pair
        assert json.loads(generated(response_mime_type="application/json", **schema).text) == {"a": "simulated"}
    several = generated(candidate_count=2, stop_sequences=["answer"], response_logprobs=True, logprobs=1)
    assert [one.content.parts[0].text for one in several.candidates] == ["Simulated "] * 2
    assert several.candidates[1].logprobs_result.chosen_candidates[0].token == "Simulated "


def test_vectors_tokens_and_models():
    async def work(client, _):
        config = types.EmbedContentConfig(output_dimensionality=4, task_type="RETRIEVAL_QUERY")
        vectors = await client.models.embed_content(model="gemini-embedding-001", contents=["a", "b"], config=config)
        counted = await client.models.count_tokens(model=NEW, contents="Hello there")
        return vectors.embeddings, counted.total_tokens, [one.name async for one in await client.models.list()]

    vectors, counted, models = with_sdk(work)
    assert [len(one.values) for one in vectors] == [4, 4]
    assert vectors[0].values != vectors[1].values
    assert counted == 3
    assert len(models) > 4 and f"models/{NEW}" in models  # more than a page


def test_what_is_blocked_and_why():
    assert (
        generated(contents="simulate:BLOCKED").prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT
    )
    cut = generated(contents="simulate:SAFETY")
    assert (cut.candidates[0].finish_reason, cut.text) == (types.FinishReason.SAFETY, None)


def test_a_fault_in_its_own_words():
    async def work(client, running):
        await running.fault("gemini", "429:2")
        with pytest.raises(errors.ClientError) as caught:
            await client.models.generate_content(model=NEW, contents="Hello")
        return caught.value

    error = with_sdk(work)
    assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"} in error.details["error"][
        "details"
    ]


def test_a_key_that_is_none():
    async def work(client, _):
        with pytest.raises(errors.ClientError) as caught:
            await client.models.generate_content(model=NEW, contents="Hello")
        return caught.value

    error = with_sdk(work, key="invalid")
    assert (error.code, error.details["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")


USER: Any = {"role": "user", "parts": [{"text": "weather"}]}
CALLED: Any = {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]}
ANSWERED = {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {}}}]}


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        (NEW, {}, "contents is not specified"),
        (NEW, {"contents": [USER], "temperature": 1}, 'Unknown name "temperature"'),
        (NEW, {"contents": [USER], "generationConfig": {"heat": 1}}, "Unknown name \"heat\" at 'generation_config'"),
        (NEW, {"contents": [USER], "generationConfig": {"seed": "a"}}, "TYPE_INT"),
        (NEW, {"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "valid role"),
        (NEW, {"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        (NEW, {"contents": [{"role": "user", "parts": [{"thought": True}]}]}, "must have one initialized field"),
        (NEW, {"contents": [CALLED]}, "function call turn comes immediately after a user turn"),
        (OLD, {"contents": [USER, CALLED, USER]}, "number of function response parts"),
        (NEW, {"contents": [USER, CALLED, ANSWERED]}, "missing a thought_signature"),
        (OLD, {"contents": [USER], "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, "not supported"),
        ("gemini-2.0-flash", {"contents": [USER], "generationConfig": {"thinkingConfig": {}, "topP": 2}}, "top_p"),
    ],
)
def test_what_is_turned_away(model, body, words):
    answer = asked(f"/v1beta/models/{model}:generateContent", body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_a_signature_is_its_own_or_the_word_that_stands_for_one():
    for signature, status in (("bm90IGl0cw==", 400), ("skip_thought_signature_validator", 200)):
        part = {**CALLED["parts"][0], "thoughtSignature": signature}
        body = {"contents": [USER, {"role": "model", "parts": [part]}, ANSWERED]}
        assert asked(f"/v1/models/{NEW}:generateContent", body).status_code == status


def test_both_spellings_are_taken_and_a_key_is_needed():
    body = {
        "contents": [USER],
        "generation_config": {"max_output_tokens": 1},
        "system_instruction": {"parts": [{"text": "a"}]},
    }
    answer = asked(f"/v1beta/models/{NEW}:generateContent", body)
    assert answer.json()["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert asked(f"/v1beta/models/{NEW}:generateContent", body, key="").status_code == 401


def asked(path, body, key="k"):
    async def scenario():
        async with fleet() as running, httpx2.AsyncClient(trust_env=False, base_url=running.url("gemini")) as http:
            return await http.post(path, json=body, headers={"x-goog-api-key": key} if key else {})

    return asyncio.run(scenario())
