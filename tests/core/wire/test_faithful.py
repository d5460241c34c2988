"""What cleaning may change and what not; what a summary may say."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.wire.beautify.faithful import slips
from core.wire.beautify.source import Source
from core.wire.beautify.wording import LANGUAGES, UNKNOWN, language_of

EN = LANGUAGES["en"]


def differs(source, cleaned, language="en"):
    return [(one.had, one.has) for one in slips(source, cleaned, LANGUAGES.get(language, UNKNOWN))]


@pytest.mark.parametrize(
    ("source", "cleaned"),
    [
        ("so we met on the 5th and its done", "So, we met on the 5th, and it's done."),
        ("um so uh we met", "So we met."),
        ("we we met", "We met."),
        ("he said he will come", "He said: “He will come!”"),
        ("meet at 5 pm in the us", "Meet at 5 p.m. in the U.S."),
        ("a well known email", "A well-known e-mail"),
        ("they dont know", "They don’t know…"),
        ("it costs 10000 dollars", "It costs 10,000 dollars."),
        ("buy milk then eggs", "# Shopping\n\n1. Buy milk,\n2. then eggs."),
        ("buy milk then eggs", "- Buy milk\n- then eggs"),
        ("the ﬁnal plan", "The final plan"),
        ("call\u200b me", "Call me."),
        ("first it is good then bad", "**First**, it is _good_; then bad."),
        ("", ""),
        ("um uh", ""),
        ("it is it is good", "It is good."),
        ("i think that i think that it is good", "I think that it is good."),
        ("we can not go and he cannot either", "We cannot go, and he can not either."),
        ("okay we go", "OK, we go."),
        ("ok we go", "Okay, we go."),
        ("at 5 30 pm", "At 5:30 p.m."),
        ("at five thirty pm", "At 5:30 p.m."),
        ("pay five dollars", "Pay 5 dollars."),
        ("pay five dollars", "Pay $5."),
        ("pay 5 dollars", "Pay five dollars."),
        ("two hundred and fifty people", "250 people."),
        ("three thousand people", "3000 people."),
        ("the twenty fifth of june", "The 25th of June."),
        ("on march third", "On March 3."),
        ("five percent", "5%."),
        ("a cafe in munchen", "A café in München."),
        ("UM WE MET", "We met."),
    ],
)
def test_what_cleaning_may_do(source, cleaned):
    assert differs(source, cleaned) == []


@pytest.mark.parametrize(
    ("source", "cleaned", "where", "kind"),
    [
        ("we do not agree", "We do agree.", ("not", ""), "negation"),
        ("we agree", "We never agree.", ("", "never"), "negation"),
        ("i don't agree", "I do agree.", ("don t", "do"), "negation"),
        ("pay 50 dollars", "Pay 15 dollars.", ("50", "15"), "number"),
        ("pay five dollars", "Pay 6 dollars.", ("five", "6"), "number"),
        ("pay twenty five dollars", "Pay 20 dollars.", ("twenty five", "20"), "number"),
        ("on the third we met", "On the 4th we met.", ("third", "4 th"), "number"),
        ("the third we met", "The 3 we met.", ("third", "3"), "number"),
        ("at 5 30 pm", "At 5:40 p.m.", ("5 30 pm", "5:40 p m"), "number"),
        ("pay five dollars", "Pay €5.", ("five dollars", "€ 5"), "number"),
        ("the ER was full", "The was full.", ("ER", ""), "word"),
        ("UM graduates came", "Graduates came.", ("UM", ""), "word"),
        ("New York New York is big", "New York is big.", ("New York", ""), "word"),
        ("no it is no it is fine", "No it is fine.", ("no it is", ""), "negation"),
        ("she said café", "She said cafe.", ("café", "cafe"), "word"),
        ("the café has a resume", "The café has a résumé.", ("resume", "résumé"), "word"),
        ("it is 3.5 percent", "It is 35 percent.", ("3.5", "35"), "number"),
        ("it is 3 5 percent", "It is 3.5 percent.", ("3 5", "3.5"), "number"),
        ("it is -5 degrees", "It is 5 degrees.", ("-5", "5"), "number"),
        ("it grew by 5 %", "It grew by 5.", ("%", ""), "number"),
        ("we pay $5", "We pay €5.", ("$", "€"), "number"),
        ("anna called", "Hanna called.", ("anna", "Hanna"), "word"),
        ("anna called", "Anna called Bob.", ("", "Bob"), "word"),
        ("first one then the other", "First one.", ("then the other", ""), "word"),
        ("bob and anna", "Anna and Bob.", ("bob and anna", "Anna and Bob"), "word"),
        ("see you in december", "20. See you in December.", ("", "20"), "number"),
        ("see you", "1. See you.", ("", "1"), "number"),
        ("we met duran", "We met um Duran.", ("", "um"), "word"),
        ("call five five one", "Call five one.", ("five", ""), "word"),
        ("no no it is fine", "No, it is fine.", ("no", ""), "negation"),
        ("It is Duran Duran", "It is Duran.", ("Duran", ""), "word"),
        ("uh-uh we stay", "We stay.", ("uh uh", ""), "word"),
        ("c++ is old", "C is old.", ("++", ""), "number"),
        ("words here", "", ("words here", ""), "word"),
    ],
)
def test_what_it_may_not(source, cleaned, where, kind):
    found = slips(source, cleaned, EN)
    assert where in [(one.had, one.has) for one in found]
    assert kind in {one.kind for one in found}


@pytest.mark.parametrize(
    ("language", "source", "cleaned", "faithful"),
    [
        ("de", "äh wir zahlen 10.000 euro nicht", "Wir zahlen 10000 Euro nicht.", True),
        ("de", "um acht uhr", "Acht Uhr.", False),
        ("de", "er kommt", "Kommt.", False),
        ("de", "wir zahlen 10,000 euro", "Wir zahlen 10000 Euro.", False),
        ("pt", "um carro", "Carro.", False),
        ("fr", "euh l homme n est pas là", "L'homme n'est pas là.", True),
        ("fr", "il ne vient pas", "Il vient.", False),
        ("es", "eh no lo sé", "No lo sé.", True),
        ("zh", "嗯今天我们不去", "今天，我们不去。", True),
        ("zh", "今天我们不去", "今天，我们去。", False),
        ("zh", "天天去", "天去。", False),
        ("ja", "えーと行かない", "行かない。", True),
        ("hi", "हिन्दी नहीं", "हिन्दी नहीं।", True),
        ("hi", "हिन्दी नहीं", "हन्दी नहीं।", False),
        ("xx", "um we met", "We met.", False),
        ("xx", "uhm we met 10,000", "We met 10,000.", True),
        ("xx", "10,000", "10000", False),
    ],
)
def test_languages_differ(language, source, cleaned, faithful):
    assert (differs(source, cleaned, language) == []) is faithful


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("um so the plan is that we will meet and you have it", "en"),
        ("wir haben das nicht und es ist auch zu spät für die anderen", "de"),
        ("nous avons dit que c est dans le plan et que vous êtes là", "fr"),
        ("今天我们不去", "zh"),
        ("今日は行かない", "ja"),
    ],
)
def test_a_language_is_known_by_its_words(text, code):
    assert language_of(None, text) is LANGUAGES[code]
    assert language_of(f"{code}-XX", "") is language_of(code, "the and of") is LANGUAGES[code]


def test_what_no_table_has_is_taken_for_no_other_language():
    assert language_of("sw", "the and of to is that") is UNKNOWN
    assert language_of(None, "jambo rafiki") is UNKNOWN


@pytest.mark.parametrize(
    ("source", "cleaned", "faithful"),
    [
        ("ten ten ten", "Ten.", False), ("nein nein", "Nein.", False), ("five percent", "5%", True),
        ("cinq pour cent", "5 %", True), ("six percent", "5%", False), ("elf elf", "Elf.", False),
    ],
)  # fmt: skip
def test_a_text_that_is_too_short_to_tell_its_language_is_held_to_all(source, cleaned, faithful):
    assert (not slips(source, cleaned, language_of(None, source))) is faithful


SAID = "anna said we will ship the report on friday and pay twenty five dollars to müller corp for 3 boxes"


@pytest.mark.parametrize(
    "summary",
    [
        "Anna will ship on Friday.",
        "The team pays 25 dollars to Müller Corp.",
        "Shipping is on Friday; three boxes.",
        "Anna's report costs twenty-five dollars.",
        "Payment was agreed. I think it is due.",
        "Delays to the website were noted.",
        "Responsibility for each box is clear. Cut costs. Compile a list.",
        "- Compile the list\n- Cut costs",
        "Reach anna at müller.corp.",
        "",
    ],
)
def test_a_summary_may_say_it_otherwise(summary):
    assert Source(SAID, EN).invented(summary) == []


@pytest.mark.parametrize(
    ("summary", "names", "found"),
    [
        ("Robert will ship.", ["Robert"], "Robert"),
        ("NATO will ship.", [], "NATO"),
        ("See https://evil.example/pay.", [], "https://evil.example/pay"),
        ("write to bob@evil.example", [], "bob@evil.example"),
        ("go to www.evil.example today", [], "www.evil.example"),
        ("all is on evil.example", [], "evil.example"),
        ("It was shipped by Robert.", [], "Robert"),
        ("they agreed", ["Robert"], "Robert"),
        ("They pay 26 dollars.", [], "26"),
        ("They pay thirty dollars.", [], "thirty"),
        ("It is due on Monday.", [], "Monday"),
        ("it is due tomorrow", [], "tomorrow"),
        ("Q3 was good", [], "Q"),
    ],
)
def test_a_summary_invents_nothing(summary, names, found):
    assert found in Source(SAID, EN).invented(summary, names)


@pytest.mark.parametrize(
    ("language", "text", "said", "names", "found"),
    [
        ("de", "anna zahlt am freitag", "Die Zahlung erfolgt am Freitag.", ["Annas"], []),
        ("de", "anna zahlt am freitag", "Die Zahlung erfolgt am Montag.", [], ["Montag"]),
        ("de", "anna zahlt", "Die Zahlung kommt von Herrn Schmidt.", ["Schmidt"], ["Schmidt"]),
        ("de", "anna zahlt", "Gezahlt hat Frau Petra Schulz.", [], ["Petra", "Schulz"]),
        ("fr", "anne paie lundi", "Le paiement aura lieu mardi.", [], ["mardi"]),
        ("zh", "小明付钱", "付款。", ["王芳"], ["王芳"]),
    ],
)
def test_in_other_languages(language, text, said, names, found):
    invented = Source(text, LANGUAGES[language]).invented(said, names)
    assert set(found) <= set(invented) and (bool(found) or not invented)


DATED = "um so on the third of march bob at example dot com meets anna at 5 30 pm and pays five percent"


def test_numbers_and_addresses_may_be_written_as_they_are_not_spoken():
    source = Source(DATED, EN)
    assert source.invented("On March 3 they meet; 5% is paid; write to bob@example.com.") == []
    assert source.invented("On March 4 they meet.") == ["4"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Anna", True), ("the 3rd of March", True), ("5:30 p.m.", True), ("5 percent", True), ("", True),
        ("march 3", False), ("next week", False), ("bob anna", False), ("ann", False), ("5:40 pm", False),
    ],
)  # fmt: skip
def test_who_and_when_are_words_of_the_text_one_after_the_other(words, said):
    assert Source(DATED, EN).says(words) is said


def test_what_is_to_be_done_has_to_do_with_the_text():
    source = Source(SAID, EN)
    for task in ("Send the shipping report", "Pay Müller Corp", "Prepare the boxes"):
        assert source.is_about(task)
    for task in ("Fire the accountant", "Call the lawyers"):
        assert not source.is_about(task)


def test_headings_in_title_case_are_held_to_numbers_and_days():
    source = Source(SAID, EN)
    assert source.invented("Shipping And Final Costs", title=True) == []
    assert source.invented("Shipping On Monday", title=True) == ["Monday"]
    assert source.invented("The missing costs of Robert", title=True) == ["Robert"]


WORDS = st.lists(
    st.sampled_from(["anna", "ships", "not", "never", "five", "12", "3.5", "report", "café", "friday", "and", "no"]),
    min_size=1,
    max_size=40,
)


@given(words=WORDS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_marks_case_and_sounds_are_free(words, data):
    cleaned, source = [], []
    for word in words:
        source += [word, *(["um"] if data.draw(st.booleans()) else [])]
        shown = word.capitalize() if data.draw(st.booleans()) else word
        cleaned.append(shown + data.draw(st.sampled_from(["", ",", ".", "!", ";", "\n\n"])))
    assert slips(" ".join(source), " ".join(cleaned), EN) == []


@given(words=WORDS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_word_that_is_another_is_found(words, data):
    place = data.draw(st.integers(0, len(words) - 1))
    before = words[place]
    how = data.draw(st.sampled_from(["gone", "more", "other"]))
    changed = list(words)
    if how == "gone":
        del changed[place]
    elif how == "more":
        changed.insert(place, "zebra")
    else:
        changed[place] = "zebra"
    found = slips(" ".join(words), " ".join(changed), EN)
    may_go = how == "gone" and before in {"anna", "ships", "report", "café", "friday", "and"}
    twice = any(one == other == before for one, other in pairwise(words))
    assert found or (may_go and twice), changed


def test_a_long_text_takes_time_by_its_length():
    """Counted, not timed: ten times the words are compared with at most ten times the moves."""
    counts = []
    for many in (200, 2000):
        text = "we pay 25 dollars and um she does not agree with it " * many
        calls = 0
        original = re.sub("dollars", "dollars", text)

        class Counting(str):
            __slots__ = ()
            __hash__ = str.__hash__

            def __eq__(self, other):
                nonlocal calls
                calls += 1
                return str.__eq__(self, other)

        from core.wire.beautify.atoms import atoms
        from core.wire.beautify.faithful import _Comparison

        had = [one._replace(text=Counting(one.text)) for one in atoms(original, EN)]
        has = atoms(text.replace("um ", ""), EN, cleaned=True)
        assert _Comparison(had, has, EN).slips() == []
        counts.append(calls)
    assert counts[1] <= 10.5 * counts[0]


def test_not_more_is_listed_than_can_be_mended():
    text = "we pay 25 dollars " * 5000
    assert len(slips(text, text.replace("pay", "owe"), EN)) == 20
