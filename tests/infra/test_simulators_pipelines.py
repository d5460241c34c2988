"""Hugging Face's feature extraction, as its simulator answers it."""

import asyncio

import httpx2
import pytest

from infra.local.simulators.embeddings import vector
from tests.infra.test_simulators import fleet

E5, BERT = "intfloat/multilingual-e5-large-instruct", "google-bert/bert-base-uncased"


def extracted(model, body, fault=None):
    async def run():
        async with fleet("huggingface") as running, httpx2.AsyncClient(trust_env=False) as http:
            if fault:
                await running.fault("huggingface", fault)
            url = f"{running.url('huggingface')}/hf-inference/models/{model}/pipeline/feature-extraction"
            return await http.post(url, json=body, headers={"authorization": "Bearer hf_any"})

    return asyncio.run(run())


def test_a_text_has_a_vector_and_a_list_has_a_list():
    alone, listed = (extracted(E5, {"inputs": given}).json() for given in ("Hello", ["Hello", "you"]))
    assert alone == listed[0] == vector(E5, "Hello", 1024).tolist()
    assert [len(one) for one in listed] == [1024, 1024]


def test_some_models_give_a_vector_for_each_token():
    (found,) = extracted(BERT, {"inputs": ["Hello you"]}).json()
    assert [len(one) for one in found] == [768] * 4


def test_a_name_may_come_in_one_piece():
    assert extracted(E5.replace("/", "%2F"), {"inputs": "Hello"}).json() == vector(E5, "Hello", 1024).tolist()


@pytest.mark.parametrize("body", [{}, {"inputs": []}, {"inputs": [1]}, {"inputs": "x", "model": "y"}], ids=repr)
def test_what_is_refused(body):
    answer = extracted(E5, body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


def test_faults():
    assert isinstance(extracted(E5, {"inputs": "x"}, "503").json()["error"], str)
    assert extracted(E5, {"inputs": "x " * 2000}).status_code == 422
