"""The OpenAI chat dialect: what is refused, what is read, and when a stream is whole."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capabilities import Feature
from core.errors import (
    BadRequest,
    ContextTooLong,
    CredentialRefused,
    Malformed,
    ModelMissing,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    StreamCut,
    StreamFailed,
    TargetError,
)
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.chat import CHAT_PARAMS, chat_facts
from core.wire.openai import ChatStream, read_completion, read_error, read_usage
from tests.core.fakes import JSON, PLACES, cut, examples

HI = [{"role": "user", "content": "Hello"}]
SAMPLES = {bool: True, int: 7, float: 0.5, str: "word", list: ["word"], dict: {"type": "text"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "object"}}}
NOW = {"type": "function", "function": {"name": "now"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


def refused(body):
    with pytest.raises(BadRequest) as caught:
        chat_facts(body)
    return caught.value


def refusal(body):
    """What is said against it, if anything."""
    try:
        chat_facts(body)
    except BadRequest as error:
        return error
    return None


def said(*parts):
    return [{"role": "user", "content": list(parts)}]


def fits(kind, kinds):
    return kind in kinds or (kind is int and float in kinds)


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [(name, kind) for name, kinds in CHAT_PARAMS.items() for kind in SAMPLES if not fits(kind, kinds)],
    )
    def test_another_type_is_refused_with_what_to_send(self, name, kind):
        error = refused({"messages": HI, name: SAMPLES[kind]})
        assert error.status == 400
        assert error.param == name
        assert error.code == "invalid_type"
        assert error.message.startswith(f"{name} must be ")
        assert " not " in error.message

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            (name, kind)
            for name, kinds in CHAT_PARAMS.items()
            for kind in SAMPLES
            if fits(kind, kinds) and name != "messages"
        ],
    )
    def test_the_right_type_passes(self, name, kind):
        sample = {"tools": [NOW], "functions": [{}]}.get(name, SAMPLES[kind])
        facts = chat_facts({"messages": HI, name: sample})
        assert name in facts.params | facts.idle_params

    @pytest.mark.parametrize("name", [name for name in CHAT_PARAMS if name != "messages"])
    def test_null_is_as_good_as_absent(self, name):
        assert chat_facts({"messages": HI, name: None}).max_output is None

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"temperature": "hot"}, "temperature must be a number, not a string"),
            ({"max_tokens": True}, "max_tokens must be a whole number, not true or false"),
            ({"max_tokens": 10.5}, "max_tokens must be a whole number, not a number"),
            ({"stream": 1}, "stream must be true or false, not a whole number"),
            ({"tools": {}}, "tools must be a list, not an object"),
            ({"tool_choice": []}, "tool_choice must be a string or an object, not a list"),
        ],
    )
    def test_the_words_say_what_to_change(self, body, words):
        assert refused({"messages": HI, **body}).message == words

    @pytest.mark.parametrize("name", ["temperature", "top_p", "n", "seed", "max_tokens", "top_logprobs"])
    @pytest.mark.parametrize("value", [True, False])
    def test_true_and_false_are_not_numbers(self, name, value):
        assert refused({"messages": HI, name: value}).param == name

    def test_a_whole_number_is_a_number(self):
        assert chat_facts({"messages": HI, "temperature": 1}).params == {"messages", "temperature"}

    def test_what_the_dialect_does_not_know_is_listed_and_not_judged(self):
        facts = chat_facts({"messages": HI, "acme_k": "many", "min_p": None, "temperature": 1})
        assert facts.unknown_params == {"acme_k", "min_p"}
        assert facts.params == {"messages", "acme_k", "min_p", "temperature"}


class TestMessages:
    @pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}])
    def test_there_must_be_one(self, body):
        error = refused(body)
        assert (error.param, error.code) == ("messages", "missing")
        assert "at least one message" in error.message

    @pytest.mark.parametrize("messages", ["", "Hello", {}, HI[0], 0, False])
    def test_they_must_be_a_list(self, messages):
        error = refused({"messages": messages})
        assert (error.param, error.code) == ("messages", "invalid_type")

    @pytest.mark.parametrize("message", ["Hello", None, 1, ["user", "Hello"]])
    def test_each_must_be_an_object(self, message):
        error = refused({"messages": [*HI, message]})
        assert error.param == "messages[1]"
        assert "role and content" in error.message

    @pytest.mark.parametrize("role", ["bot", "", "User", None, 1, True, ["user"], {"name": "user"}])
    def test_a_role_must_be_known(self, role):
        error = refused({"messages": [{"role": role, "content": "Hello"}]})
        assert error.param == "messages[0].role"
        assert "user" in error.message
        assert "assistant" in error.message

    def test_a_role_may_not_be_missing(self):
        assert refused({"messages": [{"content": "Hello"}]}).param == "messages[0].role"

    @pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
    def test_every_role_of_the_dialect_passes(self, role):
        assert chat_facts({"messages": [{"role": role, "content": "Hello"}]}).messages == 1

    @pytest.mark.parametrize("content", [1, True, {"type": "text", "text": "Hello"}, 0.5])
    def test_content_is_text_or_parts(self, content):
        error = refused({"messages": [*HI, {"role": "user", "content": content}]})
        assert error.param == "messages[1].content"
        assert "a string or a list of parts" in error.message

    @pytest.mark.parametrize("role", ["user", "system", "developer"])
    @pytest.mark.parametrize("rest", [{}, {"content": None}])
    def test_who_only_speaks_must_say_something(self, role, rest):
        error = refused({"messages": [{"role": role, **rest}]})
        assert (error.param, error.code) == ("messages[0].content", "missing")

    def test_an_assistant_may_call_tools_without_words(self):
        call = {"id": "1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
        messages = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
        assert chat_facts({"messages": messages}).messages == 2

    @pytest.mark.parametrize("part", ["Hello", None, 1, {}, {"text": "Hello"}, {"type": None}, {"type": ["text"]}])
    def test_a_part_must_have_a_type(self, part):
        error = refused({"messages": said({"type": "text", "text": "a"}, part)})
        assert error.param == "messages[0].content[1]"
        assert "type" in error.message

    @pytest.mark.parametrize("text", [None, 1, ["Hello"]])
    def test_a_text_part_must_have_text(self, text):
        error = refused({"messages": said({"type": "text", "text": text})})
        assert error.param == "messages[0].content[0].text"
        assert "must be a string" in error.message

    @examples(300)
    @given(st.dictionaries(st.sampled_from(sorted(CHAT_PARAMS)) | st.text(max_size=4), JSON, max_size=4))
    def test_nothing_but_a_bad_request_comes_of_any_body(self, body):
        assert refusal(body) is None or refusal(body).param

    @examples(300)
    @given(
        st.lists(
            st.dictionaries(st.sampled_from(["role", "content", "name"]), JSON | st.sampled_from(["user", "tool"])),
            min_size=1,
            max_size=3,
        )
    )
    def test_nothing_but_a_bad_request_comes_of_any_messages(self, messages):
        body = {"messages": messages}
        assert refusal(body) is None or refusal(body).param


class TestFeatures:
    @pytest.mark.parametrize(
        ("body", "features"),
        [
            ({"messages": HI}, set()),
            ({"messages": HI, "stream": True}, {Feature.STREAM}),
            ({"messages": HI, "stream": False}, set()),
            ({"messages": HI, "tools": [NOW]}, {Feature.TOOLS}),
            ({"messages": HI, "tools": []}, set()),
            ({"messages": HI, "functions": [{"name": "now"}]}, {Feature.TOOLS}),
            ({"messages": HI, "response_format": {"type": "json_object"}}, {Feature.JSON_MODE}),
            ({"messages": HI, "response_format": SCHEMA}, {Feature.JSON_SCHEMA}),
            ({"messages": HI, "response_format": {"type": "text"}}, set()),
            ({"messages": said(IMAGE)}, {Feature.VISION}),
            ({"messages": said(SOUND)}, {Feature.AUDIO}),
            ({"messages": said(SOUND, IMAGE), "stream": True}, {Feature.AUDIO, Feature.VISION, Feature.STREAM}),
            ({"messages": said({"type": "text", "text": "a"})}, set()),
            ({"messages": said({"type": "file", "file": {}})}, {Feature.FILES}),
        ],
    )
    def test_they_follow_from_the_body(self, body, features):
        assert chat_facts(body).features == features


class TestSize:
    def test_more_text_is_more_tokens(self):
        def tokens(content):
            return chat_facts({"messages": [{"role": "user", "content": content}]}).input_tokens

        assert 0 < tokens("Hello") < tokens("Hello " * 100) < tokens("Hello " * 1000)
        assert tokens("x" * 4000) == pytest.approx(1000, rel=0.1)
        assert tokens([{"type": "text", "text": "x" * 4000}]) == tokens("x" * 4000)

    def test_every_message_counts(self):
        assert chat_facts({"messages": HI * 10}).input_tokens > 9 * chat_facts({"messages": HI}).input_tokens

    def test_an_image_counts_by_its_size_and_not_by_its_bytes(self):
        small = chat_facts({"messages": said(IMAGE)}).input_tokens
        inline = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoA" + "A" * 1_000_000}}
        assert 100 < small == chat_facts({"messages": said(inline)}).input_tokens
        assert chat_facts({"messages": said(IMAGE, IMAGE)}).input_tokens > 1.9 * small

    def test_tools_are_billed_as_input(self):
        tool = {"type": "function", "function": {"name": "now", "description": "word " * 2000}}
        plain = chat_facts({"messages": HI}).input_tokens
        assert chat_facts({"messages": HI, "tools": [tool]}).input_tokens > plain + 1000

    @pytest.mark.parametrize(
        ("body", "most"),
        [
            ({}, None),
            ({"max_tokens": 10}, 10),
            ({"max_completion_tokens": 20}, 20),
            ({"max_tokens": 10, "max_completion_tokens": 20}, 20),
            ({"max_tokens": None}, None),
        ],
    )
    def test_the_most_output(self, body, most):
        assert chat_facts({"messages": HI, **body}).max_output == most


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
CHOICES = st.lists(
    JSON | st.dictionaries(st.sampled_from(["message", "finish_reason", "delta", "index"]), JSON, max_size=4),
    max_size=3,
)
ANSWERS = JSON | st.fixed_dictionaries(
    {},
    optional={"choices": JSON | CHOICES, "usage": JSON, "error": JSON, "id": JSON},
)


class TestCompletion:
    def test_the_bytes_are_kept_as_they_came(self):
        raw = orjson.dumps(COMPLETION) + b"\n"
        completion = read_completion(raw)
        assert completion.raw == raw
        assert completion.body == COMPLETION
        assert completion.message["content"] == "Hi"
        assert completion.finish_reason == "stop"
        assert completion.usage == Usage(source="reported", input=5, output=2)

    def test_without_usage_it_is_unknown(self):
        body = {name: value for name, value in COMPLETION.items() if name != "usage"}
        assert read_completion(orjson.dumps(body)).usage.source == "unknown"

    @pytest.mark.parametrize("raw", [orjson.dumps(COMPLETION)[:-1], orjson.dumps(COMPLETION)[:40], b"", b"{", b"\xff"])
    def test_half_a_json_is_malformed(self, raw):
        with pytest.raises(Malformed, match=f"{len(raw)} bytes"):
            read_completion(raw)

    def test_a_proxys_page_is_malformed_and_says_what_came(self):
        with pytest.raises(Malformed, match="a web page"):
            read_completion(b"<html><body>502 Bad Gateway</body></html>")

    def test_other_text_is_said_too(self):
        with pytest.raises(Malformed, match="no JSON"):
            read_completion(b"OK")

    @pytest.mark.parametrize(
        "body",
        [{}, [], None, 1, "text", {"choices": []}, {"choices": None}, {"choices": {}}, {"choices": {"0": {}}},
         {"choices": "ab"}, {"choices": [None]}, {"choices": ["Hi"]}, {"choices": [[]]}],
    )  # fmt: skip
    def test_without_choices_it_is_malformed(self, body):
        with pytest.raises(Malformed):
            read_completion(orjson.dumps(body))

    @examples(400)
    @given(ANSWERS)
    def test_any_json_is_a_completion_or_malformed(self, body):
        try:
            completion = read_completion(orjson.dumps(body))
        except TargetError:
            return
        assert isinstance(completion.message, dict)
        assert completion.usage.total >= 0
        assert completion.finish_reason is completion.body["choices"][0].get("finish_reason")

    @pytest.mark.parametrize("message", ["Hi", ["Hi"], 1, True])
    def test_a_message_that_is_no_object_is_malformed(self, message):
        with pytest.raises(Malformed):
            _ = read_completion(orjson.dumps({"choices": [{"message": message}]})).message

    @examples(200)
    @given(st.binary(max_size=60))
    def test_any_bytes_are_a_completion_or_malformed(self, raw):
        with pytest.raises(Malformed):
            read_completion(raw)


COUNTS = st.integers(0, 10**7)


class TestUsage:
    def test_plain(self):
        assert read_usage({"prompt_tokens": 10, "completion_tokens": 4}) == Usage(
            source="reported", input=10, output=4
        )

    def test_buckets_are_disjoint(self):
        usage = read_usage(
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 20},
            }
        )
        assert usage == Usage(source="reported", input=10, cached_input=60, cache_write=30, output=30, reasoning=20)
        assert (usage.input_total, usage.output_total, usage.total) == (100, 50, 150)

    @examples(300)
    @given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
    def test_they_sum_to_what_was_reported(self, prompt, output, cached, written, reasoning):
        usage = read_usage(
            {
                "prompt_tokens": prompt,
                "completion_tokens": output,
                "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
                "completion_tokens_details": {"reasoning_tokens": reasoning},
            }
        )
        assert usage.source == "reported"
        assert (usage.input_total, usage.output_total) == (prompt, output)
        assert min(usage.input, usage.cached_input, usage.cache_write, usage.output, usage.reasoning) >= 0

    @pytest.mark.parametrize("details", [None, {}, {"cached_tokens": None, "cache_write_tokens": "many"}, [], 5, "x"])
    def test_nonsense_details_are_no_tokens(self, details):
        usage = read_usage({"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": details})
        assert usage == Usage(source="reported", input=10, output=4)

    @pytest.mark.parametrize("usage", [None, {}, [], 5, "x", {"prompt_tokens": None}, {"prompt_tokens": True}])
    def test_no_report_is_unknown(self, usage):
        assert read_usage(usage).source == "unknown"

    @examples(400)
    @given(
        st.dictionaries(
            st.sampled_from(
                ["prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"]
            ),
            JSON | st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens"]), JSON),
        )
    )
    def test_any_report_is_read_without_a_negative_number(self, report):
        usage = read_usage(report)
        assert min(usage.input, usage.cached_input, usage.cache_write, usage.output, usage.reasoning) >= 0


class TestError:
    def test_the_dialects_own_form(self):
        raw = orjson.dumps({"error": {"message": "Slow\n down", "type": "requests", "param": None, "code": "limit"}})
        error = read_error(429, raw, request_id="req_1", retry_after=2.5)
        assert isinstance(error, RateLimited)
        assert (error.message, error.code, error.param) == ("Slow down", "limit", None)
        assert (error.provider_status, error.request_id, error.retry_after) == (429, "req_1", 2.5)

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            (b'{"error": "model not found"}', "model not found"),
            (b"<html>Bad Gateway</html>", "Internal Server Error, without a message (24 bytes)"),
            (b"", "Internal Server Error, without a message (0 bytes)"),
            (b'{"error": {}}', "Internal Server Error, without a message (13 bytes)"),
            (b'{"error": {"message": ["x"]}}', "Internal Server Error, without a message (29 bytes)"),
            (b'{"detail": "nope"}', "nope"),
            (b'{"detail": [{"input": "my secret prompt"}]}', "Internal Server Error, without a message (43 bytes)"),
        ],
    )
    def test_other_forms(self, raw, message):
        error = read_error(500, raw)
        assert isinstance(error, ServerFault)
        assert error.message == message

    def test_a_code_may_be_a_number(self):
        assert read_error(401, b'{"error": {"message": "no", "code": 401}}').code == "401"

    def test_it_quotes_shortly(self):
        assert len(read_error(500, orjson.dumps({"error": {"message": "word " * 10_000}})).message) <= 500
        assert len(read_error(500, b"word " * 10_000).message) <= 500

    @pytest.mark.parametrize("status", [401, 500])
    def test_the_key_is_not_quoted(self, status):
        key = "0123456789abcdef0123456789abcdef"
        raw = orjson.dumps({"error": {"message": f"Incorrect API key provided: {key}.", "code": "invalid_api_key"}})
        assert key not in read_error(status, raw, secrets=(key,)).message
        assert key not in read_error(status, f"<p>{key}</p>".encode(), secrets=(key,)).message

    @pytest.mark.parametrize("before", range(160, 500, 20))
    def test_no_part_of_the_key_is_quoted_when_the_words_are_cut(self, before):
        key = "0123456789abcdef0123456789abcdef0123456789abcdef"
        words = "x" * before + " " + key
        for raw in (orjson.dumps({"error": {"message": words}}), words.encode()):
            assert key[:12] not in read_error(401, raw, secrets=(key,)).message

    @examples(300)
    @given(st.sampled_from([None, 200, 302, 400, 401, 404, 413, 429, 500, 599]), ANSWERS)
    def test_any_json_is_an_error_of_ours(self, status, body):
        error = read_error(status, orjson.dumps(body))
        assert isinstance(error, TargetError)
        assert error.message

    @examples(200)
    @given(st.binary(max_size=300))
    def test_any_bytes_are_an_error_of_ours(self, raw):
        assert isinstance(read_error(500, raw), ServerFault)


def chunk(delta=None, finish=None, **more):
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **more})


def event(body):
    return b"data: " + orjson.dumps(body) + b"\n\n"


ROLE = chunk({"role": "assistant", "content": ""})
HELLO, WORLD = chunk({"content": "Hello"}), chunk({"content": " world"})
STOP = chunk(finish="stop")
USAGE = event({"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
DONE = b"data: [DONE]\n\n"
FAILURE = event({"error": {"message": "The server is on fire", "type": "server_error"}})
AZURE_FIRST = event({"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
PING = b": keep-alive\n\n"


def stream(*, keep_usage=False, **options):
    return ChatStream(limit=1 << 20, keep_usage=keep_usage, **options)


def kinds(frames):
    return [frame.kind for frame in frames]


def joined(frames):
    return b"".join(frame.raw for frame in frames)


def read(parts, *, keep_usage=True):
    """All frames of a stream that ends where its parts end, read as a provider's adapter does."""
    reading, frames = stream(keep_usage=keep_usage), []
    for part in parts:
        frames += reading.feed(part)
        if reading.ended:
            return frames, reading
    return frames + reading.finish(), reading


class TestCommit:
    @pytest.mark.parametrize(
        "raw",
        [
            ROLE,
            PING,
            AZURE_FIRST,
            b"event: ping\n\n",
            chunk({}),
            chunk({"content": None}),
            chunk({"content": ""}),
            chunk({"tool_calls": []}),
            event({"id": "chatcmpl-1", "choices": []}),
            event({"id": "chatcmpl-1"}),
            event({"choices": [{"index": 0, "delta": None}]}),
            event({"choices": [{"index": 0}]}),
            STOP,
        ],
    )
    def test_not_yet_output(self, raw):
        assert kinds(stream().feed(raw)) == [Kind.META]

    @pytest.mark.parametrize(
        "delta",
        [
            {"content": "Hello"},
            {"content": " "},
            {"role": "assistant", "content": "Hello"},
            {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "now", "arguments": ""}}]},
            {"function_call": {"name": "now"}},
            {"refusal": "No"},
            {"reasoning_content": "Let me see"},
            {"reasoning": "Let me see"},
            {"audio": {"data": "AAAA"}},
        ],
    )
    def test_output(self, delta):
        reading = stream()
        frames = reading.feed(chunk(delta))
        assert kinds(frames) == [Kind.OUTPUT]
        assert frames[0].raw == chunk(delta)
        assert reading.outputs == 1

    def test_any_choice_can_have_it(self):
        choices = [{"index": 0, "delta": {}}, {"index": 1, "delta": {"content": "Hello"}}]
        assert kinds(stream().feed(event({"choices": choices}))) == [Kind.OUTPUT]

    def test_azures_first_chunk_goes_before(self):
        assert kinds(stream().feed(AZURE_FIRST + ROLE + HELLO)) == [Kind.META, Kind.META, Kind.OUTPUT]

    def test_half_an_event_gives_nothing(self):
        reading = stream()
        assert reading.feed(HELLO[:20]) == []
        assert joined(reading.feed(HELLO[20:])) == HELLO

    def test_outputs_are_counted_after_it_too(self):
        reading = stream()
        for part in (ROLE, HELLO, WORLD, HELLO + WORLD):
            reading.feed(part)
        assert reading.outputs == 4


class TestStreamUsage:
    def test_it_is_read_and_kept_for_who_asked(self):
        frames, reading = read([ROLE, HELLO, STOP, USAGE, DONE], keep_usage=True)
        assert kinds(frames) == [Kind.META, Kind.OUTPUT, Kind.META, Kind.USAGE, Kind.END]
        assert USAGE in joined(frames)
        assert reading.usage == Usage(source="reported", input=5, output=2)

    @pytest.mark.parametrize("parts", [[ROLE, HELLO, STOP, USAGE, DONE], [ROLE + HELLO + STOP + USAGE + DONE]])
    def test_it_is_read_and_dropped_for_who_did_not(self, parts):
        frames, reading = read(parts, keep_usage=False)
        assert joined(frames) == ROLE + HELLO + STOP + DONE
        assert reading.usage == Usage(source="reported", input=5, output=2)

    def test_togethers_comes_with_the_last_words(self):
        last = chunk({"content": ""}, "stop", usage={"prompt_tokens": 9, "completion_tokens": 3})
        frames, reading = read([ROLE, HELLO, last, DONE], keep_usage=False)
        assert joined(frames) == ROLE + HELLO + last + DONE
        assert reading.usage == Usage(source="reported", input=9, output=3)

    def test_null_on_every_chunk_says_nothing(self):
        frames, reading = read([chunk({"content": "Hi"}, usage=None), chunk({}, "stop", usage=None), DONE])
        assert kinds(frames) == [Kind.OUTPUT, Kind.META, Kind.END]
        assert reading.usage.source == "unknown"

    def test_null_at_the_end_does_not_undo_it(self):
        late = chunk({}, "stop", usage=None)
        _, reading = read([HELLO, USAGE, late, DONE])
        assert reading.usage == Usage(source="reported", input=5, output=2)

    def test_json_may_have_spaces(self):
        spaced = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}\n\n'
        finish = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
        frames, reading = read([HELLO, finish, spaced], keep_usage=False)
        assert joined(frames) == HELLO + finish + DONE
        assert reading.usage.total == 7


CITED = [{"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "Cats"}}]
WAYS = pytest.mark.parametrize(
    ("more", "message", "said"),
    [
        ({}, {}, None),
        ({"service_tier": None}, {"annotations": []}, None),
        ({"service_tier": "default"}, {"annotations": [{"type": "file_citation"}]}, None),
        ({"service_tier": "on_demand"}, {"annotations": "x"}, None),
        ({"service_tier": "priority"}, {}, "service_tier priority"),
        ({"service_tier": ["x"]}, {}, "service_tier ['x']"),
        ({}, {"annotations": CITED}, "a web search"),
        ({"service_tier": "flex"}, {"annotations": CITED}, "service_tier flex, a web search"),
    ],
)


class TestBesideTokens:
    """What is billed at prices that nobody here knows makes the cost unknown, and is said."""

    @WAYS
    def test_in_an_answer(self, more, message, said):
        body = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Cats", **message}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2},
            **more,
        }
        found = read_completion(orjson.dumps(body))
        assert found.usage == Usage("reported", 5, output=2, extras=len(said.split(", ")) if said else 0)
        assert [said in words for words in found.losses] == ([True] if said else [])

    @WAYS
    @pytest.mark.parametrize("late", [True, False])
    def test_in_a_stream(self, more, message, said, late):
        reading = stream(several=True)
        pieces = [ROLE, HELLO, chunk({"content": " cats", **message}, **more), STOP]
        for piece in [*pieces, USAGE] if late else [ROLE, USAGE, *pieces]:
            reading.feed(piece)
        reading.feed(DONE)
        assert reading.usage == Usage("reported", 5, output=2, extras=len(said.split(", ")) if said else 0)
        assert [said in words for words in reading.losses] == ([True] if said else [])

    def test_a_tier_is_told_by_the_first_chunk(self):
        tier = {"service_tier": "priority"}
        _, reading = read([chunk({"content": "a"}, **tier), chunk({"content": "b"}, **tier), STOP, USAGE, DONE])
        assert reading.usage.extras == 1


class TestEnd:
    @pytest.mark.parametrize("parts", [[DONE], [ROLE, DONE], [ROLE, HELLO, DONE]])
    def test_done_without_a_reason_is_a_cut(self, parts):
        """Proxies end what they have lost like this."""
        with pytest.raises(StreamCut):
            read(parts)

    @pytest.mark.parametrize("parts", [[ROLE, HELLO], [ROLE]])
    def test_an_event_named_error_is_one(self, parts):
        with pytest.raises(TargetError, match="boom"):
            read([*parts, b'event: error\ndata: {"message":"boom"}\n\n', STOP, DONE])

    def test_a_reason_and_a_closed_connection_end_it(self):
        frames, reading = read([ROLE, HELLO, STOP])
        assert frames[-1].raw == DONE
        assert kinds(frames)[-1] == Kind.END
        assert reading.ended
        assert reading.complete

    @pytest.mark.parametrize("parts", [[], [ROLE], [ROLE, HELLO], [ROLE, HELLO, WORLD], [PING], [HELLO, USAGE]])
    def test_a_closed_connection_alone_is_a_cut(self, parts):
        with pytest.raises(StreamCut):
            read(parts)

    def test_done_without_its_blank_line_counts(self):
        frames, _ = read([ROLE, HELLO, STOP, DONE.strip()])
        assert kinds(frames)[-1] == Kind.END
        assert joined(frames) == ROLE + HELLO + STOP + DONE

    def test_nothing_is_done_before_its_end(self):
        reading = stream()
        reading.feed(ROLE + HELLO)
        assert not reading.complete
        reading.feed(STOP)
        assert reading.complete
        assert not reading.ended

    def test_an_empty_answer_is_an_answer(self):
        frames, _ = read([ROLE, STOP, DONE])
        assert kinds(frames) == [Kind.META, Kind.META, Kind.END]

    @pytest.mark.parametrize("rest", [PING, b"data: \n\n", HELLO, b"data: <html>\n\n", FAILURE])
    def test_what_follows_the_end_in_the_same_part_is_nobodys(self, rest):
        frames, reading = read([ROLE + HELLO + STOP + DONE + rest])
        assert joined(frames) == ROLE + HELLO + STOP + DONE
        assert kinds(frames)[-1] == Kind.END
        assert not reading.failed

    @pytest.mark.parametrize("length", [10, 20, len(USAGE) - 4])
    def test_half_an_event_is_never_handed_out(self, length):
        reading = stream(keep_usage=True)
        frames = reading.feed(ROLE + HELLO + STOP) + reading.feed(USAGE[:length])
        frames += reading.finish()
        assert joined(frames) == ROLE + HELLO + STOP + DONE

    def test_half_an_event_is_not_an_end(self):
        with pytest.raises(StreamCut):
            read([ROLE, HELLO, WORLD[:-5]])

    @pytest.mark.parametrize("before", [b"", ROLE, PING])
    def test_nonsense_before_output_is_malformed(self, before):
        with pytest.raises(Malformed):
            stream().feed(before + b"data: <html>\n\n")

    @pytest.mark.parametrize("body", [[], 1, "text", None, {"choices": ["x"]}, {"choices": [None]}])
    def test_other_json_is_malformed(self, body):
        with pytest.raises(Malformed):
            stream().feed(event(body))

    def test_an_endless_event_is_malformed(self):
        with pytest.raises(Malformed):
            ChatStream(limit=1000, keep_usage=False).feed(b"data: " + b"x" * 2000)


class TestStreamError:
    def test_before_output_it_is_raised_at_once(self):
        reading = stream()
        reading.feed(ROLE)
        with pytest.raises(StreamFailed, match="on fire"):
            reading.feed(FAILURE)

    def test_in_the_same_part_as_the_first_output_nothing_has_left(self):
        with pytest.raises(StreamFailed):
            stream().feed(ROLE + HELLO + FAILURE)

    def test_after_output_what_came_before_it_is_handed_out_first(self):
        reading = stream()
        reading.feed(ROLE + HELLO)
        assert not reading.failed
        assert joined(reading.feed(WORLD + FAILURE + HELLO)) == WORLD
        assert reading.failed
        with pytest.raises(StreamFailed, match="on fire"):
            reading.feed(b"")
        with pytest.raises(StreamFailed):
            reading.feed(HELLO)

    def test_in_the_last_event_without_a_blank_line_it_is_still_the_reason(self):
        reading = stream()
        frames = reading.feed(ROLE + HELLO) + reading.feed(FAILURE.strip())
        assert joined(frames) == ROLE + HELLO
        with pytest.raises(StreamFailed, match="on fire"):
            reading.finish()

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ({"message": "x", "type": "server_error"}, StreamFailed),
            ({"message": "x"}, StreamFailed),
            ("x", StreamFailed),
            ({"message": "x", "code": "rate_limit_exceeded"}, RateLimited),
            ({"message": "x", "type": "authentication_error"}, CredentialRefused),
            ({"message": "x", "code": "insufficient_quota"}, QuotaExhausted),
            ({"message": "x", "code": "model_not_found"}, ModelMissing),
            ({"message": "maximum context length", "type": "invalid_request_error"}, ContextTooLong),
        ],
    )
    def test_its_class_follows_its_words(self, error, expected):
        with pytest.raises(TargetError) as caught:
            stream().feed(event({"error": error}))
        assert type(caught.value) is expected

    def test_the_key_is_not_quoted(self):
        with pytest.raises(TargetError) as caught:
            stream(secrets=("hunter2hunter2",)).feed(event({"error": {"message": "bad key hunter2hunter2"}}))
        assert "hunter2" not in caught.value.message

    @pytest.mark.parametrize("text", ['"error"', '{"error": {"message": "no"}}', '"finish_reason":"stop"', "[DONE]"])
    def test_words_of_the_answer_are_not_an_error_or_an_end(self, text):
        spoken = chunk({"content": text})
        frames, _ = read([ROLE, spoken, spoken, HELLO + spoken, STOP, DONE])
        assert joined(frames) == ROLE + spoken * 2 + HELLO + spoken + STOP + DONE
        with pytest.raises(StreamCut):
            read([ROLE, spoken, spoken])

    def test_an_error_of_null_is_none(self):
        assert kinds(stream().feed(chunk({"content": "Hi"}, error=None))) == [Kind.OUTPUT]


TEXTS = st.text(max_size=12).map(lambda text: chunk({"content": text}))
TOOLS = st.text(max_size=8).map(lambda text: chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}))
NOTES = st.sampled_from([PING, chunk({}), b"event: ping\n\n"])


@st.composite
def recordings(draw):
    """A whole stream as a provider sends it: (bytes before the usage chunk, all bytes)."""
    middle = b"".join(draw(st.lists(st.one_of(TEXTS, TOOLS, NOTES), max_size=12)))
    first = draw(st.sampled_from([b"", AZURE_FIRST])) + ROLE
    return first + middle + STOP, draw(st.sampled_from([b"", USAGE])) + draw(st.sampled_from([b"", DONE]))


class TestAnySplit:
    @examples(400)
    @given(recordings(), PLACES)
    def test_gives_the_same_bytes(self, recording, places):
        words, end = recording
        frames, reading = read(cut(words + end, places))
        assert joined(frames) == words + end.removesuffix(DONE) + DONE
        assert kinds(frames).count(Kind.END) == 1
        assert kinds(frames)[-1] == Kind.END
        assert reading.usage.total == (7 if USAGE in end else 0)

    @examples(200)
    @given(recordings(), PLACES)
    def test_drops_the_usage_chunk_and_nothing_else(self, recording, places):
        words, end = recording
        frames, _ = read(cut(words + end, places), keep_usage=False)
        assert joined(frames) == words + DONE

    @examples(200)
    @given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=10), PLACES)
    def test_gives_the_same_output(self, texts, places):
        words = b"".join(chunk({"content": text}) for text in texts)
        frames, reading = read(cut(ROLE + words + STOP + USAGE + DONE, places))
        assert b"".join(frame.raw for frame in frames if frame.kind is Kind.OUTPUT) == words
        assert reading.outputs == len(texts)

    @examples(200)
    @given(recordings(), PLACES)
    def test_gives_the_same_with_windows_line_ends(self, recording, places):
        words, end = recording
        frames, _ = read(cut((words + end).replace(b"\n", b"\r\n"), places))
        assert joined(frames) == words + end.removesuffix(DONE) + DONE

    @examples(200)
    @given(recordings(), st.integers(0, 10_000), PLACES)
    def test_gives_no_success_when_it_is_cut_before_its_reason(self, recording, length, places):
        words, _ = recording
        before = words.removesuffix(STOP)
        with pytest.raises(StreamCut):
            read(cut(before[: length % (len(before) + 1)], places))

    @examples(400)
    @given(st.booleans(), st.lists(ANSWERS, min_size=1, max_size=4))
    def test_of_any_json_only_our_errors_come(self, committed, bodies):
        reading = stream()
        if committed:
            reading.feed(HELLO)
        try:
            for body in bodies:
                reading.feed(event(body))
            reading.finish()
        except TargetError:
            return


def test_a_choice_that_begins_after_commit_must_end_too():
    """Of several choices one may begin late: its brother's end is not the stream's."""

    def chunk(index, **more):
        return sse.event(orjson.dumps({"choices": [{"index": index, "delta": {"content": "x"}, **more}]}))

    reading = ChatStream(limit=10_000, keep_usage=False, several=True)
    for part in (chunk(0), chunk(1), chunk(0, finish_reason="stop")):
        reading.feed(part)
    assert not reading.complete
    with pytest.raises(StreamCut):
        reading.finish()
