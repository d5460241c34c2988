"""Simulated embeddings as the vendors' own SDK sees them."""

import asyncio
import base64
import math
import struct
from typing import TypedDict

import httpx2
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from infra.local.simulators.fleet import Fleet

SMALL, ADA, E5 = "text-embedding-3-small", "text-embedding-ada-002", "intfloat/multilingual-e5-large-instruct"
PATHS = {"azure": "/openai/v1"}
MODELS = {
    "openai": (SMALL, 1536), "azure": (SMALL, 1536), "azure classic": (SMALL, 1536), "together": (E5, 1024),
    "ollama": ("nomic-embed-text", 768), "local": ("bge-large-en", 1024),
}  # fmt: skip
each = pytest.mark.parametrize("kind", MODELS)


class Common(TypedDict):
    max_retries: int
    http_client: httpx2.AsyncClient


def asking(work, *names):
    """What `work` returns, given a function that asks a vendor's simulator through the official client."""

    async def scenario():
        fleet = Fleet(names or ("openai", "azure", "together", "ollama", "local"))
        await fleet.start()
        try:
            async with httpx2.AsyncClient(trust_env=False) as http:

                async def ask(kind, given="Hello", **fields):
                    root, common = fleet.url(kind.split()[0]), Common(max_retries=0, http_client=http)
                    client: AsyncOpenAI
                    if kind == "azure classic":
                        client = AsyncAzureOpenAI(azure_endpoint=root, api_key="k", api_version="2024-10-21", **common)
                    else:
                        url = root + PATHS.get(kind, "/v1")
                        client = AsyncOpenAI(base_url=url, api_key="k", **common)
                    model = fields.pop("model", MODELS[kind][0])
                    return await client.embeddings.create(model=model, input=given, **fields)

                return await work(ask)
        finally:
            await fleet.stop()

    return asyncio.run(scenario())


@each
def test_the_sdk_reads_them(kind):
    async def work(ask):
        found = await ask(kind, ["Hello", "you", "Hello"])
        model, size = MODELS[kind]
        assert (found.object, found.model, [one.index for one in found.data]) == ("list", model, [0, 1, 2])
        for one in found.data:
            assert len(one.embedding) == size
            assert math.isclose(math.hypot(*one.embedding), 1, rel_tol=1e-5)
        first, second, third = (one.embedding for one in found.data)
        assert first == third != second
        assert (await ask(kind, "Hello")).data[0].embedding == first
        if kind != "together":  # which counts nothing
            assert found.usage.prompt_tokens == found.usage.total_tokens == 5

    asking(work)


def test_one_model_is_one_space_wherever_it_runs():
    async def work(ask):
        here, there = await ask("openai"), await ask("azure")
        assert here.data[0].embedding == there.data[0].embedding
        other = await ask("openai", model=ADA)
        assert here.data[0].embedding != other.data[0].embedding

    asking(work)


def test_formats():
    async def work(ask):
        floats = (await ask("openai", encoding_format="float")).data[0].embedding
        text = (await ask("openai", encoding_format="base64")).data[0].embedding
        assert list(struct.unpack("<1536f", base64.b64decode(text))) == floats
        assert (await ask("together", encoding_format="base64")).data[0].embedding[0] < 1  # floats all the same

    asking(work)


def test_shorter_vectors_have_unit_length_too():
    async def work(ask):
        found = (await ask("openai", dimensions=256)).data[0].embedding
        assert len(found) == 256 and math.isclose(math.hypot(*found), 1, rel_tol=1e-5)
        for kind, model in (("openai", ADA), ("together", E5)):
            with pytest.raises(openai.BadRequestError, match="does not support specifying dimensions"):
                await ask(kind, model=model, dimensions=256)

    asking(work)


def test_ids_of_tokens():
    async def work(ask):
        assert len((await ask("openai", [1, 2, 3])).data) == 1
        found = await ask("azure", [[1, 2, 3], [4]])
        assert len(found.data) == 2 and found.usage.prompt_tokens == 4
        for kind in ("together", "ollama"):
            with pytest.raises(openai.BadRequestError):
                await ask(kind, [[1, 2, 3]])

    asking(work)


@pytest.mark.parametrize(
    ("kind", "given", "words", "code"),
    [
        ("openai", ["x"] * 2049, "maximum length 2048, but got an array with length 2049", "array_above_max_length"),
        ("azure", ["x"] * 2049, "maximum length 2048", "array_above_max_length"),
        ("openai", ["x" * 30_000] * 41, "max 300000 tokens per request", "max_tokens_per_request"),
        ("openai", ["x", "y" * 40_000], r"input\[1\]': maximum input length is 8192 tokens", None),
        ("openai", ["x", ""], r"input\[1\]': input cannot be an empty string", None),
        ("openai", "", "empty string", None),
        ("openai", [], "non-empty", "empty_array"),
        ("together", "y" * 4_000, "maximum input length is 514", None),
    ],
)
def test_limits_are_the_vendors_own(kind, given, words, code):
    async def work(ask):
        with pytest.raises(openai.BadRequestError, match=words) as caught:
            await ask(kind, given)
        assert caught.value.code == code

    asking(work)


def test_who_cuts_what_is_too_long_says_nothing():
    async def work(ask):
        assert len((await ask("ollama", "y" * 40_000)).data) == 1

    asking(work)


def test_a_model_for_chat_gives_none():
    async def work(ask):
        with pytest.raises(openai.PermissionDeniedError, match="not allowed to generate embeddings"):
            await ask("openai", model="gpt-5.4-mini")

    asking(work)


def test_a_strict_vendor_knows_its_parameters():
    async def work(ask):
        with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'input_type'"):
            await ask("openai", extra_body={"input_type": "query"})
        await ask("together", extra_body={"input_type": "query"})

    asking(work)


def test_faults_can_be_of_embeddings_alone():
    async def scenario():
        fleet = Fleet(("openai",))
        await fleet.start()
        try:
            await fleet.fault("openai", "503", capability="embed")
            async with httpx2.AsyncClient(trust_env=False, headers={"authorization": "Bearer k"}) as http:
                url = fleet.url("openai") + "/v1"
                body = {"model": SMALL, "input": "x", "messages": [{"role": "user", "content": "x"}]}
                vectors = await http.post(f"{url}/embeddings", json={"model": SMALL, "input": "x"})
                chat = await http.post(
                    f"{url}/chat/completions", json={"model": "gpt-4.1-mini", "messages": body["messages"]}
                )
            assert (vectors.status_code, chat.status_code) == (503, 200)
        finally:
            await fleet.stop()

    asyncio.run(scenario())


def test_they_are_listed():
    async def scenario():
        fleet = Fleet(("openai",))
        await fleet.start()
        try:
            async with httpx2.AsyncClient(trust_env=False, headers={"authorization": "Bearer k"}) as http:
                listed = (await http.get(fleet.url("openai") + "/v1/models")).json()["data"]
            assert SMALL in {one["id"] for one in listed}
        finally:
            await fleet.stop()

    asyncio.run(scenario())
