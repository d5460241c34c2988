"""What a Messages request says reaches whoever answers, or is said not to: in its own dialect and in translation."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.cells import PDF
from tests.contract.test_messages_sdk import sent, tool
from tests.harness import Server, server

NAMES = ("anthropic", "azure", "openai", "groq", "deepseek", "cohere")
OPUS = "anthropic/claude-opus-5-5"
HELLO = [{"role": "user", "content": "Hello"}]
PAPER = {
    "type": "document", "title": "Cup",
    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF.partition(",")[2]},
}  # fmt: skip
CUP = {
    "type": "document", "title": "Cup", "context": "Sports", "citations": {"enabled": True},
    "source": {"type": "text", "media_type": "text/plain", "data": "The reds won."},
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"PATCHBAY_SIMULATOR_PROVIDERS": ",".join(NAMES), "MAX_RETRIES": "0", "AZURE_OPENAI_MODEL": "gpt-5.5"}
    with server(tmp_path_factory.mktemp("kept"), **settings) as running:
        yield running


@pytest.fixture
def here(shared: Server) -> Iterator[Server]:
    shared.clear()
    yield shared
    shared.clear()


def ask(gateway, model=OPUS, messages=HELLO, **fields):
    body = {"model": model, "max_tokens": 9000, "messages": messages, **fields}
    return gateway.http.post("/v1/messages", json={name: one for name, one in body.items() if one is not None})


def user(*blocks):
    return [{"role": "user", "content": list(blocks)}]


def warned(answer):
    return answer.headers.get("x-patchbay-warnings", "")


def by(answer):
    return answer.headers["x-patchbay-provider"]


def text_of(answer):
    return "".join(block.get("text", "") for block in answer.json()["content"])


class TestWhoWasAsked:
    """Answers, in place of another vendor to whom less is said."""

    def test_thinking_of_an_earlier_generation(self, here):
        answer = ask(here, thinking={"type": "enabled", "budget_tokens": 2000})
        assert (answer.status_code, by(answer)) == (200, "anthropic"), answer.text
        assert [one["type"] for one in answer.json()["content"]] == ["thinking", "text"]
        assert sent(here, "anthropic")["thinking"] == {"type": "adaptive"}
        assert "thinking.budget_tokens was left out" in warned(answer)

    def test_a_forced_choice(self, here):
        forced = {"tools": [tool("weather", "city")], "tool_choice": {"type": "tool", "name": "weather"}}
        answer = ask(here, messages=[{"role": "user", "content": "weather please"}], **forced)
        assert (answer.status_code, by(answer)) == (200, "anthropic"), answer.text
        assert sent(here, "anthropic")["tool_choice"] == {"type": "auto"}
        assert "tool_choice became auto" in warned(answer)

    def test_strictly_it_is_refused(self, here):
        answer = ask(here, thinking={"type": "enabled", "budget_tokens": 2000}, strict=True, fallback=False)
        assert answer.status_code == 400
        assert "thinking.budget_tokens was left out" in answer.json()["error"]["message"]

    def test_an_agent_with_a_search_of_its_vendor(self, here):
        """As Claude Code asks: its own tools, the vendor's, a long system prompt with markers, thinking."""
        mark = {"cache_control": {"type": "ephemeral"}}
        search: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
        fields: dict[str, Any] = {
            "system": [{"type": "text", "text": "You are an agent.", **mark}],
            "tools": [tool("Bash", "command"), {**tool("Edit", "path"), **mark}, search],
            "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"},
        }  # fmt: skip
        answer = ask(here, "anthropic/claude-sonnet-5-5", user({"type": "text", "text": "Hello", **mark}), **fields)
        assert (answer.status_code, by(answer), warned(answer)) == (200, "anthropic", ""), answer.text
        assert sent(here, "anthropic")["tools"][2] == search
        answer = ask(here, "openai/gpt-6-luna", **{**fields, "tools": [*fields["tools"][:1], search]})
        assert (answer.status_code, by(answer)) == (200, "openai"), answer.text
        assert "tools[1] was left out: web_search_20250305 is run by Anthropic alone" in warned(answer)


class TestDocuments:
    @pytest.mark.parametrize("provider", ["groq", "deepseek", "cohere"])
    def test_who_takes_no_files_is_planned_around(self, here, provider):
        answer = ask(here, f"{provider}/auto", user(PAPER, {"type": "text", "text": "Read"}))
        assert answer.status_code == 200, answer.text
        assert by(answer) in {"azure", "anthropic", "openai"}
        assert "I was given 1 file" in text_of(answer)
        answer = ask(here, f"{provider}/auto", user(PAPER), fallback=False)
        assert (answer.status_code, "does not take files" in answer.json()["error"]["message"]) == (400, True)

    @pytest.mark.parametrize("provider", ["azure", "openai", "groq", "deepseek", "cohere"])
    def test_a_text_is_read_by_everybody_and_cited_by_who_has_citations(self, here, provider):
        answer = ask(here, f"{provider}/auto", user(CUP, {"type": "text", "text": "Who?"}), fallback=False)
        assert (answer.status_code, by(answer)) == (200, provider), answer.text
        assert "Cup\\nSports\\nThe reds won." in here.fleet.requests(provider)[-1].body.decode()
        assert "messages[0].content[0].citations was left out" in warned(answer)
        answer = ask(here, "anthropic/auto", user(CUP, {"type": "text", "text": "Who?"}), fallback=False)
        assert warned(answer) == ""
        assert answer.json()["content"][-1]["citations"][0]["document_title"] == "Cup"

    def test_citations_of_a_file_are_left_out_where_there_are_none(self, here):
        cited = {**PAPER, "citations": {"enabled": True}, "context": "Sports"}
        answer = ask(here, "openai/auto", user(cited), fallback=False)
        assert (answer.status_code, by(answer)) == (200, "openai"), answer.text
        assert sent(here, "openai")["messages"][0]["content"][0].keys() == {"type", "file"}
        assert "messages[].content[].citations was not sent" in warned(answer)
        assert "messages[].content[].context was not sent" in warned(answer)


class TestThinking:
    def test_where_there_are_levels_it_is_one_of_them(self, here):
        answer = ask(here, "azure/gpt-5.5", thinking={"type": "enabled", "budget_tokens": 2000}, fallback=False)
        assert (answer.status_code, by(answer)) == (200, "azure"), answer.text
        assert sent(here, "azure")["reasoning_effort"] == "low"
        assert "thinking was rounded to reasoning_effort low" in warned(answer)

    def test_strictly_who_does_not_think_need_not_be_told(self, here):
        named = {"provider": "openai", "fallback": False, "strict": True}
        answer = ask(here, "gpt-4.1-mini", thinking={"type": "disabled"}, **named)
        assert (answer.status_code, "thinking" in warned(answer)) == (200, False), answer.text
        assert "thinking" not in sent(here, "openai")

    def test_thoughts_and_plans_are_blocks_of_their_own_however_they_come(self, here):
        fields = {"tools": [tool("weather", "city")], "thinking": {"type": "enabled", "budget_tokens": 2000}}
        messages = [{"role": "user", "content": "weather please"}]
        answer = ask(here, "cohere/auto", messages, fallback=False, **fields)
        whole = [block["thinking"] for block in answer.json()["content"] if block["type"] == "thinking"]
        streamed = ask(here, "cohere/auto", messages, fallback=False, stream=True, **fields)
        starts = streamed.text.count('"content_block":{"type":"thinking"')
        assert len(whole) == starts == 2, (whole, streamed.text)


def test_what_is_left_out_is_named_as_its_caller_names_it(here):
    messages = [*HELLO, {"role": "system", "content": "Be brief."}]
    fields = {"stop_sequences": list("#$%&*+="), "system": "You are an agent.", "fallback": False}
    answer = ask(here, "cohere/auto", messages, **fields)
    assert answer.status_code == 200, answer.text
    assert "messages[1] was moved to the front" in warned(answer)
    assert "stop_sequences[5:] was left out: at most 5 here" in warned(answer)


class TestNonsense:
    """Costs nothing: nobody but who knows this dialect is asked, and he refuses it."""

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"messages": [{"role": "user"}]}, "messages[0].content"),
            ({"messages": user({"type": "nope"})}, "messages[0].content"),
            ({"messages": [*HELLO, {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "b", "input": "x"}]}]}, "messages[1].content[0].input"),
            ({"thinking": {"type": "zz"}}, "thinking"),
            ({"tool_choice": {"type": "zz"}, "tools": [tool("weather", "city")]}, "tool_choice"),
            ({"system": "s", "messages": user({"type": "image", "source": {
                "type": "base64", "media_type": "image/png", "data": "%"}})}, "messages[0].content[0].image_url.url"),
            ({"stop_sequences": [5]}, "stop_sequences[0]"),
            ({"max_tokens": 0}, "max_tokens"),
        ],
    )  # fmt: skip
    def test_it_is_refused_by_the_names_that_its_caller_knows(self, here, fields, param):
        before = {name: len(here.fleet.requests(name)) for name in NAMES}
        answer = ask(here, "openai/auto", fallback=False, **fields)
        assert answer.status_code == 400, answer.text
        assert (answer.json()["error"]["type"], answer.json()["error"]["param"]) == ("invalid_request_error", param)
        assert {name: len(here.fleet.requests(name)) for name in NAMES} == before

    @pytest.mark.parametrize("fields", [{"messages": user({"type": "nope"})}, {"thinking": {"type": "zz"}}])
    def test_its_own_vendor_may_know_better(self, here, fields):
        before = {name: len(here.fleet.requests(name)) for name in NAMES}
        answer = ask(here, **fields)
        assert answer.status_code == 400, answer.text
        assert {name for name in NAMES if len(here.fleet.requests(name)) > before[name]} == {"anthropic"}

    def test_without_a_model_the_chain_answers(self, here):
        assert ask(here, None).status_code == 200


def test_what_is_not_there_is_said_in_the_dialect(here):
    answer = here.http.post("/v1/messages/batches", json={"requests": []})
    assert (answer.status_code, answer.json()["type"]) == (404, "error")
    assert answer.json()["error"]["type"] == "not_found_error"


def test_what_is_not_kept_is_no_miss(here):
    answer = ask(here, cache="on")
    assert (by(answer), answer.headers["x-patchbay-cache"]) == ("anthropic", "off")
    assert "cache=on had no effect" in warned(answer)
    answer = ask(here, "openai/auto", cache="on", fallback=False)
    assert answer.headers["x-patchbay-cache"] == "miss"
