"""Every event in events/ through its function, as Lambda gives it; every route has one."""

import json
from base64 import b64decode
from importlib import import_module

import pytest
from starlette.routing import Route

from infra.local.sandbox import known
from infra.local.simulators.signal import heard, text
from tests.functions.helpers import said, sse
from tests.runtime.lambdas import EVENTS, event, events, of_functions_there

# The status of each event's answer; None where it is no request and the function fails.
EXPECTED: dict[str, int | None] = {
    "chat": 200,
    "chat-v1": 200,
    "chat-stream": 200,
    "chat-tools": 200,
    "chat-image": 200,
    "chat-http-api": 200,
    "chat-base64": 200,
    "chat-messages": 200,
    "chat-messages-stream": 200,
    "chat-messages-bad": 400,
    "chat-count-tokens": 200,
    "chat-bad-json": 400,
    "chat-wrong-type": 400,
    "chat-no-key": 401,
    "chat-unknown-model": 404,
    "chat-not-http": None,
    "chat-responses": 200,
    "chat-prompts": 200,
    "chat-completion": 200,
    "chat-beautify": 200,
    "catalog-health": 200,
    "catalog-providers-health": 200,
    "catalog-status": 200,
    "catalog-providers": 200,
    "catalog-models": 200,
    "catalog-model-list": 200,
    "catalog-unknown-filter": 400,
    "catalog-route": 200,
    "catalog-usage": 200,
    "catalog-bad-usage": 400,
    "catalog-decisions": 200,
    "catalog-unknown-decision": 404,
    "catalog-unknown-route": 404,
    "catalog-voices": 200,
    "speak": 200,
    "speak-v1": 200,
    "speak-bad-input": 400,
    "embed": 200,
    "embed-batch": 200,
    "embed-base64": 200,
    "embed-bad-input": 400,
    "embed-rerank": 200,
    "embed-rerank-v1": 200,
    "embed-rerank-bad-input": 400,
    "translate": 200,
    "translate-several": 200,
    "translate-html": 200,
    "translate-no-target": 400,
    "transcribe": 200,
    "transcribe-diarize": 200,
    "transcribe-form": 200,
    "transcribe-stream": 200,
    "transcribe-translations": 200,
    "transcribe-empty": 400,
    "transcribe-no-bucket": 400,
}
# Those whose answer is no text.
SOUNDS = {"speak-v1"}


def test_each_event_has_its_expectation():
    assert {path.stem for path in EVENTS.glob("*")} == {*EXPECTED, "env"}  # which test_sam_local.py tries


@pytest.mark.parametrize(("function", "name"), of_functions_there())
def test_event(functions, function, name):
    outcome = functions(function).outcome(event(name))
    answer = json.loads(outcome.body)
    if EXPECTED[name] is None:
        assert (outcome.kind, answer["errorType"]) == ("error", "UnknownEvent")
        return
    assert outcome.kind == "response", outcome.body
    assert answer["statusCode"] == EXPECTED[name], answer["body"]
    assert answer["isBase64Encoded"] is (name in SOUNDS)
    assert answer["headers"]["x-patchbay-simulated"] == "false"
    if not name.endswith("-stream") and name not in SOUNDS:
        body = json.loads(answer["body"])
        assert bool(body.get("error")) == (answer["statusCode"] >= 400)


@pytest.mark.parametrize("function", known())
def test_each_route_has_an_event(function):
    app = import_module(f"functions.{function}.routes")
    routes = {
        (method, route.path)
        for route in app.ROUTES
        if isinstance(route, Route) and route.include_in_schema
        for method in route.methods or ()
    }
    sent = {(event(name).get("httpMethod"), event(name).get("resource")) for name in events(function)}
    assert {route for route in routes if route[0] != "HEAD"} <= sent


def test_a_stream_is_one_answer(chat):
    answer = chat.answer(event("chat-stream"))
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    found = sse(answer["body"])
    assert found[-1] == "[DONE]"
    assert "Hello" in said(found)


def test_sound_comes_as_it_is(functions):
    answer = functions("speak").answer(event("speak-v1"))
    assert answer["headers"]["content-type"] == "audio/mpeg"
    assert text(heard(b64decode(answer["body"]))) == json.loads(event("speak-v1")["body"])["input"]


def test_tools_and_bytes_arrive(chat, fleet):
    called = json.loads(chat.answer(event("chat-tools"))["body"])["choices"][0]["message"]["tool_calls"][0]
    assert called["function"]["name"] == "get_weather"
    assert "Zürich" in fleet.requests("openai")[-1].body.decode()
    assert "Grüezi" in json.loads(chat.answer(event("chat-base64"))["body"])["content"]
    chat.answer(event("chat-image"))
    assert b"data:image/png;base64," in fleet.requests("openai")[-1].body


def test_files_of_forms_arrive(functions):
    transcribe = functions("transcribe")
    body = json.loads(transcribe.answer(event("transcribe-form"))["body"])
    assert (body["text"], len(body["segments"])) == ("Hello there. Good morning.", 2)
    events = sse(transcribe.answer(event("transcribe-stream"))["body"])
    assert events[-1]["text"] == "Hello there. Good morning."
    speakers = json.loads(transcribe.answer(event("transcribe-diarize"))["body"])["speakers"]
    assert [one["name"] for one in speakers] == ["A", "B"]


def test_both_shapes_of_api_gateway_answer_alike(chat):
    rest, http = chat.answer(event("chat")), chat.answer(event("chat-http-api"))
    assert set(rest) == {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
    assert set(http) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert json.loads(rest["body"])["content"] == json.loads(http["body"])["content"]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "text",
        {},
        {"resource": "/x", "requestContext": {}},
        {"version": "2.0", "requestContext": {"http": {"method": "GET"}}},
        {**event("chat"), "multiValueHeaders": {"authorization": [7]}},
        {**event("chat"), "body": "abc", "isBase64Encoded": True},
        {"secret-name": "my words"},
    ],
)
def test_what_is_no_request_fails_in_words(chat, odd):
    error = chat.error(odd)
    assert error["errorType"] == "UnknownEvent"
    assert "API Gateway" in error["errorMessage"]
    assert "my words" not in json.dumps(error)
    assert chat.answer(event("chat"))["statusCode"] == 200


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"body": {"messages": []}}, "body must be a string, not an object"),
        ({"body": 5}, "body must be a string, not a number"),
        ({"body": "e30", "isBase64Encoded": True}, "the body is not base64"),
        ({"body": "!!!!", "isBase64Encoded": True}, "the body is not base64"),
        ({"headers": {"x-number": 7}}, "header x-number must be a string, not a number"),
        ({"headers": ["a"]}, "headers must be an object, not a list"),
        ({"multiValueHeaders": {"x-number": [7]}}, "header x-number in multiValueHeaders must be a list of strings"),
        ({"multiValueHeaders": {"x-flag": True}}, "header x-flag in multiValueHeaders must be a list of strings"),
    ],
)
def test_what_is_wrong_in_an_event_is_named(chat, wrong, words):
    error = chat.error({**event("chat"), **wrong})
    assert (error["errorType"], words in error["errorMessage"]) == ("UnknownEvent", True), error


@pytest.mark.parametrize(("odd", "word"), [(None, "null"), ([], "a list"), ("text", "a text"), (7, "a number")])
def test_what_is_no_event_is_called_what_it_is(chat, odd, word):
    assert chat.error(odd)["errorMessage"].endswith(f"this is {word}.")


def test_an_unknown_route_names_the_functions_own(functions):
    wanted = {**event("chat"), "path": "/api/ai/nothing"}
    told = json.loads(functions("chat").answer(wanted)["body"])["error"]["message"]
    routes = [route for route in import_module("functions.chat.routes").ROUTES if route.include_in_schema]
    own = ", ".join(f"POST {route.path}" for route in routes)
    assert told.endswith(f"there are {own}.")
    wanted = {**event("catalog-status"), "path": "/docs/nothing"}
    assert (
        "GET /api/ai/decisions/{decision}"
        in json.loads(functions("catalog").answer(wanted)["body"])["error"]["message"]
    )


def test_receipts_lie_in_the_table_and_the_other_function_finds_them(functions, chat):
    decision = chat.answer(event("chat"))["headers"]["x-patchbay-decision"]
    wanted = event("catalog-unknown-decision")
    wanted["path"] = f"/api/ai/decisions/{decision}"
    receipt = json.loads(functions("catalog").answer(wanted)["body"])
    assert (receipt["decision_id"], receipt["outcome"], receipt["provider"]) == (decision, "ok", "openai")
