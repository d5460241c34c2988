"""Lambda returns 6 MB at most: what cannot be returned is not asked for, or is replaced by words that say so."""

import json

import pytest

from infra.local.runtime_api import LARGEST
from tests.runtime.lambdas import event, function
from tests.runtime.test_life import ANSWER, Counting


def asked(name, **fields):
    given = event(name)
    return {**given, "body": json.dumps({**json.loads(given["body"]), **fields})}


@pytest.mark.parametrize(("name", "param"), [("embed", "input"), ("embed-batch", "input")])
def test_more_vectors_than_can_be_returned_are_not_paid_for(functions, fleet, name, param):
    before = fleet.status()["providers"]["openai"]["requests"]
    answer = functions("embed").answer(asked(name, input=[str(number) for number in range(400)]))
    error = json.loads(answer["body"])["error"]
    assert (answer["statusCode"], error["fault"], error["param"]) == (400, "caller", param)
    for words in ("400 vectors of 1536 dimensions", "6.3 MB", "base64", "fewer inputs", "fewer dimensions"):
        assert words in error["message"]
    assert {one["code"] for one in error["excluded"] if one["provider"] == "openai"} == {"answer_size"}
    assert fleet.status()["providers"]["openai"]["requests"] == before


@pytest.mark.parametrize(
    "fields", [{"encoding_format": "base64"}, {"dimensions": 256}, {"input": [str(number) for number in range(180)]}]
)
def test_what_it_advises_is_returned(functions, fields):
    given = {"input": [str(number) for number in range(400)], "cache": "off", **fields}
    answer = functions("embed").answer(asked("embed-batch", **given))
    assert answer["statusCode"] == 200, answer["body"][:300]
    assert len(json.loads(answer["body"])["data"]) == len(given["input"])
    assert answer["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["chat", "chat-http-api", "chat-stream"])
def test_another_answer_that_is_too_large_says_so(configured, tmp_path, name):
    """Its quotes alone make a body of 5 MB too large: they are escaped once more."""
    content = '"' * 2_000_000
    stream = name == "chat-stream"
    raw = ANSWER.replace(b'"Hello"', json.dumps(content).encode())
    if stream:
        chunk = json.loads(raw)
        chunk["object"], (choice,) = "chat.completion.chunk", chunk["choices"]
        choice["delta"] = choice.pop("message")
        raw = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
    kind = "text/event-stream" if stream else "application/json"
    with (
        Counting(answer=raw, kind=kind) as counting,
        function("chat", tmp_path, **{**configured, "OPENAI_BASE_URL": counting.url}) as started,
    ):
        answer = started.answer(asked(name, cache="off"))
        said = [line for line in started.whole() if line.get("code") == "answer_too_large"]
    error = json.loads(answer["body"])["error"]
    assert (answer["statusCode"], error["code"], error["fault"]) == (413, "answer_too_large", "caller")
    assert f"{LARGEST} at most" in error["message"] and "Ask for less" in error["message"]
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["x-patchbay-provider"] == "openai"
    assert len(said) == 1 and said[0]["status"] == 413 and said[0]["method"] == "POST"
