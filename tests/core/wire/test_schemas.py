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

    def test_too_many_parts(self):
        assert "more than 5000 parts" in refused({"anyOf": [{}] * 80_000})
        assert "too large" in refused({"patternProperties": {f"a{n}": True for n in range(10_000)}})

    def test_too_many_ways(self):
        assert "ways through" in refused(doubling(30))
        assert schema_of(doubling(4)).misses("x") == []

    @pytest.mark.parametrize("pattern", ["(?=x)y", "a(?!b)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?<n>a)\k<n>"])
    @pytest.mark.parametrize("place", ["properties/a/pattern", "patternProperties"])
    def test_a_pattern_without_a_bound_is_named_with_its_place(self, pattern, place):
        inner = {pattern: {}} if place == "patternProperties" else {"a": {"pattern": pattern}}
        message = refused({place.partition("/")[0]: inner})
        assert f"cannot be used at {place}" in message and "looks ahead or back" in message

    def test_patterns_that_would_take_long_to_prepare_never_are(self):
        many = {f"p{n}": {"pattern": rf"\pL{{60}}{n}"} for n in range(300)}
        message = refused({"properties": many})
        assert "regular expressions that are too large" in message and r"\\pL{60}" in message
        for pattern in ("(a{1000}){1000}", "a{1000}{1000}", "(?:[ab]|c){999999999999}", "a" * 5000, "(" * 5000):
            assert "too large" in refused({"pattern": pattern})

    @pytest.mark.parametrize(
        "pattern", [r"^\d{4}-\d{2}-\d{2}$", r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "^.{1,200}$", r"^[\p{L} ]+$", r"^\(?=?$"]
    )
    def test_usual_patterns_are_taken(self, pattern):
        assert schema_of({"pattern": pattern}).misses("=\n")

    def test_what_is_ready_is_kept_within_a_bound(self, monkeypatch):
        monkeypatch.setattr(schemas, "_KEPT", 10_000)
        monkeypatch.setattr(schemas, "_ready", type(schemas._ready)())
        first, second = ({"description": text * 300} for text in "ab")
        before = schema_of(first)
        assert schema_of(first) is before
        schema_of(second)
        assert schema_of(first) is not before and len(schemas._ready) == 1

    def test_the_same_one_is_prepared_once(self):
        assert schema_of({**PERSON}) is schema_of({**PERSON})

    @pytest.mark.parametrize(
        ("schema", "expected"),
        [
            (PERSON, True), (TREE, True), ({}, True), ({"type": ["object", "null"]}, True),
            ({"type": "array"}, False), ({"type": ["string", "null"]}, False), ({"enum": ["a"]}, False),
            ({"anyOf": [PERSON, TREE]}, True), ({"anyOf": [{"type": "array"}, PERSON]}, True),
            ({"anyOf": [{"type": "array"}]}, False), ({"oneOf": [{"type": "string"}, {"enum": [1]}]}, False),
            ({"allOf": [PERSON, {"type": "array"}]}, False), ({"allOf": [PERSON, {}]}, True),
            ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array"}}}, False), ({"$ref": "elsewhere"}, False),
            ({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"$ref": "#/$defs/c"}, "c": PERSON}}, True),
            ({"$ref": "#"}, False), ({"not": {"type": "object"}}, False), ({**PERSON, "not": {"type": "null"}}, True),
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
        assert schema.misses({"value": 1, "next": {"value": 2, "next": None}}) == []
        found = schema.misses({"value": 1, "next": {"value": "two", "next": None}})
        assert found and found[0].where.endswith("anyOf")

    def test_a_chain_of_references_without_an_end(self):
        loop = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
        assert schema_of(loop).misses({}) == []

    def test_what_would_take_long_to_list_is_not_listed(self):
        """Each level of alternatives doubles a list of what is wrong, which costs far more than a yes or no."""
        assert [miss.where for miss in schema_of(doubling(14)).misses(1)] == ["its root"]

    def test_of_a_large_answer_the_first_miss_is_told(self):
        schema = schema_of({"type": "array", "items": PERSON})
        found = schema.misses([{"name": "Ada", "age": 36}] * 3000 + [{"name": 1, "age": 36}] * 3000)
        assert [miss.where for miss in found] == ["items/properties/name/type"]

    def test_an_evil_pattern_ends(self):
        assert schema_of({"type": "string", "pattern": "^(a+)+$"}).misses("a" * 100_000 + "!")

    def test_one_too_deep_to_be_quoted(self):
        """Each level of alternatives has its own copy of all that is within it."""
        value: object = "x"
        for _ in range(400):
            value = {"value": 1, "next": value}
        assert [miss.where for miss in schema_of(TREE).misses(value)] == ["its root"]

    def test_one_too_large_to_be_copied_for_each_alternative(self):
        schema = schema_of({"anyOf": [{"type": "object", "required": [f"p{n}"]} for n in range(100)]})
        assert [miss.where for miss in schema.misses({"a": [1] * 5000})] == ["its root"]

    def test_what_can_take_long_is_known_beforehand(self):
        assert not schema_of(PERSON).is_long({}, 100_000)
        assert not schema_of(TREE).is_long({"value": 1}, 1000), "it meets itself once for each value"
        values = [1] * 500
        assert schema_of(doubling(13)).is_long(values, 1000)
        assert not schema_of(doubling(13)).is_long(values[:5], 1000), "few values, though they are long"

    @pytest.mark.parametrize(
        "schema",
        [
            {"anyOf": [{"properties": {"c": {"$ref": "#"}, name: {}}} for name in "ab"]},
            {"properties": {"c": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}},
            {"properties": {"c": {"$ref": "#"}}, "unevaluatedProperties": False},
            {"$anchor": "x", "properties": {"c": {"$ref": "#x"}}},
            {"properties": {"c": {"$id": "http://example.com/c", "$ref": "#/$defs/d", "$defs": {"d": {}}}}},
        ],
    )
    def test_what_doubles_or_is_not_seen_through_is_long(self, schema):
        assert schema_of(schema).is_long({}, 2)

    def test_long_texts_and_large_patterns_are(self):
        schema = schema_of({"type": "string", "pattern": "(a?){500}b"})
        assert schema.is_long("a", 10_000) and not schema.is_long("a", 500)

    def test_names_are_no_keywords(self):
        wide = {"anyOf": [{"type": "string"}] * 2000}
        schema = schema_of({"dependentSchemas": {"$defs": wide}, "properties": {"default": wide}})
        assert schema.is_long([1] * 1000, 5000)

    def test_levels_and_values_are_counted(self):
        assert schemas._extent(1) == (0, 1)
        assert schemas._extent([]) == (0, 1)
        assert schemas._extent({"a": [{"b": 1}, 2]}) == (3, 5)
