"""JSON that meets a schema, from everybody who has any means: asked for, checked, mended once, told in the receipt."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pydantic
import pytest

from core.capabilities import Capability, Feature
from core.execution import apart
from core.providers.registry import Registry
from core.providers.row import Row
from core.providers.table import TABLE
from tests.contract import talk
from tests.contract.cases import EVERYBODY, NATIVE, OPENAI
from tests.contract.rooms import room
from tests.contract.upstream import as_json, upstream
from tests.harness import HELLO

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 18}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
RIGHT, WRONG, PROSE = '{"name":"Ada","age":36}', '{"name":"Ada","age":7}', "Her name is Ada."
# Who has no JSON mode and no schemas, but functions; and who has nothing of the kind.
SMITH = Row(
    "smith", "Smith", base_url="https://smith.example",
    features=frozenset({Feature.STREAM, Feature.TOOLS}), default_models={Capability.CHAT: "anvil"},
)  # fmt: skip
MUTE = Row(
    "mute", "Mute", base_url="https://mute.example",
    features=frozenset({Feature.STREAM}), default_models={Capability.CHAT: "silence"},
)  # fmt: skip
MEANS = {"openai": "native", "deepseek": "json_mode", "smith": "tool"}
MEANLESS = {"replicate"}  # has no formats and no functions
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
_serial = count()

modes = pytest.mark.parametrize("mode", ["plain", "stream"])
each_means = pytest.mark.parametrize("provider", MEANS)


@dataclass
class Script:
    """What each provider says, one answer after the other; the last one again and again."""

    answers: dict[str, list[Any]]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def speak(self, path, headers, raw):
        provider, body = path.split("/")[1], json.loads(raw)
        self.asked.append((provider, body))
        left = self.answers[provider]
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, int):
            return as_json({"error": {"message": "no", "type": "x"}}, said)
        if isinstance(said, dict):
            return as_json({"error": said}, 400)
        choices = [_choice(index, one, body) for index, one in enumerate(said if isinstance(said, list) else [said])]
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
        return _streamed(whole, usage) if body.get("stream") else as_json({**whole, "usage": usage})

    def by(self, provider):
        return [body for name, body in self.asked if name == provider]


def _choice(index, said, body):
    """A text, or a text and why it ended. Who is told to call a function does so."""
    text, finish = said if isinstance(said, tuple) else (said, "stop")
    message = {"role": "assistant", "content": text}
    if body.get("tool_choice"):
        name = body["tool_choice"]["function"]["name"]
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        finish = "tool_calls" if finish == "stop" else finish
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


def _streamed(whole, usage):
    events = []
    for choice in whole["choices"]:
        text = choice["message"]["content"]
        pieces = [{"role": "assistant", "content": ""}, {"content": text[:5]}, {"content": text[5:]}]
        events += [{"index": choice["index"], "delta": delta, "finish_reason": None} for delta in pieces]
        events.append({"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]})
    chunks = [{**whole, "object": "chat.completion.chunk", "choices": [event]} for event in events]
    chunks.append({**whole, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    raw = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return 200, "text/event-stream", raw.encode()


@asynccontextmanager
async def scripted(home, chain, more=None, /, **answers):
    """A gateway whose chain is these providers, who say what is written for them."""
    script = Script({name: list(said) for name, said in answers.items()})
    with upstream(script.speak) as url:
        environ = {"CHAT_CHAIN": ",".join(chain), **(more or {})}
        for name in chain:
            environ |= {f"{name.upper()}_API_KEY": f"{name}-key-0123", f"{name.upper()}_BASE_URL": f"{url}/{name}"}
        async with room(Registry([*TABLE, SMITH, MUTE]), home, environ) as here:
            yield here, script


def ask(
    home,
    chain,
    route=NATIVE,
    mode="plain",
    *,
    wanted=None,
    times=1,
    fields=None,
    **answers,
):
    """What was heard last, the receipt, and what the providers were asked."""

    async def scenario():
        async with scripted(home, chain, **answers) as (here, script):
            said = {"response_format": wanted or FORMAT, **(fields or {})}
            heard = [await here.ask(route, mode, **said) for _ in range(times)][-1]
            kept = (await here.http.get(f"/api/ai/decisions/{heard.decision}")).json() if heard.decision else {}
            return heard, kept, script

    return asyncio.run(scenario())


@modes
@each_means
def test_each_means_gives_what_was_asked_for(tmp_path, provider, mode):
    heard, kept, script = ask(tmp_path, [provider], mode=mode, **{provider: [RIGHT]})
    assert heard.status == 200, heard.body
    assert heard.text == RIGHT
    assert heard.done == (mode == "stream")
    assert kept["candidates"][0]["means"] == MEANS[provider]
    (body,) = script.by(provider)
    sent: dict[str, Any] = {
        "native": {"response_format": FORMAT},
        "json_mode": {"response_format": {"type": "json_object"}},
        "tool": {"tool_choice": {"type": "function", "function": {"name": "person"}}},
    }
    assert sent[MEANS[provider]].items() <= body.items()
    assert bool(body.get("stream")) == (mode == "stream" and provider == "openai")
    assert kept["usage"]["total_tokens"] == 110
    told = [one for one in kept["warnings"] if "checked here" in one]
    assert len(told) == (0 if provider == "openai" else 1)


@each_means
@pytest.mark.parametrize("wrong", [WRONG, PROSE, ""])
def test_a_wrong_answer_is_mended_once_and_both_are_paid_for(tmp_path, provider, wrong):
    heard, kept, script = ask(tmp_path, [provider], **{provider: [wrong, RIGHT]})
    assert heard.text == RIGHT
    first, second = kept["attempts"]
    assert (first["outcome"], first["error"], first["then"]) == ("failed", "SchemaMissed", "again")
    assert first["why"] == (
        "the answer misses the schema at properties/age/minimum" if wrong == WRONG else "the answer is not JSON"
    )
    assert "may_be_billed" not in first
    assert second["outcome"] == "ok"
    assert first["usage"]["total_tokens"] == second["usage"]["total_tokens"] == 110
    assert kept["usage"]["total_tokens"] == 220
    if provider != "smith":  # whose prices nobody knows
        assert kept["cost_nano"] == first["cost_nano"] + second["cost_nano"] > 0
    before, after = script.by(provider)
    more = after["messages"][len(before["messages"]) :]
    assert [one["role"] for one in more] == (["assistant", "user"] if wrong else ["user"])
    assert more[0]["content"] == wrong or not wrong
    assert ("At age: 7 is less than the minimum of 18" if wrong == WRONG else "It is not JSON") in more[-1]["content"]
    assert not any("billed" in one for one in kept["warnings"])


@pytest.mark.parametrize("route", [NATIVE, OPENAI])
def test_mended_before_a_word_of_it_is_streamed(tmp_path, route):
    heard, kept, _ = ask(tmp_path, ["deepseek"], route, "stream", deepseek=[WRONG, RIGHT])
    assert heard.text == RIGHT and heard.done
    assert heard.headers["x-patchbay-attempts"] == "2"
    assert [one["then"] for one in kept["attempts"]] == ["again", "done"]
    assert kept["outcome"] == "ok"


@modes
def test_who_is_wrong_twice_gives_way(tmp_path, mode):
    heard, kept, script = ask(tmp_path, ["deepseek", "openai"], mode=mode, deepseek=[WRONG], openai=[RIGHT])
    assert heard.text == RIGHT
    assert [(one["provider"], one["then"]) for one in kept["attempts"]] == [
        ("deepseek", "again"), ("deepseek", "next"), ("openai", "done"),
    ]  # fmt: skip
    assert kept["usage"]["total_tokens"] == 330
    assert heard.headers["x-patchbay-provider"] == "openai"
    (body,) = script.by("openai")
    assert body["messages"] == HELLO["messages"], "what others got wrong is not told to the next one"


def test_a_failure_while_mending_is_no_end_of_it(tmp_path):
    heard, kept, script = ask(tmp_path, ["deepseek"], deepseek=[WRONG, 500, RIGHT])
    assert heard.text == RIGHT
    assert [one["then"] for one in kept["attempts"]] == ["again", "again", "done"]
    assert script.by("deepseek")[1]["messages"] == script.by("deepseek")[2]["messages"]


@modes
def test_what_three_answers_miss_is_not_paid_for_everywhere(tmp_path, mode):
    chain = ["deepseek", "smith", "openai"]
    heard, kept, script = ask(tmp_path, chain, mode=mode, deepseek=[WRONG], smith=[PROSE], openai=[RIGHT])
    assert heard.error["type"] == "all_targets_failed"
    assert (
        "3 answers missed it, so nobody else is asked" in heard.error["message"]
        and "Simplify" in heard.error["message"]
    )
    assert [(one["provider"], one["then"]) for one in kept["attempts"]] == [
        ("deepseek", "again"), ("deepseek", "next"), ("smith", "stop"),
    ]  # fmt: skip
    assert [name for name, _ in script.asked] == ["deepseek", "deepseek", "smith"]
    assert kept["usage"]["total_tokens"] == 330


def test_nobody_gets_it_right(tmp_path):
    heard, kept, _ = ask(tmp_path, ["deepseek"], deepseek=[WRONG])
    assert heard.status == 502
    assert heard.error["type"] == "all_targets_failed"
    assert "properties/age/minimum" in heard.error["message"] and "Simplify the schema" in heard.error["message"]
    assert [one["error"] for one in kept["attempts"]] == ["SchemaMissed"] * 2
    assert kept["cost_nano"] == sum(one["cost_nano"] for one in kept["attempts"]) > 0
    assert "Ada" not in json.dumps(kept), "a receipt holds nothing of an answer"


@modes
def test_a_schema_that_one_provider_does_not_take_is_another_ones(tmp_path, mode):
    words = "Invalid schema for response_format 'person': In context=(), 'additionalProperties' is required."
    refusal = {"message": words, "type": "invalid_request_error", "param": "response_format", "code": None}
    heard, kept, _ = ask(tmp_path, ["openai", "deepseek"], mode=mode, openai=[refusal], deepseek=[RIGHT])
    assert heard.text == RIGHT
    assert [(one.get("error"), one["then"]) for one in kept["attempts"]] == [
        ("ParameterRefused", "next"),
        (None, "done"),
    ]


def test_a_schema_that_is_none_is_the_callers_mistake(tmp_path):
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "humanoid"}}}
    heard, _, script = ask(tmp_path, ["openai"], wanted=wanted, openai=[RIGHT])
    assert heard.status == 400
    assert heard.error["param"] == "response_format.json_schema.schema"
    assert "humanoid" in heard.error["message"]
    assert not script.asked


@pytest.mark.parametrize("provider", ["deepseek", "smith"])
def test_who_is_strict_wants_a_providers_own_means(tmp_path, provider):
    heard, _, script = ask(
        tmp_path, [provider, "openai"], fields={"strict": True}, openai=[RIGHT], **{provider: [RIGHT]}
    )
    assert heard.text == RIGHT
    assert not script.by(provider)


def test_who_has_no_means_is_left_out_with_a_reason(tmp_path):
    heard, kept, script = ask(tmp_path, ["mute", "smith"], mute=[RIGHT], smith=[RIGHT])
    assert heard.text == RIGHT and not script.by("mute")
    assert ("mute", "does not take json_schema") in {(one["provider"], one["reason"]) for one in kept["excluded"]}


def test_a_list_needs_a_schema_of_the_providers_own(tmp_path):
    wanted = {"type": "json_schema", "json_schema": {"name": "words", "schema": {"type": "array"}}}
    heard, _, script = ask(
        tmp_path, ["deepseek", "smith", "openai"], wanted=wanted, deepseek=["[]"], smith=["[]"], openai=["[1]"]
    )
    assert heard.text == "[1]" and [name for name, _ in script.asked] == ["openai"]


@pytest.mark.parametrize("provider", ["openai", "smith"])
def test_json_mode_is_checked_too(tmp_path, provider):
    heard, kept, _ = ask(tmp_path, [provider], wanted={"type": "json_object"}, **{provider: ["[1]", '{"a":1}']})
    assert heard.text == '{"a":1}'
    assert [one["then"] for one in kept["attempts"]] == ["again", "done"]


def test_every_choice_counts(tmp_path):
    heard, kept, _ = ask(tmp_path, ["openai"], OPENAI, fields={"n": 2}, openai=[[RIGHT, WRONG], [RIGHT, RIGHT]])
    assert [one["message"]["content"] for one in heard.body["choices"]] == [RIGHT, RIGHT]
    assert [one["then"] for one in kept["attempts"]] == ["again", "done"]


@each_means
def test_what_was_cut_short_is_said_and_not_mended(tmp_path, provider):
    heard, kept, script = ask(tmp_path, [provider], OPENAI, **{provider: [('{"name":"A', "length")]})
    (choice,) = heard.body["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ('{"name":"A', "length")
    assert len(script.asked) == 1
    assert any("cut at its greatest length" in one for one in kept["warnings"])


@each_means
def test_a_fence_is_taken_off(tmp_path, provider):
    heard, kept, _ = ask(tmp_path, [provider], **{provider: [f"```json\n{RIGHT}\n```"]})
    assert heard.text == RIGHT
    assert len(kept["attempts"]) == 1
    assert any("code fence" in one for one in kept["warnings"])


@pytest.mark.parametrize("text", [WRONG, PROSE])
def test_a_stream_that_went_out_wrong_is_told_of(tmp_path, text):
    heard, kept, _ = ask(tmp_path, ["openai"], mode="stream", openai=[text])
    assert heard.text == text and heard.done
    (told,) = [one for one in kept["warnings"] if "streamed as it came" in one]
    assert told in heard.events[-1]["warnings"]


@pytest.mark.parametrize(("said", "kept"), [(RIGHT, True), (WRONG, False), (('{"name":"A', "length"), False)])
def test_only_what_is_right_is_kept(tmp_path, said, kept):
    heard, _, script = ask(tmp_path, ["openai"], mode="stream", times=2, fields={"cache": "on"}, openai=[said])
    assert heard.headers["x-patchbay-cache"] == ("hit" if kept else "miss")
    assert len(script.asked) == (1 if kept else 2)


@modes
def test_what_was_mended_is_kept(tmp_path, mode):
    heard, _, script = ask(tmp_path, ["deepseek"], mode=mode, times=2, fields={"cache": "on"}, deepseek=[WRONG, RIGHT])
    assert heard.text == RIGHT and heard.headers["x-patchbay-cache"] == "hit"
    assert len(script.asked) == 2


@modes
def test_a_cap_counts_what_was_wrong(tmp_path, mode):
    """The dear one would be within it, but not after the two that were wrong."""
    asked = {"max_tokens": 150, "response_format": FORMAT}

    async def scenario():
        more = {"OPENAI_MODEL": "gpt-5.5", "LOCAL_LLM_MODEL": "llama"}
        chain, answers = ["deepseek", "openai", "local"], {"deepseek": [WRONG], "openai": [RIGHT], "local": [RIGHT]}
        async with scripted(tmp_path, chain, more, **answers) as (here, script):
            plan = (await here.http.post("/api/ai/route", json={**HELLO, **asked})).json()
            costs = {one["provider"]: one["cost_estimate_nano"] for one in plan["candidates"]}
            assert costs["openai"] > 5 * costs["deepseek"]
            heard = await here.ask(mode=mode, max_cost=costs["openai"] / 1e9, **asked)
            return heard, (await here.http.get(f"/api/ai/decisions/{heard.decision}")).json(), script

    heard, kept, script = asyncio.run(scenario())
    assert heard.text == RIGHT, kept
    assert [(one["provider"], one.get("error"), one["then"]) for one in kept["attempts"]] == [
        ("deepseek", "SchemaMissed", "again"),
        ("deepseek", "SchemaMissed", "next"),
        ("openai", "NoRoomToMend", "next"),
        ("local", None, "done"),
    ]
    assert [name for name, _ in script.asked] == ["deepseek", "deepseek", "local"]
    assert kept["cost_nano"] == 2 * kept["attempts"][0]["cost_nano"] > 0


def test_where_nobody_is_cheap_enough_the_cap_is_named(tmp_path):
    heard, kept, _ = ask(tmp_path, ["deepseek"], fields={"max_cost": 0.00022, "max_tokens": 150}, deepseek=[WRONG])
    assert [one["error"] for one in kept["attempts"]] == ["SchemaMissed", "NoRoomToMend"]
    assert "Raise max_cost" in heard.error["message"]


def test_no_retries_are_no_mending(tmp_path, monkeypatch):
    monkeypatch.setenv("MAX_RETRIES", "0")

    async def scenario():
        script = Script({"deepseek": [WRONG, RIGHT]})
        with upstream(script.speak) as url:
            environ = {"DEEPSEEK_API_KEY": "d-key-0123", "DEEPSEEK_BASE_URL": f"{url}/deepseek", "MAX_RETRIES": "0"}
            async with room(Registry(), tmp_path, environ) as here:
                return await here.ask(response_format=FORMAT), script

    heard, script = asyncio.run(scenario())
    assert heard.status == 502 and len(script.asked) == 1


def test_a_check_without_an_end_ends_and_holds_up_nobody(tmp_path, monkeypatch):
    """Each of many values goes thousands of ways that all lead nowhere."""
    monkeypatch.setattr(apart, "_PATIENCE", 0.5)
    parts = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(14)}
    schema = {
        "$defs": {**parts, "a14": {"type": "string"}},
        "type": "object",
        "additionalProperties": {"items": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/a0"}]}},
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "many", "schema": schema}}
    said = json.dumps({"all": [1] * 30_000})
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def watched(said, judge=apart._asked):
        before = turns
        try:
            return judge(said)
        finally:
            went_on.append(turns - before)

    async def scenario():
        async with scripted(tmp_path, ["openai"], openai=[said]) as (here, script):
            task = asyncio.create_task(others())
            heard = await here.ask(response_format=wanted)
            task.cancel()
            return heard, script

    went_on: list[int] = []
    monkeypatch.setattr(apart, "_asked", watched)
    heard, script = asyncio.run(scenario())
    assert heard.status == 400
    assert (heard.error["code"], heard.error["param"]) == ("schema_too_complex", "response_format")
    assert "could not be checked within 0.5 s" in heard.error["message"]
    assert len(script.asked) == len(went_on) == 1
    assert went_on[0] > 3000, "meanwhile the loop turns"


def test_what_is_checked_apart_is_mended_too(tmp_path):
    """Expressions are within one another by two ways."""
    pair = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "required": ["left"]}
    leaf = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}
    schema = {"anyOf": [pair, {**pair, "required": ["right"]}, leaf]}
    wanted = {"type": "json_schema", "json_schema": {"name": "sum", "schema": schema}}
    right = '{"left":{"value":1},"right":{"value":2}}'
    heard, kept, _ = ask(tmp_path, ["openai"], wanted=wanted, openai=['{"left":{"value":"one"}}', right])
    assert heard.text == right
    assert [(one.get("error"), one["then"]) for one in kept["attempts"]] == [("SchemaMissed", "again"), (None, "done")]


def test_a_process_that_cannot_be_started_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    schema = {"type": "object", "additionalProperties": {"$ref": "#"}, "properties": {"c": {"$ref": "#"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "many", "schema": schema}}
    heard, _, _ = ask(tmp_path, ["openai"], wanted=wanted, openai=["{}"])
    assert heard.error["code"] == "schema_too_complex" and "no process could be started" in heard.error["message"]


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#/$defs/a", "$defs": {"a": {"type": "array"}}}, {"anyOf": [{"type": "array"}, {"type": "string"}]}],
)
def test_what_refers_to_a_list_is_one(tmp_path, schema):
    wanted = {"type": "json_schema", "json_schema": {"name": "words", "schema": schema}}
    chain = ["deepseek", "smith", "openai"]
    heard, kept, script = ask(tmp_path, chain, wanted=wanted, deepseek=["[]"], smith=["[]"], openai=["[1]"])
    assert heard.text == "[1]" and [name for name, _ in script.asked] == ["openai"]
    assert {one["reason"] for one in kept["excluded"] if one["provider"] in {"deepseek", "smith"}} == {
        "gives json_schema only by JSON mode, which gives objects only",
        "gives json_schema only by a function call, which gives objects only",
    }


@each_means
@pytest.mark.parametrize("said", ["\ufeff" + RIGHT, f"\ufeff```json\n{RIGHT}\n```"])
def test_a_byte_order_mark_is_taken_off(tmp_path, provider, said):
    heard, kept, _ = ask(tmp_path, [provider], **{provider: [said]})
    assert heard.text == RIGHT
    assert len(kept["attempts"]) == 1
    assert any("byte order mark" in one for one in kept["warnings"])


# Everybody who is simulated, in his own dialect.


@modes
@pytest.mark.parametrize("kind", ["json_schema", "json_object"])
@pytest.mark.parametrize("provider", [name for name in EVERYBODY if name not in MEANLESS])
def test_everybody_mends(gateways, provider, kind, mode):
    gateway = gateways("quick", provider)
    wanted = FORMAT if kind == "json_schema" else {"type": kind}
    plan = gateway.http.post("/api/ai/route", json={**HELLO, "provider": provider, "response_format": wanted}).json()
    means = plan["candidates"][0]["means"]
    gateway.fault(provider, "wrong_json", times=1)
    heard = talk.ask(gateway, NATIVE, mode, provider=provider, response_format=wanted)
    assert heard.status == 200 and heard.headers["x-patchbay-provider"] == provider
    kept = gateway.receipt(heard.decision)
    if (means, kind) == ("tool", "json_object"):
        assert heard.text == "{}", "a call without its arguments, and any object will do"
        return
    if (means, mode) == ("native", "stream"):  # it has gone out before anybody could look
        assert [one["then"] for one in kept["attempts"]] == ["done"]
        assert any("streamed as it came" in one for one in kept["warnings"])
        return
    assert isinstance(json.loads(heard.text), dict)
    assert [(one["error"], one["then"]) for one in kept["attempts"][:1]] == [("SchemaMissed", "again")]
    assert all(one["usage"] for one in kept["attempts"]) and len(kept["attempts"]) == 2
    assert kept["usage"]["total_tokens"] == sum(one["usage"]["total_tokens"] for one in kept["attempts"])


@pytest.mark.parametrize("provider", [name for name in EVERYBODY if name not in MEANLESS])
def test_nobody_is_told_more_than_once(gateways, provider):
    gateway = gateways("quick", provider)
    gateway.fault(provider, "wrong_json")
    requests = talk.Requests(gateway)
    heard = talk.ask(gateway, NATIVE, provider=provider, fallback=False, response_format=FORMAT)
    assert heard.status == 502
    assert [one["error"] for one in heard.error["attempts"]] == ["SchemaMissed"] * 2
    assert requests.since() == {provider: 2}


def test_a_body_that_only_its_own_api_understands_is_sent_again_as_it_is(gateways):
    """What came before is at the provider: a translation with a complaint would be another conversation."""
    gateway = gateways("quick", "openai")
    first = gateway.http.post("/v1/responses", json={"model": "openai/auto", "input": "Hello"}).json()
    gateway.fault("openai", "wrong_json", times=1)
    wanted = {"format": {"type": "json_schema", "name": "person", "schema": PERSON}}
    asked = {"model": "openai/auto", "input": "Who?", "previous_response_id": first["id"], "text": wanted}
    answer = gateway.http.post("/v1/responses", json=asked)
    assert answer.status_code == 200, answer.text
    kept = gateway.receipt(answer.headers["x-patchbay-decision"])
    assert [one["then"] for one in kept["attempts"]] == ["again", "done"]
    before, after = gateway.fleet.requests("openai")[-2:]
    assert before.path == after.path == "/v1/responses"
    assert json.loads(before.body) == json.loads(after.body)
    assert json.loads(after.body)["previous_response_id"] == first["id"]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("route", "provider", "fields"),
    [
        ("/v1/responses", "openai", {"input": "Who?", "store": True, "truncation": "auto"}),
        ("/v1/messages", "anthropic", {"messages": HELLO["messages"], "max_tokens": 99, "container": "c_1"}),
    ],
)
def test_what_only_the_callers_own_dialect_says_is_not_lost_in_silence(gateways, route, provider, fields, strict):
    gateway = gateways("quick", provider)
    form = {"type": "json_schema", "schema": {**PERSON, "properties": {"name": {}, "age": {"type": "integer"}}}}
    wanted = {"text": {"format": {**form, "name": "person"}}, "output_config": {"format": form}}
    fields = {
        **fields,
        **({"text": wanted["text"]} if provider == "openai" else {"output_config": wanted["output_config"]}),
    }
    gateway.fault(provider, "wrong_json", times=1)
    answer = gateway.http.post(route, json={"model": f"{provider}/auto", **fields, "strict": strict})
    assert answer.status_code == 200, answer.text
    before, after = gateway.fleet.requests(provider)[-2:]
    kept = gateway.receipt(answer.headers["x-patchbay-decision"])
    assert [one["then"] for one in kept["attempts"]] == ["again", "done"]
    own = fields.keys() & {"store", "truncation", "container"}
    assert own <= json.loads(before.body).keys()
    if strict:
        assert (before.path, json.loads(before.body)) == (after.path, json.loads(after.body))
    else:
        assert "cannot be used" in after.body.decode()
    told = {one.partition(" was left out")[0] for one in kept["warnings"] if "was left out" in one}
    assert told & own == (set() if strict else own)


@pytest.mark.parametrize("fields", [{"response_format": {"type": "json_object"}}, {"tools": [WEATHER]}])
def test_nobody_is_told_of_a_choice_that_he_did_not_make(gateways, fields):
    gateway = gateways("quick", "anthropic")
    asked = {"provider": "anthropic", "response_format": {"type": "json_object"}, **fields}
    heard = talk.ask(gateway, NATIVE, **asked)
    assert heard.status == 200, heard.body
    kept = gateway.receipt(heard.decision)
    assert kept["candidates"][0]["means"] == "tool"
    assert not [one for one in kept["warnings"] if "tool_choice" in one]
    asked |= {"tools": [WEATHER], "tool_choice": "required"}
    kept = gateway.receipt(talk.ask(gateway, NATIVE, **asked).decision)
    assert [one for one in kept["warnings"] if "tool_choice became auto" in one]


# The official client.


class Person(pydantic.BaseModel):
    name: str
    age: int


class Tree(pydantic.BaseModel):
    value: int
    left: "Tree | None"
    right: "Tree | None"


@pytest.mark.parametrize("provider", EVERYBODY)
@pytest.mark.parametrize("model", [Person, Tree])
def test_parse_of_the_official_client(gateways, sdk, provider, model):
    client = sdk(gateways("quick", provider))
    messages: Any = [{"role": "user", "content": f"Who is it, {next(_serial)}?"}]
    done = client.chat.completions.parse(model=f"{provider}/auto", messages=messages, response_format=model)
    assert isinstance(done.choices[0].message.parsed, model)
    with client.chat.completions.stream(model=f"{provider}/auto", messages=messages, response_format=model) as stream:
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, model)


@pytest.mark.parametrize("provider", EVERYBODY)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_any_object_from_everybody(gateways, sdk, provider, stream):
    client = sdk(gateways("quick", provider))
    messages: Any = [{"role": "user", "content": f"Say it in JSON, {next(_serial)}."}]
    said = client.chat.completions.create(
        model=f"{provider}/auto", messages=messages, response_format={"type": "json_object"}, stream=stream
    )
    if stream:
        text = "".join(choice.delta.content or "" for chunk in said for choice in chunk.choices)
    else:
        text = said.choices[0].message.content
    assert isinstance(json.loads(text), dict)


def test_the_plan_says_by_what_means(gateways):
    gateway = gateways("quick", "deepseek")
    plan = gateway.http.post("/api/ai/route", json={**HELLO, "response_format": FORMAT}).json()
    means = {one["provider"]: (one["means"], one["reasons"][-1]) for one in plan["candidates"]}
    assert means["deepseek"] == ("json_mode", "by JSON mode, checked here")
    assert means["groq"][0] == "native"
