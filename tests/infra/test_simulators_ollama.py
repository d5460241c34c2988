"""Ollama's own API, as Ollama's own SDK sees the simulator."""

import asyncio
import base64
import json

import httpx2
import ollama
import pytest

from tests.infra.test_simulators import HELLO, TIME, WEATHER, fleet

PLAIN, THINKER = "llama3.2:3b", "qwen3:8b"
IMAGE = base64.b64encode(b"\x89PNG and so on").decode()


def asked(act, fault=None):
    """What `act` makes of a client of a simulator."""

    async def run():
        async with fleet("ollama") as running:
            if fault:
                await running.fault("ollama", fault)
            client = ollama.AsyncClient(host=running.url("ollama"), trust_env=False)
            try:
                return await act(client)
            finally:
                await client._client.aclose()

    return asyncio.run(run())


def chat(messages=HELLO, model=PLAIN, fault=None, **fields):
    return asked(lambda client: client.chat(model=model, messages=messages, **fields), fault)


def lines(messages=HELLO, model=PLAIN, fault=None, **fields):
    async def act(client):
        return [line async for line in await client.chat(model=model, messages=messages, stream=True, **fields)]

    return asked(act, fault)


def posted(body, path="/api/chat", fault=None):
    async def run():
        async with fleet("ollama") as running, httpx2.AsyncClient(trust_env=False) as http:
            if fault:
                await running.fault("ollama", fault)
            return await http.post(running.url("ollama") + path, content=json.dumps(body))

    return asyncio.run(run())


def test_the_sdk_reads_an_answer():
    answer = chat()
    assert answer.message.content == f'Simulated answer from ollama ({PLAIN}): you said "Hello".'
    assert (answer.done, answer.done_reason, answer.prompt_eval_count) == (True, "stop", 2)
    assert answer.eval_count == -(-len(answer.message.content) // 4)
    assert answer.message.thinking is None


def test_the_sdk_reads_a_stream():
    whole, stream = chat(), lines()
    assert "".join(line.message.content for line in stream) == whole.message.content
    assert [line.done for line in stream] == [False] * (len(stream) - 1) + [True]
    last = stream[-1]
    assert (last.done_reason, last.prompt_eval_count, last.eval_count) == ("stop", 2, whole.eval_count)


def test_it_streams_unless_it_is_told_not_to():
    answer = posted({"model": PLAIN, "messages": HELLO})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert all(json.loads(line) for line in answer.text.splitlines())
    whole = posted({"model": PLAIN, "messages": HELLO, "stream": False})
    assert whole.json()["message"]["content"] == chat().message.content


@pytest.mark.parametrize(("model", "ids"), [(PLAIN, False), (THINKER, True)])
def test_tools_are_called_with_objects(model, ids):
    user = [{"role": "user", "content": "get_weather and get_time"}]
    whole, stream = chat(user, model, tools=[WEATHER, TIME]), lines(user, model, tools=[WEATHER, TIME])
    streamed = [call for line in stream for call in line.message.tool_calls or ()]
    for calls in (whole.message.tool_calls, streamed):
        assert [call.function.name for call in calls] == ["get_weather", "get_time"]
        assert calls[0].function.arguments == {"city": "simulated", "unit": "celsius", "days": 0}
    assert whole.done_reason == stream[-1].done_reason == "stop"
    raw = posted({"model": model, "messages": user, "tools": [WEATHER], "stream": False}).json()
    (call,) = raw["message"]["tool_calls"]
    assert ("id" in call) == ids


def test_what_a_tool_gave_is_answered():
    call = {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    history = [
        *HELLO,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_name": "get_weather", "content": "rain"},
    ]
    assert chat(history, tools=[WEATHER]).message.content.endswith('the tool returned "rain".')


def test_images_are_bare_base64():
    user = [{"role": "user", "content": "Look", "images": [IMAGE]}]
    assert "I was given 1 image: image/png of 14 bytes." in chat(user).message.content
    wrong = [{"role": "user", "content": "Look", "images": [f"data:image/png;base64,{IMAGE}"]}]
    answer = posted({"model": PLAIN, "messages": wrong})
    assert (answer.status_code, answer.json()) == (400, {"error": "illegal base64 data at input byte 4"})


def test_thinking():
    whole = chat(model=THINKER)
    assert whole.message.thinking == "Simulated thought."
    assert whole.eval_count == chat(model=THINKER, think=False).eval_count + 5
    stream = lines(model=THINKER, think="high")
    assert "".join(line.message.thinking or "" for line in stream) == "Simulated thought."
    with pytest.raises(ollama.ResponseError, match="does not support thinking") as refused:
        chat(think=True)
    assert refused.value.status_code == 400


@pytest.mark.parametrize("form", ["json", {"type": "object", "properties": {"n": {"type": "integer"}}}])
def test_formats(form):
    said = json.loads(chat(format=form).message.content)
    assert said["simulated"] is True if form == "json" else isinstance(said, dict)


def test_a_schema_is_kept():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert json.loads(chat(format=schema).message.content) == {"n": 0}


def test_options():
    short = chat(options={"num_predict": 2})
    assert (short.message.content, short.done_reason) == ("Simulate", "length")
    assert chat(options={"stop": [" from"]}).message.content == "Simulated answer"
    long = [{"role": "user", "content": "word " * 10_000}]
    assert chat(long).prompt_eval_count == 4096  # the classic: what is beyond is cut without a word
    assert chat(long, options={"num_ctx": 16384}).prompt_eval_count == 12500


def test_loading_and_unloading():
    assert chat([]).done_reason == "load"
    assert chat([], keep_alive=0).done_reason == "unload"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": ""}, "model is required"),
        ({"messages": "Hello"}, "cannot unmarshal str"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "invalid role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "cannot unmarshal list"),
        ({"format": "xml"}, "invalid format"),
        ({"options": {"num_ctx": "8k"}}, 'option "num_ctx" must be of type int'),
        ({"think": "loud", "model": THINKER}, "invalid think value"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
         "function.arguments"),
    ],
)  # fmt: skip
def test_what_is_refused(fields, said):
    answer = posted({"model": PLAIN, "messages": HELLO, **fields})
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_unknown_options_are_overlooked():
    assert posted({"model": PLAIN, "messages": HELLO, "options": {"no_such": 1}, "top": 1}).status_code == 200


# Faults, inside streams of lines too.


def test_an_error_in_a_stream_is_a_line():
    with pytest.raises(ollama.ResponseError, match="error was encountered while running the model"):
        lines(fault="stream_error@2")
    text = posted({"model": PLAIN, "messages": HELLO}, fault="stream_error@2").text
    assert [*json.loads(text.splitlines()[-1])] == ["error"]
    assert len(text.splitlines()) == 3


def test_a_stream_without_its_end():
    whole, cut = lines(), lines(fault="no_end_marker")
    assert [line.message.content for line in cut] == [line.message.content for line in whole[:-1]]
    assert not any(line.done for line in cut)


def test_half_a_line():
    text = posted({"model": PLAIN, "messages": HELLO}, fault="truncated_json").text
    assert text.count("\n") == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize(("path", "shape"), [("/api/chat", str), ("/v1/chat/completions", dict)])
def test_each_api_has_its_own_errors(path, shape):
    answer = posted({"model": PLAIN, "messages": HELLO}, path, fault="404")
    assert (answer.status_code, type(answer.json()["error"])) == (404, shape)


# The rest of the API.


def test_embeddings_are_those_of_the_other_api():
    async def act(client):
        return await client.embed("nomic-embed-text", ["Hello", "you"])

    found = asked(act)
    assert [len(one) for one in found.embeddings] == [768, 768]
    assert found.prompt_eval_count == 3
    theirs = posted({"model": "nomic-embed-text", "input": "Hello"}, "/v1/embeddings").json()
    assert theirs["data"][0]["embedding"] == pytest.approx(found.embeddings[0])


def test_what_it_says_of_a_model():
    async def act(client):
        return await client.show(THINKER), await client.show("bge-m3")

    thinker, embedder = asked(act)
    assert set(thinker.capabilities) == {"completion", "tools", "thinking"}
    assert embedder.capabilities == ["embedding"]
    missing = posted({"model": "nobody"}, "/api/show")
    assert (missing.status_code, missing.json()) == (404, {"error": "model 'nobody' not found"})
