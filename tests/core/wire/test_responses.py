"""Requests and answers of the Responses API as chats, and back."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    BadRequest,
    ContentRefused,
    Malformed,
    ParameterRefused,
    RateLimited,
    ServerFault,
)
from core.types.usage import Usage
from core.wire.chat import chat_facts
from core.wire.responses.answers import completion_from, completion_to, read_response, usage_from, usage_to
from core.wire.responses.items import FORMAT, items_of
from core.wire.responses.request import RESPONSES_PARAMS, request_from, request_to
from tests.core.fakes import examples

HI = {"role": "user", "content": "Hello"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CALLED = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "id": "fc_1"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "3"}
PATCH = {
    "type": "custom", "name": "apply_patch", "description": "Patches files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}  # fmt: skip
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}


JUNK = st.none() | st.integers(0, 1) | st.text(max_size=2) | st.recursive(
    st.sampled_from(["function", "custom", "allowed_tools", "auto", "json_schema"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["type", "name", "text", "format", "tools"]), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"])},
    optional=dict.fromkeys(("text", "refusal", "image_url", "file_data", "detail", "prompt_cache_breakpoint"), JUNK),
)
ITEMS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "message",
                "function_call",
                "function_call_output",
                "custom_tool_call",
                "custom_tool_call_output",
                "reasoning",
            ]
        )
    },
    optional={
        "role": st.sampled_from(["user", "assistant"]) | JUNK,
        "content": st.lists(PARTS | JUNK, max_size=2) | JUNK,
        "output": st.lists(PARTS, max_size=2) | JUNK,
        "call_id": st.just("c") | JUNK,
        "name": st.just("f") | JUNK,
        "arguments": st.just("{}") | JUNK,
        "input": st.just("x") | JUNK,
        "summary": st.lists(JUNK | st.just({"type": "summary_text", "text": "x"}), max_size=2) | JUNK,
        "encrypted_content": JUNK | st.sampled_from(["patchbay.v1:", "patchbay.v1:W10=", "patchbay.v1:WzFd"]),
    },
)


def messages(*items, **more):
    return request_from({"input": list(items), **more}).body["messages"]


def allowed(name):
    return {"type": "allowed_tools", "tools": [{"type": "function", "name": name}]}


def refused(**theirs):
    with pytest.raises(BadRequest) as caught:
        request_from({"input": "Hello", **theirs})
    return caught.value.param


class TestRequests:
    def test_a_text_is_what_the_user_says(self):
        assert request_from({"input": "Hello", "instructions": "Be brief"}).body["messages"] == [
            {"role": "system", "content": "Be brief"},
            HI,
        ]

    def test_one_turn_of_the_assistant_is_one_message(self):
        said = {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see"}]}
        made = messages(
            HI, THOUGHT, said, CALLED, {**CALLED, "call_id": "c2"}, RESULT, {**RESULT, "call_id": "c2"}, HI
        )
        assert [message["role"] for message in made] == ["user", "assistant", "tool", "tool", "user"]
        turn = made[1]
        assert (turn["content"], turn["reasoning_content"]) == ("Let me see", "Hm")
        assert [call["id"] for call in turn["tool_calls"]] == ["c1", "c2"]
        chat_facts({"messages": made})

    def test_parts(self):
        parts = [
            {"type": "input_text", "text": "See"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]
        (message,) = messages({"type": "message", "role": "user", "content": parts})
        assert message["content"] == [
            {"type": "text", "text": "See"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]

    def test_a_result_may_hold_parts(self):
        output = [{"type": "input_text", "text": "3"}]
        assert messages(HI, CALLED, {**RESULT, "output": output})[-1]["content"] == [{"type": "text", "text": "3"}]

    def test_parameters_that_have_other_names(self):
        schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
        body = request_from(
            {
                "input": "Hello",
                "max_output_tokens": 9,
                "reasoning": {"effort": "low", "summary": "auto"},
                "text": {"format": schema, "verbosity": "low"},
                "tools": [{**FUNCTION, "strict": True}],
                "tool_choice": {"type": "function", "name": "f"},
                "include": ["message.output_text.logprobs"],
                "metadata": {"a": "b"},
            }
        ).body
        about = {"name": "n", "schema": {"type": "object"}, "strict": True}
        assert body == {
            "messages": [HI],
            "max_completion_tokens": 9,
            "reasoning_effort": "low",
            "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema": about},
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "logprobs": True,
            "top_logprobs": 0,
        }

    def test_what_is_the_same_stays_and_what_is_a_provider_s_own_passes(self):
        same = {
            "model": "m",
            "temperature": 0,
            "top_p": 0.5,
            "stream": True,
            "user": "u",
            "parallel_tool_calls": False,
        }
        body = request_from({"input": "Hello", "tools": [FUNCTION], "top_k": 3, **same}).body
        assert {name: body[name] for name in (*same, "top_k")} == {**same, "top_k": 3}

    def test_only_the_tools_that_may_be_used_are_given(self):
        choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
        body = request_from({"input": "x", "tools": [FUNCTION, {**FUNCTION, "name": "g"}], "tool_choice": choice}).body
        assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
        assert body["tool_choice"] == "required"

    @pytest.mark.parametrize(
        ("theirs", "bound"),
        [
            ({"previous_response_id": "resp_1"}, "previous_response_id"),
            ({"conversation": "conv_1"}, "conversation"),
            ({"prompt": {"id": "p"}}, "prompt"),
            ({"background": True}, "background"),
            ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tool_choice (required)"),
            ({"tool_choice": {"type": "file_search"}}, "tool_choice (file_search)"),
            ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0] (item_reference)"),
            (
                {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]},
                "input[0].content[0].file_id",
            ),
        ],
        ids=lambda given: given if isinstance(given, str) else "",
    )
    def test_what_only_this_api_can_do_binds(self, theirs, bound):
        assert request_from({"input": "Hello", **theirs}).bound == (bound,)

    HOSTED = pytest.mark.parametrize(
        ("theirs", "where", "kind"),
        [
            ({"tools": [FUNCTION, {"type": "web_search"}]}, "tools[1]", "web_search"),
            ({"input": [HI, {"type": "web_search_call", "id": "ws_1"}]}, "input[1]", "web_search_call"),
        ],
        ids=["tool", "item"],
    )

    @HOSTED
    def test_what_providers_run_is_left_out_and_said(self, theirs, where, kind):
        made = request_from({"input": "Hello", **theirs})
        assert made.bound == ()
        (loss,) = made.losses
        assert loss.startswith(f"{where} was left out: ")
        assert kind in loss
        assert made.body["messages"] == [HI]
        assert len(made.body.get("tools", ())) == len(theirs.get("tools", ())) // 2

    @HOSTED
    def test_and_binds_who_is_strict(self, theirs, where, kind):
        made = request_from({"input": "Hello", **theirs}, strict=True)
        assert (made.bound, made.losses) == ((f"{where} ({kind})",), ())

    def test_a_tool_of_texts_is_a_function_of_one(self):
        made = request_from({"input": "x", "tools": [PATCH], "tool_choice": {"type": "custom", "name": "apply_patch"}})
        (tool,) = made.body["tools"]
        function = tool["function"]
        assert (function["name"], function["parameters"]["required"]) == ("apply_patch", ["input"])
        assert function["description"] == "Patches files.\n\nThe input must match this lark grammar:\nstart: /.+/"
        assert made.body["tool_choice"] == {"type": "function", "function": {"name": "apply_patch"}}
        assert made.bound == ()
        assert [loss.partition(" ")[0] for loss in made.losses] == ["tools[0].format"]
        chat_facts(made.body)
        assert request_from({"input": "x", "tools": [{"type": "custom", "name": "f"}]}).losses == ()

    def test_a_call_with_a_text(self):
        called = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": 'say "x"\n'}
        result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"}
        _, turn, told = messages(HI, called, result)
        (one,) = turn["tool_calls"]
        assert orjson.loads(one["function"]["arguments"]) == {"input": 'say "x"\n'}
        assert told == {"role": "tool", "tool_call_id": "c1", "content": "done"}
        items = items_of(turn, "1", texts=frozenset({"apply_patch"}))
        assert items == [{**called, "id": "ctc_1_0", "status": "completed"}]

    @pytest.mark.parametrize("arguments", ["*** Begin Patch", '{"patch":1}', "[]", ""], ids=repr)
    def test_a_text_without_its_object_is_the_text(self, arguments):
        (item,) = items_of({"tool_calls": [call("c1", arguments)]}, "1", texts=frozenset({"f"}))
        assert (item["type"], item["input"]) == ("custom_tool_call", arguments)

    def test_pictures_of_results_stand_in_the_message_after_them(self):
        shown = {**RESULT, "output": [{"type": "input_image", "image_url": "https://x/a.png"}]}
        both = {**RESULT, "call_id": "c2", "output": [{"type": "input_text", "text": "see"}, *shown["output"]]}
        asked = [HI, CALLED, {**CALLED, "call_id": "c2"}, shown, both]
        picture = {"type": "image_url", "image_url": {"url": "https://x/a.png"}}
        _, _, first, second, after = messages(*asked)
        assert first["content"] == "The result is at the beginning of the next message."
        assert second["content"] == [{"type": "text", "text": "see"}]
        assert after == {"role": "user", "content": [picture, picture]}
        assert messages(*asked, HI)[4:] == [
            {"role": "user", "content": [picture, picture, {"type": "text", "text": "Hello"}]}
        ]
        later = messages(*asked, {"role": "developer", "content": "x"})
        assert [message["role"] for message in later[2:]] == ["tool", "tool", "user", "developer"]

    def test_what_is_named_in_a_chat_is_found_in_what_was_sent(self):
        shown = {**RESULT, "output": [{"type": "input_image", "image_url": "https://x/a.png"}]}
        parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://x/b.png"}]
        parts.append({"type": "input_file", "file_url": "https://x/c.pdf"})
        names = request_from(
            {
                "instructions": "x",
                "input": [THOUGHT, CALLED, shown, {"role": "user", "content": parts}],
                "tools": [{"type": "web_search"}, FUNCTION],
                "top_logprobs": 1,
            }
        ).names
        for ours, theirs in {
            "messages[0].content": "instructions",
            "messages[1].reasoning_content": "input[0].summary",
            "messages[1].tool_calls[0].function.arguments": "input[1].arguments",
            "messages[2].content": "input[2].output",
            "messages[3].content[0].image_url.url": "input[2].output[0].image_url",
            "messages[3].content[1].text": "input[3].content[0].text",
            "messages[3].content[2].image_url": "input[3].content[1].image_url",
            "messages[3].content[3].file.file_url": "input[3].content[2].file_url",
            "messages[3].role": "input[3].role",
            "messages": "input",
            "tools[0].function.parameters": "tools[1].parameters",
            "response_format.json_schema.schema": "text.format.schema",
            "response_format.type": "text.format.type",
            "tool_choice.function.name": "tool_choice.name",
            "messages[].reasoning_details": "input[].encrypted_content",
            "verbosity": "text.verbosity",
            "logprobs": "top_logprobs",
        }.items():
            assert names(ours) == theirs
            assert names(theirs) == theirs
        words = "max_tokens and reasoning_effort were not sent: x/m takes no max_tokens."
        theirs = "max_output_tokens and reasoning.effort were not sent: x/m takes no max_output_tokens."
        assert names(words) == theirs
        assert (
            names("the messages do not fit; set OPENAI_MAX_TOKENS") == "the messages do not fit; set OPENAI_MAX_TOKENS"
        )

    def test_a_document_s_address_can_be_said_to_anybody(self):
        part = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
        made = request_from({"input": [{"role": "user", "content": [part]}]})
        assert made.bound == made.losses == ()
        assert made.body["messages"][0]["content"] == [
            {"type": "file", "file": {"file_url": "https://example.com/a.pdf"}}
        ]
        assert chat_facts(made.body).links

    def test_what_was_kept_needs_no_input(self):
        made = request_from({"previous_response_id": "resp_1"})
        assert chat_facts(made.body).messages == 1
        assert request_from({"background": False, "input": "x"}).bound == ()

    @pytest.mark.parametrize(
        ("theirs", "loss"),
        [
            ({"store": True}, "store"),
            ({"truncation": "auto"}, "truncation"),
            ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
            ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ],
        ids=lambda given: given if isinstance(given, str) else "",
    )
    def test_what_a_translation_leaves_out_is_said(self, theirs, loss):
        (said,) = request_from({"input": "Hello", **theirs}).losses
        assert said.startswith(f"{loss} was left out: ")

    def test_what_loses_nothing_is_not_said(self):
        quiet = {"store": False, "truncation": "disabled", "metadata": {}, "include": ["reasoning.encrypted_content"]}
        assert request_from({"input": "Hello", **quiet}).losses == ()

    def test_an_image_s_size_that_a_chat_has_no_word_for(self):
        part = {"type": "input_image", "image_url": "https://x/y.png", "detail": "original"}
        made = request_from({"input": [{"role": "user", "content": [part]}]})
        assert made.body["messages"][0]["content"][0]["image_url"]["detail"] == "high"
        assert made.losses == ("input[0].content[0].detail became high: a chat has no original",)

    def test_a_breakpoint_is_a_marker_of_the_cache(self):
        part = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
        (message,) = messages({"role": "user", "content": [part]})
        assert message["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}

    @pytest.mark.parametrize(
        ("theirs", "param"),
        [
            ({"messages": [HI]}, "messages"),
            ({"input": None}, "input"),
            ({"input": []}, "input"),
            ({"input": 3}, "input"),
            ({"input": ["x"]}, "input[0]"),
            ({"input": [{}]}, "input[0]"),
            ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
            ({"input": [{"role": "user"}]}, "input[0].content"),
            ({"input": [{"role": "user", "content": [{"type": "text_input"}]}]}, "input[0].content[0].type"),
            ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
            ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]"),
            ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
            ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
            ({"input": [{**RESULT, "output": 3}]}, "input[0].output"),
            ({"tools": [{"name": "f"}]}, "tools[0]"),
            ({"tools": [{"type": "function"}]}, "tools[0].name"),
            ({"tool_choice": "maybe"}, "tool_choice"),
            ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
            ({"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice.name"),
            ({"tools": [FUNCTION], "tool_choice": {"type": "custom", "name": "f"}}, "tool_choice.name"),
            ({"tools": [FUNCTION], "tool_choice": allowed(["f"])}, "tool_choice.tools[0].name"),
            ({"tools": [FUNCTION], "tool_choice": allowed("g")}, "tool_choice.tools[0].name"),
            ({"tools": [FUNCTION], "tool_choice": {**allowed("f"), "mode": ["x"]}}, "tool_choice.mode"),
            ({"tools": [{**PATCH, "format": "lark"}]}, "tools[0].format"),
            ({"tools": [{**PATCH, "format": {"type": "grammar", "syntax": "lark"}}]}, "tools[0].format.definition"),
            ({"tools": [{**PATCH, "description": 3}]}, "tools[0].description"),
            ({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f"}]}, "input[0].input"),
            ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
            ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
            ({"reasoning": {"effort": 3}}, "reasoning.effort"),
            ({"max_output_tokens": 0}, "max_output_tokens"),
            ({"temperature": "hot"}, "temperature"),
            ({"input": [{**THOUGHT, "encrypted_content": "patchbay.v1:?"}]}, "input[0].encrypted_content"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_named(self, theirs, param):
        assert refused(**theirs) == param

    @given(st.lists(ITEMS, max_size=3), st.dictionaries(st.sampled_from(sorted(RESPONSES_PARAMS)), JUNK, max_size=3))
    @examples(400)
    def test_no_item_breaks_it(self, items, more):
        try:
            chat_facts(request_from({**more, "input": items}).body)
        except BadRequest as error:
            assert error.param  # noqa: PT017 - only some of them are refused

    @given(st.dictionaries(st.sampled_from(sorted(RESPONSES_PARAMS)), st.recursive(
        st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=3)
        | st.sampled_from(["message", "function_call", "reasoning", "user", "input_text", "function"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(
            ["type", "role", "content", "text", "summary", "output", "call_id", "name", "tools", "format"]), inner),
        max_leaves=8,
    )))  # fmt: skip
    @examples(120)
    def test_no_request_breaks_it(self, theirs):
        try:
            body = request_from(theirs).body
            chat_facts(body)
        except BadRequest as error:
            assert error.param  # noqa: PT017 - only some of them are refused


class TestOwn:
    """What goes to who has the API."""

    def test_as_it_came(self):
        theirs = {
            "model": "m",
            "input": [HI, THOUGHT, CALLED, RESULT],
            "tools": [{"type": "web_search"}],
            "store": True,
        }
        assert request_to(theirs, request_from(theirs).body) == (theirs, [])

    def test_with_what_the_plan_changed(self):
        theirs = {"input": "x", "max_output_tokens": 9, "temperature": 0.5}
        assert request_to(theirs, {"messages": []})[0] == {"input": "x"}
        planned = {"messages": [], "max_completion_tokens": 5, "temperature": 0.1}
        assert request_to(theirs, planned)[0] == {"input": "x", "max_output_tokens": 5, "temperature": 0.1}
        assert request_to({"input": "x"}, {"max_tokens": 7})[0] == {"input": "x", "max_output_tokens": 7}

    def test_without_what_only_others_can_read(self):
        message = {"role": "assistant", "content": "x", "reasoning_content": "Hm", "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "s", "format": "else-v1", "index": 0}
        ], "tool_calls": [{**call("c1"), "extra_content": {"google": {"thought_signature": "s"}}}]}  # fmt: skip
        items = items_of(message, "1")
        body, losses = request_to({"input": [HI, *items]}, {})
        assert [item["type"] for item in body["input"] if "type" in item] == ["message", "function_call"]
        assert "extra_content" not in body["input"][-1]
        assert losses == ["input[1] was left out: another provider's reasoning"]


def call(name, arguments="{}"):
    return {"id": name, "type": "function", "function": {"name": "f", "arguments": arguments}}


def chat(message, finish="stop", **more):
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], **more}


TEXT = st.text(min_size=1, max_size=20)
DETAILS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["reasoning.text", "reasoning.encrypted"]), "format": st.just("else-v1")},
        optional={"text": TEXT, "data": TEXT, "signature": TEXT},
    ),
    min_size=1, max_size=3,
).map(lambda found: [{**one, "index": index} for index, one in enumerate(found)])  # fmt: skip
CALLS = st.lists(TEXT, min_size=1, max_size=3).map(lambda found: [call(f"c{i}", text) for i, text in enumerate(found)])
MESSAGE = st.fixed_dictionaries(
    {"content": TEXT | st.none()},
    optional={"reasoning_content": TEXT, "reasoning_details": DETAILS, "tool_calls": CALLS, "refusal": TEXT},
).filter(lambda made: made["content"] or "tool_calls" in made or "refusal" in made)


class TestAnswers:
    @given(MESSAGE)
    @examples()
    def test_an_answer_that_comes_back_is_what_was_said(self, message):
        message = {"role": "assistant", **message}
        theirs = completion_to(chat(message), {}, "1", 5)
        assert messages(HI, *theirs["output"])[1:] == [message]
        assert completion_from(theirs)["choices"][0]["message"] == message

    @given(st.sampled_from(["stop", "length", "content_filter"]), st.integers(0, 99), st.integers(0, 99))
    @examples(30)
    def test_how_it_ended_and_what_it_used_come_back(self, finish, before, after):
        usage = {"prompt_tokens": before, "completion_tokens": after, "total_tokens": before + after}
        theirs = completion_to(chat({"content": "x"}, finish, usage=usage), {}, "1", 5)
        back = completion_from(theirs)
        assert (back["choices"][0]["finish_reason"], back["usage"]) == (finish, usage)
        assert theirs["status"] == ("completed" if finish == "stop" else "incomplete")
        assert theirs["output"][-1]["status"] == theirs["status"]

    @given(st.lists(st.integers(0, 999), min_size=5, max_size=5))
    @examples(50)
    def test_usage_there_and_back(self, counts):
        usage = Usage("reported", *counts)
        assert usage_from(usage_to(usage)) == usage

    def test_it_repeats_what_was_asked_and_is_not_stored(self):
        asked = {"instructions": "Be brief", "tools": [FUNCTION], "metadata": {"a": "b"}, "store": True, "top_p": 0.5}
        theirs = completion_to(chat({"content": "x"}), asked, "1", 5)
        assert {name: theirs[name] for name in asked} == {**asked, "store": False}
        assert (theirs["id"], theirs["created_at"], theirs["model"]) == ("resp_1", 5, "m")

    def test_its_own_reasoning_goes_back_as_it_came(self):
        item = {**THOUGHT, "encrypted_content": "gAAAA", "status": "completed"}
        message = messages(HI, item)[1]
        assert {one["format"] for one in message["reasoning_details"]} == {FORMAT}
        assert items_of({**message, "content": "x"}, "1")[0] == item

    def test_annotations_stand_one_level_higher(self):
        note = {"type": "url_citation", "url_citation": {"url": "https://x", "title": "t"}}
        theirs = completion_to(chat({"content": "x", "annotations": [note]}), {}, "1", 5)
        (part,) = theirs["output"][0]["content"]
        assert part["annotations"] == [{"type": "url_citation", "url": "https://x", "title": "t"}]

    def test_an_empty_answer_is_a_message(self):
        theirs = completion_to(chat({"content": ""}), {}, "1", 5)
        assert [item["content"][0]["text"] for item in theirs["output"]] == [""]


def failed(code):
    return {"status": "failed", "output": [], "error": {"code": code, "message": "x"}}


class TestReading:
    def test_built_in_tools_leave_the_words(self):
        said = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
        raw = orjson.dumps(
            {"id": "r", "status": "completed", "output": [{"type": "web_search_call", "id": "w"}, said]}
        )
        found = read_response(raw)
        assert (found.native, found.message["content"]) == (raw, "x")

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (failed("server_error"), ServerFault),
            (failed("rate_limit_exceeded"), RateLimited),
            (failed("invalid_prompt"), ContentRefused),
            ({"status": "cancelled", "output": []}, ServerFault),
            ({"error": {"code": "previous_response_not_found", "message": "x"}}, ParameterRefused),
            ({"output": "x"}, Malformed),
            ({"output": [3]}, Malformed),
            ([], Malformed),
        ],
        ids=str,
    )
    def test_what_is_no_answer(self, body, error):
        with pytest.raises(error):
            read_response(orjson.dumps(body))
