"""Same status, other words: what a refusal, or an error inside a stream, says decides its class."""

import asyncio
import copy
import json
from typing import Any

import pytest

from core import errors
from core.providers.registry import Registry
from tests.contract.cases import NATIVE, OPENAI
from tests.contract.rooms import room
from tests.contract.upstream import as_json, upstream

WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "from the next"}, "finish_reason": "stop"}]
}


def event(content):
    return b"data: " + (content if isinstance(content, bytes) else json.dumps(content).encode()) + b"\n\n"


def delta(**said):
    return event({"choices": [{"index": 0, "delta": said}]})


ROLE, WORD = delta(role="assistant", content=""), delta(content="word ")
FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
DONE = event(b"[DONE]")
NEXT = ROLE + delta(content="from the next") + FINISH + DONE


def tell(tmp_path, first, mode, route=NATIVE):
    """Ask `openai`, which says `first`; `together` would answer next. Once with it, once without."""

    def speak(path, headers, body):
        if path.startswith("/first"):
            return first
        return (200, "text/event-stream", NEXT) if mode == "stream" else as_json(WHOLE)

    async def scenario():
        with upstream(speak) as url:
            environ = {
                "OPENAI_API_KEY": "key-of-openai", "OPENAI_BASE_URL": f"{url}/first", "OPENAI_MODEL": "m",
                "TOGETHER_API_KEY": "key-of-together", "TOGETHER_BASE_URL": f"{url}/next", "MAX_RETRIES": "1",
            }  # fmt: skip
            async with room(Registry(), tmp_path, environ) as here:
                chained = await here.ask(route, mode, provider="openai")
                strict = await here.ask(route, mode, provider="openai", fallback=False)
                found = (await here.http.get(f"/api/ai/decisions/{chained.decision}")).json()
        return chained, strict, found.get("attempts", [{}])[0]  # no receipt is shown by the first assertion

    return asyncio.run(scenario())


@pytest.mark.parametrize("mode", ["plain", "stream"])
@pytest.mark.parametrize(
    ("status", "error", "kind", "answer"),
    [
        (400, {"code": "context_length_exceeded", "message": "no"}, "ContextTooLong", 400),
        (400, {"message": "This model's maximum context length is 8192 tokens."}, "ContextTooLong", 400),
        (422, {"message": "prompt is too long: 9000 > 8192"}, "ContextTooLong", 400),
        (400, {"code": "content_filter", "message": "filtered"}, "ContentRefused", 400),
        (400, {"code": "unsupported_parameter", "param": "logit_bias", "message": "no"}, "ParameterRefused", 400),
        (400, {"code": "model_not_found", "message": "no"}, "ModelMissing", 404),
        (429, {"code": "insufficient_quota", "message": "You exceeded your quota"}, "QuotaExhausted", 502),
        (403, {"type": "insufficient_quota", "message": "no"}, "QuotaExhausted", 502),
        (409, {"message": "conflict"}, "ServerFault", 502),
        (500, "a text instead of an object", "ServerFault", 502),
    ],
    ids=str,
)
def test_a_refusal(tmp_path, mode, status, error, kind, answer):
    chained, strict, failed = tell(tmp_path, as_json({"error": error}, status), mode)
    assert (chained.status, chained.text) == (200, "from the next")
    assert (failed["error"], failed["then"], failed["status"]) == (kind, "next", status)
    assert failed["request_id"] == "req_upstream"
    said = error if isinstance(error, str) else error["message"]
    assert failed["why"] == said
    assert strict.status == answer
    expected = 2 if getattr(errors, kind).again else 1
    assert [one["error"] for one in strict.error["attempts"]] == [kind] * expected
    if isinstance(error, dict):
        assert (strict.error["code"], strict.error["param"]) == (error.get("code"), error.get("param"))


@pytest.mark.parametrize(
    "body", [b"", b"<h1>Bad gateway</h1>", b"\xff\xfe", b"null", b"[]", b'{"error": []}'], ids=repr
)
def test_a_refusal_in_no_dialect(tmp_path, body):
    chained, strict, failed = tell(tmp_path, (502, "text/html", body), "plain")
    assert (chained.status, failed["error"], failed["status"]) == (200, "ServerFault", 502)
    assert failed["why"]
    assert strict.status == 502


@pytest.mark.parametrize("status", [204, 301, 302, 307, 405, 410])
def test_a_wrong_address_is_not_the_caller_s_fault(tmp_path, status):
    """A redirect, or a path that is there for something else: the operator's to mend, so the next may answer."""
    chained, strict, failed = tell(tmp_path, (status, "text/plain", b""), "plain")
    assert failed["fault"] != "caller"
    assert (failed["status"], failed["then"]) == (status, "next")
    assert chained.status == 200
    assert strict.status != 400


@pytest.mark.parametrize(
    ("error", "kind", "then", "answer"),
    [
        ({"type": "server_error", "message": "no"}, "StreamFailed", "next", 502),
        ("a text instead of an object", "StreamFailed", "next", 502),
        ({"type": "overloaded_error", "message": "no"}, "Overloaded", "next", 503),
        ({"code": "rate_limit_exceeded", "message": "no"}, "RateLimited", "next", 429),
        ({"code": "insufficient_quota", "message": "no"}, "QuotaExhausted", "next", 502),
        ({"type": "authentication_error", "message": "no"}, "CredentialRefused", "next", 502),
        ({"code": "model_not_found", "message": "no"}, "ModelMissing", "next", 404),
        ({"code": "context_length_exceeded", "message": "no"}, "ContextTooLong", "next", 400),
        ({"code": "content_filter", "message": "no"}, "ContentRefused", "next", 400),
        ({"type": "invalid_request_error", "message": "no"}, "RequestRefused", "stop", 400),
    ],
    ids=str,
)
def test_an_error_in_a_stream_before_output(tmp_path, error, kind, then, answer):
    body = ROLE + event({"error": error})
    chained, strict, failed = tell(tmp_path, (200, "text/event-stream", body), "stream", OPENAI)
    assert (failed["error"], failed["then"]) == (kind, then)
    if then == "next":
        assert (chained.status, chained.text, chained.done) == (200, "from the next", True)
    else:
        assert chained.status == answer
    expected = 2 if getattr(errors, kind).again else 1
    assert [one["error"] for one in strict.error["attempts"]] == [kind] * expected
    assert strict.status == answer


SHORT = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "insufficient_system_resource"}]})


@pytest.mark.parametrize("mode", ["plain", "stream"])
def test_an_answer_that_was_broken_off(tmp_path, mode):
    broken: Any = copy.deepcopy(WHOLE)
    broken["choices"][0]["finish_reason"] = "insufficient_system_resource"
    body = (200, "text/event-stream", ROLE + SHORT + DONE) if mode == "stream" else as_json(broken)
    chained, strict, failed = tell(tmp_path, body, mode, OPENAI)
    assert chained.status == 200
    assert (failed["error"], failed["then"], failed["provider"]) == ("BrokenOff", "next", "openai")
    assert strict.status == 503


@pytest.mark.parametrize("route", [NATIVE, OPENAI], ids=["native", "openai-route"])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (ROLE + WORD + FINISH + DONE, "word "),
        (ROLE + WORD + FINISH, "word "),  # it said that it had finished, only not the last word
        ((ROLE + WORD + FINISH + DONE).rstrip(b"\n"), "word "),
        ((ROLE + WORD + FINISH + DONE).replace(b"\n", b"\r\n"), "word "),
        (b": keep-alive\n\n" + ROLE + b": keep-alive\n\n" + WORD + FINISH + DONE, "word "),
        (ROLE + FINISH + DONE, ""),  # nothing to say is an answer
    ],
    ids=["whole", "no-done", "no-blank-line", "crlf", "comments", "empty"],
)
def test_a_stream_that_ends_well(tmp_path, body, text, route):
    chained, strict, attempt = tell(tmp_path, (200, "text/event-stream", body), "stream", route)
    for answer in (chained, strict):
        assert (answer.status, answer.text, answer.done, answer.errors) == (200, text, True, [])
    assert (attempt["outcome"], attempt["provider"]) == ("ok", "openai")


@pytest.mark.parametrize("route", [NATIVE, OPENAI], ids=["native", "openai-route"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "StreamCut"),
        (b": keep-alive\n\n", "StreamCut"),
        (ROLE, "StreamCut"),
        (ROLE + event(b"not json"), "Malformed"),
        (ROLE + event([1]), "Malformed"),
        (ROLE + event({"choices": ["x"]}), "Malformed"),
    ],
    ids=["nothing", "comment", "role", "no-json", "list", "choice"],
)
def test_a_stream_that_never_begins(tmp_path, body, kind, route):
    chained, strict, failed = tell(tmp_path, (200, "text/event-stream", body), "stream", route)
    assert (chained.status, chained.text, chained.done, chained.errors) == (200, "from the next", True, [])
    assert (failed["error"], failed["then"]) == (kind, "next")
    assert strict.status == 502


@pytest.mark.parametrize(
    "body",
    [
        as_json({}),
        as_json({"choices": []}),
        as_json({"choices": [5]}),
        as_json({"choices": [{"index": 0, "message": "x"}]}),
        as_json({"error": {"message": "an error that says 200"}}),
        as_json([]),
        as_json(None),
        (200, "application/json", b""),
    ],
    ids=["object", "no-choices", "number", "message", "error", "list", "null", "empty"],
)
@pytest.mark.parametrize("route", [NATIVE, OPENAI], ids=["native", "openai-route"])
def test_an_answer_that_is_none(tmp_path, body, route):
    chained, strict, failed = tell(tmp_path, body, "plain", route)
    assert chained.status == 200
    kind = "ServerFault" if b"error" in body[2] else "Malformed"
    assert (failed["error"], failed["then"], failed["provider"]) == (kind, "next", "openai")
    assert strict.status == 502
