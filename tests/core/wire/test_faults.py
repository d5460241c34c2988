"""A refusal becomes the class that says what to do; the status decides, words refine."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    ModelMissing,
    Overloaded,
    ParameterRefused,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
    TargetError,
)
from core.wire.faults import classify, phrase, redact
from tests.core.fakes import examples


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RequestRefused),
        (401, CredentialRefused),
        (402, QuotaExhausted),
        (403, CredentialRefused),
        (404, ModelMissing),
        (408, ServerFault),
        (409, ServerFault),
        (413, ContextTooLong),
        (422, RequestRefused),
        (429, RateLimited),
        (498, Overloaded),
        (500, ServerFault),
        (501, ServerFault),
        (502, ServerFault),
        (503, Overloaded),
        (504, ServerFault),
        (520, ServerFault),
        (529, Overloaded),
        (599, ServerFault),
    ],
)
def test_the_status_decides(status, expected):
    assert classify(status, None, None, "no message") is expected


@pytest.mark.parametrize(
    ("status", "code", "kind", "message", "expected"),
    [
        (400, "context_length_exceeded", "invalid_request_error", "Too long", ContextTooLong),
        (400, None, None, "This model's maximum context length is 131072 tokens", ContextTooLong),
        (400, None, None, "Input exceeds the context window", ContextTooLong),
        (422, None, None, "prompt is too long: 250000 tokens", ContextTooLong),
        (400, "content_filter", None, "The response was filtered", ContentRefused),
        (400, "ResponsibleAIPolicyViolation", None, "no", ContentRefused),
        (400, "content_policy_violation", None, "no", ContentRefused),
        (400, "unsupported_parameter", "invalid_request_error", "'temperature' is not supported", ParameterRefused),
        (400, "unsupported_value", "invalid_request_error", "only 1 is supported", ParameterRefused),
        (400, "unknown_parameter", None, "no", ParameterRefused),
        (400, "model_not_found", None, "no", ModelMissing),
        (404, "DeploymentNotFound", None, "no", ModelMissing),
        (400, "invalid_type", "invalid_request_error", "messages must be a list", RequestRefused),
        (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota", QuotaExhausted),
        (429, "credit_balance_exhausted", None, "no", QuotaExhausted),
        (403, "billing_hard_limit_reached", None, "no", QuotaExhausted),
        (429, "rate_limit_exceeded", "tokens", "Limit 10000, used 9000", RateLimited),
    ],
)
def test_words_refine(status, code, kind, message, expected):
    assert classify(status, code, kind, message) is expected


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (429, "Your context length is limited", RateLimited),
        (500, "too many tokens", ServerFault),
        (401, "The maximum context of this key", CredentialRefused),
    ],
)
def test_words_never_overrule_the_status(status, message, expected):
    assert classify(status, None, None, message) is expected


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        (None, "server_error", ServerFault),
        (None, None, ServerFault),
        ("500", None, ServerFault),
        (None, "overloaded_error", Overloaded),
        ("rate_limit_exceeded", "tokens", RateLimited),
        (None, "authentication_error", CredentialRefused),
        ("invalid_api_key", "invalid_request_error", CredentialRefused),
        (None, "permission_error", CredentialRefused),
        ("model_not_found", "invalid_request_error", ModelMissing),
        ("content_filter", None, ContentRefused),
        ("context_length_exceeded", None, ContextTooLong),
        ("insufficient_quota", None, QuotaExhausted),
        (None, "invalid_request_error", RequestRefused),
    ],
)
def test_inside_a_stream_the_words_stand_for_the_status(code, kind, expected):
    assert classify(None, code, kind, "no") is expected


@pytest.mark.parametrize("status", [201, 204, 300, 301, 302, 303, 307, 308])
def test_an_answer_that_is_no_refusal_is_not_the_callers_mistake(status):
    found = classify(status, None, None, "Moved Permanently")
    assert found.fault != "caller"
    assert found.next


@pytest.mark.parametrize("status", [405, 407, 410, 421, 425])
def test_a_wrong_address_or_a_proxys_word_is_not_the_callers_mistake(status):
    found = classify(status, None, None, "no")
    assert found.fault != "caller"
    assert found.next


@examples(300)
@given(
    st.none() | st.integers(100, 999),
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=20),
    st.text(max_size=40),
)
def test_every_refusal_has_a_class(status, code, kind, message):
    assert issubclass(classify(status, code, kind, message), TargetError)


class TestRedact:
    def test_the_given_key_goes_everywhere(self):
        assert redact("key abcd1234 and abcd1234!", "abcd1234") == "key *** and ***!"

    def test_several_keys_go(self):
        assert redact("first-key second-key", "first-key", "second-key") == "*** ***"

    @pytest.mark.parametrize("key", ["", "x", "local"])
    def test_what_is_too_short_for_a_key_tears_no_words_apart(self, key):
        assert redact("An expected local text", key) == "An expected local text"

    @pytest.mark.parametrize(
        "key",
        [
            "sk-abcdef1234567890",
            "sk-proj-Ab_12-xyzXYZ0987",
            "sk-ant-api03-AAAAAAAA-BBBB",
            "sk-abc***************xyz",
            "pk_live_1234567890",
            "gsk_abcdefgh12345678",
            "hf_abcdefghijklmnop",
            "r8_abcdefghijklmnop",
            "xai-abcdefghijklmnop",
            "tgp_v1_abcdefghijklmnop",
        ],
    )
    @pytest.mark.parametrize("words", ["Incorrect API key provided: {}.", "'{}'", "Bearer {}", "key={}&x=1", "{}"])
    def test_what_looks_like_a_key_goes(self, key, words):
        assert redact(words.format(key)) == words.format("***")

    @pytest.mark.parametrize(
        "text", ["Use gpt-4o-mini", "task-oriented", "risk-assessment", "hf", "a sk- b", "rate limit: 10 r/s"]
    )
    def test_ordinary_words_stay(self, text):
        assert redact(text) == text

    @examples()
    @given(st.text(), st.text(min_size=8), st.text())
    def test_no_key_survives(self, before, key, after):
        assert key not in redact(before + key + after, key)


@pytest.mark.parametrize(("status", "words"), [(404, "Not Found"), (529, ""), (799, "")])
def test_phrase(status, words):
    assert phrase(status) == words


@pytest.mark.parametrize("key", ["k7Qz0p4ssPhr4se9913Xy", "f8?Zq>>ab~~90Lm", "abc-defg-hijk"])
@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer ", ":"])
def test_a_key_in_another_coding_is_cut(key, before):
    given = before.encode() + key.encode()
    for coded in (key.upper(), base64.b64encode(given).decode(), base64.urlsafe_b64encode(given).decode()):
        said = redact(f"no such key: {coded}.", key)
        assert "***" in said and said.startswith("no such key: ")
        rims = 11  # of base64 they are left, and hold no three letters
        assert len(said) < len("no such key: .***") + rims + len(before) * 4 / 3
