"""One tag for each language, whatever it is called and wherever it is said."""

import pytest

from core.errors import BadRequest
from core.languages import base_of, find_tag, known_tag, label_of, name_of
from core.types.audio import Audio
from core.wire.azure.speech import locale_of
from core.wire.beautify.parts import read_asked
from core.wire.function_words import language_of
from core.wire.scripts import space_between, space_in
from core.wire.sound import whisper
from core.wire.sound.speech import speech_of
from core.wire.sound.transcripts import canonical
from core.wire.translation.request import translate_body

AUDIO = Audio(b"x" * 1000, "wav", "pcm", 90_500, 16_000)
FACES = {
    "transcribe": lambda said: canonical({"audio": AUDIO, "language": said})[0]["language"],
    "speak": lambda said: speech_of({"input": "x", "language": said}).body["language"],
    "translate to": lambda said: translate_body({"text": "x", "target_language": said})[0]["targets"][0],
    "translate from": lambda said: translate_body({"text": "x", "targets": ["en"], "source_language": said})[0][
        "source"
    ],
    "beautify": lambda said: read_asked({"text": "x", "language": said}).code,
}


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ("deutsch", "de"), ("Deutsch", "de"), ("tagalog", "fil"), ("filipino", "fil"), ("tl", "fil"), ("no", "nb"),
        ("norwegian", "nb"), ("mandarin", "zh"), ("jw", "jv"), ("iw", "he"), ("EN_us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"), ("zh-CHS", "zh-Hans"), ("Myanmar", "my"), ("burmese", "my"),
    ],
)  # fmt: skip
def test_every_face_reads_a_language_alike(face, said, tag):
    assert face(said) == tag


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
@pytest.mark.parametrize("said", ["klingon", "e", "en-", "123", "a language"])
def test_what_is_no_language_is_refused_everywhere(face, said):
    with pytest.raises(BadRequest) as found:
        face(said)
    assert found.value.code == "invalid_value" and "English name" in found.value.message


def test_who_knows_it_by_another_tag_is_told_that():
    assert [whisper.code_for(one) for one in ("nb-NO", "fil", "jv", "de_AT", "no")] == ["no", "tl", "jw", "de", "no"]
    assert [whisper.language(one) for one in ("tagalog", "no", "Norwegian")] == ["fil", "nb", "nb"]
    assert [locale_of(one) for one in ("no", "tl", "iw", "jw", "en", "en-GB")] == [
        "nb-NO", "fil-PH", "he-IL", "jv-ID", "en-US", "en-GB",
    ]  # fmt: skip


def test_names_for_programs_and_for_people():
    assert [name_of(one) for one in ("nb", "fil", "my", "zh-Hant", "eo")] == [
        "norwegian", "tagalog", "myanmar", "chinese", "esperanto",
    ]  # fmt: skip
    assert [label_of(one) for one in ("nb", "de", "pt-BR")] == [
        "Norwegian Bokmål (nb)", "German (de)", "Brazilian Portuguese (pt-BR)",
    ]  # fmt: skip
    assert (base_of("zh-CHT"), base_of("pt_BR"), find_tag("klingon"), known_tag("klingon")) == (
        "zh",
        "pt",
        None,
        "klingon",
    )


def test_a_language_is_known_by_small_words_of_its_own():
    for text, language in (
        ("we will meet and have it on the table", "en"), ("vi har ikke tid, men det var godt", None),
        ("jag har inte tid och han är här", "sv"), ("nie ma go i nie było", "pl"), ("это не так", "ru"),
        ("xyz", None), ("", None), ("ひらがな", "ja"),
    ):  # fmt: skip
        assert language_of(text) == language, text


def test_what_stands_between_words():
    assert [space_between(one, other) for one, other in (("a", "b"), ("你", "a"), ("a", "。"), ("한", "국"))] == [
        " ", "", "", " ",
    ]  # fmt: skip
    assert (space_in("ja-JP"), space_in("de"), space_in(None)) == ("", " ", " ")
