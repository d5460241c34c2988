"""Which voice a target says it with: the one that was asked for, else the nearest one, and it is said."""

import re

import pytest

from core.config.voices import GENDERS, built_in, check, load
from core.errors import Misconfigured
from core.languages import base_of
from core.providers.table import TABLE
from core.routing.voices import Cast, Wanted, cast
from core.types.plan import Exclusion
from core.types.target import Target

OPENAI = Target("openai", "default", "gpt-4o-mini-tts")
OLD = Target("openai", "default", "tts-1")
AZURE = Target("azure", "default", "azure-tts-neural")
GROQ = Target("groq", "default", "canopylabs/orpheus-v1-english")
ARABIC = Target("groq", "default", "canopylabs/orpheus-arabic-saudi")
KOKORO = Target("together", "default", "hexgrad/Kokoro-82M")
GEMINI = Target("gemini", "default", "gemini-3.8-flash-tts")
ELSEWHERE = Target("acme", "default", "some-model")
ALL = (OPENAI, AZURE, GROQ, KOKORO, GEMINI)


def chosen(target, name="", language="", gender="", style="", *, usual=None, named=False, strict=False, own=None):
    wanted = Wanted(name, language, gender, style)
    return cast(load(own), target, wanted, usual=usual, named=named, strict=strict)


def voice(*args, **more):
    found = chosen(*args, **more)
    assert isinstance(found, Cast), found
    return found


def refusal(*args, **more):
    found = chosen(*args, **more)
    assert isinstance(found, Exclusion), found
    assert found.by_request
    return found


def known(target, name):
    found = load().find(target.provider, name, target.model)
    assert found is not None, name
    return found


@pytest.mark.parametrize("target", ALL)
def test_every_voice_of_one_is_somebody_at_each_other_one(target):
    voices = load()
    for one in voices.listed():
        found = cast(voices, target, Wanted(one.name), usual=None, named=False, strict=False)
        if isinstance(found, Exclusion):
            assert "speaks" in found.reason and not one.is_for_any
            continue
        there = known(target, found.voice)
        assert found.warning == "" or there.name in found.warning
        if not one.is_for_any:
            assert there.fluency(one.language)


def test_a_providers_own_name_is_taken_as_it_is():
    assert voice(OPENAI, "alloy") == Cast("alloy")
    assert voice(OPENAI, "ALLOY") == Cast("alloy")
    assert voice(AZURE, "en-US-JennyNeural") == Cast("en-US-JennyNeural")
    assert voice(AZURE, "pt-BR-SomebodyNewNeural") == Cast("pt-BR-SomebodyNewNeural")
    assert voice(OPENAI, "voice_68f1") == Cast("voice_68f1")


def test_one_of_another_provider_is_the_nearest_and_said():
    found = voice(AZURE, "onyx")
    assert known(AZURE, found.voice).gender == "male"
    assert found.warning.startswith("azure has no voice onyx: ") and "nearest" in found.warning
    assert voice(AZURE, "alloy").warning.endswith("(female in place of neutral)")
    assert voice(KOKORO, "alloy").voice == "af_alloy"
    assert voice(GROQ, "en-US-GuyNeural").voice in {"austin", "daniel", "troy"}


def test_a_name_of_ours_is_who_it_is_there_without_a_word():
    for target in ALL:
        found = voice(target, "en-US-female-1")
        assert found.warning == "" and known(target, found.voice).gender == "female"
    assert voice(AZURE, "de-DE-male-1") == Cast("de-DE-ConradNeural")
    assert voice(AZURE, "de-male") == Cast("de-DE-ConradNeural")
    first, second = voice(GROQ, "en-US-male-1").voice, voice(GROQ, "en-US-male-2").voice
    assert first != second
    assert "en-US-female-9" in voice(GROQ, "en-US-female-9").warning  # there are not so many


def test_language_goes_before_gender_and_gender_before_style():
    assert voice(AZURE, "", "ja", "male").voice == "ja-JP-KeitaNeural"
    assert voice(KOKORO, "af_heart", "fr").voice == "ff_siwis"
    found = voice(KOKORO, "", "fr", "male")
    assert found.voice == "ff_siwis" and "female in place of male" in found.warning
    assert voice(OPENAI, "", "", "male", "calm").voice == "echo"
    assert voice(OPENAI, "", "", "female", "calm").voice == "sage"
    assert voice(AZURE, "", "en-GB", "male", "newscast").voice == "en-GB-RyanNeural"
    assert voice(AZURE, "alloy", "hi").voice == "hi-IN-SwaraNeural"


def test_a_language_that_nobody_speaks_there_keeps_the_target_out():
    assert refusal(GROQ, "alloy", "de").reason == "no voice there speaks de"
    assert refusal(GROQ, "de-DE-KatjaNeural").reason == "no voice there speaks de-DE"
    assert refusal(ARABIC, "", "en").param == "language"
    assert voice(ARABIC, "", "ar").voice in {"lulwa", "noura", "aisha", "abdullah", "fahad", "sultan"}
    assert refusal(KOKORO, "af_heart", "de").reason.startswith("voice af_heart does not speak de")


def test_models_have_voices_of_their_own():
    assert voice(OPENAI, "verse") == Cast("verse")
    assert known(OLD, voice(OLD, "verse").voice).gender == "male"


def test_a_name_that_nobody_knows():
    found = refusal(OPENAI, "aloy")
    assert "'aloy' is not known" in found.reason and "did you mean alloy" in found.reason
    assert voice(OPENAI, "brand-new", named=True) == Cast("brand-new")  # who names the provider knows its voices
    assert voice(ELSEWHERE, "brand-new") == Cast("brand-new")


def test_at_a_provider_whose_voices_nobody_knows_the_usual_one_says_it():
    assert "left out" in voice(ELSEWHERE, "alloy").warning
    assert voice(ELSEWHERE, "alloy", usual="tom").voice == "tom"
    assert voice(ELSEWHERE) == Cast(None)


def test_without_a_wish_an_accounts_own_or_the_usual_voice_says_it_and_nothing_is_said_of_it():
    assert voice(OPENAI) == Cast("alloy")
    assert voice(OPENAI, usual="onyx") == Cast("onyx")
    assert voice(AZURE, usual="en-US-OwnVoiceNeural") == Cast("en-US-OwnVoiceNeural")
    assert voice(OPENAI, "", "", "female", usual="onyx").voice != "onyx"
    for target in ALL:
        assert voice(target).warning == ""


def test_strict_wants_the_voice_itself():
    assert voice(OPENAI, "alloy", strict=True) == Cast("alloy")
    assert voice(AZURE, "en-US-female-1", strict=True).warning == ""
    assert refusal(AZURE, "alloy", strict=True).reason.endswith("(strict)")


OWN = {"narrator": {"language": "en-GB", "gender": "male", "style": "calm", "ids": {"openai": "onyx", "acme": "bob"}}}


def test_a_users_own_voice_is_who_he_says():
    assert voice(OPENAI, "narrator", own=OWN) == Cast("onyx")
    assert voice(ELSEWHERE, "narrator", own=OWN) == Cast("bob")
    assert voice(AZURE, "Narrator", own=OWN).voice == "en-GB-RyanNeural"
    assert voice(ELSEWHERE, "fable", own=OWN).voice == "bob"  # now somebody is known there


@pytest.mark.parametrize(
    ("given", "where", "words"),
    [
        ({"gender": "x"}, "gender", "female"),
        ({"language": "english!"}, "language", "en-US"),
        ({"ids": {}}, "ids", "who it is at whom"),
        ({"ids": {"nobody": "a"}}, "ids", "not known"),
        ({"stile": "a"}, "stile", "did you mean style"),
        ({"age": 5}, "age", "senior"),
        ({"style": 5}, "style", "word"),
    ],
)
def test_a_voice_that_is_none_is_named(given, where, words):
    with pytest.raises(Misconfigured, match=re.escape(words)) as wrong:
        check({"mine": {**OWN["narrator"], **given}}, [row.name for row in TABLE] + ["acme"])
    assert wrong.value.param == f"voices.mine.{where}"


def test_the_registry_is_sound():
    data, voices = built_in(), load()
    assert set(data["voices"]) <= {row.name for row in TABLE}
    for one in voices.listed():
        assert one.gender in GENDERS and re.fullmatch(r"[a-z]{2,3}-[A-Z]{2}", one.language)
        for provider, ids in one.ids.items():
            for name in ids:
                there = voices.find(provider, name)
                assert there is not None, (one.name, name)
                assert there.fluency(base_of(one.language)) and there.gender == one.gender, (one.name, name)
