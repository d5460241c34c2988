"""What is taken for a translation, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.languages import base_of as base
from core.languages import find_tag as code_of
from core.languages import label_of as name_of
from core.wire.function_words import languages, words_of
from core.wire.scripts import scripts_of
from core.wire.translation.check import fault
from infra.local.simulators.translating import translate
from tests.core.fakes import examples

# Short texts of programs, where a check that is too clever does harm.
GOOD = [
    ("Hello", "Hallo", "de"), ("OK", "OK", "ja"), ("iPhone 15 Pro", "iPhone 15 Pro", "zh-Hans"),
    ("Taxi", "Taxi", "de"),
    ("Good morning", "Guten Morgen", "de"), ("Hotel Adlon", "Hotel Adlon", "de"), ("Cancel", "Abbrechen", "de"),
    ("Hello, how are you?", "Hola, ¿cómo estás?", "es"), ("1,000 people", "1.000 Personas", "es"), ("no", "no", "es"),
    ("The house is big.", "家很大。", "zh-Hans"), ("The house is big.", "その家は大きいです。", "ja"),
    ("information", "information", "fr"), ("restaurant", "restaurant", "fr"), ("3 apples", "drei Äpfel", "de"),
    ("Terms & Conditions", "Allgemeine Geschäftsbedingungen", "de"), ("Los Angeles", "Los Angeles", "de"),
    ("You have {n} new messages.", "Sie haben {n} neue Nachrichten.", "de"), ("Die Welt", "The world", "en"),
    ("La La Land", "La La Land", "en"), ("Microsoft Azure", "Microsoft Azure", "ja"), ("on", "an", "de"),
    ("Save 50% today", "今日50%オフ", "ja"), ("Die!", "Stirb!", "de"), ("die", "the", "en"), ("你好", "Hello", "en"),
    ("In 2024 we sold 1,250,000 cars", "En 2024 vendimos 1.250.000 coches", "es"), ("Wi-Fi", "Wi-Fi", "ru"),
    ("Jag är här", "Jeg er her", "nb"), ("It is 8:30 pm", "Es ist 20:30 Uhr", "de"), ("Привет", "Привіт", "uk"),
    ("e-mail", "e-mail", "fr"), ("Menu", "Menu", "fr"), ("chat", "chat", "ja"), ("42", "42", "ar"), ("…", "…", "de"),
    ("12345", "١٢٣٤٥", "ar"), ("5 million people", "500万人", "ja"), ("Dr. de la Cruz", "Dr. de la Cruz", "de"),
    ("Colour", "Color", "en-US"), ("The colour of the house", "The color of the house", "en-US"),
    ("Добар дан", "Dobar dan", "sr-Latn"), ("Es tut mir leid", "Es tut mir leid", "de"),
    ("Welcome home, everybody", "به ماڵەوە بەخێربێن هەمووان", "ckb"),
    ("Welcome home, everybody", "ཁྱེད་རང་ཚོ་ནང་ལ་ཕེབས", "bo"),
    ("Welcome home, everybody", "ⴰⵏⵙⵓⴼ ⵖⵔ ⵜⴳⵎⵎⵉ", "zgh"),
    ("- Do this first, and then wait. " * 9, "- まずこれをして、それから待ちます " * 9, "ja"),
    ("1,234,567", "12,34,567", "hi"),
    ("Open from 1830 hours", "Ab 18:30 Uhr geöffnet", "de"),
    ("Read <b>this</b>", "<b>Dies</b> lesen", "de"), ("Hi {a} and {b}", "{b}と{a}、こんにちは", "ja"),
]  # fmt: skip
BAD = [
    ("Hello, how are you today my friend?", "Hello, how are you today my friend?", "de", "the text itself"),
    ("The house is big.", "La maison est grande.", "de", "not in German"),
    ("You have {n} new messages.", "Sie haben neue Nachrichten.", "de", "placeholders"),
    ("You have {n} new messages.", "Sie haben {m} neue Nachrichten.", "de", "placeholders"),
    ("You have {n} new messages.", "Sie {n} haben {n} neue Nachrichten.", "de", "placeholders"),
    ("Hi", "Hallo {name}", "de", "placeholders"),
    ("hello", "hello", "ja", "not in Japanese"),
    ("Good morning", "Good morning", "de", "the text itself"),
    ("The house is big and the garden is small.", "The house is big and the garden is small.", "zh-Hans", "not in"),
    ("Order 123456 shipped", "Bestellung versandt", "de", "numbers"),
    ("我喜欢这个房子", "我喜欢这个房子", "en", "not in English"),
    ("我喜欢这个房子", "私はこの家が好きです", "zh-Hans", "not in"),
    ("The house is big.", "", "de", "empty"),
    ("Das ist ein sehr schönes Haus", "Das ist ein sehr schönes Haus", "en", "the text itself"),
    ("Good morning", "Sure! Here is the translation you asked me for: " + "Guten Morgen " * 12, "de", "longer"),
    ("The moon moves the tides. " * 20, "Der Mond bewegt die Gezeiten. " * 4, "de", "shorter"),
    ("The moon moves the tides. " * 20, "Der Mond bewegt die Gezeiten. " * 13 + "Der Mond", "de", "ends before"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "answer", "target"), GOOD)
@pytest.mark.parametrize("spoken", [None, "said"])
def test_good_ones_are_taken(source, answer, target, spoken):
    known = "en" if spoken and source.isascii() and "Welt" not in source else None
    assert fault(source, answer, target=target, spoken=known) is None


@pytest.mark.parametrize(("source", "answer", "target", "why"), BAD)
def test_bad_ones_are_not(source, answer, target, why):
    said = fault(source, answer, target=target)
    assert said is not None and why in said


def test_what_is_said_of_a_bad_one_quotes_no_text():
    said = fault("Your PIN is {pin} for Alice", "Ihre Nummer für Alice", target="de")
    assert said == "1 of its 1 placeholders are missing, changed or repeated"


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ('<p>Hallo <a href="/x" title="Sieh">Welt</a> &amp; mehr</p>', False),
        ('<p><a href="/x" title="Sieh">Welt</a> und mehr, hallo</p>', False),
        ('<p>Hallo <a href="/y" title="See">Welt</a> &amp; mehr</p>', True),
        ("<p>Hallo Welt &amp; mehr</p>", True),
        ('<a href="/x" title="See"><p>Hallo Welt</a> &amp; mehr</p>', True),
        ('<p>Hallo <a href="/x" title="See">Welt</a> &amp; <script>x</script></p>', True),
    ],
)
def test_html_keeps_its_structure(answer, wrong):
    source = '<p>Hello <a href="/x" title="See">world</a> &amp; more</p>'
    assert (fault(source, answer, target="de", html=True) is not None) == wrong


def test_a_glossary_is_kept_to_in_every_form_of_a_word():
    glossary = {"message": "Botschaft", "house": "Gebäude"}
    assert fault("A message", "Eine Botschaft", target="de", glossary=glossary) is None
    assert fault("Of the message", "Der Botschaften", target="de", glossary=glossary) is None
    assert "glossary" in (fault("A message", "Eine Nachricht", target="de", glossary=glossary) or "")


@pytest.mark.parametrize("language", [one for one in languages() if one not in {"bg", "mk"}])
def test_a_languages_own_words_are_its_own(language):
    """A text of nothing but small words is the hardest that there is."""
    text = " ".join(sorted(words_of(language))[:20])
    assert fault("Something that was said in English, and quite long.", text, target=language) is None


WORDS = ["the", "house", "is", "big", "and", "you", "have", "messages", "hello", "world", "flonk", "Berlin", "17"]
SAID = st.lists(st.sampled_from(WORDS), min_size=1)
INTO = st.sampled_from(
    [
        "de",
        "fr",
        "es",
        "it",
        "pt",
        "nl",
        "sv",
        "pl",
        "tr",
        "ru",
        "uk",
        "el",
        "ar",
        "he",
        "hi",
        "ja",
        "ko",
        "zh-Hans",
        "th",
    ]
)


@examples(60)
@given(SAID, INTO)
def test_what_simulators_say_is_a_translation_and_what_they_were_told_is_mostly_none(words, target):
    text = " ".join(words)
    assert fault(text, translate(text, target, "en"), target=target, spoken="en") is None
    if sum(word in {"the", "is", "and", "you", "have"} for word in words) >= 3 and len(words) >= 5:
        assert fault(text, text, target=target, spoken="en") is not None


@examples(100)
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["de", "ja", "x1", "sr"]), st.booleans())
def test_no_text_breaks_it(source, answer, target, html):
    said = fault(source, answer, target=target, html=html)
    assert said is None or (said and not any(word in said for word in source.split() if len(word) > 20))


def test_languages_have_names_codes_and_scripts():
    assert [code_of(one) for one in ("German", "de", "PT-br", "zh_hant", "deutsch", "no such", "??")] == [
        "de", "de", "pt-BR", "zh-Hant", "de", None, None,
    ]  # fmt: skip
    assert (name_of("pt-BR"), name_of("xx")) == ("Brazilian Portuguese (pt-BR)", "xx")
    assert (base("iw"), base("zh-CHT"), base("pt-BR")) == ("he", "zh", "pt")
    assert [*scripts_of("sr-Latn"), *scripts_of("ru"), *scripts_of("de")] == ["LATIN", "CYRILLIC", "LATIN"]
