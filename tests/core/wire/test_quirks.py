"""What providers of the dialect do in their own ways, and what callers see of it: as little as possible."""

import orjson
import pytest

from core.capabilities import Feature
from core.errors import BadRequest, BrokenOff, Overloaded, ServerFault
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire.chat import MESSAGE_NAME, chat_facts, without
from core.wire.openai import ChatStream, read_completion, read_error, read_usage

COUNTS = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
SHORT = "insufficient_system_resource"


def whole(finish, **more):
    message = {"role": "assistant", "content": "word"}
    return orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more})


def event(delta=None, finish=None, **more):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"choices": [choice], **more}) + b"\n\n"


WORD, DONE = event({"content": "word"}), b"data: [DONE]\n\n"


def stream():
    return ChatStream(limit=10_000, keep_usage=True)


def text(frames):
    return b"".join(frame.raw for frame in frames)


class TestFinish:
    def test_another_word_for_stop_becomes_stop(self):
        answer = read_completion(whole("eos"))
        assert answer.finish_reason == "stop"
        assert orjson.loads(answer.raw)["choices"][0]["finish_reason"] == "stop"
        untouched = whole("length")
        assert read_completion(untouched).raw is untouched

    @pytest.mark.parametrize("together", [True, False])
    def test_in_a_stream_too(self, together):
        one = stream()
        parts = [WORD + event(finish="eos", usage=COUNTS) + DONE] if together else [WORD, event(finish="eos"), DONE]
        said = text([frame for part in parts for frame in one.feed(part)])
        assert b'"eos"' not in said
        assert said.count(b'"finish_reason":"stop"') == 1
        assert one.ended

    def test_words_about_it_stay(self):
        one = stream()
        said = event({"content": '"finish_reason":"eos"'})
        assert text(one.feed(said)) == said
        assert text(one.feed(said)) == said

    def test_an_answer_that_was_broken_off_is_none(self):
        with pytest.raises(BrokenOff, match=SHORT):
            read_completion(whole(SHORT))
        assert issubclass(BrokenOff, Overloaded)
        assert BrokenOff.billed

    def test_a_stream_that_is_broken_off_before_output_fails_at_once(self):
        with pytest.raises(BrokenOff):
            stream().feed(event({"role": "assistant", "content": ""}) + event(finish=SHORT) + DONE)

    def test_after_output_it_fails_with_what_came_before_and_what_it_cost(self):
        one = stream()
        assert text(one.feed(WORD)) == WORD
        assert text(one.feed(WORD + event(finish=SHORT, usage=COUNTS) + DONE)) == WORD
        assert one.failed
        with pytest.raises(BrokenOff):
            one.feed(b"")
        assert one.usage == Usage("reported", input=10, output=4)


class TestUsage:
    def test_a_cache_hit_under_another_name(self):
        report = {**COUNTS, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2}
        assert read_usage(report) == Usage("reported", input=2, cached_input=8, output=4)
        assert read_usage({**report, "prompt_tokens_details": {"cached_tokens": 8}}).cached_input == 8
        assert read_usage({**report, "prompt_cache_hit_tokens": 99}).cached_input == 10

    def test_in_an_extension_at_the_end_of_a_stream(self):
        one = stream()
        one.feed(event({"role": "assistant"}, x_acme={"id": "1"}) + WORD)
        (frame,) = one.feed(event(finish="stop", x_acme={"id": "1", "usage": COUNTS}))
        assert frame.kind is Kind.META
        assert one.usage == Usage("reported", input=10, output=4)
        assert one.feed(DONE)

    def test_its_own_place_comes_first(self):
        other = {**COUNTS, "completion_tokens": 99}
        answer = read_completion(whole("stop", usage=COUNTS, x_acme={"usage": other}))
        assert answer.usage.output == 4
        assert read_completion(whole("stop", x_acme={"usage": COUNTS})).usage.output == 4
        assert read_completion(whole("stop", x_acme="text", x_b={"usage": None})).usage == Usage()


class TestKeepAlive:
    def test_empty_lines_before_an_answer(self):
        assert read_completion(b"\n\n\r\n" + whole("stop")).finish_reason == "stop"

    @pytest.mark.parametrize("noise", [b"\n", b"\n\n", b"\n\n\n", b": keep-alive\n", b": keep-alive\n\n", b":\n\n"])
    def test_between_events(self, noise):
        one = stream()
        parts = [noise, noise + WORD, noise, WORD + noise, noise + event(finish="stop"), noise + DONE]
        frames = [frame for part in parts for frame in one.feed(part)]
        assert [frame.raw.count(b"word") for frame in frames if frame.kind is Kind.OUTPUT] == [1, 1]
        assert one.ended
        assert one.outputs == 2

    def test_only_noise_is_not_an_answer(self):
        one = stream()
        assert not any(frame.kind is Kind.OUTPUT for frame in one.feed(b"\n\n: keep-alive\n\n\n\n"))


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "body", "kind", "message"),
        [
            (503, {"error": "Model is loading", "estimated_time": 20.0}, "Overloaded", "Model is loading"),
            (402, {"error": "You have exceeded your credits"}, "QuotaExhausted", "You have exceeded your credits"),
            (498, {"error": {"message": "Flex", "code": "capacity_exceeded"}}, "Overloaded", "Flex"),
            (402, {"error": {"message": "No", "code": "invalid_request_error"}}, "QuotaExhausted", "No"),
            (413, {"error": {"message": "No", "code": "rate_limit_exceeded"}}, "ContextTooLong", "No"),
            (404, {"error": {"message": "No", "type": "NotFoundError", "code": 404}}, "ModelMissing", "No"),
        ],
    )
    def test_their_words(self, status, body, kind, message):
        error = read_error(status, orjson.dumps(body))
        assert (type(error).__name__, error.message) == (kind, message)

    @pytest.mark.parametrize(
        ("code", "kind"), [(400, "RequestRefused"), ("429", "RateLimited"), (500, "StreamFailed"), (7, "StreamFailed")]
    )
    def test_a_number_in_a_stream_is_the_status(self, code, kind):
        error = read_error(None, orjson.dumps({"error": {"message": "No", "code": code}}))
        assert type(error).__name__ == kind

    @pytest.mark.parametrize("code", ["tool_use_failed", "json_validate_failed"])
    def test_a_model_that_cannot_is_not_the_callers_fault(self, code):
        body = {"error": {"message": "Failed to call a function.", "code": code, "failed_generation": "<secret>"}}
        error = read_error(400, orjson.dumps(body))
        assert type(error) is ServerFault
        assert error.fault == "provider"
        assert "secret" not in str(error)


def test_names_of_people_can_be_left_out():
    messages = [
        {"role": "user", "content": "a", "name": "Ada"},
        {"role": "user", "content": "b"},
        {"role": "function", "content": "c", "name": "f"},
    ]
    body = {"messages": messages, "n": 1, "seed": 2}
    assert MESSAGE_NAME in chat_facts(body).params
    assert MESSAGE_NAME not in chat_facts({"messages": messages[1:]}).params
    left = without(body, {MESSAGE_NAME, "n"})
    assert left == {"messages": [{"role": "user", "content": "a"}, *messages[1:]], "seed": 2}
    assert messages[0]["name"] == "Ada"
    assert without(body, {"n"})["messages"] is messages


MARK = {"type": "ephemeral"}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
# A message, the name of what is in it, and the message without that.
EXTRAS = [
    ({"role": "assistant", "content": "a", "reasoning_content": "b"}, "messages[].reasoning_content",
     {"role": "assistant", "content": "a"}),
    ({"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_details": [{"type": "x"}]},
     "messages[].reasoning_details", {"role": "assistant", "content": None, "tool_calls": [CALL]}),
    ({"role": "assistant", "content": "a", "citations": [{"start": 0}]}, "messages[].citations",
     {"role": "assistant", "content": "a"}),
    ({"role": "system", "content": "a", "cache_control": MARK}, "messages[].cache_control",
     {"role": "system", "content": "a"}),
    ({"role": "user",
      "content": [{"type": "text", "text": "a", "cache_control": MARK}, {"type": "text", "text": "b"}]},
     "messages[].cache_control",
     {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
    ({"role": "assistant", "tool_calls": [CALL, {**CALL, "extra_content": {"google": {}}}]},
     "messages[].tool_calls[].extra_content", {"role": "assistant", "tool_calls": [CALL, CALL]}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "name", "left"), EXTRAS)
def test_what_stands_inside_messages_has_a_name(message, name, left):
    others = [one for one, other, _ in EXTRAS if other != name]
    body = {"messages": [message, *others]}
    facts = chat_facts(body)
    assert name in facts.params
    assert name in facts.unknown_params
    assert name not in chat_facts({"messages": others}).params
    assert without(body, {name})["messages"] == [left, *others]
    assert without(body, facts.unknown_params)["messages"] == [
        bare for _, _, bare in [next(one for one in EXTRAS if one[0] is message)]
    ] + [bare for _, other, bare in EXTRAS if other != name]
    assert chat_facts(without(body, facts.unknown_params)).unknown_params == frozenset()


def test_marks_on_tools_have_a_name_of_their_own():
    tool = {"type": "function", "function": {"name": "f"}}
    tools = [tool, {**tool, "cache_control": MARK}]
    body = {"messages": [{"role": "user", "content": "a"}], "tools": tools}
    assert chat_facts(body).unknown_params == {"tools[].cache_control"}
    assert without(body, {"tools[].cache_control"}) == {**body, "tools": [tool, tool]}
    assert tools[1]["cache_control"] == MARK


def test_their_names_are_no_parameters():
    with pytest.raises(BadRequest, match="no parameter's name"):
        chat_facts({"messages": [{"role": "user", "content": "a"}], "messages[].cache_control": 1})


def test_thinking_has_a_shape_though_few_take_it():
    messages = [{"role": "user", "content": "a"}]
    assert chat_facts({"messages": messages, "thinking": {"type": "enabled"}}).unknown_params == {"thinking"}
    with pytest.raises(BadRequest, match="thinking must be an object, not a string"):
        chat_facts({"messages": messages, "thinking": "hard"})


def test_documents_are_a_feature():
    messages = [{"role": "user", "content": "a"}]
    facts = chat_facts({"messages": messages, "documents": ["a text", {"id": "1", "text": "another"}]})
    assert Feature.DOCUMENTS in facts.features
    assert not facts.unknown_params
    with pytest.raises(BadRequest, match=r"documents\[1\] must be a string or an object, not a whole number"):
        chat_facts({"messages": messages, "documents": ["a", 1]})
