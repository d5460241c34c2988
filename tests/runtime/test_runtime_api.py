"""The small Runtime API by itself, over plain HTTP as a runtime client speaks it."""

import asyncio
import json

import httpx
import pytest

from infra.local.runtime_api import LARGEST, RuntimeApi

BASE = "/2018-06-01/runtime"


def with_api(work):
    async def run():
        async with RuntimeApi("chat") as api, httpx.AsyncClient(trust_env=False, timeout=10) as http:
            http.base_url = httpx.URL(f"http://{api.address}{BASE}")
            return await work(api, http)

    return asyncio.run(run())


def test_an_event_is_given_once_and_answered_by_its_id():
    async def work(api, http):
        invoked = asyncio.create_task(api.invoke(b'{"a":1}', 20))
        given = await http.get("/invocation/next")
        fields = given.headers
        assert given.json() == {"a": 1}
        assert fields["lambda-runtime-invoked-function-arn"].endswith(":function:chat")
        assert fields["lambda-runtime-trace-id"].startswith("Root=1-")
        assert int(fields["lambda-runtime-deadline-ms"]) > 0
        path = f"/invocation/{fields['lambda-runtime-aws-request-id']}/response"
        assert (await http.post(path, content=b'"done"')).status_code == 202
        assert await invoked == ("response", b'"done"')
        assert (await http.post(path, content=b'"twice"')).status_code == 400

    with_api(work)


def test_a_body_may_come_in_chunks():
    async def work(api, http):
        async def parts():
            yield b'{"errorMessage":'
            yield b'"oh"}'

        invoked = asyncio.create_task(api.invoke(b"{}", 20))
        id_ = (await http.get("/invocation/next")).headers["lambda-runtime-aws-request-id"]
        await http.post(f"/invocation/{id_}/error", content=parts())
        kind, body = await invoked
        assert (kind, json.loads(body)) == ("error", {"errorMessage": "oh"})

    with_api(work)


def test_an_answer_above_lambdas_limit_fails():
    async def work(api, http):
        for size, status, kind in ((LARGEST, 202, "response"), (LARGEST + 1, 413, "error")):
            invoked = asyncio.create_task(api.invoke(b"{}", 20))
            id_ = (await http.get("/invocation/next")).headers["lambda-runtime-aws-request-id"]
            posted = await http.post(f"/invocation/{id_}/response", content=b"x" * size)
            outcome = await invoked
            assert (posted.status_code, outcome.kind) == (status, kind)
            assert (b"Function.ResponseSizeTooLarge" in outcome.body) is (kind == "error")

    with_api(work)


def test_a_function_that_cannot_start_ends_the_wait_for_it():
    async def work(api, http):
        invoked = asyncio.create_task(api.invoke(b"{}", 20))
        await http.post("/init/error", content=b"{}")
        assert await invoked == ("init", b"{}")

    with_api(work)


def test_a_function_that_does_not_answer_is_given_up():
    async def work(api, http):
        invoked = asyncio.create_task(api.invoke(b"{}", 0.01))
        id_ = (await http.get("/invocation/next")).headers["lambda-runtime-aws-request-id"]
        with pytest.raises(TimeoutError):
            await invoked
        assert (await http.post(f"/invocation/{id_}/response", content=b"{}")).status_code == 400

    with_api(work)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/invocation/nobody/response")])
def test_what_it_does_not_know_is_refused(method, path):
    async def work(_api, http):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.json()["errorType"]) == (400, "InvalidRequestID")

    with_api(work)
