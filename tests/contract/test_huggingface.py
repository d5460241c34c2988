"""Embeddings of Hugging Face through the gateway: its own path, its nested arrays, and whose vectors they are."""

import asyncio
import json

import pytest

from core.providers.registry import Registry
from infra.local.simulators.embeddings import vector
from tests.contract.rooms import fleet, room
from tests.contract.upstream import as_json, upstream

E5, BERT = "intfloat/multilingual-e5-large-instruct", "google-bert/bert-base-uncased"


def embedded(tmp_path, vendors=("huggingface",), **body):
    """The answer, and what Hugging Face was asked."""

    async def scenario():
        async with fleet(vendors) as running:
            environ = {"HF_TOKEN": "hf_not-a-real-one", "HUGGINGFACE_BASE_URL": f"{running.url('huggingface')}/v1"}
            if "together" in vendors:
                environ |= {"TOGETHER_API_KEY": "k", "TOGETHER_BASE_URL": f"{running.url('together')}/v1"}
                await running.fault("together", "500")
            async with room(Registry(), tmp_path, environ) as here:
                answer = await here.http.post("/api/ai/embed", json={"cache": "off", **body})
            return answer.json(), running.requests("huggingface")

    return asyncio.run(scenario())


def test_texts_go_where_its_features_are_extracted(tmp_path):
    answer, (request,) = embedded(tmp_path, input=["Hello", "you"])
    assert request.path == f"/hf-inference/models/{E5}/pipeline/feature-extraction"
    assert json.loads(request.body) == {"inputs": ["Hello", "you"]}
    assert request.headers["authorization"] == "Bearer hf_not-a-real-one"
    assert answer["embeddings"] == [vector(E5, text, 1024).tolist() for text in ("Hello", "you")]
    assert (answer["model"], answer["dimensions"], answer["usage"]["source"]) == (E5, 1024, "estimated")
    assert answer["cost"]["nano_usd"] is None
    assert answer["warnings"][1:] == []  # but that they are not those of the usual model


def test_vectors_of_tokens_become_their_mean_and_that_is_said(tmp_path):
    answer, _ = embedded(tmp_path, input=["Hello you"], model=f"huggingface/{BERT}")
    rows = [vector(BERT, word, 768) for word in ("[CLS]", "Hello", "you", "[SEP]")]
    mean = [sum(column) / 4 for column in zip(*rows, strict=True)]
    assert answer["embeddings"][0] == pytest.approx(mean, abs=1e-6)
    assert answer["warnings"] == [f"{BERT} gives a vector for each token: these are their means"]


def test_many_go_in_parts(tmp_path):
    texts = [f"text {number}" for number in range(70)]
    answer, requests = embedded(tmp_path, input=texts)
    assert [len(json.loads(one.body)["inputs"]) for one in requests] == [24, 24, 22]
    assert answer["embeddings"][69] == vector(E5, "text 69", 1024).tolist()


def test_another_provider_s_vectors_of_the_same_model_are_the_same(tmp_path):
    answer, _ = embedded(tmp_path, ("together", "huggingface"), input="Hello", provider="together")
    assert [one["provider"] for one in answer["attempts"]] == ["together", "huggingface"]
    assert answer["embeddings"][0] == vector(E5, "Hello", 1024).tolist()


def test_other_dimensions_are_refused(tmp_path):
    answer, _ = embedded(tmp_path, input="Hello", model=f"huggingface/{BERT}", dimensions=5, fallback=False)
    (attempt,) = answer["attempts"]
    assert (attempt["error"], answer["error"]["param"]) == ("ParameterRefused", "dimensions")
    assert "its vectors have 768 dimensions" in attempt["why"]


def test_token_ids_are_declared_absent(tmp_path):
    answer, requests = embedded(tmp_path, input=[[1, 2]], provider="huggingface", fallback=False)
    assert requests == []
    assert "does not take tokens" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (503, {"error": "Model is currently loading", "estimated_time": 20.0}, "Overloaded"),
        (402, {"error": "You have exceeded your monthly included credits"}, "QuotaExhausted"),
        (400, {"error": f"Model {E5} is not supported by provider hf-inference"}, "ModelMissing"),
        (200, {"error": "something else"}, "ServerFault"),
        (200, [[0.5] * 1024], "Malformed"),
        (200, [[0.5] * 1024, [0.5] * 5], "Malformed"),
    ],
)
def test_what_it_says_in_place_of_vectors(tmp_path, status, content, error):
    async def scenario(url):
        environ = {"HF_TOKEN": "k", "HUGGINGFACE_BASE_URL": f"{url}/v1", "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, environ) as here:
            return (await here.http.post("/api/ai/embed", json={"input": ["a", "b"]})).json()

    with upstream(lambda *_: as_json(content, status)) as url:
        answer = asyncio.run(scenario(url))
    assert answer["error"]["attempts"][0]["error"] == error
    assert answer["error"]["attempts"][0].get("retry_after") == (
        content.get("estimated_time") if status == 503 else None
    )


@pytest.mark.parametrize(("said", "wait"), [(7.5, 7.5), (0, None), ("soon", None), (10**9, None)])
def test_a_model_that_is_being_loaded_says_for_how_long(tmp_path, said, wait):
    async def scenario(url):
        environ = {"HF_TOKEN": "k", "HUGGINGFACE_BASE_URL": f"{url}/v1", "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, environ) as here:
            return await here.ask()

    loading = {"error": "Model is currently loading", "estimated_time": said}
    with upstream(lambda *_: as_json(loading, 503)) as url:
        answer = asyncio.run(scenario(url))
    (attempt,) = answer.error["attempts"]
    assert (attempt["error"], attempt.get("retry_after")) == ("Overloaded", wait)
