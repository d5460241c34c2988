"""What is in the key of an answer, and when an answer is kept at all."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cache.key import key_of, mode_of
from core.capabilities import Capability
from core.http.surfaces import chat_request
from core.types.caller import ALL_SCOPES, LOCAL, Caller
from core.types.request import Request
from tests.core.fakes import JSON, examples

BODY = {"messages": [{"role": "user", "content": "Hi"}], "temperature": 0}


def request(**fields):
    return chat_request({**BODY, **fields}, "/v1/chat/completions", None, wants_usage=False)


def key(caller=LOCAL, configuration="c", **fields):
    return key_of(caller, request(**fields), configuration)


def caller(**more):
    return Caller(**{"org": "acme", "project": "search", "key": "k", "scopes": ALL_SCOPES, **more})


DIFFERENT: list[dict[str, Any]] = [
    {"model": "auto"}, {"model": "openai/auto"}, {"provider": "openai"}, {"models": ["openai/gpt-6-luna"]},
    {"strategy": "fallback"}, {"tier": "fast"}, {"max_cost": 1}, {"fallback": False}, {"compatibility": "strict"},
    {"compatibility": "permissive"},
    {"temperature": 0.1}, {"top_p": 0.5}, {"n": 2}, {"seed": 1}, {"seed": 2}, {"stop": "x"}, {"stop": ["x"]},
    {"max_tokens": 5}, {"max_completion_tokens": 5}, {"presence_penalty": 1}, {"frequency_penalty": 1},
    {"logit_bias": {"1": 1}}, {"logprobs": True}, {"logprobs": 1}, {"top_logprobs": 1},
    {"tools": [{"type": "function", "function": {"name": "a"}}]}, {"tool_choice": "none"},
    {"parallel_tool_calls": False}, {"response_format": {"type": "json_object"}}, {"reasoning_effort": "low"},
    {"verbosity": "low"}, {"service_tier": "flex"}, {"user": "ann"}, {"metadata": {"a": "b"}}, {"top_k": 5},
    {"messages": [{"role": "user", "content": "Ho"}]}, {"messages": [{"role": "system", "content": "Hi"}]},
    {"messages": [{"role": "user", "content": "Hi", "name": "ann"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
]  # fmt: skip


def test_everything_that_changes_the_answer_is_in_it():
    keys = [key(), *(key(**fields) for fields in DIFFERENT)]
    assert len(set(keys)) == len(keys)


def test_nothing_else_is():
    same: list[dict[str, Any]] = [
        {"temperature": 0.0}, {"temperature": -0.0},
        {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}},
        {"seed": None}, {"tools": None}, {"messages": [{"content": "Hi", "role": "user"}]},
        {"cache": "on"}, {"cache": "write"}, {"fallback": True}, {"provider": None},
    ]  # fmt: skip
    assert {key(**fields) for fields in same} == {key()}
    assert key_of(LOCAL, request()._replace(route="/api/ai/chat", timeout=1.0), "c") == key()
    assert key_of(LOCAL, request(), "c") == key_of(LOCAL, request(temperature=0.0), "c")
    turned = dict(reversed(BODY.items()))
    assert key_of(LOCAL, chat_request(turned, "", None, wants_usage=True), "c") == key()


def test_the_order_of_a_schema_is_the_order_of_its_answer():
    def shaped(*names):
        properties = {name: {"type": "string"} for name in names}
        schema = {"name": "a", "schema": {"type": "object", "properties": properties}}
        return key(response_format={"type": "json_schema", "json_schema": schema})

    assert shaped("why", "what") != shaped("what", "why")


def test_the_order_of_names_in_a_message_is_nothing():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}

    def turned(value):
        if isinstance(value, dict):
            return {name: turned(one) for name, one in reversed(value.items())}
        return [turned(one) for one in value] if isinstance(value, list) else value

    messages = [{"role": "user", "content": [picture]}, {"role": "assistant", "content": "A", "name": "b"}]
    assert key(messages=messages) == key(messages=turned(messages))
    assert key(messages=messages) != key(messages=messages[::-1])


def test_whose_it_is():
    own = key(caller())
    assert key(caller(org="evil")) != own
    assert key(caller(project="shop")) != own
    assert key(caller(key="another of the project's")) == own
    assert key(caller(), configuration="another") != own
    # No name can pretend to be another pair of names.
    assert key(caller(org="a", project='b","c')) != key(caller(org='a","b', project="c"))


def test_a_capability_has_its_own():
    chat = request()
    assert key_of(LOCAL, chat._replace(capability=Capability.EMBED), "c") != key()


@examples()
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_every_body_that_can_be_sent_has_one(more):
    body = {**more, **BODY}
    one = key_of(LOCAL, Request(Capability.CHAT, body), "c")
    again = orjson.loads(orjson.dumps(body))
    assert key_of(LOCAL, Request(Capability.CHAT, again), "c") == one


def test_numbers_that_no_integer_holds():
    assert len({key(acme_k=value) for value in (1e300, -1e300, 1e19, 2.0**53, 3.0, 3.5)}) == 6


def test_a_body_as_deep_as_can_be_sent():
    deep: object = 1
    while True:
        body = {**BODY, "deep": deep}
        try:
            orjson.dumps(body)
        except orjson.JSONEncodeError:
            break
        assert key_of(LOCAL, Request(Capability.CHAT, body), "c")
        deep = [deep]


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({}, "on"),
        ({"temperature": 0.0}, "on"),
        ({"temperature": 0.1}, "off"),
        ({"temperature": None}, "off"),
        ({"temperature": 0.7, "cache": "on"}, "on"),
        ({"temperature": 0.7, "cache": True}, "on"),
        ({"cache": "READ"}, "read"),
        ({"cache": "write"}, "write"),
        ({"cache": False}, "off"),
        ({"web_search_options": {}}, "off"),
        ({"web_search_options": {}, "cache": "on"}, "on"),
        ({"store": True}, "off"),
        ({"store": False}, "on"),
        ({"store": None}, "on"),
        ({"modalities": None, "audio": None}, "on"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "a"}, "cache": "on"}, "off"),
    ],
)
def test_modes(fields, mode):
    assert mode_of(request(**fields)) == mode


def test_without_a_temperature_it_is_off_and_for_embeddings_on():
    body = {"messages": BODY["messages"]}
    assert mode_of(Request(Capability.CHAT, body)) == "off"
    assert mode_of(Request(Capability.EMBED, {"input": "a"})) == "on"
