"""Texts cut at ends of sentences: nothing lost, nothing too large, nothing cut that is one thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.sentences import parts, sentences

TEXTS = st.text(alphabet=st.sampled_from("aB1é 中。！？.,!?;:\n\t\"')」「।…\u0301\u200d👩🇩"), max_size=200)


@pytest.mark.parametrize(
    "said",
    [
        ["One. ", "Two! ", "Three? ", "Four"],
        ["彼は来た。", "誰？", "「何？」と言った。", "「はい。」", "「いいえ。」"],
        ["这是第一句。", "第二句！", "第三句？"],
        ["यह पहला है। ", "दूसरा क्या है? ", "तीसरा॥"],
        ["هل أنت هنا؟ ", "نعم."],
        ["He left (at last.) ", 'She said "No." ', "They went…\n", "Good."],
        ["A heading without a stop\n\n", "Text.  ", "More"],
        ["  Begins with space. ", "Ends with it.\n "],
    ],
)
def test_sentences_end_where_a_reader_pauses(said):
    assert sentences("".join(said)) == said


@pytest.mark.parametrize(
    "said",
    [
        "Dr. Smith and Mrs. Jones met Prof. Brown vs. St. Mary's.",
        "J. R. R. Tolkien wrote for the U.S. Army and the U.N. Council.",
        "It costs 3.14 or 1.000.000 at version 2.0.1 of it.",
        "See https://a.example/b.html?c=d.e&f=G!h and mail a.b@c.example, please.",
        "Am 3. Oktober z.B. Äpfel, d.h. Obst, bzw. Saft.",
        '"Really?" he asked, and "Stop!" she cried.',
        "Well... so it goes, e.g. here, i.e. there.",
        "See Fig. 3 on p. 12 of Vol. 2, No. 512.",
    ],
)
def test_what_only_looks_like_an_end_is_none(said):
    assert sentences(said) == [said]
    assert sentences(f"Before. {said} Behind.") == ["Before. ", f"{said} ", "Behind."]


@given(TEXTS, st.integers(1, 60), st.none() | st.integers(1, 60))
def test_nothing_is_lost_and_nothing_too_large(text, most, first):
    assert "".join(sentences(text)) == text
    found = parts(text, most, first=first)
    assert "".join(found) == text
    assert all(0 < len(part) <= most for part in found)


@given(TEXTS, st.integers(4, 60))
def test_a_limit_may_be_in_bytes(text, most):
    found = parts(text, most, lambda part: len(part.encode()))
    assert "".join(found) == text
    assert all(len(part.encode()) <= most for part in found)


def test_sentences_are_kept_together_as_long_as_there_is_room():
    text = "One two. Three four. Five six. Seven eight."
    assert parts(text, 100) == [text]
    assert parts(text, 25) == ["One two. Three four. ", "Five six. Seven eight."]


def test_the_first_part_can_be_short_so_that_it_is_there_early():
    text = "One two. Three four. Five six. Seven eight."
    assert parts(text, 100, first=9) == ["One two. ", text[9:]]
    assert parts(text, 100, first=5) == ["One two. ", text[9:]]  # no sentence is cut for it
    assert parts("One two three four.", 9, first=2) == ["One two ", "three ", "four."]


def test_what_follows_a_short_first_part_grows():
    sizes = [len(part) for part in parts("1234567. " * 200, 700, first=10)]
    assert sizes[:4] == [9, 36, 153, 639]
    assert max(sizes) <= 700 and sum(sizes) == 1800


def test_a_long_sentence_is_cut_at_clauses_then_words_then_characters():
    assert parts("one two three, four five six", 20) == ["one two three, ", "four five six"]
    assert parts("one two three four", 10) == ["one two ", "three four"]
    assert parts("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert parts("很长的句子，没有句号，也没有空格", 8) == ["很长的句子，", "没有句号，", "也没有空格"]


def test_no_character_is_separated_from_its_marks():
    family, accented = "👨\u200d👩\u200d👧", "e\u0301"
    assert parts(family * 2, 6) == [family, family]
    assert parts(accented * 3, 3) == [accented] * 3
    assert parts("🇩🇪" * 2, 3) == ["🇩🇪", "🇩🇪"]


def test_who_has_no_room_for_a_character_is_told():
    with pytest.raises(ValueError, match="no character"):
        parts("中", 2, lambda part: len(part.encode()))


@pytest.mark.parametrize("unit", ["word ", ".", ".)", "\n ", " ", "a, ", "。」", "a", "\u0301", "A. ", "1."])
def test_a_text_made_to_take_long_does_not(unit):
    text = unit * 200_000  # with its square the time of the test would be up
    assert "".join(parts(text, 200)) == text
