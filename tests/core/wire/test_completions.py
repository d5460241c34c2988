"""Prompts as chats, and answers as texts."""

import orjson
import pytest

from core.errors import BadRequest, Malformed
from core.wire import sse
from core.wire.chat import chat_facts
from core.wire.completions import Texts, chats_of


def user(text):
    return [{"role": "user", "content": text}]


def chat(*texts, **more):
    choices = [{"index": at, "message": {"content": text}, "finish_reason": "stop"} for at, text in enumerate(texts)]
    return {"model": "m", "choices": choices, **more}


def chunk(text, index=0, **more):
    return sse.event(orjson.dumps({"model": "m", "choices": [{"index": index, "delta": {"content": text}, **more}]}))


def pieces(raw):
    return [orjson.loads(sse.data_of(event) or b"") for event in sse.events(raw)]


def test_each_prompt_is_a_chat():
    made = chats_of(
        {"model": "m", "prompt": ["a", "b"], "n": 2, "max_tokens": 5, "stop": "x", "top_k": 1, "user": None}
    )
    shared = {"model": "m", "n": 2, "max_tokens": 5, "stop": "x", "top_k": 1}
    assert made == [{**shared, "messages": user("a")}, {**shared, "messages": user("b")}]
    assert chats_of({"prompt": "a", "logprobs": 0})[0] == {
        "logprobs": True,
        "top_logprobs": 0,
        "messages": user("a"),
    }
    assert chat_facts(made[0]).answers == 2


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({}, "prompt", "missing"),
        ({"prompt": []}, "prompt", "missing"),
        ({"prompt": [1, 2]}, "prompt", "unsupported_value"),
        ({"prompt": [[1], [2]]}, "prompt", "unsupported_value"),
        ({"prompt": ["a", 1]}, "prompt", "invalid_type"),
        ({"prompt": ["a"] * 65}, "prompt", "invalid_value"),
        ({"prompt": 3}, "prompt", "invalid_type"),
        ({"prompt": "a", "suffix": "b"}, "suffix", "unsupported_parameter"),
        ({"prompt": "a", "best_of": 3}, "best_of", "unsupported_value"),
        ({"prompt": "a", "echo": "yes"}, "echo", "invalid_type"),
    ],
    ids=str,
)
def test_what_cannot_be_had(given, param, code):
    with pytest.raises(BadRequest) as caught:
        chats_of(given)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_what_changes_nothing_is_taken():
    assert len(chats_of({"prompt": "a", "suffix": "", "best_of": 1, "echo": False})) == 1
    assert len(chats_of({"prompt": "a", "n": 2, "best_of": 2})) == 1


def test_choices_are_numbered_through_all_prompts():
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    texts = Texts({"prompt": ["a", "b"], "n": 2, "echo": True}, "1", 5, "m")
    made = texts.whole([chat("x", "y", usage=usage), chat("z", None, usage=usage)])
    assert [(one["index"], one["text"]) for one in made["choices"]] == [(0, "ax"), (1, "ay"), (2, "bz"), (3, "b")]
    assert made["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    assert (made["id"], made["object"]) == ("cmpl-1", "text_completion")


def test_a_stream_in_pieces():
    texts = Texts({"prompt": ["a", "b"], "echo": True}, "1", 5, "m")
    made = pieces(texts.pieces(chunk("") + chunk("x") + chunk(None, finish_reason="stop") + sse.DONE))
    texts.next()
    made += pieces(texts.pieces(chunk("z")))
    found = [one["choices"][0] for one in made]
    assert [(one["index"], one["text"], one["finish_reason"]) for one in found] == [
        (0, "a", None),
        (0, "x", None),
        (0, "", "stop"),
        (1, "bz", None),
    ]
    assert texts.used() == b""


def test_logarithms_in_the_older_form():
    tokens = [
        {"token": "He", "logprob": -0.5, "top_logprobs": [{"token": "He", "logprob": -0.5}]},
        {"token": "y", "logprob": -1},
    ]
    answer = chat("Hey")
    answer["choices"][0]["logprobs"] = {"content": tokens}
    (choice,) = Texts({"prompt": "ab", "echo": True}, "1", 5, "m").whole([answer])["choices"]
    assert choice["logprobs"] == {
        "tokens": ["He", "y"],
        "token_logprobs": [-0.5, -1],
        "top_logprobs": [{"He": -0.5}, {}],
        "text_offset": [2, 4],
    }


@pytest.mark.parametrize("data", [b"{half", b"[1]", b'{"choices":[3]}'])
def test_what_is_no_chunk(data):
    with pytest.raises(Malformed):
        Texts({"prompt": "a"}, "1", 5, "m").pieces(sse.event(data))
