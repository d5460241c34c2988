"""Gemini's bodies: what is sent, what comes back, what is said of all that has no place there."""

import json
from base64 import b64encode
from math import hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import (
    BrokenOff,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Malformed,
    ModelMissing,
    Overloaded,
    ParameterRefused,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
    StreamFailed,
)
from core.types.usage import Usage
from core.wire.gemini.answers import completion_from, completion_to, read_embeddings, read_error, read_usage
from core.wire.gemini.request import embed_to, request_from, request_to
from core.wire.gemini.turns import SKIP

NEW, OLD, PRO = "gemini-3.8-flash", "gemini-2.5-flash", "gemini-3.1-pro-preview"
FORMAT = "google-gemini-v1"
DATA = b64encode(b"bytes").decode()
HELLO = {"role": "user", "content": "Hello"}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "There", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}


def sent(*messages, model=NEW, **fields):
    return request_to({"messages": list(messages or (HELLO,)), **fields}, model)


def config(model=NEW, **fields):
    body, losses = sent(model=model, **fields)
    return body.get("generationConfig", {}), losses


class TestWhatIsSent:
    def test_who_says_what(self):
        body, losses = sent(
            {"role": "system", "content": "Be kind"},
            HELLO,
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": [{"type": "text", "text": "Bye"}]},
        )
        assert losses == []
        assert body == {
            "systemInstruction": {"parts": [{"text": "Be kind"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Hello"}]},
                {"role": "model", "parts": [{"text": "Hi"}]},
                {"role": "user", "parts": [{"text": "Bye"}]},
            ],
        }

    def test_what_the_system_says_later_or_alone(self):
        body, losses = sent(HELLO, {"role": "developer", "content": "Stop"})
        assert body["systemInstruction"] == {"parts": [{"text": "Stop"}]}
        assert losses == ["messages[1] was moved to the front: the system speaks first here"]
        body, losses = sent({"role": "system", "content": "Write a poem"})
        assert body == {"contents": [{"role": "user", "parts": [{"text": "Write a poem"}]}]}
        assert losses == ["the system's words were sent as the user's: nobody else says anything"]

    def test_an_empty_message_is_left_out(self):
        body, losses = sent(HELLO, {"role": "assistant", "content": ""}, HELLO)
        assert [one["role"] for one in body["contents"]] == ["user", "user"]
        assert losses == ["messages[1] was left out: it is empty"]

    @pytest.mark.parametrize(
        ("part", "made"),
        [
            (
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
                {"inlineData": {"mimeType": "image/png", "data": DATA}},
            ),
            (
                {"type": "image_url", "image_url": {"url": "data:image/svg+xml;charset=utf-8,%3Csvg%2F%3E"}},
                {"inlineData": {"mimeType": "image/svg+xml", "data": b64encode(b"<svg/>").decode()}},
            ),
            (
                {"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}},
                {"inlineData": {"mimeType": "audio/mp3", "data": DATA}},
            ),
            (
                {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}", "filename": "a.pdf"}},
                {"inlineData": {"mimeType": "application/pdf", "data": DATA}},
            ),
            (
                {"type": "video_url", "video_url": {"url": "https://youtu.be/abc"}},
                {"fileData": {"fileUri": "https://youtu.be/abc"}},
            ),
        ],
    )
    def test_media_are_bytes(self, part, made):
        body, losses = sent({"role": "user", "content": [part]})
        assert (body["contents"][0]["parts"], losses) == ([made], [])

    @pytest.mark.parametrize(
        ("part", "param"),
        [
            ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, "image_url.url"),
            ({"type": "file", "file": {"file_id": "file-1"}}, "file.file_id"),
        ],
    )
    def test_what_it_would_have_to_fetch_is_for_another_provider(self, part, param):
        with pytest.raises(ParameterRefused) as caught:
            sent({"role": "user", "content": [part]})
        assert caught.value.param == f"messages[0].content[0].{param}"

    def test_a_text_is_no_image(self):
        with pytest.raises(RequestRefused, match="is text/plain, not image"):
            sent({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,a"}}]})

    def test_tools_and_how_they_are_chosen(self):
        named = {"type": "function", "function": {"name": "weather"}}
        for choice, calling in (
            (None, None),
            ("auto", {"mode": "AUTO"}),
            ("none", {"mode": "NONE"}),
            ("required", {"mode": "ANY"}),
            (named, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
            (
                {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}},
                {"mode": "VALIDATED", "allowedFunctionNames": ["weather"]},
            ),
        ):
            body, losses = sent(tools=[WEATHER], tool_choice=choice)
            assert losses == []
            assert body.get("toolConfig") == (calling and {"functionCallingConfig": calling})
        assert sent(tools=[WEATHER])[0]["tools"] == [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "There",
                        "parametersJsonSchema": {"type": "object", "properties": {}},
                    }
                ]
            }
        ]

    def test_strict_tools_are_validated(self):
        strict = {"type": "function", "function": {"name": "weather", "strict": True}}
        assert sent(tools=[strict])[0]["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
        assert "toolConfig" not in sent(tools=[strict], model="gemini-2.0-flash")[0]

    @pytest.mark.parametrize(
        ("tool", "param"),
        [
            ({"type": "custom", "custom": {"name": "a"}}, "tools[0]"),
            ({"type": "function", "function": {"name": "1st"}}, "tools[0].function.name"),
        ],
    )
    def test_other_tools_are_for_another_provider(self, tool, param):
        with pytest.raises(ParameterRefused) as caught:
            sent(tools=[tool])
        assert caught.value.param == param

    def test_a_tool_answers_by_its_name(self):
        second = {**CALL, "id": "call_2"}
        body, losses = sent(
            HELLO,
            {"role": "assistant", "content": None, "tool_calls": [CALL, second]},
            {"role": "tool", "tool_call_id": "call_2", "content": "12 degrees"},
            {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 13}'},
            model=OLD,
        )
        assert losses == []
        assert body["contents"][1:] == [
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Oslo"}}},
                    {"functionCall": {"id": "call_2", "name": "weather", "args": {"city": "Oslo"}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "call_2", "name": "weather", "response": {"output": "12 degrees"}}},
                    {"functionResponse": {"id": "call_1", "name": "weather", "response": {"degrees": 13}}},
                ],
            },
        ]

    def test_a_tool_that_nobody_called(self):
        """Another provider may make something of it."""
        with pytest.raises(ParameterRefused, match="no tool call before it has this id") as caught:
            sent(HELLO, {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"})
        assert caught.value.param == "messages[1].tool_call_id"

    @pytest.mark.parametrize("arguments", ['{"city":', "not json", "[1]"])
    def test_arguments_that_are_no_object(self, arguments):
        broken = {**CALL, "function": {"name": "weather", "arguments": arguments}}
        body, losses = sent(HELLO, {"role": "assistant", "tool_calls": [broken]}, model=OLD)
        assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"arguments": arguments}
        (loss,) = losses
        assert loss.startswith("messages[1].tool_calls[0].function.arguments are no JSON object")

    def test_texts_of_a_tool_are_one(self):
        said = [{"type": "text", "text": text} for text in ("12 ", "degrees")]
        talk = (HELLO, {"role": "assistant", "tool_calls": [CALL]})
        body, _ = sent(*talk, {"role": "tool", "tool_call_id": "call_1", "content": said}, model=OLD)
        assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"output": "12 degrees"}

    def test_what_a_tool_shows_goes_along_where_it_can(self):
        shown = [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ]
        talk = (
            HELLO,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": shown},
        )
        body, _ = sent(*talk)
        response = body["contents"][2]["parts"][0]["functionResponse"]
        assert response["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]
        assert response["response"] == {"output": "Look"}
        _, losses = sent(*talk, model=OLD)
        assert losses == [f"messages[2].content: 1 image or file was left out: tools of {OLD} answer in words"]

    def test_sampling(self):
        made, losses = config(
            temperature=0.5, top_p=0.9, top_k=3, n=2, seed=7, stop="END", max_tokens=9, presence_penalty=0.1,
            frequency_penalty=0.2, logprobs=True, top_logprobs=2,
        )  # fmt: skip
        assert losses == []
        assert made == {
            "temperature": 0.5, "topP": 0.9, "topK": 3, "candidateCount": 2, "seed": 7, "stopSequences": ["END"],
            "maxOutputTokens": 9, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True,
            "logprobs": 2,
        }  # fmt: skip

    def test_a_long_seed(self):
        assert config(seed=2**40) == ({}, ["seed was left out: here it has 32 bits"])

    def test_json(self):
        assert config(response_format={"type": "json_object"})[0] == {"responseMimeType": "application/json"}
        wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        made = {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}
        assert config(response_format=wanted)[0] == made
        assert config(OLD, response_format=wanted)[0] == made
        assert sent(tools=[WEATHER], response_format=wanted)[0]["generationConfig"] == made
        with pytest.raises(ParameterRefused, match="JSON only without tools"):
            sent(tools=[WEATHER], response_format=wanted, model=OLD)

    def test_what_has_no_place_is_said(self):
        marked = [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]
        body, losses = sent({"role": "user", "content": marked}, user="u", safety_settings=[{"category": "X"}])
        assert losses == [
            "user was left out: there is no such thing here",
            "cache_control was left out: what is kept of prompts is decided there",
        ]
        assert body["safetySettings"] == [{"category": "X"}]
        assert body["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]

    @pytest.mark.parametrize("older", [{"functions": [{"name": "a"}]}])
    def test_an_older_way_to_call_tools(self, older):
        with pytest.raises(ParameterRefused):
            sent(**older)
        with pytest.raises(ParameterRefused):
            sent(HELLO, {"role": "function", "name": "a", "content": "b"})

    def test_texts_to_embed(self):
        body = embed_to({"input_type": "query", "dimensions": 8}, ["a", "b"], "gemini-embedding-001")
        asked = {"model": "models/gemini-embedding-001", "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8}
        assert body == {"requests": [{**asked, "content": {"parts": [{"text": text}]}} for text in ("a", "b")]}


class TestThinking:
    @pytest.mark.parametrize(
        ("model", "fields", "made"),
        [
            (NEW, {"reasoning_effort": "high"}, {"thinkingLevel": "HIGH", "includeThoughts": True}),
            (NEW, {"reasoning_effort": "minimal"}, {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
            (PRO, {"reasoning_effort": "minimal"}, {"thinkingLevel": "LOW", "includeThoughts": True}),
            (NEW, {"thinking": {"type": "adaptive"}}, {"includeThoughts": True}),
            (OLD, {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
            (OLD, {"reasoning_effort": "low"}, {"thinkingBudget": 1024, "includeThoughts": True}),
            (OLD, {"thinking": {"type": "disabled"}}, {"thinkingBudget": 0}),
            (OLD, {"thinking": {"type": "adaptive"}}, {"thinkingBudget": -1, "includeThoughts": True}),
            (
                OLD,
                {"thinking": {"type": "enabled", "budget_tokens": 2000}},
                {"thinkingBudget": 2000, "includeThoughts": True},
            ),
        ],
    )  # fmt: skip
    def test_each_generation_has_its_own_words(self, model, fields, made):
        assert config(model, **fields) == ({"thinkingConfig": made}, [])

    @pytest.mark.parametrize(
        ("model", "fields", "made", "loss"),
        [
            (NEW, {"reasoning_effort": "none"}, {"thinkingLevel": "MINIMAL"}, "always thinks"),
            ("gemini-2.5-pro", {"reasoning_effort": "none"}, {"thinkingBudget": 128}, "always thinks"),
            (
                NEW,
                {"thinking": {"type": "enabled", "budget_tokens": 5000}},
                {"thinkingLevel": "MEDIUM", "includeThoughts": True},
                "has levels of thinking",
            ),
            (
                OLD,
                {"thinking": {"type": "enabled", "budget_tokens": 90_000}},
                {"thinkingBudget": 24_576, "includeThoughts": True},
                "0 to 24576",
            ),
            ("gemini-2.0-flash", {"reasoning_effort": "low"}, None, "does not think"),
            (NEW, {"reasoning_effort": "utmost"}, None, "there is no utmost"),
        ],
    )
    def test_what_cannot_be_asked_for_is_said(self, model, fields, made, loss):
        got, losses = config(model, **fields)
        assert got.get("thinkingConfig") == made
        (said,) = losses
        assert loss in said

    def test_who_does_not_think_need_not_be_told_not_to(self):
        assert config("gemini-2.0-flash", reasoning_effort="none") == ({}, [])


class TestSignatures:
    def test_they_come_back_where_they_were(self):
        call = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
        details = [
            {"type": "reasoning.text", "text": "Hm", "signature": "dGhvdWdodA==", "format": FORMAT, "index": 0},
            {"type": "reasoning.encrypted", "data": "dGV4dA==", "format": FORMAT, "index": 1},
        ]  # fmt: skip
        message = {"role": "assistant", "content": "Let me see", "tool_calls": [call], "reasoning_details": details}
        body, losses = sent(HELLO, message, {"role": "tool", "tool_call_id": "call_1", "content": "12"})
        assert losses == []
        thought, said, called = body["contents"][1]["parts"]
        assert thought == {"text": "Hm", "thought": True, "thoughtSignature": "dGhvdWdodA=="}
        assert said == {"text": "Let me see", "thoughtSignature": "dGV4dA=="}
        assert called["thoughtSignature"] == "c2ln"

    def test_without_their_places_that_is_said(self):
        details = [
            {"type": "reasoning.encrypted", "data": data, "format": FORMAT, "index": index}
            for index, data in enumerate(["b25l", "dHdv"])
        ]
        message = {"role": "assistant", "content": "xy", "reasoning_details": details}
        body, losses = sent(HELLO, message)
        assert [one.get("thoughtSignature") for one in body["contents"][1]["parts"]] == ["b25l", "dHdv"]
        assert losses == ["messages[1].reasoning_details: what was signed is not as it was, or not where"]
        for place in ([0, 0, 9], [0, 1, 0], "x", [0, -1]):
            message["reasoning_details"] = [{**details[0], "place": place}]
            body, losses = sent(HELLO, message)
            assert body["contents"][1]["parts"] == [{"text": "xy", "thoughtSignature": "b25l"}]
            assert losses == ["messages[1].reasoning_details: what was signed is not as it was, or not where"]

    def test_its_own_turn_is_not_let_through_as_another_s(self):
        parts = [
            {"text": "x", "thoughtSignature": "b25l"},
            {"text": "y", "thoughtSignature": "dHdv"},
            {"text": "Hm", "thought": True},
            {"functionCall": {"id": "call_1", "name": "weather", "args": {}}},
        ]
        made, _ = read(answer(*parts))
        body, losses = sent(HELLO, made.message)
        assert (body["contents"][1]["parts"], losses) == (parts, [])

    def test_another_s_calls_are_let_through_and_that_is_said(self):
        talk = (HELLO, {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "call_2"}]})
        body, losses = sent(*talk)
        first, second = body["contents"][1]["parts"]
        assert first["thoughtSignature"] == SKIP
        assert "thoughtSignature" not in second
        (loss,) = losses
        assert loss.startswith("messages[1].tool_calls[0] has no signature of Google's")

    def test_only_since_the_user_last_spoke_and_only_where_it_is_asked_for(self):
        answered = {"role": "tool", "tool_call_id": "call_1", "content": "12"}
        called = {"role": "assistant", "tool_calls": [CALL]}
        assert SKIP not in json.dumps(sent(HELLO, called, answered, HELLO))
        assert SKIP not in json.dumps(sent(HELLO, called, answered, model=OLD))

    def test_what_another_thought_is_left_out(self):
        details = [{"type": "reasoning.text", "text": "Hm", "signature": "x", "format": "anthropic-claude-v1"}]
        body, losses = sent(HELLO, {"role": "assistant", "content": "Hi", "reasoning_details": details})
        assert body["contents"][1]["parts"] == [{"text": "Hi"}]
        assert losses == ["messages[1].reasoning_details was left out: only who made it can read anthropic-claude-v1"]
        _, losses = sent(HELLO, {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"})
        assert losses == ["messages[1].reasoning_content was left out: it was thought elsewhere"]

    def test_a_turn_whose_calls_carry_its_seal_is_its_own(self):
        call = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
        body, losses = sent(HELLO, {"role": "assistant", "reasoning_content": "Hm", "tool_calls": [call]})
        assert [part["thoughtSignature"] for part in body["contents"][1]["parts"]] == ["c2ln"]
        assert losses == []


def answer(*parts, finish="STOP", **fields):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": NEW, **fields}


def read(theirs):
    return completion_from(theirs, NEW, 7)


class TestWhatIsAnswered:
    def test_text_thoughts_and_calls(self):
        made, losses = read(
            answer(
                {"text": "Hm", "thought": True},
                {"text": "Let me "},
                {"text": "see", "thoughtSignature": "dGV4dA=="},
                {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "own", "name": "clock"}},
            )
        )
        assert losses == []
        assert json.loads(made.raw) == made.body
        assert (made.body["id"], made.body["model"], made.body["created"]) == ("r1", NEW, 7)
        assert made.finish_reason == "tool_calls"
        assert made.message["content"] == "Let me see"
        assert made.message["reasoning_content"] == "Hm"
        assert [item["type"] for item in made.message["reasoning_details"]] == [
            "reasoning.text",
            "reasoning.encrypted",
        ]
        first, second = made.message["tool_calls"]
        assert first == {
            "id": "call_r1_0", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        }  # fmt: skip
        assert second == {"id": "own", "type": "function", "function": {"name": "clock", "arguments": "{}"}}

    @pytest.mark.parametrize(
        ("reason", "finish"),
        [
            ("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
            ("PROHIBITED_CONTENT", "content_filter"), ("OTHER", "content_filter"),
        ],
    )  # fmt: skip
    def test_why_it_ended(self, reason, finish):
        assert read(answer({"text": "a"}, finish=reason))[0].finish_reason == finish

    @pytest.mark.parametrize(
        ("reason", "error"),
        [
            ("MALFORMED_FUNCTION_CALL", BrokenOff), ("MISSING_THOUGHT_SIGNATURE", ParameterRefused),
            (None, Malformed), ("FINISH_REASON_UNSPECIFIED", Malformed),
        ],
    )  # fmt: skip
    def test_or_why_it_is_none(self, reason, error):
        with pytest.raises(error):
            read(answer({"text": "a"}, finish=reason))

    def test_a_blocked_prompt_is_another_s_chance(self):
        with pytest.raises(ContentRefused, match="PROHIBITED_CONTENT"):
            read({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})

    @pytest.mark.parametrize(
        "theirs", [[], {}, {"candidates": []}, {"candidates": [5]}, {"candidates": [{"content": {"parts": [5]}}]}]
    )
    def test_nonsense(self, theirs):
        with pytest.raises(Malformed):
            read(theirs)

    def test_an_error_with_status_200(self):
        with pytest.raises(ServerFault, match="gone"):
            read({"error": {"code": 500, "message": "gone", "status": "INTERNAL"}})

    def test_logprobs(self):
        theirs = answer({"text": "a"})
        theirs["candidates"][0]["logprobsResult"] = {
            "chosenCandidates": [{"token": "a", "logProbability": -0.1}],
            "topCandidates": [{"candidates": [{"token": "b", "logProbability": -2.0}]}],
        }
        made, _ = read(theirs)
        (one,) = json.loads(made.raw)["choices"][0]["logprobs"]["content"]
        assert one == {
            "token": "a", "logprob": -0.1, "bytes": [97],
            "top_logprobs": [{"token": "b", "logprob": -2.0, "bytes": [98]}],
        }  # fmt: skip

    def test_what_has_no_place_in_an_answer_is_said(self):
        made, losses = read(answer({"text": "a"}, {"executableCode": {"code": "1"}}))
        assert (made.message["content"], losses) == ("a", ["candidates[0] has executableCode, which was left out"])

    def test_an_answer_without_an_id_has_always_the_same(self):
        theirs = answer({"functionCall": {"name": "weather"}})
        del theirs["responseId"]
        assert read(theirs)[0].body == read(theirs)[0].body
        assert read(theirs)[0].message["tool_calls"][0]["id"].startswith("call_")


class TestUsage:
    def test_buckets_are_disjoint(self):
        said = {
            "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 5, "toolUsePromptTokenCount": 10, "totalTokenCount": 135,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70}, {"modality": "AUDIO", "tokenCount": 30}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
        }  # fmt: skip
        usage = read_usage(said)
        assert usage == Usage("reported", 50, 40, output=20, reasoning=5, audio_input=20)
        assert usage.total == said["totalTokenCount"]

    @pytest.mark.parametrize("said", [None, {}, {"promptTokenCount": "5"}])
    def test_no_report_is_no_zero(self, said):
        assert read_usage(said).source == "unknown"


class TestVectors:
    def test_have_unit_length(self):
        found = read_embeddings({"embeddings": [{"values": [3.0, 4.0]}, {"values": [0.0, 1.0]}]}, 2, "m")
        assert [hypot(*vector) for vector in found.vectors] == [1.0, 1.0]
        assert (found.dimensions, found.usage.source, found.model) == (2, "unknown", "m")

    @pytest.mark.parametrize(
        "theirs",
        [
            {}, {"embeddings": []}, {"embeddings": [{"values": []}]}, {"embeddings": [{"values": ["a"]}]},
            {"embeddings": [{}]}, {"embeddings": [{"values": [1e999]}]},
        ],
    )  # fmt: skip
    def test_or_are_none(self, theirs):
        with pytest.raises(Malformed):
            read_embeddings(theirs, 1, "m")


def refused(status, message, name="INVALID_ARGUMENT", *details, wrap=False):
    body = {"error": {"code": status, "message": message, "status": name, "details": list(details)}}
    return read_error(status, json.dumps([body] if wrap else body).encode(), secrets=("secret-key-1",))


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "name", "message", "error"),
        [
            (400, "INVALID_ARGUMENT", "Request contains an invalid argument.", RequestRefused),
            (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", CredentialRefused),
            (400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number (8).", ContextTooLong),
            (400, "INVALID_ARGUMENT", "Invalid JSON schema: too deep", ParameterRefused),
            (400, "INVALID_ARGUMENT", "Thinking level is not supported for this model.", ParameterRefused),
            (401, "UNAUTHENTICATED", "no", CredentialRefused),
            (403, "PERMISSION_DENIED", "no", CredentialRefused),
            (404, "NOT_FOUND", "no", ModelMissing),
            (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", RateLimited),
            (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", QuotaExhausted),
            (500, "INTERNAL", "no", ServerFault),
            (503, "UNAVAILABLE", "overloaded", Overloaded),
            (504, "DEADLINE_EXCEEDED", "late", ServerFault),
        ],
    )
    def test_whose_fault_it_is(self, status, name, message, error):
        found = refused(status, message, name)
        assert (type(found), found.code, found.provider_status) == (error, name, status)

    def test_details_say_more(self):
        found = refused(400, "API key not valid.", "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"})
        assert (type(found), found.code) == (CredentialRefused, "API_KEY_INVALID")
        found = refused(400, "Bad", "INVALID_ARGUMENT", {"fieldViolations": [{"field": "contents[0]"}]}, wrap=True)
        assert (type(found), found.param) == (RequestRefused, "contents[0]")
        found = refused(429, "Slow down", "RESOURCE_EXHAUSTED", {}, {"retryDelay": "3.5s"})
        assert found.retry_after == 3.5

    def test_keys_stay_out(self):
        key = "AIza" + "S" * 35
        found = refused(403, f"secret-key-1 and {key} are not allowed")
        assert found.message == "*** and *** are not allowed"

    def test_any_other_body_stays_out(self):
        found = read_error(502, b"<html>your words</html>")
        assert (type(found), found.message) == (ServerFault, "Bad Gateway, without a message (23 bytes)")

    def test_inside_a_stream(self):
        words = json.dumps({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}).encode()
        assert type(read_error(None, words)) is Overloaded
        assert type(read_error(None, words.replace(b"503", b"500"))) is StreamFailed


# The round trip: what both can say comes back as it was.
TEXT = st.text(min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | TEXT
ARGUMENTS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=3)
# No kind of file begins like that: bytes say what they are.
BYTES = st.binary(min_size=1, max_size=9).map(lambda raw: b64encode(b"~" + raw).decode())
PICTURES = st.binary(max_size=9).map(lambda raw: b64encode(b"\x89PNG\r\n\x1a\n" + raw).decode())
PARTS = st.one_of(
    TEXT.map(lambda text: {"type": "text", "text": text}),
    PICTURES.map(lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}),
    BYTES.map(lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}),
    BYTES.map(lambda data: {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{data}"}}),
)
PARTS_OF_USERS = st.lists(PARTS, min_size=2, max_size=3)
USERS = st.one_of(TEXT, PARTS_OF_USERS).map(lambda content: {"role": "user", "content": content})


@st.composite
def calls(draw, message):
    return [
        {
            "id": f"call_{message}_{number}",
            "type": "function",
            "function": {"name": draw(NAMES), "arguments": json.dumps(draw(ARGUMENTS), separators=(",", ":"))},
            "extra_content": {"google": {"thought_signature": draw(BYTES)}},
        }
        for number in range(draw(st.integers(1, 3)))
    ]


@st.composite
def conversations(draw):
    messages = [{"role": "system", "content": draw(TEXT)}] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        messages.append(draw(USERS))
        if draw(st.booleans()):
            made = draw(calls(number))
            messages.append({"role": "assistant", "content": draw(st.none() | TEXT), "tool_calls": made})
            messages += [{"role": "tool", "tool_call_id": one["id"], "content": draw(TEXT)} for one in made]
        thought = draw(st.none() | TEXT)
        details = [{"type": "reasoning.text", "text": thought, "format": FORMAT, "index": 0}]
        kept = {"reasoning_content": thought, "reasoning_details": details} if thought else {}
        messages.append({"role": "assistant", "content": draw(TEXT), **kept})
    return messages


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2), "top_p": st.floats(0, 1), "top_k": st.integers(1, 99), "n": st.integers(1, 8),
        "seed": st.integers(-(2**31), 2**31 - 1), "stop": st.lists(TEXT, min_size=1, max_size=4),
        "max_completion_tokens": st.integers(1, 9999), "presence_penalty": st.floats(-2, 2),
        "response_format": st.sampled_from([
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        ]),
        "tools": st.just([WEATHER]),
        "reasoning_effort": st.sampled_from(["low", "medium", "high"]),
        "safety_settings": st.just([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]),
    },
)  # fmt: skip
CHOICES = st.sampled_from(["none", "auto", "required", {"type": "function", "function": {"name": "weather"}}])


def meant(message):
    """A message by what it means: arguments and results as values, whatever their spaces and escapes."""
    found = {name: value for name, value in message.items() if value is not None}
    for call in found.get("tool_calls", ()):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return found


@settings(max_examples=60)
@given(conversations(), OPTIONS, CHOICES)
def test_a_request_comes_back_as_it_was(messages, options, choice):
    body = {"messages": messages, "model": NEW, **options, **({"tool_choice": choice} if "tools" in options else {})}
    theirs, losses = request_to(body, NEW)
    back, lost = request_from(json.loads(json.dumps(theirs)), NEW)
    assert losses == lost == []
    assert [meant(one) for one in back.pop("messages")] == [meant(one) for one in body.pop("messages")]
    assert back == body


@given(st.sampled_from([NEW, OLD]), TEXT, st.none() | TEXT, calls(0) | st.none())
def test_an_answer_comes_back_as_it_was(model, text, thought, called):
    message = {"role": "assistant", "content": text, **({"tool_calls": called} if called else {})}
    if thought:
        item = {"type": "reasoning.text", "text": thought, "format": FORMAT, "index": 0}
        message |= {"reasoning_content": thought, "reasoning_details": [item]}
    finish = "tool_calls" if called else "stop"
    usage = {
        "prompt_tokens": 30, "completion_tokens": 9, "total_tokens": 39,
        "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 4},
    }  # fmt: skip
    body = {
        "id": "r1", "object": "chat.completion", "created": 7, "model": model, "usage": usage,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
    }  # fmt: skip
    made, losses = completion_from(completion_to(json.loads(json.dumps(body))), model, 7)
    assert losses == []
    back = json.loads(made.raw)
    for one in (back, body):
        one["choices"][0]["message"] = meant(one["choices"][0]["message"])
    assert back == body


def test_the_way_back_reads_both_ways_to_write_names():
    theirs = {
        "system_instruction": {"parts": [{"text": "Be kind"}]},
        "contents": [
            {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": DATA}}]},
            {"role": "model", "parts": [
                {"function_call": {"id": "c", "name": "f", "args": {"a_b": 1}}, "thought_signature": "c2ln"},
            ]},
            {"role": "user", "parts": [{"function_response": {"id": "c", "name": "f", "response": {"c_d": 2}}}]},
        ],
        "generation_config": {"max_output_tokens": 7, "top_p": 0.5, "thinking_config": {"thinking_budget": 5}},
        "tools": [{"function_declarations": [
            {"name": "f", "parameters_json_schema": {"type": "object", "properties": {"a_b": {}}}},
        ]}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    }  # fmt: skip
    body, losses = request_from(theirs)
    assert losses == []
    system, shown, called, answered = body["messages"]
    assert (system["content"], shown["content"][0]["type"]) == ("Be kind", "image_url")
    assert called["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == "c2ln"
    assert called["tool_calls"][0]["function"]["arguments"] == '{"a_b":1}'
    assert answered["content"] == '{"c_d":2}'
    assert (body["max_completion_tokens"], body["top_p"], body["thinking"]["budget_tokens"]) == (7, 0.5, 5)
    assert body["tools"][0]["function"]["parameters"]["properties"] == {"a_b": {}}
    assert body["tool_choice"]["function"]["name"] == "f"


def test_the_way_back_finds_calls_without_ids_by_name_and_says_what_is_lost():
    theirs = {
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"degrees": 12}}}]},
        ],
        "generationConfig": {"responseModalities": ["TEXT"], "thinkingConfig": {"thinkingBudget": 0}},
        "cachedContent": "cachedContents/1",
    }
    body, losses = request_from(theirs)
    assert [one["role"] for one in body["messages"]] == ["user", "assistant", "tool"]
    assert body["messages"][2]["tool_call_id"] == body["messages"][1]["tool_calls"][0]["id"] == "call_1_0"
    assert json.loads(body["messages"][2]["content"]) == {"degrees": 12}
    assert body["thinking"] == {"type": "disabled"}
    assert losses == [
        "generationConfig.responseModalities was left out: no other provider has it",
        "cachedContent was left out: no other provider has it",
    ]
