"""What a regular expression costs, by its looks."""

import pytest

from core.wire.patterns import cost_of, looks_around


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("", 1), ("^a$", 4), ("a{3}", 5), ("a{2,30}", 32), (r"\{3}", 4), ("a{3", 4), ("[]{9}]{2}", 4),
        ("(a{10}){10}", 133), ("(?:ab){1000}", 3004), ("(?<n>ab){2}", 10), (r"\p{L}{4}", 6),
    ],
)  # fmt: skip
def test_repetitions_are_written_out(pattern, steps):
    assert cost_of(pattern).steps == steps


def test_one_in_the_other_has_an_end():
    assert cost_of("(" * 50 + "a" + "{9999999999})" * 50).build == cost_of("a" * 3000).build == 10**6


def test_classes_of_letters_are_dear():
    assert cost_of(r"\p{L}").build > 5 * cost_of(r"\w").build > cost_of("a").build
    assert cost_of(r"[\p{L}\p{N}]").build > cost_of(r"\p{L}\p{N}").build


@pytest.mark.parametrize("pattern", ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", r"(a)\1", r"\\\1", r"\k<n>"])
def test_what_looks_around(pattern):
    assert looks_around(pattern)


@pytest.mark.parametrize("pattern", ["(?:a)", "(?<n>a)", r"\(?=a", r"\\1", "a"])
def test_what_does_not(pattern):
    assert not looks_around(pattern)
