"""A caller's schema: what is refused, what an answer is held to, and what cannot be made to take for ever."""

import pytest

from core.errors import BadRequest
from core.wire import schemas
from core.wire.schemas import is_object, schema_of

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 18}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            },
            "required": ["value", "next"],
        }
    },
    "$ref": "#/$defs/Node",
}


def refused(schema):
    with pytest.raises(BadRequest) as caught:
        schema_of(schema)
    assert caught.value.param == "response_format.json_schema.schema"
    assert caught.value.code == "invalid_json_schema"
    return caught.value.message


def doubling(levels):
    """Each level refers to the next one twice: as many ways through it as two to the power of levels."""
    parts = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**parts, f"a{levels}": {"type": "string"}}, "$ref": "#/$defs/a0"}


class TestSchemas:
    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"type": "strin"}, "at type"),
            ({"properties": []}, "at properties"),
            ({"properties": {"age": {"minimum": "3"}}}, "at properties/age/minimum"),
            ({"required": "name"}, "at required"),
            ({"pattern": "("}, "at pattern"),
            ({"$ref": "#/nowhere"}, "nowhere"),
            ({"$schema": "http://example.com/mine"}, "http://example.com/mine"),
        ],
    )
    def test_what_is_wrong_is_said_with_its_place(self, schema, words):
        message = refused(schema)
        assert message.startswith("response_format.json_schema.schema is not a valid JSON schema")
        assert words in message

    @pytest.mark.parametrize("address", ["http://127.0.0.1:9/s.json", "https://example.com/s", "file:///etc/hostname"])
    def test_nothing_is_fetched(self, address):
        assert address in refused({"$ref": address})

    def test_too_large(self):
        assert "larger than" in refused({"description": "x" * 300_000})

    def test_too_many_ways(self):
        assert "ways through" in refused(doubling(30))
        assert schema_of(doubling(4)).misses("x") == []

    def test_the_same_one_is_prepared_once(self):
        assert schema_of({**PERSON}) is schema_of({**PERSON})

    @pytest.mark.parametrize(
        ("schema", "expected"),
        [
            (PERSON, True), (TREE, True), ({}, True), ({"type": ["object", "null"]}, True),
            ({"type": "array"}, False), ({"type": ["string", "null"]}, False), ({"enum": ["a"]}, False),
            ({"anyOf": [PERSON, TREE]}, True),
        ],
    )  # fmt: skip
    def test_whether_an_answer_may_be_an_object(self, schema, expected):
        assert is_object(schema) is expected


class TestAnswers:
    def test_one_that_meets_it(self):
        assert schema_of(PERSON).misses({"name": "Ada", "age": 36}) == []

    def test_all_that_is_wrong_is_listed_and_the_place_has_no_word_of_the_answer(self):
        found = schema_of(PERSON).misses({"name": "Ada", "age": 12, "secret": 1})
        assert {miss.where for miss in found} == {"properties/age/minimum", "additionalProperties"}
        assert any("At age: 12 is less than the minimum of 18" in miss.said for miss in found)

    def test_not_more_than_a_few(self):
        wide = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(30)}}
        assert len(schema_of(wide).misses({f"p{n}": n for n in range(30)})) == 5

    def test_formats_are_remarks(self):
        assert schema_of({"type": "string", "format": "email"}).misses("nobody") == []

    def test_one_that_contains_itself(self):
        schema = schema_of(TREE)
        assert schema.is_long(1)
        assert schema.misses({"value": 1, "next": {"value": 2, "next": None}}) == []
        found = schema.misses({"value": 1, "next": {"value": "two", "next": None}})
        assert found and found[0].where.endswith("anyOf")

    def test_a_chain_of_references_without_an_end(self):
        loop = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
        assert schema_of(loop).is_long(1)
        schema_of(loop).misses({})

    def test_what_would_take_long_to_list_is_not_listed(self):
        """Each level of alternatives doubles a list of what is wrong, which costs far more than a yes or no."""
        assert [miss.where for miss in schema_of(doubling(14)).misses(1)] == ["its root"]

    def test_of_a_large_answer_the_first_miss_is_told(self):
        schema = schema_of({"type": "array", "items": PERSON})
        found = schema.misses([{"name": "Ada", "age": 36}] * 3000 + [{"name": 1, "age": 36}] * 3000)
        assert [miss.where for miss in found] == ["items/properties/name/type"]

    def test_an_evil_pattern_ends(self):
        for pattern in ("^(a+)+$", "^(?=a)(a|a)*$", "^(?!x)(a|aa)+$"):
            assert schema_of({"type": "string", "pattern": pattern}).misses("a" * 60 + "!")

    def test_what_can_take_long_is_known_beforehand(self):
        assert not schema_of(PERSON).is_long(100_000)
        assert schema_of(doubling(14)).is_long(1000) and not schema_of(doubling(14)).is_long(100)

    def test_levels_and_values_are_counted(self):
        assert schemas._extent(1) == (0, 1)
        assert schemas._extent([]) == (0, 1)
        assert schemas._extent({"a": [{"b": 1}, 2]}) == (3, 5)
