"""What is taken for a key, and what of an address is shown."""

import pytest

from core.config import masking
from core.config.catalog import load
from core.config.secrets import Secret


@pytest.mark.parametrize(
    "text",
    ["sk-proj-0123456789abcdef", "gsk_0123456789abcdefghij", "hf_0123456789abcdefghij", "AIzaSyA0123456789abcdefghi",
     "AKIA0123456789ABCDEF", "0123456789abcdef0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.e30.abc", " sk-0123456789 "],
)  # fmt: skip
def test_what_looks_like_a_key(text):
    assert masking.like_a_key(text)
    assert text.strip() not in masking.quoted(text)
    assert masking.shown([text]) == [masking.HIDDEN]


def test_no_model_and_no_setting_looks_like_one():
    words = [model.id for model in load().models]
    words += ["openai", "cost_optimized", "2024-10-21", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", "my_own_deployment"]
    assert [word for word in words if masking.like_a_key(word)] == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:hunter2@host:8/v1?code=x#y", "https://***@host:8/v1?***#***"),
        ("http://127.0.0.1:8787/v1", "http://127.0.0.1:8787/v1"),
        ("://hunter2", "***"),
        ("http://[::1?hunter2", "***"),
    ],
)
def test_addresses(url, shown):
    assert masking.shown(url) == shown


def test_among_secrets_only_what_can_be_none_is_shown():
    assert masking.shown({"a": "x", "b": 1, "c": True}, secret=True) == {"a": "***", "b": 1, "c": True}
    assert masking.shown(Secret("x")) == "***"
