"""The Responses API of the simulators, as the official client sees it."""

import json

import openai
import pytest
from pydantic import BaseModel

from tests.infra.test_simulators import with_client

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
GIVEN = {"type": "input_text", "text": "x"}
PIXEL = "data:image/png;base64,aGVsbG8="
BOTH = ("openai", "azure")
MODEL, THINKS = "gpt-4.1-mini", "gpt-5.4-mini"
SAID = 'Simulated answer from openai (gpt-4.1-mini): you said "Hello".'


class Person(BaseModel):
    name: str
    age: int


def respond(kind="openai", given="Hello", model=MODEL, **options):
    return with_client(kind, lambda sdk: sdk.responses.create(model=model, input=given, **options))


def events(given="Hello", model=MODEL, **options):
    async def act(sdk):
        stream = await sdk.responses.create(model=model, input=given, stream=True, **options)
        return [event async for event in stream]

    return with_client("openai", act)


def refused(**options):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(**options)
    return caught.value


@pytest.mark.parametrize("kind", BOTH)
def test_a_response(kind):
    answer = respond(kind)
    assert answer.output_text == SAID.replace("openai", kind)
    assert (answer.status, answer.object, answer.model) == ("completed", "response", MODEL)
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_stream_says_the_same_event_by_event():
    came = events()
    assert [event.sequence_number for event in came] == list(range(len(came)))
    kinds = list(dict.fromkeys(event.type for event in came))
    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert "".join(event.delta for event in came if event.type == "response.output_text.delta") == SAID
    assert came[-1].response.output_text == SAID
    assert came[-1].response.usage == respond().usage


def test_the_client_s_own_reader_of_streams_takes_it():
    async def act(sdk):
        async with sdk.responses.stream(model=THINKS, input="use get_weather", tools=[WEATHER]) as stream:
            async for _ in stream:
                pass
            return await stream.get_final_response()

    whole = with_client("openai", act)
    assert [item.type for item in whole.output] == ["reasoning", "function_call"]
    assert json.loads(whole.output[1].arguments) == {"city": "simulated"}


def test_a_function_is_called_and_its_result_read():
    asked = respond(given="use get_weather", model=THINKS, tools=[WEATHER])
    call = asked.output[-1]
    assert (call.type, call.name) == ("function_call", "get_weather")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"}
    answer = respond(given=[{"role": "user", "content": "use get_weather"}, *asked.output, result], tools=[WEATHER])
    assert 'the tool returned "12 degrees"' in answer.output_text


def test_a_conversation_goes_on_where_it_was_kept():
    async def act(sdk):
        first = await sdk.responses.create(model=MODEL, input="use get_weather", tools=[WEATHER])
        result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "12 degrees"}
        return await sdk.responses.create(model=MODEL, input=[result], previous_response_id=first.id)

    assert '"12 degrees"' in with_client("openai", act).output_text
    assert refused(previous_response_id="resp_unheard").code == "previous_response_not_found"


def test_thoughts_are_sealed_and_shown_when_asked_for():
    hidden, shown = respond(model=THINKS).output[0], respond(model=THINKS, reasoning={"summary": "auto"}).output[0]
    assert (hidden.type, hidden.summary) == ("reasoning", [])
    assert [part.text for part in shown.summary] == ["Simulated thought."]
    assert hidden.encrypted_content
    forged = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "not ours"}
    assert refused(given=[forged, {"role": "user", "content": "Hi"}]).code == "invalid_encrypted_content"


def test_images_files_and_searches():
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PIXEL}]
    assert "1 image: image/png of 5 bytes" in respond(given=[{"role": "user", "content": parts}]).output_text
    found = respond(tools=[{"type": "web_search"}])
    assert [item.type for item in found.output] == ["web_search_call", "message"]
    assert found.output[1].content[0].annotations[0].url


def test_a_schema():
    async def act(sdk):
        return await sdk.responses.parse(model=MODEL, input="Who?", text_format=Person)

    assert with_client("openai", act).output_parsed == Person(name="simulated", age=0)


def test_an_answer_cut_short_says_so():
    answer = respond(max_output_tokens=16, given="word " * 50)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert events(max_output_tokens=16, given="word " * 50)[-1].type == "response.incomplete"


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"extra_body": {"messages": []}}, "messages"),
        ({"max_output_tokens": 5}, "max_output_tokens"),
        ({"model": THINKS, "temperature": 0.5}, "temperature"),
        ({"given": [{"role": "assistant", "content": [GIVEN]}]}, "input[0].content[0].type"),
        ({"given": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input"),
        ({"given": [{"role": "user", "content": "x", "extra_content": {}}]}, "input[0].extra_content"),
        ({"given": [{"type": "message", "id": "x1", "role": "user", "content": "x"}]}, "input[0].id"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_turned_away(options, param):
    assert refused(**options).param == param


PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}


def test_a_tool_that_takes_a_text():
    asked = respond(given="use apply_patch", tools=[PATCH])
    (call,) = asked.output
    assert (call.type, call.name, call.input) == ("custom_tool_call", "apply_patch", "Simulated input.")
    came = events(given="use apply_patch", tools=[PATCH])
    pieces = [event.delta for event in came if event.type == "response.custom_tool_call_input.delta"]
    assert len(pieces) > 1
    (done,) = [event for event in came if event.type == "response.custom_tool_call_input.done"]
    assert "".join(pieces) == done.input == call.input
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "patched"}
    history = [{"role": "user", "content": "use apply_patch"}, call.model_dump(exclude_none=True), result]
    assert "patched" in respond(given=history, tools=[PATCH]).output_text
    assert refused(given=history[:2], tools=[PATCH]).param == "input"


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"tools": [{"type": "custom"}]}, "tools[0].name"),
        ({"tools": [{**PATCH, "format": {"type": "xml"}}]}, "tools[0].format.type"),
        ({"tools": [{**PATCH, "format": {"type": "grammar", "syntax": "bnf"}}]}, "tools[0].format.syntax"),
        ({"tools": [{**PATCH, "format": {"type": "grammar", "syntax": "lark"}}]}, "tools[0].format.definition"),
        ({"tools": [PATCH], "tool_choice": {"type": "function", "name": "apply_patch"}}, "tool_choice"),
        (
            {"tools": [PATCH], "tool_choice": {"type": "allowed_tools", "tools": [{"type": "custom", "name": "x"}]}},
            "tool_choice",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_with_such_a_tool(options, param):
    assert refused(**options).param == param


def test_nothing_may_be_said():
    assert "you said nothing" in respond(given="").output_text
