"""The simulated Cohere as its own SDK sees it, and what others simulate of reranking."""

import asyncio
import json
from typing import Any

import cohere
import httpx
import httpx2
import pytest
from cohere.core.api_error import ApiError

from infra.local.simulators.fleet import Fleet

MODEL, THINKER, EMBEDDER, RANKER = "command-a-03-2025", "command-a-plus-05-2026", "embed-v4.0", "rerank-v4.0-pro"
HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
DOCUMENTS: list[Any] = [{"id": "tides", "data": {"text": "Tides follow the moon."}}, "Bread needs salt."]


def asking(work, fault=None):
    """What `work` returns, given the official client of a simulator."""

    async def scenario():
        fleet = Fleet(("cohere",))
        await fleet.start()
        if fault:
            await fleet.fault("cohere", fault)
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                client = cohere.AsyncClientV2(api_key="k", base_url=fleet.url("cohere"), httpx_client=http)
                return await work(client)
        finally:
            await fleet.stop()

    return asyncio.run(scenario())


def chat(fault=None, model=MODEL, messages=HELLO, **fields):
    return asking(lambda client: client.chat(model=model, messages=messages, **fields), fault)


def events(model=MODEL, messages=HELLO, **fields):
    async def work(client):
        return [one async for one in client.chat_stream(model=model, messages=messages, **fields)]

    return asking(work)


def test_chat():
    said = chat()
    assert [part.text for part in said.message.content] == [
        f'Simulated answer from cohere ({MODEL}): you said "Hello there".'
    ]
    assert said.finish_reason == "COMPLETE"
    billed, used = said.usage.billed_units, said.usage.tokens
    assert isinstance(billed.input_tokens, float) and billed.input_tokens > 0
    assert used.input_tokens > billed.input_tokens


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"max_tokens": 3}, "MAX_TOKENS"), ({"stop_sequences": ["said"]}, "STOP_SEQUENCE"), ({"seed": 1}, "COMPLETE")],
)
def test_why_it_ended(fields, reason):
    assert chat(**fields).finish_reason == reason
    assert events(**fields)[-1].delta.finish_reason == reason


def test_a_stream_says_what_the_whole_answer_says():
    found = events(THINKER)
    said = chat(model=THINKER)
    pieces: dict[str, str] = {"thinking": "", "text": ""}
    for one in found:
        if one.type == "content-delta":
            for kind in pieces:
                pieces[kind] += getattr(one.delta.message.content, kind) or ""
    thought, text = said.message.content
    assert pieces == {"thinking": thought.thinking, "text": text.text}
    assert [one.type for one in found if "delta" not in one.type] == [
        "message-start", "content-start", "content-end", "content-start", "content-end", "message-end",
    ]  # fmt: skip
    assert found[-1].delta.usage == said.usage


def test_thoughts_can_be_switched_off():
    said = chat(model=THINKER, thinking={"type": "disabled"})
    assert [part.type for part in said.message.content] == ["text"]


def test_a_tool_and_its_result():
    asked = [{"role": "user", "content": "What does weather say?"}]
    said = chat(messages=asked, tools=[TOOL])
    (call,) = said.message.tool_calls
    assert said.finish_reason == "TOOL_CALL" and said.message.tool_plan == "I will use weather."
    assert call.function.name == "weather" and json.loads(call.function.arguments) == {"place": "simulated"}
    streamed = events(messages=asked, tools=[TOOL])
    assert (
        "".join(one.delta.message.tool_plan for one in streamed if one.type == "tool-plan-delta")
        == "I will use weather."
    )
    start, *shreds, end = [one for one in streamed if one.type.startswith("tool-call")]
    assert start.delta.message.tool_calls.id == call.id and end.type == "tool-call-end" and len(shreds) > 1
    assert "".join(one.delta.message.tool_calls.function.arguments for one in shreds) == call.function.arguments
    turn = said.message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": call.id, "content": "Rain at noon"}
    after = chat(messages=[*asked, turn, result], tools=[TOOL])
    (citation,) = after.message.citations
    assert citation.text == "Rain at noon" and citation.sources[0].id == f"{call.id}:0"


def test_documents_are_cited_where_their_words_stand():
    said = chat(documents=DOCUMENTS)
    text = said.message.content[0].text
    first, second = said.message.citations
    assert text[first.start : first.end] == first.text == "Tides follow the moon."
    assert [one.sources[0].id for one in (first, second)] == ["tides", "doc:1"]
    streamed = [one.delta.message.citations for one in events(documents=DOCUMENTS) if one.type == "citation-start"]
    assert streamed == said.message.citations


def test_schemas():
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    wanted = {"type": "json_object", "json_schema": schema}
    assert json.loads(chat(response_format=wanted).message.content[0].text) == {"age": 0}


def test_images_where_the_model_sees():
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    messages = [{"role": "user", "content": parts}]
    assert "1 image: image/png of 3 bytes" in chat(model=THINKER, messages=messages).message.content[1].text
    with pytest.raises(ApiError) as refused:
        chat(messages=messages)
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"model": "gpt-4"}, 404, "not found"),
        ({"p": 1.0}, 422, "p must be between"),
        ({"k": 501}, 422, "k must be between"),
        ({"tool_choice": "REQUIRED"}, 400, "only be specified with tools"),
        ({"documents": DOCUMENTS, "response_format": {"type": "json_object"}}, 400, "not supported with tools"),
        ({"tools": [TOOL], "response_format": {"type": "json_object"}}, 400, "not supported with tools"),
        ({"thinking": {"type": "enabled", "token_budget": 0}}, 400, "positive integer"),
        ({"stop_sequences": list("abcdef")}, 400, "at most 5"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, 400, "tool_call_id not found"),
        ({"messages": [{"role": "developer", "content": "y"}]}, 400, "role must be one of"),
        ({"request_options": {"additional_body_parameters": {"top_p": 1}, "max_retries": 0}}, 422, "'top_p' is not"),
    ],
)
def test_what_it_turns_away(fields, status, words):
    with pytest.raises(ApiError) as refused:
        chat(**fields)
    assert refused.value.status_code == status and words in refused.value.body["message"]


@pytest.mark.parametrize("status", [401, 403, 404, 422, 498, 501])
def test_statuses_are_errors_of_the_sdk(status):
    with pytest.raises(ApiError) as failed:
        chat(fault=str(status))
    assert failed.value.status_code == status and failed.value.body["message"]


def test_an_error_amid_a_stream_is_its_end():
    async def work(client):
        return [one async for one in client.chat_stream(model=MODEL, messages=HELLO)]

    last = asking(work, fault="stream_error")[-1]
    assert last.delta.finish_reason == "ERROR" and "error occurred" in last.delta.error


def test_embeddings():
    def embed(**fields):
        return asking(lambda client: client.embed(model=EMBEDDER, **fields))

    found = embed(texts=["Hello", "you"], input_type="search_query", embedding_types=["float", "base64"])
    assert [len(one) for one in found.embeddings.float_] == [1536, 1536] and len(found.embeddings.base64) == 2
    assert found.meta.billed_units.input_tokens == 3.0
    assert len(embed(texts=["a"], input_type="search_query", output_dimension=256).embeddings.float_[0]) == 256
    picture = embed(images=["data:image/png;base64,AAAA"], input_type="image")
    assert picture.meta.billed_units.images == 1.0
    for wrong in ({"texts": ["a"] * 97, "input_type": "search_query"}, {"texts": ["a"], "input_type": "query"}):
        with pytest.raises(ApiError):
            embed(**wrong)


def test_reranking():
    documents = ["Bread needs salt.", "Tides follow the moon.", "The moon has no air."]
    found = asking(lambda client: client.rerank(model=RANKER, query="What moves tides: moon?", documents=documents))
    assert [one.index for one in found.results] == [1, 2, 0]
    assert found.meta.billed_units.search_units == 1.0
    many = asking(lambda client: client.rerank(model=RANKER, query="x", documents=["y"] * 101, top_n=2))
    assert len(many.results) == 2 and many.meta.billed_units.search_units == 2.0


def test_models():
    found = asking(lambda client: client.models.list(endpoint="rerank", page_size=2))
    assert [one.name for one in found.models] == ["rerank-v4.0-pro", "rerank-v4.0-fast"]
    assert found.next_page_token


def post(vendor, path, body):
    async def scenario():
        fleet = Fleet((vendor,))
        await fleet.start()
        try:
            async with httpx2.AsyncClient(trust_env=False) as http:
                headers = {"authorization": "Bearer k"}
                return await http.post(fleet.url(vendor) + path, json=body, headers=headers)
        finally:
            await fleet.stop()

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("vendor", "model"), [("together", "Salesforce/Llama-Rank-v1"), ("local", "bge-reranker-v2-m3")]
)
def test_others_rerank_in_their_own_form(vendor, model):
    body = {"model": model, "query": "the moon", "documents": ["salt", "the moon"], "top_n": 1}
    found = post(vendor, "/v1/rerank", body).json()
    assert [one["index"] for one in found["results"]] == [1]
    assert found["usage"]["total_tokens"] > 0 and found["model"] == model
    assert ("document" in found["results"][0]) == (vendor == "local")
    assert post(vendor, "/v1/rerank", {**body, "documents": ["a"] * 1025}).status_code == 400
    assert post(vendor, "/v1/rerank", {**body, "model": "m"}).status_code == 404


def test_hugging_face_compares_sentences():
    path = "/hf-inference/models/BAAI/bge-m3/pipeline/sentence-similarity"
    body = {"inputs": {"source_sentence": "the moon", "sentences": ["salt", "the moon"]}}
    low, high = post("huggingface", path, body).json()
    assert 0 <= low < high <= 1
    assert post("huggingface", path, {"inputs": "the moon"}).status_code == 400
