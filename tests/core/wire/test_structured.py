"""JSON by any means: what is sent for it, and what comes back as content."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capabilities import Feature
from core.errors import BadRequest
from core.wire.chat import chat_facts
from core.wire.structured import Wanted, asking, content_of, is_cut, means_of, mending, settled, unfenced, wanted_in
from tests.core.fakes import JSON, examples

HI = [{"role": "user", "content": "Hello"}]
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
WANTED = Wanted("person", PERSON, "Somebody")
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "description": "Somebody"}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SCHEMA, MODE, TOOLS = Feature.JSON_SCHEMA, Feature.JSON_MODE, Feature.TOOLS


def body(messages=HI, **fields):
    return {"messages": messages, "response_format": FORMAT, **fields}


def answer(message, finish="stop", **more):
    return {"id": "a", "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]}


def call(name, arguments, ident="call_1"):
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


class TestFormat:
    @pytest.mark.parametrize(
        ("given", "param"),
        [
            ({"type": "json_schema"}, "response_format.json_schema"),
            ({"type": "json_schema", "json_schema": "person"}, "response_format.json_schema"),
            ({"type": "json_schema", "json_schema": {"schema": PERSON}}, "response_format.json_schema.name"),
            (
                {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}},
                "response_format.json_schema.name",
            ),
            (
                {"type": "json_schema", "json_schema": {"name": "x" * 65, "schema": {}}},
                "response_format.json_schema.name",
            ),
            ({"type": "json_schema", "json_schema": {"name": "a"}}, "response_format.json_schema.schema"),
            (
                {"type": "json_schema", "json_schema": {"name": "a", "schema": True}},
                "response_format.json_schema.schema",
            ),
            (
                {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "x"}}},
                "response_format.json_schema.schema",
            ),
            (
                {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": "yes"}},
                "response_format.json_schema.strict",
            ),
            (
                {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "description": 1}},
                "response_format.json_schema.description",
            ),
        ],
    )
    def test_what_cannot_be_met_is_the_callers_mistake(self, given, param):
        with pytest.raises(BadRequest) as caught:
            chat_facts({"messages": HI, "response_format": given})
        assert caught.value.param == param
        assert caught.value.message.startswith(param)

    def test_vendors_have_types_of_their_own(self):
        assert not chat_facts({"messages": HI, "response_format": {"type": "grammar"}}).features
        assert wanted_in({"response_format": {"type": "grammar"}}) is None

    def test_what_is_asked_for(self):
        assert wanted_in(body()) == WANTED
        assert wanted_in({"response_format": {"type": "json_object"}}) == Wanted("answer", None)
        assert wanted_in({"response_format": {"type": "text"}}) is wanted_in({}) is None

    def test_no_function_of_the_callers_has_its_name(self):
        own = [{"type": "function", "function": {"name": name}} for name in ("person", "answer_0")]
        assert wanted_in(body(tools=own)) == WANTED._replace(name="answer_1")


class TestMeans:
    @pytest.mark.parametrize(
        ("asked", "has", "means"),
        [
            ({SCHEMA}, {SCHEMA, MODE, TOOLS}, "native"),
            ({SCHEMA}, {MODE, TOOLS}, "json_mode"),
            ({SCHEMA}, {TOOLS}, "tool"),
            ({SCHEMA}, {Feature.STREAM}, None),
            ({MODE}, {MODE, TOOLS}, "native"),
            ({MODE}, {SCHEMA, TOOLS}, "tool"),
            ({MODE}, set(), None),
            (set(), {SCHEMA, MODE, TOOLS}, None),
        ],
    )
    def test_the_best_there_is(self, asked, has, means):
        assert means_of(asked, has, as_object=True) == means

    def test_what_is_no_object_needs_a_schema_of_the_providers_own(self):
        assert means_of({SCHEMA}, {SCHEMA}, as_object=False) == "native"
        assert means_of({SCHEMA}, {MODE, TOOLS}, as_object=False) is None


class TestJsonMode:
    def test_the_schema_is_told_in_a_message_that_says_json(self):
        sent = asking(body(temperature=0), WANTED, "json_mode")
        assert sent["response_format"] == {"type": "json_object"}
        assert sent["temperature"] == 0
        told, *rest = sent["messages"]
        assert rest == HI
        assert told["role"] == "system" and "JSON" in told["content"] and "Somebody" in told["content"]
        assert orjson.loads(told["content"][told["content"].index("{") :]) == PERSON

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_who_has_a_system_message_keeps_one(self, role):
        first = {"role": role, "content": "Be brief."}
        told, *rest = asking(body([first, *HI]), WANTED, "json_mode")["messages"]
        assert rest == HI and told["role"] == role and told["content"].startswith("Be brief.\n\nAnswer with one JSON")

    def test_one_that_is_in_parts_gets_a_part(self):
        first = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
        told = asking(body([first, *HI]), WANTED, "json_mode")["messages"][0]
        assert [part["type"] for part in told["content"]] == ["text", "text"]

    def test_it_answers_whole(self):
        sent = asking(body(stream=True, stream_options={"include_usage": True}), WANTED, "json_mode")
        assert not {"stream", "stream_options"} & sent.keys()


class TestFunction:
    def test_one_whose_parameters_are_the_schema_is_forced(self):
        sent = asking(body(), WANTED, "tool")
        assert "response_format" not in sent
        assert sent["tools"] == [
            {"type": "function", "function": {"name": "person", "description": "Somebody", "parameters": PERSON}}
        ]
        assert sent["tool_choice"] == {"type": "function", "function": {"name": "person"}}
        assert "person" in sent["messages"][0]["content"]

    @pytest.mark.parametrize(
        ("fields", "lacks", "choice"),
        [
            ({}, {"tool_choice"}, None),
            ({"reasoning_effort": "high"}, (), "auto"),
            ({"thinking": {"type": "enabled"}}, (), "auto"),
            ({"reasoning_effort": "none"}, (), {"type": "function", "function": {"name": "person"}}),
            ({"tools": [WEATHER]}, (), "required"),
            ({"tools": [WEATHER], "tool_choice": "auto"}, (), "required"),
            ({"tools": [WEATHER], "tool_choice": "none"}, (), {"type": "function", "function": {"name": "person"}}),
            (
                {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
                (),
                {"type": "function", "function": {"name": "weather"}},
            ),
        ],
    )
    def test_what_is_forced_where(self, fields, lacks, choice):
        assert asking(body(**fields), WANTED, "tool", lacks).get("tool_choice") == choice

    def test_the_callers_own_functions_stay(self):
        sent = asking(body(tools=[WEATHER]), WANTED, "tool")
        assert [tool["function"]["name"] for tool in sent["tools"]] == ["weather", "person"]

    def test_any_object_will_do_for_json_mode(self):
        sent = asking({"messages": HI, "response_format": {"type": "json_object"}}, Wanted("answer", None), "tool")
        assert sent["tools"][0]["function"]["parameters"] == {"type": "object"}

    def test_its_arguments_are_the_answer(self):
        given = answer({"content": None, "tool_calls": [call("person", '{"name":"Ada"}')]}, "tool_calls")
        made, notes = settled(given, WANTED, "tool")
        assert made["choices"][0]["message"] == {"role": "assistant", "content": '{"name":"Ada"}'}
        assert made["choices"][0]["finish_reason"] == "stop"
        assert notes == []
        assert given["choices"][0]["finish_reason"] == "tool_calls"

    def test_what_was_cut_short_says_so(self):
        given = answer({"content": None, "tool_calls": [call("person", '{"na')]}, "length")
        made, _ = settled(given, WANTED, "tool")
        assert made["choices"][0]["message"]["content"] == '{"na'
        assert is_cut(made) and content_of(made["choices"][0]) is None

    def test_the_callers_own_calls_come_first(self):
        calls = [call("weather", "{}", "call_1"), call("person", "{}", "call_2")]
        made, _ = settled(answer({"content": None, "tool_calls": calls}, "tool_calls"), WANTED, "tool")
        choice = made["choices"][0]
        assert choice["message"]["tool_calls"] == [calls[0]] and choice["finish_reason"] == "tool_calls"
        assert content_of(choice) is None

    def test_who_answers_in_words_all_the_same_may_be_right(self):
        given = answer({"content": '{"name":"Ada"}'})
        assert settled(given, WANTED, "tool") == (given, [])


class TestAnswer:
    @pytest.mark.parametrize(
        ("text", "bare"),
        [
            ('```json\n{"a": 1}\n```', '{"a": 1}'),
            ('\n```\n{"a": 1}\n```\n', '{"a": 1}'),
            ('```JSON\n{"a": 1}```', '{"a": 1}'),
            ('{"a": "```"}', '{"a": "```"}'),
            ('Here: ```json\n{"a": 1}\n```', 'Here: ```json\n{"a": 1}\n```'),
            ("```\na\n```\n```\nb\n```", "```\na\n```\n```\nb\n```"),
        ],
    )
    def test_a_fence_around_all_of_it_is_taken_off(self, text, bare):
        assert unfenced(text) == bare

    def test_and_that_is_said(self):
        made, notes = settled(answer({"content": "```json\n{}\n```"}), WANTED, "native")
        assert made["choices"][0]["message"]["content"] == "{}"
        assert notes == ["the answer's JSON stood in a code fence, which was taken off"]

    @examples()
    @given(JSON)
    def test_a_fenced_value_is_that_value(self, value):
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
        fenced = f"```json\n{text}\n```"
        assert unfenced(text) == text
        if "```" not in text:
            assert unfenced(fenced) == text

    @pytest.mark.parametrize(
        ("message", "finish"),
        [
            ({"content": None, "refusal": "I cannot."}, "stop"),
            ({"content": '{"a'}, "length"),
            ({"content": ""}, "content_filter"),
            ({"content": None, "tool_calls": [call("weather", "{}")]}, "tool_calls"),
        ],
    )
    def test_other_outcomes_are_no_json(self, message, finish):
        assert content_of(answer(message, finish)["choices"][0]) is None

    def test_nothing_at_all_is_an_answer_to_be_checked(self):
        assert content_of(answer({"content": None})["choices"][0]) == ""

    @examples(80)
    @given(st.sampled_from(["native", "json_mode", "tool"]), JSON, st.integers(1, 3))
    def test_what_is_right_comes_through_every_means(self, means, value, count):
        text = orjson.dumps(value).decode()
        message = {"content": None, "tool_calls": [call("person", text)]} if means == "tool" else {"content": text}
        one = answer(message, "tool_calls" if means == "tool" else "stop")["choices"][0]
        made, _ = settled({"choices": [{**one, "index": index} for index in range(count)]}, WANTED, means)
        assert [choice["index"] for choice in made["choices"]] == list(range(count))
        if "```" not in text:
            assert [content_of(choice) for choice in made["choices"]] == [text] * count


class TestMending:
    def test_the_wrong_answer_and_what_is_wrong_are_told(self):
        messages = mending(body(), '{"nam', "It is not JSON.")["messages"]
        assert messages[0] == HI[0]
        assert messages[1] == {"role": "assistant", "content": '{"nam'}
        assert messages[2]["role"] == "user" and "It is not JSON." in messages[2]["content"]

    def test_nothing_is_not_repeated(self):
        assert [one["role"] for one in mending(body(), "", "It is not JSON.")["messages"]] == ["user", "user"]

    @pytest.mark.parametrize("means", ["json_mode", "tool"])
    def test_what_was_sent_is_still_a_request(self, means):
        chat_facts(asking(mending(body(), "{}", "no"), WANTED, means))
