"""What the simulated model says, without a server."""

import pytest

from infra.local.simulators.answers import answers, tokens
from infra.local.simulators.samples import EndlessError, SchemaError, sample

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "next"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (None, {}),
        ({}, {}),
        ({"type": "string"}, "simulated"),
        ({"type": "string", "minLength": 11}, "simulated.."),
        ({"type": "string", "maxLength": 3}, "sim"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": ["string", "null"]}, "simulated"),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 2, "multipleOf": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 2}, 3),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": -2}, -3),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": 0.25, "maximum": 0.75}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"const": None}, None),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "array", "items": {"enum": [7]}, "minItems": 2}, [7, 7]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"type": "null"}]}, [1, None]),
        (
            {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"]},
            {"b": 2},
        ),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, 1),
        ({"oneOf": [{"type": "null"}]}, None),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}}, {"required": ["a"]}], "type": "object"},
            {"a": 1},
        ),
        (TREE, {"value": 0, "next": None}),
    ],
)
def test_sample(schema, value):
    assert sample(schema) == value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": 5},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": "many"},
        {"type": "object", "properties": [1], "required": ["a"]},
    ],
)
def test_bad_schema(schema):
    with pytest.raises(SchemaError):
        sample(schema)


def test_schema_without_an_end():
    with pytest.raises(EndlessError):
        sample({"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]})


def test_tokens():
    assert [tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_long_words_are_quoted_in_part():
    [answer] = answers({"messages": [{"role": "user", "content": "word \n " * 900}]}, "openai", "m")
    assert answer.text is not None
    assert len(answer.text) < 500
    assert '...".' in answer.text


def test_attachments_and_silence():
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "input_audio", "input_audio": {}},
        {"type": "file", "file": {}},
    ]
    [answer] = answers({"messages": [{"role": "user", "content": parts}]}, "openai", "m")
    assert answer.text == (
        "Simulated answer from openai (m): you said nothing. I was given 1 image: https://example.com/cat.png."
        " I was given 1 audio part and 1 file."
    )
    [answer] = answers({"messages": [{"role": "system", "content": "Be kind"}]}, "openai", "m")
    assert answer.text is not None
    assert answer.text.endswith("you said nothing.")
