"""Ollama by its own API, through the gateway: what only that can do, and what its users complain of elsewhere."""

import asyncio
import json
from typing import Any

import pytest

from core.providers.registry import Registry
from core.types.usage import Usage
from core.wire.assembly import completion_of
from core.wire.sse import event
from tests.contract.cases import NATIVE, OPENAI, Mode
from tests.contract.cells import PNG, SCHEMA, WEATHER, calls_of, finish_of, image, text, user
from tests.contract.rooms import fleet, room
from tests.contract.upstream import as_json, upstream

MODEL, THINKER = "llama3.2:3b", "qwen3:8b"
modes = pytest.mark.parametrize("mode", ["plain", "stream"])


def talked(tmp_path, *asked: dict[str, Any], mode: Mode = "plain", path="", route=NATIVE, environ: Any = None):
    """The answers to these bodies, one after the other, and the bodies that reached Ollama."""

    async def scenario():
        async with fleet(["ollama"]) as running:
            settings = {"OLLAMA_BASE_URL": running.url("ollama") + path, "OLLAMA_MODEL": MODEL, **(environ or {})}
            async with room(Registry(), tmp_path, settings) as here:
                answers = [await here.ask(route, mode, **body) for body in asked]
            return answers, [json.loads(one.body) for one in running.requests("ollama")]

    return asyncio.run(scenario())


@modes
@pytest.mark.parametrize("model", [MODEL, THINKER], ids=["without ids", "with ids"])
def test_a_tool_loop(tmp_path, mode, model):
    """Ids of calls hold together, given or made here; what a tool found reaches the model under the tool's name."""
    first = {"model": f"ollama/{model}", "messages": [user("use get_weather")], "tools": [WEATHER]}
    (answer,), _ = talked(tmp_path, first, mode=mode)
    (call,) = calls_of(answer)
    assert call["id"].startswith("call_")
    assert json.loads(call["function"]["arguments"]) == {"place": "simulated"}
    assert finish_of(answer) == "tool_calls"

    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    told = {"role": "tool", "tool_call_id": call["id"], "content": "22 degrees"}
    (answer,), (sent,) = talked(tmp_path, {**first, "messages": [*first["messages"], said, told]}, mode=mode)
    assert answer.text.endswith('the tool returned "22 degrees".')
    assert sent["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"place": "simulated"}
    assert sent["messages"][2] == {
        "role": "tool", "content": "22 degrees", "tool_name": "get_weather", "tool_call_id": call["id"],
    }  # fmt: skip


@modes
def test_pictures_go_as_bare_base64(tmp_path, mode):
    (answer,), (sent,) = talked(tmp_path, {"messages": [user(text("Look"), image())]}, mode=mode)
    assert "I was given 1 image: image/png of 70 bytes." in answer.text
    assert sent["messages"] == [{"role": "user", "content": "Look", "images": [PNG.partition(",")[2]]}]


@modes
def test_thoughts_come_beside_the_answer(tmp_path, mode):
    body = {"model": f"ollama/{THINKER}", "reasoning_effort": "high", "messages": [user("Hello")]}
    (answer,), (sent,) = talked(tmp_path, body, mode=mode, route=OPENAI)
    assert sent["think"] == "high"
    if mode == "plain":
        assert answer.body["choices"][0]["message"]["reasoning_content"] == "Simulated thought."
    else:
        deltas = [choice["delta"] for event in answer.events for choice in event.get("choices") or ()]
        assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "Simulated thought."


@modes
def test_its_thoughts_go_back_and_another_s_do_not(tmp_path, mode):
    asked = {"model": f"ollama/{THINKER}", "messages": [user("Hello")], "thinking": {"type": "enabled"}}
    (first,), _ = talked(tmp_path, asked, mode=mode, route=OPENAI)
    events = [event(json.dumps(one).encode()) for one in first.events]
    turn = json.loads(completion_of(events, Usage()) or b"") if events else first.body
    turn = turn["choices"][0]["message"]
    foreign = {**turn, "reasoning_details": [{**turn["reasoning_details"][0], "format": "cohere-v2"}]}
    bodies = [{**asked, "messages": [user("Hello"), one, user("Bye")]} for one in (turn, foreign)]
    answers, sent = talked(tmp_path, *bodies)
    assert [one["messages"][1].get("thinking") for one in sent] == ["Simulated thought.", None]
    assert answers[0].body["warnings"] == [] and "only cohere-v2 can read it" in answers[1].body["warnings"][0]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [({"reasoning_effort": "none"}, False), ({"thinking": {"type": "disabled"}}, False), ({"think": "low"}, "low"),
     ({"thinking": {"type": "adaptive"}}, True), ({}, None)],
)  # fmt: skip
def test_how_much_it_thinks_is_the_callers_choice(tmp_path, asked, sent):
    body = {"model": f"ollama/{THINKER}", "messages": [user("Hello")], **asked}
    (answer,), (one,) = talked(tmp_path, body, route=OPENAI)
    assert one.get("think") == sent
    thought = answer.body["choices"][0]["message"].get("reasoning_content")
    assert thought == (None if sent is False else "Simulated thought.")


@modes
def test_a_model_that_does_not_think_answers_all_the_same(tmp_path, mode):
    """Some clients ask every model to think. It is asked again without, once, and the answer says so."""
    body = {"messages": [user("Hello")], "reasoning_effort": "low"}
    answers, sent = talked(tmp_path, body, body, mode=mode)
    assert [answer.text for answer in answers] == [f'Simulated answer from ollama ({MODEL}): you said "Hello".'] * 2
    assert [one.get("think") for one in sent] == ["low", None, None]
    for answer in answers:
        assert "reasoning_effort was left out: this model does not think" in answer.headers.get(
            "x-patchbay-warnings", ""
        )


@modes
@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"reasoning_effort": "high"}, "reasoning_effort was"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort was"),
        ({"think": True}, "think was"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking was"),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}, "thinking and reasoning_effort were"),
    ],
)
def test_the_one_warning_names_what_was_asked(tmp_path, mode, asked, names):
    answers, _ = talked(tmp_path, *[{"messages": [user("Hello")], **asked}] * 2, mode=mode)
    for answer in answers:
        said = f"{names} left out: this model does not think (ollama/{MODEL})"
        assert answer.headers.get("x-patchbay-warnings") == said


def test_who_is_strict_wants_that_refused(tmp_path):
    (answer,), sent = talked(tmp_path, {"reasoning_effort": "low", "strict": True})
    assert (answer.status, len(sent)) == (400, 1)
    assert "does not support thinking" in answer.error["message"]


@modes
def test_a_schema_is_its_format(tmp_path, mode):
    wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}
    (answer,), (sent,) = talked(tmp_path, {"messages": [user("A trip")], "response_format": wanted}, mode=mode)
    assert json.loads(answer.text) == {"city": "simulated", "days": 0}
    assert sent["format"] == SCHEMA
    (_,), (sent,) = talked(tmp_path, {"response_format": {"type": "json_object"}}, mode=mode)
    assert sent["format"] == "json"


LONG = [user("word " * 10_000)]  # 12,500 tokens


def test_a_long_prompt_is_not_cut(tmp_path):
    """Ollama loads a model with 4096 tokens of context and drops what is beyond without a word."""
    (short, long), (first, second) = talked(tmp_path, {}, {"messages": LONG})
    assert "options" not in first  # whatever its server was started with
    assert second["options"] == {"num_ctx": 32768}
    assert short.body["usage"]["prompt_tokens"] == 2
    assert long.body["usage"]["prompt_tokens"] == 12_500


@pytest.mark.parametrize("name", ["OLLAMA_NUM_CTX", "OLLAMA_CONTEXT_LENGTH"])
def test_the_context_can_be_set(tmp_path, name):
    asked: list[dict[str, Any]] = [{}, {"messages": LONG}, {"num_ctx": 2048}, {"options": {"num_ctx": 1024}}]
    _, sent = talked(tmp_path, *asked, environ={name: "8192"})
    assert [one["options"]["num_ctx"] for one in sent] == [8192, 8192, 2048, 1024]


@pytest.mark.parametrize(("value", "sent"), [("10m", "10m"), ("300", 300), ("-1", -1), ("1h30m", "1h30m"), ("0", 0)])
def test_how_long_it_stays_loaded_can_be_set(tmp_path, value, sent):
    _, (one, other) = talked(tmp_path, {}, {"keep_alive": "1m"}, environ={"OLLAMA_KEEP_ALIVE": value})
    assert (one["keep_alive"], other["keep_alive"]) == (sent, "1m")


def test_a_time_that_is_none_is_said_at_start(tmp_path):
    with pytest.raises(Exception, match="OLLAMA_KEEP_ALIVE"):
        talked(tmp_path, {}, environ={"OLLAMA_KEEP_ALIVE": "a while"})


def test_its_own_words_go_through_and_are_no_warnings(tmp_path):
    own = {"options": {"mirostat": 1}, "keep_alive": 5, "top_k": 3, "min_p": 0.1, "repetition_penalty": 1.1}
    (answer,), (sent,) = talked(tmp_path, {**own, "seed": 1, "stop": "x", "max_tokens": 9})
    assert answer.body["warnings"] == []
    assert sent["options"] == {
        "mirostat": 1, "top_k": 3, "min_p": 0.1, "repeat_penalty": 1.1, "seed": 1, "stop": ["x"], "num_predict": 9,
    }  # fmt: skip
    assert sent["keep_alive"] == 5


def test_who_may_not_call_is_given_nothing_to_call(tmp_path):
    body = {"messages": [user("use get_weather")], "tools": [WEATHER], "tool_choice": "none"}
    (answer,), (sent,) = talked(tmp_path, body)
    assert "tools" not in sent
    assert "you said" in answer.text


# The same by /v1, which an address that ends so keeps to.


@modes
def test_an_address_with_v1_keeps_to_that_dialect(tmp_path, mode):
    asked = {"messages": [user("Hello")], "options": {"num_ctx": 1}, "keep_alive": 5, "max_tokens": 100}
    (answer,), (sent,) = talked(tmp_path, asked, mode=mode, path="/v1", environ={"OLLAMA_KEEP_ALIVE": "10m"})
    assert answer.text.endswith('you said "Hello".')
    assert not {"options", "keep_alive"} & sent.keys()
    assert sent["max_tokens"] == 100
    said = answer.headers["x-patchbay-warnings"]
    assert "options was left out: it is not there under /v1" in said and "keep_alive was left out" in said


def test_thoughts_have_no_place_there(tmp_path):
    turn = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}
    (answer,), (sent,) = talked(tmp_path, {"messages": [user("Hello"), turn, user("Bye")]}, path="/v1")
    assert sent["messages"][1] == {"role": "assistant", "content": "Hi"}
    assert "messages[].reasoning_content was left out" in answer.body["warnings"][0]


def test_strict_there_is_refused_before_it_is_sent(tmp_path):
    (answer,), sent = talked(tmp_path, {"keep_alive": 5, "strict": True}, path="/v1")
    assert (answer.status, sent) == (400, [])
    assert "keep_alive was left out" in answer.error["message"]


# What its server says.


def ollama_saying(tmp_path, status, words, **fields):
    async def scenario(url):
        async with room(Registry(), tmp_path, {"OLLAMA_BASE_URL": url, "OLLAMA_MODEL": MODEL}) as here:
            return await here.ask(**fields)

    with upstream(lambda *_: as_json({"error": words}, status)) as url:
        return asyncio.run(scenario(url))


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [
        (404, f"model '{MODEL}' not found", "ModelMissing"),
        (400, "registry.ollama.ai/library/gemma3:4b does not support tools", "ParameterRefused"),
        (400, '"nomic-embed-text" does not support chat', "ParameterRefused"),
        (400, "the input length exceeds the context length", "ContextTooLong"),
        (400, "json: cannot unmarshal string", "RequestRefused"),
        (500, "model requires more system memory (12 GiB) than is available (8 GiB)", "ServerFault"),
        (503, "server busy, please try again.  maximum pending requests exceeded", "Overloaded"),
    ],
)
def test_its_refusals(tmp_path, status, words, error):
    answer = ollama_saying(tmp_path, status, words, fallback=False)
    attempt = answer.error["attempts"][0]
    assert (attempt["error"], attempt["status"]) == (error, status)
    assert " ".join(words.split()) in attempt["why"]


def test_an_error_in_place_of_an_answer(tmp_path):
    answer = ollama_saying(tmp_path, 200, "model runner has unexpectedly stopped", fallback=False)
    assert answer.status == 502
    assert answer.error["attempts"][0]["error"] == "ServerFault"
