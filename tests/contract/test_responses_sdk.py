"""The official client takes our Responses API for the real thing, whoever answers."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from core.capabilities import Feature
from tests.contract.cases import BEFORE, named
from tests.contract.cells import PNG, chatting, model_with
from tests.functions.helpers import problem

ROUTE = "/v1/responses"
HAVE_IT = ("openai", "azure")
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    "strict": False,
}
ALLOWED: Any = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": ["f"]}]}
BROKEN = {"type": "input_image", "image_url": "data:x"}
SEARCH: Any = {"type": "web_search"}
ORDER = [
    "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    "response.output_text.delta", "response.output_text.done", "response.content_part.done",
    "response.output_item.done", "response.completed",
]  # fmt: skip


class Trip(BaseModel):
    city: str
    days: int


def everybody(*features):
    """Who has a model with these, and that model."""
    found = [(row.name, model_with(row, *features)) for row in chatting()]
    rows = [(name, model) for name, model in found if model]
    return pytest.mark.parametrize(("provider", "model"), rows, ids=[name for name, _ in rows])


@pytest.fixture
def gateway(gateways):
    return gateways("everybody")


@pytest.fixture
def client(gateway, sdk):
    return sdk(gateway)


def sent_to(gateway, provider):
    """The latest request that a provider got: where, and what."""
    request = gateway.fleet.requests(provider)[-1]
    return request.target, json.loads(request.body)


def respond(client, provider, model, given="Hello", **options):
    extra = {"fallback": False, **options.pop("extra_body", {})}
    return client.responses.create(model=f"{provider}/{model}", input=given, extra_body=extra, **options)


def final(client, provider, model, given="Hello", **options):
    """What the client's own reader makes of a stream."""
    options["extra_body"] = {"fallback": False}
    with client.responses.stream(model=f"{provider}/{model}", input=given, **options) as stream:
        for _ in stream:
            pass
        return stream.get_final_response()


def said(provider, model):
    return f'Simulated answer from {provider} ({model}): you said "Hello".'


@everybody()
def test_a_response(client, gateway, provider, model):
    answer = respond(client, provider, model, instructions="Be brief", metadata={"a": "b"})
    assert answer.output_text == said(provider, model)
    assert (answer.object, answer.status, answer.instructions, answer.metadata) == (
        "response", "completed", "Be brief", {"a": "b"},
    )  # fmt: skip
    assert answer.usage is None or answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.store is (provider in HAVE_IT)
    assert sent_to(gateway, provider)[0].endswith("/responses") == (provider in HAVE_IT)


@everybody(Feature.STREAM)
def test_a_stream(client, provider, model):
    events = list(respond(client, provider, model, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    thinking = [event for event in events if event.type.startswith("response.reasoning")]
    items = [event.item.type for event in events if event.type == "response.output_item.added"]
    assert [kind for kind in items if kind != "reasoning"] == ["message"]
    kinds = list(dict.fromkeys(event.type for event in events if event not in thinking))
    if items == ["message"]:
        assert kinds == ORDER
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == said(provider, model) == events[-1].response.output_text


@everybody(Feature.TOOLS)
@BOTH
def test_a_loop_with_a_tool(client, provider, model, stream):
    ask = final if stream else respond
    given: list[Any] = [{"role": "user", "content": "use get_weather"}]
    asked = ask(client, provider, model, given, tools=[WEATHER])
    (call,) = [item for item in asked.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert list(json.loads(call.arguments)) == ["place"]
    given += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in asked.output]
    given.append({"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees"})
    answer = ask(client, provider, model, given, tools=[WEATHER])
    assert "22 degrees" in answer.output_text


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
@BOTH
def test_what_only_its_maker_can_read_goes_back_to_it(client, gateway, provider, stream):
    ask = final if stream else respond
    thinking: Any = {"tools": [WEATHER], "reasoning": {"effort": "high"}}
    given: list[Any] = [{"role": "user", "content": "use get_weather"}]
    asked = ask(client, provider, "auto", given, **thinking)
    given += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in asked.output]
    (call,) = [item for item in asked.output if item.type == "function_call"]
    given.append({"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees"})
    assert "22 degrees" in ask(client, provider, "auto", given, **thinking).output_text
    sent = gateway.fleet.requests(provider)[-1].body
    assert b'"signature":"' in sent or b'"thoughtSignature":"' in sent
    assert b"skip_thought_signature_validator" not in sent
    assert b"patchbay.v1" not in sent


@everybody(Feature.VISION)
def test_an_image(client, provider, model):
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PNG}]
    answer = respond(client, provider, model, [{"role": "user", "content": parts}])
    assert "1 image" in answer.output_text


@everybody(Feature.JSON_SCHEMA)
def test_a_schema(client, provider, model):
    answer = client.responses.parse(
        model=f"{provider}/{model}", input="A trip", text_format=Trip, extra_body={"fallback": False}
    )
    assert isinstance(answer.output_parsed, Trip)


@pytest.mark.parametrize(
    ("provider", "bound"),
    [("openai", {}), ("openai", {"tools": [SEARCH], "tool_choice": SEARCH}), ("together", {})],
    ids=["free", "bound", "chat"],
)
def test_json_that_is_wrong_is_mended(gateways, sdk, provider, bound):
    client = sdk(gateway := gateways("quick"))
    gateway.fault(provider, "wrong_json", times=1)
    wanted: Any = {"format": {"type": "json_schema", "name": "trip", "schema": Trip.model_json_schema()}}
    raw = client.responses.with_raw_response.create(
        model=f"{provider}/auto", input="A trip to mend", text=wanted, extra_body={"fallback": False}, **bound
    )
    assert raw.headers["x-patchbay-attempts"] == "2"
    found = raw.parse()
    assert Trip.model_validate_json(found.output_text).city
    paths = [request.target for request in gateway.fleet.requests(provider)][-2:]
    # What only the API can do is asked for there again; anything else can be told what was wrong, in a chat.
    first, second = (path.endswith("/responses") for path in paths)
    assert (first, second) == (provider in HAVE_IT, bool(bound))


# What only the API itself can do.


def test_who_has_the_api_gets_the_request_as_it_was_sent(client, gateway):
    given = [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}]
    options: Any = {"include": ["reasoning.encrypted_content"], "truncation": "auto", "tools": [SEARCH]}
    respond(client, "openai", "auto", given, store=False, reasoning={"effort": "low"}, **options)
    path, body = sent_to(gateway, "openai")
    assert path == ROUTE
    assert body == {
        "model": "gpt-6-luna", "input": given, "store": False, "reasoning": {"effort": "low"}, **options,
    }  # fmt: skip


@BOTH
def test_who_is_strict_is_answered_by_who_has_the_api(client, gateway, stream):
    answer = client.responses.with_raw_response.create(
        model="together/auto", input="Hello", tools=[SEARCH], stream=stream, extra_body={"strict": True}
    )
    assert answer.headers["x-patchbay-provider"] in HAVE_IT
    found = answer.parse()
    output = list(found)[-1].response.output if stream else found.output
    assert "web_search_call" in [item.type for item in output]


@BOTH
def test_a_search_has_a_price_that_nobody_knows(client, gateway, stream):
    """It is billed beside its tokens, so the cost is unknown, and not that of the tokens."""
    raw = client.responses.with_raw_response.create(
        model="openai/auto", input="search cats", tools=[SEARCH], stream=stream
    )
    found = raw.parse()
    output = list(found)[-1].response.output if stream else found.output
    assert "web_search_call" in [item.type for item in output]
    receipt = gateway.receipt(raw.headers["x-patchbay-decision"])
    assert receipt["cost_nano"] is None
    assert "1 web_search_call is billed beside" in str(receipt["warnings"])


def test_and_is_refused_where_nobody_else_may_answer(client):
    with pytest.raises(openai.BadRequestError) as raised:
        respond(client, "groq", "auto", tools=[WEATHER, SEARCH], extra_body={"strict": True})
    assert raised.value.param == "tools[1]"
    assert "has no responses API of its own, which is needed for tools[1] (web_search)" in raised.value.message


def test_others_are_told_without_it_and_that_is_said(client):
    raw = client.responses.with_raw_response.create(
        model="groq/auto", input="use get_weather", tools=[SEARCH, WEATHER], extra_body={"fallback": False}
    )
    assert "tools[0] was left out: web_search is run by" in raw.headers["x-patchbay-warnings"]
    assert raw.parse().output[-1].type == "function_call"


def test_who_demands_it_goes_to_who_has_it(client):
    raw = client.responses.with_raw_response.create(
        model="groq/auto", input="Hello", tools=[SEARCH], tool_choice={"type": "web_search"}
    )
    assert raw.headers["x-patchbay-provider"] in HAVE_IT


PATCH: Any = {
    "type": "custom", "name": "apply_patch", "description": "Patches files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}  # fmt: skip
SHELL: Any = {**WEATHER, "name": "shell"}


@everybody(Feature.TOOLS)
@BOTH
def test_a_program_that_patches(client, provider, model, stream):
    """What a coding agent sends: a tool of texts, a function, the search; and everything back to it."""
    ask = final if stream else respond
    tools: Any = [SHELL, PATCH, SEARCH]
    given: list[Any] = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief"}]},
        {"role": "user", "content": "use apply_patch"},
    ]
    asked = ask(client, provider, model, given, tools=tools, parallel_tool_calls=False, store=False)
    (call,) = [item for item in asked.output if item.type == "custom_tool_call"]
    assert (call.name, bool(call.input)) == ("apply_patch", True)
    assert not call.input.startswith("{")
    given += [item.model_dump(exclude_none=True) for item in asked.output]
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    given += [] if provider in HAVE_IT else [searched]
    given.append({"type": "custom_tool_call_output", "call_id": call.call_id, "output": "patched it"})
    assert "patched it" in ask(client, provider, model, given, tools=tools).output_text


@everybody(Feature.VISION, Feature.TOOLS)
def test_a_picture_that_a_tool_gives(client, provider, model):
    given: list[Any] = [
        {"role": "user", "content": "Look"},
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_image", "image_url": PNG}]},
        {"role": "user", "content": "What is it?"},
    ]
    answer = respond(client, provider, model, given, tools=[WEATHER])
    assert provider in HAVE_IT or "1 image" in answer.output_text


def test_a_conversation_goes_on_at_who_kept_it(client, gateway):
    first = respond(client, "openai", "auto", "use get_weather", tools=[WEATHER])
    result: Any = {"type": "function_call_output", "call_id": first.output[-1].call_id, "output": "22 degrees"}
    # Whoever goes first does not have it; that is no reason to give up.
    answer = client.responses.create(model="openai/auto", input=[result], previous_response_id=first.id)
    assert "22 degrees" in answer.output_text


def test_who_does_not_have_it_is_passed_over(client, gateway):
    gateway.fault("openai", "500")
    with pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model="openai/auto", input="And?", previous_response_id="resp_unheard")
    attempts: Any = raised.value.body
    assert [(one["provider"], one["error"]) for one in attempts["attempts"]] == [
        ("openai", "ServerFault"),
        ("azure", "ParameterRefused"),
    ]


def test_another_s_reasoning_stays_behind_and_that_is_said(client, gateway):
    """A loop that one provider began goes on at another, in both directions."""
    given: list[Any] = [{"role": "user", "content": "Hello"}]
    there = respond(client, "deepseek", "auto", given)
    assert there.output[0].type == "reasoning"
    assert there.output[0].summary[0].text == "Simulated thought."
    given += [*there.output, {"role": "user", "content": "Hello"}]
    raw = client.responses.with_raw_response.create(model="openai/auto", input=given)
    assert raw.headers["x-patchbay-provider"] == "openai"
    assert "input[1] was left out: another provider's reasoning" in raw.headers["x-patchbay-warnings"]
    given += [*raw.parse().output, {"role": "user", "content": "Hello"}]
    back = respond(client, "deepseek", "auto", given)
    assert back.output_text.startswith("Simulated answer from deepseek")


def test_its_own_reasoning_goes_back_to_it(client, gateway):
    given: list[Any] = [{"role": "user", "content": "Hello"}]
    first = respond(client, "openai", "auto", given)
    given += [*first.output, {"role": "user", "content": "Hello"}]
    raw = client.responses.with_raw_response.create(model="openai/auto", input=given, extra_body={"strict": True})
    assert "x-patchbay-warnings" not in raw.headers
    assert sent_to(gateway, "openai")[1]["input"][1]["encrypted_content"] == first.output[0].encrypted_content


def test_what_is_lost_on_the_way_is_said_and_strict_goes_elsewhere(client):
    create = client.responses.with_raw_response.create
    raw = create(model="together/auto", input="Hello", truncation="auto")
    assert "truncation was left out: what is too long is refused" in raw.headers["x-patchbay-warnings"]
    raw = create(model="together/auto", input="Hello", truncation="auto", extra_body={"strict": True})
    assert raw.headers["x-patchbay-provider"] in HAVE_IT


def test_a_parameter_that_a_model_does_not_take_is_not_sent_there_either(client, gateway):
    raw = client.responses.with_raw_response.create(model="openai/auto", input="Hello", temperature=0.5)
    assert "temperature was not sent" in raw.headers["x-patchbay-warnings"]
    assert "temperature" not in sent_to(gateway, "openai")[1]


def test_a_dated_azure_has_no_such_path(tmp_path):
    from tests.harness import server

    with server(tmp_path, AZURE_OPENAI_API_VERSION="2024-10-21") as gateway:
        answer = gateway.http.post(ROUTE, json={"model": "azure/auto", "input": "Hello"})
        assert answer.json()["output"][0]["content"][0]["text"].startswith("Simulated answer from azure")
        assert gateway.fleet.requests("azure")[-1].path.endswith("/chat/completions")
        strict = {"model": "azure/auto", "input": "Hello", "tools": [SEARCH], "strict": True}
        bound = gateway.http.post(ROUTE, json=strict)
        assert bound.headers["x-patchbay-provider"] == "openai"


# Errors.


@pytest.mark.parametrize("provider", ["openai", "together"])
@BOTH
def test_a_provider_that_fails_is_followed_by_the_next(client, gateway, provider, stream):
    gateway.fault(provider, "500")
    raw = client.responses.with_raw_response.create(model=f"{provider}/auto", input="Hello", stream=stream)
    assert raw.headers["x-patchbay-attempts"] == "2"
    assert raw.headers["x-patchbay-provider"] != provider


QUICK = [(case, mode) for case in BEFORE if case.server == "quick" and not case.share_ms for mode in case.modes]


@pytest.mark.parametrize(("case", "mode"), QUICK, ids=named)
def test_every_fault_before_the_first_word(gateway, case, mode):
    gateway.fault("openai", case.fault)
    body = {"model": "openai/auto", "input": "Hello", "fallback": False, "stream": mode == "stream"}
    answer = gateway.http.post(ROUTE, json=body)
    assert answer.status_code == case.answer
    (attempt,) = answer.json()["error"]["attempts"]
    assert attempt["error"] == case.error


@everybody(Feature.STREAM)
@pytest.mark.parametrize("fault", ["cut_stream", "stream_error"])
def test_a_stream_that_breaks_is_never_taken_for_a_whole_one(client, gateway, provider, model, fault):
    gateway.fault(provider, fault)
    events = []
    with pytest.raises(openai.APIError) as raised:
        events.extend(respond(client, provider, model, stream=True))
    body: Any = raised.value.body
    assert body["provider"] == provider
    assert "incomplete" in raised.value.message
    asked = {"model": f"{provider}/{model}", "input": "Hello", "stream": True, "fallback": False}
    raw = gateway.http.post(ROUTE, json=asked).text
    told = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: ")]
    assert [one["type"] for one in told[-2:]] == ["error", "response.failed"]
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
    assert told[-1]["response"]["id"] == told[0]["response"]["id"]
    response = told[-1]["response"]
    assert response["status"] == "failed"
    assert response["usage"]["output_tokens"] > 0
    said = "".join(one["delta"] for one in told if one["type"] == "response.output_text.delta")
    (item,) = [one for one in response["output"] if one["type"] == "message"]
    assert (item["status"], item["content"][0]["text"]) == ("incomplete", said)
    steps = [one["type"].removeprefix("response.") for one in told]
    ending = ["output_text.done", "content_part.done", "output_item.done", "error", "failed"]
    assert steps[-5:] == ending


@pytest.mark.parametrize("provider", ["openai", "azure", "together", "deepseek"])
def test_a_stream_without_its_end_is_cut(client, gateway, provider):
    gateway.fault(provider, "no_end_marker")
    with pytest.raises(openai.APIError, match="incomplete"):
        list(respond(client, provider, "auto", stream=True))


@pytest.mark.parametrize("provider", ["openai", "together"])
def test_a_stream_that_fails_before_its_first_word_is_another_s_to_answer(client, gateway, provider):
    gateway.fault(provider, "stream_error@0")
    raw = client.responses.with_raw_response.create(model=f"{provider}/auto", input="Hello", stream=True)
    assert raw.headers["x-patchbay-provider"] != provider
    assert list(raw.parse())[-1].type == "response.completed"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
        ({"instructions": "x", "input": [{"role": "user", "content": [BROKEN]}]}, "input[0].content[0].image_url"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": []}}}, "text.format.schema"),
        ({"tools": [SEARCH, {**WEATHER, "parameters": []}]}, "tools[1].parameters"),
        ({"tools": [WEATHER], "tool_choice": ALLOWED}, "tool_choice.tools[0].name"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"background": True}, "background"),
        ({"extra_body": {"provider": "acme"}}, "provider"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_request_that_is_wrong(client, fields, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(**{"model": "auto", "input": "Hello", **fields})
    assert raised.value.param == param


def test_its_own_words_of_refusal(client):
    with pytest.raises(openai.BadRequestError) as raised:
        respond(client, "openai", "auto", max_output_tokens=5)
    assert raised.value.code == "integer_below_min_value"


@pytest.mark.parametrize("method", ["retrieve", "delete"])
def test_no_response_is_kept_here(client, method):
    with pytest.raises(openai.NotFoundError) as raised:
        getattr(client.responses, method)("resp_1")
    assert raised.value.code == "response_not_stored"
    assert "previous_response_id" in raised.value.message


@pytest.mark.parametrize(("path", "instead"), [("input_tokens", "count_tokens"), ("compact", "input")])
def test_what_is_done_without_a_response_is_not_there(gateway, path, instead):
    error = problem(gateway.http.post(f"{ROUTE}/{path}", json={"model": "auto", "input": "Hello"}), 404)
    assert instead in error["message"]
    problem(gateway.http.post(f"{ROUTE}/resp_1/cancel", json={}), 404)


@pytest.mark.parametrize("provider", ["openai", "groq"])
def test_nothing_may_be_said(client, provider):
    assert "you said nothing" in respond(client, provider, "auto", "").output_text


def test_warnings_and_refusals_have_the_caller_s_names(client, gateway):
    raw = client.responses.with_raw_response.create(
        model="groq/auto", input="Hello", text={"verbosity": "low"}, extra_body={"fallback": False}
    )
    assert raw.headers["x-patchbay-warnings"].startswith("text.verbosity was not sent")
    receipt = gateway.receipt(raw.headers["x-patchbay-decision"])
    assert receipt["warnings"][0].startswith("text.verbosity was not sent")
    with pytest.raises(openai.BadRequestError) as raised:
        respond(client, "groq", "auto", text={"verbosity": "low"}, extra_body={"strict": True})
    assert "text.verbosity (strict)" in raised.value.message
    assert raised.value.param == "text.verbosity"


def test_an_answer_cut_short_says_so(client):
    answer = respond(client, "together", "auto", max_output_tokens=2)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    events = list(respond(client, "together", "auto", max_output_tokens=2, stream=True))
    assert events[-1].type == "response.incomplete"


@BOTH
def test_the_same_again_is_answered_from_the_cache(client, stream):
    def again(stream):
        raw = client.responses.with_raw_response.create(
            model="together/auto", input="The same again", temperature=0, stream=stream
        )
        return raw.headers["x-patchbay-cache"], raw.parse()

    again(stream=False)
    hit, found = again(stream)
    assert hit == "hit"
    text = list(found)[-1].response.output_text if stream else found.output_text
    assert text.endswith('you said "The same again".')


def test_the_receipt_has_what_was_used(client, gateway):
    raw = client.responses.with_raw_response.create(model="openai/auto", input="Hello")
    receipt = gateway.receipt(raw.headers["x-patchbay-decision"])
    usage = raw.parse().usage
    assert receipt["route"] == ROUTE
    assert receipt["usage"]["prompt_tokens"] == usage.input_tokens
    assert receipt["usage"]["reasoning_tokens"] == usage.output_tokens_details.reasoning_tokens > 0
    assert receipt["cost"]["nano_usd"] > 0
