"""What is wrong with a request is said in a complete 4xx, and no provider hears of it."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functions.helpers import CALL_ROUTES, CHAT_ROUTES, calls, complete, has_receipt_headers, problem
from tests.harness import HELLO, Server, server

JSON = {"content-type": "application/json"}
USER = {"role": "user", "content": "Hello"}
LIMIT = 2000


@pytest.fixture
def uncalled(gateway: Server) -> Iterator[Server]:
    """A gateway whose providers must not be called."""
    before = calls(gateway)
    yield gateway
    assert calls(gateway) == before


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that takes small bodies only."""
    with server(tmp_path_factory.mktemp("narrow"), PATCHBAY_MAX_BODY_BYTES=str(LIMIT)) as running:
        yield running


def nested(depth: int, *, of: str = "object") -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if of == "array" else {"a": value}
    return value


# Bodies that are not a JSON object at all.
NOT_JSON = {
    "empty": b"",
    "blank": b" \n",
    "word": b"hello",
    "truncated": b'{"messages":[{"role":"user","content":"Hel',
    "trailing comma": b'{"messages":[],}',
    "single quotes": b"{'messages':[]}",
    "two documents": b'{"messages":[]}{"messages":[]}',
    "form": b"messages=Hello&model=auto",
    "not a number": b'{"messages":[{"role":"user","content":"Hello"}],"temperature":NaN}',
    "infinity": b'{"messages":[{"role":"user","content":"Hello"}],"temperature":Infinity}',
    "minus infinity": b'{"messages":[{"role":"user","content":"Hello"}],"temperature":-Infinity}',
    "beyond a double": b'{"messages":[{"role":"user","content":"Hello"}],"temperature":1e400}',
    "deep arrays": b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "unclosed arrays": b"[" * 50_000,
    "invalid UTF-8": b'{"messages":[{"role":"user","content":"\xff\xfe"}]}',
    "latin-1": '{"messages":[{"role":"user","content":"caf\u00e9"}]}'.encode("latin-1"),
    "UTF-16": '{"messages":[{"role":"user","content":"Hello"}]}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"messages":[{"role":"user","content":"Hello"}]}',
    "lone surrogate": b'{"messages":[{"role":"user","content":"\\ud800"}]}',
    "raw newline in a string": b'{"messages":[{"role":"user","content":"a\nb"}]}',
    "nul bytes": b"\x00" * 20,
    "compressed": gzip.compress(json.dumps(HELLO).encode(), mtime=0),
}
NOT_AN_OBJECT = {
    "array": b"[]",
    "array of a body": json.dumps([HELLO]).encode(),
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"Hello"',
}


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_not_json(uncalled, route, raw):
    error = problem(uncalled.http.post(route, content=raw, headers=JSON), 400)
    assert error["type"] == "invalid_request_error"
    assert "JSON" in error["message"]


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize("raw", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
def test_a_body_that_is_not_an_object(uncalled, route, raw):
    error = problem(uncalled.http.post(route, content=raw, headers=JSON), 400)
    assert "object" in error["message"]


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/octet-stream",
        "text/plain, application/json",
        "json",
    ],
)
def test_a_body_that_does_not_say_it_is_json(uncalled, route, kind):
    headers = {} if kind is None else {"content-type": kind}
    error = problem(uncalled.http.post(route, content=json.dumps(HELLO), headers=headers), 415)
    assert "application/json" in error["message"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"])
def test_parameters_and_case_of_the_content_type_do_not_matter(gateway, kind):
    answer = gateway.http.post("/api/ai/chat", content=json.dumps(HELLO), headers={"content-type": kind})
    assert answer.status_code == 200, answer.text


STRINGS = (
    "model",
    "provider",
    "strategy",
    "tier",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)
NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "max_cost")
WHOLES = ("n", "seed", "max_tokens", "max_completion_tokens", "top_logprobs")
FLAGS = ("stream", "parallel_tool_calls", "store", "fallback", "strict")
LISTS = ("messages", "tools", "functions", "modalities", "models")
OBJECTS = (
    "stream_options",
    "logit_bias",
    "response_format",
    "audio",
    "prediction",
    "metadata",
    "web_search_options",
    "prompt_cache_options",
)
# Which values no field of a kind takes.
WRONG_VALUES: list[tuple[tuple[str, ...], list[Any]]] = [
    (STRINGS, [7, True, ["x"], {"a": 1}]),
    (NUMBERS, ["1", True, [1], {}]),
    (WHOLES, ["1", 1.5, True, [1]]),
    (FLAGS, ["true", 1, 0, []]),
    (LISTS, ["x", 7, True, {"a": 1}]),
    (OBJECTS, ["x", 7, True, []]),
    (("tool_choice", "function_call"), [7, True, []]),
    (("stop",), [7, True, {}]),
    (("cache",), [7, [], {}]),
]
WRONG_TYPES = [(name, wrong) for names, values in WRONG_VALUES for name in names for wrong in values]


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize(("name", "wrong"), WRONG_TYPES, ids=[f"{name}={wrong!r}" for name, wrong in WRONG_TYPES])
def test_a_field_of_the_wrong_type(uncalled, route, name, wrong):
    error = problem(uncalled.http.post(route, json={**HELLO, name: wrong}), 400, param=name)
    assert name in error["message"] and "must be" in error["message"]


# Messages that are wrong, and where.
MESSAGES: list[tuple[Any, str]] = [
    (None, "messages"),
    ([], "messages"),
    ([None], "messages[0]"),
    (["Hello"], "messages[0]"),
    ([[]], "messages[0]"),
    ([7], "messages[0]"),
    ([{}], "messages[0].role"),
    ([{"content": "Hello"}], "messages[0].role"),
    ([{"role": "robot", "content": "Hello"}], "messages[0].role"),
    ([{"role": "User", "content": "Hello"}], "messages[0].role"),
    ([{"role": "", "content": "Hello"}], "messages[0].role"),
    ([{"role": None, "content": "Hello"}], "messages[0].role"),
    ([{"role": 7, "content": "Hello"}], "messages[0].role"),
    ([{"role": True, "content": "Hello"}], "messages[0].role"),
    ([{"role": [], "content": "Hello"}], "messages[0].role"),
    ([{"role": ["user"], "content": "Hello"}], "messages[0].role"),
    ([{"role": {"a": 1}, "content": "Hello"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": None}], "messages[0].content"),
    ([{"role": "system", "content": None}], "messages[0].content"),
    ([{"role": "user", "content": 7}], "messages[0].content"),
    ([{"role": "user", "content": True}], "messages[0].content"),
    ([{"role": "user", "content": {"text": "Hello"}}], "messages[0].content"),
    ([{"role": "user", "content": ["Hello"]}], "messages[0].content[0]"),
    ([{"role": "user", "content": [None]}], "messages[0].content[0]"),
    ([{"role": "user", "content": [{}]}], "messages[0].content[0]"),
    ([{"role": "user", "content": [{"type": None}]}], "messages[0].content[0]"),
    ([{"role": "user", "content": [{"type": ["text"]}]}], "messages[0].content[0]"),
    ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
    ([{"role": "user", "content": [{"type": "text", "text": 7}]}], "messages[0].content[0].text"),
    ([{"role": "user", "content": [{"type": "text", "text": "a"}, 7]}], "messages[0].content[1]"),
    ([USER, {"role": "robot", "content": "Hello"}], "messages[1].role"),
    ([USER, USER, {"role": "user"}], "messages[2].content"),
]


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize(("messages", "param"), MESSAGES, ids=[json.dumps(one)[:60] for one, _ in MESSAGES])
def test_messages_that_are_wrong(uncalled, route, messages, param):
    problem(uncalled.http.post(route, json={"messages": messages}), 400, param=param)


@pytest.mark.parametrize("route", CALL_ROUTES)
def test_missing_messages(uncalled, route):
    problem(uncalled.http.post(route, json={}), 400, param="messages")
    problem(uncalled.http.post(route, json={"model": "auto"}), 400, param="messages")


# Fields whose values are not known: the status, and what the message offers instead.
UNKNOWN: list[tuple[dict[str, Any], int, str, str]] = [
    ({"provider": "nope"}, 400, "provider", "azure"),
    ({"provider": ""}, 400, "provider", "azure"),
    ({"provider": "openai/gpt-5.4"}, 400, "provider", "openai"),
    ({"model": "nope"}, 404, "model", "provider/model"),
    ({"model": ""}, 404, "model", "provider/model"),
    ({"model": "nope/model"}, 404, "model", "provider/model"),
    ({"model": "openai/"}, 404, "model", "provider/model"),
    ({"model": "gpt-5.4-mimi"}, 404, "model", "gpt-5.4-mini"),
    ({"models": ["nope"]}, 404, "models", "provider/model"),
    ({"models": ["openai/auto", "nope"]}, 404, "models", "provider/model"),
    ({"models": []}, 400, "models", "list"),
    ({"models": [""]}, 400, "models", "list"),
    ({"models": [7]}, 400, "models", "list"),
    ({"models": [None]}, 400, "models", "list"),
    ({"models": [["openai/auto"]]}, 400, "models", "list"),
    ({"strategy": "nope"}, 400, "strategy", "fallback"),
    ({"strategy": ""}, 400, "strategy", "fallback"),
    ({"tier": "nope"}, 400, "tier", "standard"),
    ({"tier": ""}, 400, "tier", "standard"),
    ({"cache": "nope"}, 400, "cache", "read"),
    ({"cache": ""}, 400, "cache", "read"),
    ({"max_cost": -1}, 400, "max_cost", "0 or more"),
    ({"max_cost": -0.0001}, 400, "max_cost", "0 or more"),
]


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize(
    ("fields", "status", "param", "offer"), UNKNOWN, ids=[json.dumps(fields) for fields, *_ in UNKNOWN]
)
def test_a_value_that_is_not_known(uncalled, route, fields, status, param, offer):
    error = problem(uncalled.http.post(route, json={**HELLO, **fields}), status, param=param)
    assert offer in error["message"]


@pytest.mark.parametrize("route", CALL_ROUTES)
def test_null_fields_are_absent_fields(gateway, route):
    names = {*STRINGS, *NUMBERS, *WHOLES, *FLAGS, *LISTS, *OBJECTS, "cache", "stop", "tool_choice"} - {"messages"}
    answer = gateway.http.post(route, json={**HELLO, **dict.fromkeys(names)})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("capability", ["nope", "", None, 7, ["chat"], {}, True])
def test_route_with_an_unknown_capability(uncalled, capability):
    answer = uncalled.http.post("/api/ai/route", json={**HELLO, "capability": capability})
    assert "chat" in problem(answer, 400, param="capability")["message"]


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("value", ["", "abc", "0", "00", "-1", "+5", "1.5", "1e3", "1,000", "100ms", "0x10", "nan"])
def test_a_timeout_header_that_is_no_number_of_milliseconds(uncalled, route, value):
    answer = uncalled.http.post(route, json=HELLO, headers={"x-patchbay-timeout-ms": value})
    assert "milliseconds" in problem(answer, 400, param="x-patchbay-timeout-ms")["message"]


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("digits", [20, 310, 400, 5000])
def test_a_timeout_header_that_is_far_too_large(gateway, route, digits):
    answer = gateway.http.post(route, json=HELLO, headers={"x-patchbay-timeout-ms": "9" * digits})
    assert answer.status_code in {200, 400}, answer.text
    has_receipt_headers(answer)


def test_a_timeout_header_outside_ascii(uncalled):
    headers = [(b"x-patchbay-timeout-ms", "१२३".encode())]
    problem(uncalled.http.post("/api/ai/chat", json=HELLO, headers=headers), 400, param="x-patchbay-timeout-ms")


# Values of the right type that no sum and no header of ours may stumble over; a provider may refuse them.
EXTREMES: list[dict[str, Any]] = [
    {"max_tokens": 10**18},
    {"max_tokens": 2**63},
    {"max_tokens": 2**64 - 1},
    {"max_tokens": 2**70},
    {"max_tokens": -1},
    {"max_tokens": 0},
    {"n": 10**9},
    {"n": -1},
    {"n": 0},
    {"seed": 2**64 - 1},
    {"seed": -(2**63)},
    {"seed": -(2**70)},
    {"top_logprobs": 2**63},
    {"temperature": 1e308},
    {"temperature": -0.0},
    {"max_cost": 1e308},
    {"max_cost": 2**70},
    {"model": "openai/a\nb"},
    {"model": "openai/a\r\nx-evil: 1"},
    {"model": "openai/é\u2028\U0001f600"},
    {"model": "openai/\x00"},
    {"model": "openai//"},
    {"model": "openai/../../v1/models"},
    {"models": ["openai/auto"] * 1000},
    {"user": "\x00"},
    {"metadata": {"": "", "\x00": "\x00"}},
    {"stop": []},
    {"tools": []},
    {"tools": [None]},
    {"tools": [[]]},
    {"tools": [{"type": "function"}]},
    {"tools": [{"type": "function", "function": None}]},
    {"functions": [7]},
    {"response_format": {}},
    {"response_format": {"type": None}},
    {"response_format": {"type": ["json_schema"]}},
    {"response_format": {"type": "json_schema"}},
    {"stream_options": {"include_usage": "yes"}},
    {"logit_bias": {"x": "y"}},
    {"logprobs": 10**30},
    {"messages": [{"role": "user", "content": []}]},
    {"messages": [{"role": "user", "content": ""}]},
    {"messages": [{"role": "assistant"}]},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 7}]}]},
    {"messages": [{"role": "user", "content": [{"type": "nope"}]}]},
    {"messages": [{"role": "user", "content": "x", "tool_calls": 7}]},
    {"messages": [USER] * 2000},
    {"": 1},
    {"\x00": 1},
]


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize("fields", EXTREMES, ids=[json.dumps(one)[:70] for one in EXTREMES])
def test_extremes_never_break_the_gateway(gateway, route, fields):
    answer = gateway.http.post(route, json={**HELLO, **fields})
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text[:300]
    has_receipt_headers(answer)
    if answer.status_code >= 400:
        complete(answer)
    elif route != "/api/ai/route":
        assert gateway.receipt(answer.headers["x-patchbay-decision"])["outcome"] == "ok"


# What nobody may serve, and what of it the message must name.
UNSERVABLE: list[tuple[dict[str, Any], str]] = [
    ({"strict": True, "nonsense": 1}, "nonsense"),
    ({"max_cost": 0}, "max_cost"),
    ({"max_cost": 5e-324}, "max_cost"),
    ({"max_tokens": 2**62, "max_cost": 1}, "max_cost"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "audio"),
]


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("extra", [{}, {"provider": "openai"}, {"provider": "openai", "fallback": False}])
@pytest.mark.parametrize(("fields", "word"), UNSERVABLE, ids=[json.dumps(fields)[:50] for fields, _ in UNSERVABLE])
def test_what_the_caller_alone_can_mend_is_a_4xx(uncalled, route, fields, word, extra):
    """A provider that is not configured (Ollama here) does not make it the operator's to mend."""
    error = problem(uncalled.http.post(route, json={**HELLO, **extra, **fields}), 400)
    assert word in error["message"]
    assert all(one["reason"] for one in error["excluded"])
    assert uncalled.receipt(error["decision_id"])["outcome"] == "error"


@pytest.mark.parametrize("route", CALL_ROUTES)
def test_a_model_name_longer_than_a_header(gateway, route):
    answer = gateway.http.post(route, json={**HELLO, "model": "openai/" + "a" * 300_000})
    assert answer.status_code in {200, 400, 404}
    has_receipt_headers(answer)


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("depth", [200, 300, 900])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: {"metadata": value},
        lambda value: {"tools": [{"type": "function", "function": {"name": "f", "parameters": value}}]},
        lambda value: {"messages": [{**USER, "x": value}]},
    ],
    ids=["metadata", "tools", "messages"],
)
def test_deep_nesting_is_never_a_providers_failure(gateway, route, depth, wrap):
    """What JSON lets through must be sendable, or be refused as the caller's."""
    answer = gateway.http.post(route, json={**HELLO, "fallback": False, "provider": "azure", **wrap(nested(depth))})
    assert answer.status_code in {200, 400, 413}, answer.text[:300]
    assert "adapter" not in answer.text
    if answer.status_code == 200:
        attempts = gateway.receipt(answer.headers["x-patchbay-decision"])["attempts"]
        assert [one.get("error") for one in attempts] == [None]


def padded(size: int) -> bytes:
    """A good body of exactly this many bytes."""
    body = json.dumps({"messages": [{"role": "user", "content": ""}]}).encode()
    return body.replace(b'""', b'"' + b"a" * (size - len(body)) + b'"')


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT * 10, 1_000_000])
def test_a_body_over_the_limit_that_says_its_length(narrow, route, size):
    before = calls(narrow)
    error = problem(narrow.http.post(route, content=padded(size), headers=JSON), 413)
    assert "PATCHBAY_MAX_BODY_BYTES" in error["message"] and str(LIMIT) in error["message"]
    assert calls(narrow) == before


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT * 10])
@pytest.mark.parametrize("piece", [1000, LIMIT * 10])
def test_a_body_over_the_limit_that_comes_in_chunks(narrow, route, size, piece):
    before = calls(narrow)
    body = padded(size)
    pieces = (body[at : at + piece] for at in range(0, size, piece))
    error = problem(narrow.http.post(route, content=pieces, headers=JSON), 413)
    assert "PATCHBAY_MAX_BODY_BYTES" in error["message"]
    assert calls(narrow) == before


@pytest.mark.parametrize("route", CALL_ROUTES)
@pytest.mark.parametrize("piece", [None, 7, 500])
def test_a_body_of_exactly_the_limit_is_taken(narrow, route, piece):
    body = padded(LIMIT)
    assert len(body) == LIMIT
    content = body if piece is None else (body[at : at + piece] for at in range(0, LIMIT, piece))
    assert narrow.http.post(route, content=content, headers=JSON).status_code == 200


@pytest.mark.parametrize("route", ["/api/local/simulators/faults", "/api/local/simulators/clear"])
@pytest.mark.parametrize("raw", [*NOT_JSON.values(), *NOT_AN_OBJECT.values()], ids=[*NOT_JSON, *NOT_AN_OBJECT])
def test_simulator_switches_take_json_objects_only(uncalled, route, raw):
    answer = uncalled.http.post(route, content=raw, headers=JSON)
    assert answer.status_code in {400, 413}
    complete(answer)


SWITCHES: list[tuple[dict[str, Any], str | None]] = [
    ({}, "provider"),
    ({"provider": "azure"}, "fault"),
    ({"provider": None, "fault": "500"}, "provider"),
    ({"provider": 7, "fault": "500"}, "provider"),
    ({"provider": "nope", "fault": "500"}, "provider"),
    ({"provider": "azure", "fault": 500}, "fault"),
    ({"provider": "azure", "fault": "nope"}, "fault"),
    ({"provider": "azure", "fault": "200"}, "fault"),
    ({"provider": "azure", "fault": ""}, "fault"),
    ({"provider": "azure", "fault": "500", "rate": "1"}, "rate"),
    ({"provider": "azure", "fault": "500", "rate": 0}, "rate"),
    ({"provider": "azure", "fault": "500", "rate": 2}, "rate"),
    ({"provider": "azure", "fault": "500", "times": 0}, "times"),
    ({"provider": "azure", "fault": "500", "times": 1.5}, "times"),
    ({"provider": "azure", "fault": "500", "capability": "nope"}, "capability"),
    ({"provider": "azure", "fault": "500", "nope": 1}, "nope"),
]


@pytest.mark.parametrize(("body", "param"), SWITCHES, ids=[json.dumps(body) for body, _ in SWITCHES])
def test_simulator_faults_that_cannot_be(uncalled, body, param):
    error = problem(uncalled.http.post("/api/local/simulators/faults", json=body), 400)
    assert param in error["message"] or param == error["param"]
    assert not any(one["faults"] for one in uncalled.fleet.status()["providers"].values())


WORDS = st.text(max_size=12)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    sorted({*STRINGS, *NUMBERS, *WHOLES, *FLAGS, *LISTS, *OBJECTS, "cache", "stop", "tool_choice", "role", "content"})
)
PARTS = st.fixed_dictionaries({}, optional={"role": ANY_JSON, "content": ANY_JSON, "tool_calls": ANY_JSON})
BODIES = st.dictionaries(FIELDS | WORDS, ANY_JSON, max_size=6)
NEARLY_GOOD = st.tuples(
    st.sampled_from([HELLO, {}]), st.fixed_dictionaries({}, optional={"messages": st.lists(PARTS)}), BODIES
).map(lambda three: {**three[0], **three[2], **three[1]})


@pytest.mark.parametrize("route", CALL_ROUTES)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(body=BODIES | NEARLY_GOOD)
def test_any_json_object_gets_an_answer_or_an_error_that_says_why(shared_gateway, route, body):
    answer = shared_gateway.http.post(route, content=json.dumps(body).encode(), headers=JSON)
    assert answer.status_code == 200 or 400 <= answer.status_code < 500 or answer.status_code in {502, 503, 504}
    has_receipt_headers(answer)
    if answer.status_code >= 400:
        error = complete(answer)
        assert "adapter" not in error["message"], error


@pytest.mark.parametrize(
    ("route", "body", "param"),
    [
        ("/v1/responses", {"input": [{"type": ["message"], "role": "user", "content": "x"}]}, "input[0].type"),
        ("/v1/responses", {"input": [{"type": {"a": 1}, "role": "user", "content": "x"}]}, "input[0].type"),
        ("/v1/chat/completions", {**HELLO, "top_k": []}, "top_k"),
        ("/v1/chat/completions", {**HELLO, "top_k": "5"}, "top_k"),
        ("/v1/chat/completions", {**HELLO, "options": "num_ctx=4096"}, "options"),
        (
            "/v1/chat/completions",
            {"messages": [*HELLO["messages"], {"role": "tool", "tool_call_id": ["c1"], "content": "x"}]},
            "messages[1].tool_call_id",
        ),
    ],
)
def test_what_no_adapter_can_say_asks_nobody(uncalled, route, body, param):
    assert problem(uncalled.http.post(route, json=body), 400)["param"] == param


@pytest.mark.parametrize("kind", [{"a": {}}, [[]], 7])
def test_a_kind_of_thinking_is_a_text(uncalled, kind):
    body = {**HELLO, "model": "anthropic/auto", "max_tokens": 9, "thinking": {"type": kind}}
    answer = uncalled.http.post("/v1/messages", json=body)
    assert answer.status_code == 400
    assert "thinking.type must be a string" in answer.json()["error"]["message"]
