"""SSML is read safely; what is text and no more can be said by who reads none."""

import pytest

from core.errors import BadRequest
from core.wire.sound.ssml import is_ssml, read


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("<speak>Hello  there.\n You.</speak>", "Hello there.\n You."),
        ("<speak>a &lt; b &amp; c &#33;</speak>", "a < b & c !"),
        ("<speak><s>One.</s><s>Two.</s></speak>", "One. Two."),
        ("<speak><p>One.</p><p>Two.</p></speak>", "One.\n\nTwo."),
        ("<speak>The <sub alias='World Wide Web'>WWW</sub>!</speak>", "The World Wide Web!"),
        (
            "<?xml version='1.0'?><speak xmlns='http://www.w3.org/2001/10/synthesis'>Hi<!-- no --></speak>",
            "Hi",
        ),
        ("Only <s>what stands inside.</s>", "Only what stands inside."),
    ],
)
def test_what_is_text_and_no_more(document, text):
    found = read(document)
    assert (found.text, found.plain) == (text, True)
    assert read(found.document)._replace(language="") == found  # and is whole


@pytest.mark.parametrize("before", ["<?xml version='1.0'?>", "<!-- a - b -->", "<!DOCTYPE speak [<!ENTITY a '>'>]>\n"])
def test_it_is_known_by_its_root_whatever_stands_before_it(before):
    assert is_ssml(f" {before}{before}<speak>a</speak>")
    assert not is_ssml(f"{before}{before} a <speak>")
    assert not is_ssml(before * 5000)  # at once


@pytest.mark.parametrize(
    "inside",
    [
        "a<break time='1s'/>b", "<prosody rate='slow'>a</prosody>", "<say-as interpret-as='date'>1.2.</say-as>",
        "<emphasis>a</emphasis>", "<phoneme ph='x'>a</phoneme>", "<mstts:express-as style='sad'>a</mstts:express-as>",
        "<voice name='a'>One.</voice><voice name='b'>Two.</voice>", "<voice name='a'>One.</voice> Two.",
        "<voice gender='female'>a</voice>", "<p xml:lang='de'>a</p>", "<audio src='x'>a</audio>",
    ],
)  # fmt: skip
def test_what_says_how_it_sounds_needs_who_reads_it(inside):
    assert not read(f"<speak>{inside}</speak>").plain


def test_language_and_voice_of_all_of_it_are_known():
    found = read("<speak xml:lang='de-DE'><voice name='de-DE-KatjaNeural'><s>Hallo.</s></voice></speak>")
    assert (found.plain, found.text, found.language, found.voice) == (True, "Hallo.", "de-DE", "de-DE-KatjaNeural")


def test_a_root_says_what_readers_need():
    document = read("<speak>a</speak>").document
    assert 'version="1.0" xmlns="http://www.w3.org/2001/10/synthesis"' in document and 'xml:lang="en-US"' in document
    assert read('<speak version="1.1" xml:lang="fr">a</speak>').document.count("version=") == 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("<speak>a", "well formed"),
        ("<speak>a & b</speak>", "well formed"),
        ("<speak></speak><speak></speak>", "well formed"),
        ("<?xml version='1.0'?><voice>a</voice>", "one speak element"),
        ("<!DOCTYPE speak SYSTEM 'file:///etc/passwd'><speak>a</speak>", "document type"),
        ("<!DOCTYPE s [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><speak>&b;</speak>", "document type"),
        ("<speak>&unknown;</speak>", "well formed"),
        (f"<speak>{'<s>' * 100}a{'</s>' * 100}</speak>", "deeper than 64"),
        ("<speak> <break/> </speak>", "says nothing"),
        ("<speak>\ud800</speak>", "well formed"),
    ],
)
def test_what_is_none_is_refused(document, words):
    with pytest.raises(BadRequest, match=words) as refused:
        read(document)
    assert refused.value.param == "input"


def test_a_text_is_known_for_ssml_by_how_it_begins():
    assert is_ssml("<speak>a</speak>") and is_ssml('\n<?xml version="1.0"?>\n<speak version="1.0">')
    assert not is_ssml("speak <speak>") and not is_ssml("<speaker>a</speaker>")
