"""Azure Speech's words: what recognisers and voices are told, and what their answers mean."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.errors import Malformed, ParameterRefused, RequestRefused
from core.types.audio import Audio, Sound
from core.wire.azure.speech import definition, live_of, phrase_from, transcript_from, transcript_of
from core.wire.azure.speech_errors import cancelled, read_error
from core.wire.azure.speech_ssml import SAYS, billed, format_of, speech_of
from core.wire.sound.recognisers import NOBODY

AUDIO = Audio(b"", "wav", ms=10_000)
WORDS = "{http://www.w3.org/2001/10/synthesis}"


def told(**body):
    return definition({"audio": AUDIO, **body})


def test_a_file_is_described_in_a_definition():
    made, losses = told(
        language="en", vocabulary=["Patchbay", "Groq"], diarize=True, max_speakers=3, profanity="masked"
    )
    assert made == {
        "locales": ["en-US"], "profanityFilterMode": "Masked", "diarization": {"enabled": True, "maxSpeakers": 3},
        "phraseList": {"phrases": ["Patchbay", "Groq"]},
    }  # fmt: skip
    assert losses == []


def test_no_language_is_left_to_it_and_words_are_not_masked():
    """Nobody else masks by default, so a fallback would change words."""
    assert told() == ({"profanityFilterMode": "None"}, [])
    assert told(languages=["de", "pt-PT", "de-DE"])[0]["locales"] == ["de-DE", "pt-PT"]


def test_its_limits_are_kept_and_what_it_cannot_be_told_is_said():
    made, losses = told(diarize=True, max_speakers=1, channels=True, min_speakers=2, prompt="A talk.")
    assert made["diarization"]["maxSpeakers"] == 2 and "channels" not in made
    assert [loss.partition(" ")[0] for loss in losses] == ["min_speakers", "prompt", "channels"]
    assert told(channels=True)[0]["channels"] == [0, 1]


def test_a_live_recogniser_guesses_among_as_many_languages_as_it_can():
    live, losses, said = live_of({"audio": AUDIO})
    assert len(live.locales) == 10 and losses == [] and "en-US, es-ES" in said[0]
    once, _, said = live_of({"audio": AUDIO, "single_utterance": True})
    assert len(once.locales) == 4 and once.once and "zh-CN" not in said[0]
    named, losses, said = live_of({"audio": AUDIO, "languages": [f"l{n}-XX" for n in range(12)], "profanity": "tags"})
    assert len(named.locales) == 10 and said == () and len(losses) == 2 and named.profanity == "masked"


FAST = {
    "durationMilliseconds": 10_000,
    "combinedPhrases": [{"text": "Good afternoon. Danke."}],
    "phrases": [
        {"speaker": 2, "offsetMilliseconds": 4000, "durationMilliseconds": 1000, "text": "Danke.", "locale": "de-DE",
         "confidence": 0.5, "words": [{"text": "Danke.", "offsetMilliseconds": 4000, "durationMilliseconds": 1000}]},
        {"speaker": 1, "offsetMilliseconds": 500, "durationMilliseconds": 3000, "text": "Good afternoon.",
         "locale": "en-US", "confidence": 0.9,
         "words": [{"text": "Good", "offsetMilliseconds": 500, "durationMilliseconds": 1000},
                   {"text": "afternoon.", "offsetMilliseconds": 1500, "durationMilliseconds": 2000}]},
    ],
}  # fmt: skip


def test_the_answer_of_a_fast_transcription():
    made = transcript_from(FAST, {"audio": AUDIO, "diarize": True})
    assert made.text == "Good afternoon. Danke." and made.duration == 10 and made.language == "en-US"
    assert [(one.text, one.start, one.end, one.speaker) for one in made.segments] == [
        ("Good afternoon.", 0.5, 3.5, "speaker_1"), ("Danke.", 4.0, 5.0, "speaker_2"),
    ]  # fmt: skip
    assert [(one.text, one.start, one.end) for one in made.words][1] == ("afternoon.", 1.5, 3.5)
    assert made.confidence == 0.8  # by length
    assert made.speakers == ("speaker_1", "speaker_2")


def test_silence_is_an_answer_and_nonsense_is_none():
    quiet = transcript_from({"durationMilliseconds": 10_000, "combinedPhrases": [], "phrases": []}, {"audio": AUDIO})
    assert (quiet.text, quiet.reason, quiet.segments) == ("", NOBODY, ())
    times = {"offsetMilliseconds": "1", "durationMilliseconds": 1}
    nonsense: tuple[object, ...] = (None, [], {}, {"phrases": [{"text": 1}]}, {"phrases": [{"text": "a", **times}]})
    for broken in nonsense:
        with pytest.raises(Malformed):
            transcript_from(broken, {"audio": AUDIO})


LIVE = {
    "RecognitionStatus": "Success", "Offset": 15_000_000, "Duration": 20_000_000, "DisplayText": "Hello, you!",
    "PrimaryLanguage": {"Language": "en-GB", "Confidence": "High"}, "SpeakerId": "Guest-2",
    "NBest": [{"Confidence": 0.75, "Lexical": "hello you", "Display": "Hello, you!", "Words": [
        {"Word": "hello", "Offset": 15_000_000, "Duration": 9_000_000, "Confidence": 0.7},
        {"Word": "you", "Offset": 25_000_000, "Duration": 10_000_000},
    ]}],
}  # fmt: skip


def test_a_phrase_of_a_live_recogniser():
    made = phrase_from(LIVE)
    assert made is not None
    assert (made.text, made.start, made.end, made.speaker) == ("Hello, you!", 1.5, 3.5, "speaker_2")
    assert (made.confidence, made.language) == (0.75, "en-GB")
    assert [(one.text, one.start, one.end) for one in made.words] == [("Hello,", 1.5, 2.4), ("you!", 2.5, 3.5)]


def test_words_that_are_not_those_that_are_shown_stay_as_they_were_said():
    twenty = {**LIVE, "DisplayText": "20"}
    made = phrase_from(twenty)
    assert made is not None and [one.text for one in made.words] == ["hello", "you"]


@pytest.mark.parametrize("status", ["NoMatch", "InitialSilenceTimeout", "BabbleTimeout", "EndOfDictation"])
def test_a_phrase_that_is_none(status):
    assert phrase_from({"RecognitionStatus": status, "Offset": 0, "Duration": 10}) is None
    assert phrase_from({**LIVE, "SpeakerId": "Unknown"}).speaker is None  # type: ignore[union-attr] # it is one


def test_phrases_in_writing_without_spaces_are_joined_without():
    segments = [phrase_from({**LIVE, "DisplayText": text}) for text in ("你好。", "再见。")]
    assert transcript_of(filter(None, segments), {"audio": AUDIO}).text == "你好。再见。"


def speech(**body):
    return speech_of({"input": "Hello", "sound": Sound(), **body})


def inside(ssml):
    tree = ET.fromstring(ssml)
    assert tree.tag == f"{WORDS}speak" and tree.get("version") == "1.0"
    (voice,) = tree
    return tree, voice


def test_text_becomes_ssml():
    made = speech(input="Tom & <Jerry>", voice="de-DE-KatjaNeural", style="cheerful", speed=1.5)
    tree, voice = inside(made.ssml)
    assert tree.get("{http://www.w3.org/XML/1998/namespace}lang") == "de-DE"
    assert voice.get("name") == "de-DE-KatjaNeural"
    assert "".join(voice.itertext()) == "Tom & <Jerry>"
    assert 'rate="+50%"' in made.ssml and 'style="cheerful"' in made.ssml
    assert (made.format, made.sound) == ("audio-24khz-96kbitrate-mono-mp3", Sound("mp3", 24000))


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_and_no_name_breaks_out_of_it(text, name):
    made = speech(input=text, voice=name)
    if name and ":" not in name:
        assert inside(made.ssml)[1].get("name") is not None
    said = "".join(inside(made.ssml)[1].itertext())
    sayable = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", " ", text)
    assert said == sayable.replace("\r\n", "\n").replace("\r", "\n")


def test_a_pace_that_it_cannot_speak_at_becomes_the_nearest():
    made = speech(speed=4)
    assert 'rate="+100%"' in made.ssml and made.losses == ["speed 4 became 2: it speaks at 0.5 to 2 times its pace"]
    assert "prosody" not in speech(speed=1).ssml


def test_the_callers_own_ssml_gets_a_voice_where_it_has_none():
    bare = speech(input="Hello <break time='1s'/> you", ssml=True, voice="en-US-AvaNeural", speed=2)
    assert "".join(inside(bare.ssml)[1].itertext()).split() == ["Hello", "you"]
    assert bare.losses == ["speed was left out: the SSML says how it is spoken"]
    own = (
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
        '<voice name="en-GB-RyanNeural">Hi</voice></speak>'
    )
    assert speech(input=f'<?xml version="1.0"?>{own}', ssml=True).ssml == own


@pytest.mark.parametrize(
    "ssml",
    ["<speak>Hi", "Hi </speak>", "<p>unclosed", "<speak/>",
     '<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>', "<speak>&a;</speak>"],
)  # fmt: skip
def test_ssml_that_is_none_is_the_callers_mistake(ssml):
    with pytest.raises(RequestRefused) as caught:
        speech(input=ssml, ssml=True)
    assert caught.value.param == "input"


def test_high_definition_is_another_price_and_so_another_model():
    plain, rich = {"voice": "en-US-AvaMultilingualNeural"}, {"voice": "en-US-Ava:DragonHDLatestNeural"}
    made = speech_of({"input": "Hi", "sound": Sound(), **plain}, hd=True)
    assert 'name="en-US-Ava:DragonHDLatestNeural"' in made.ssml
    assert (
        'name="en-US-Ava:DragonHDLatestNeural"' in speech_of({"input": "Hi", "sound": Sound(), **rich}, hd=True).ssml
    )
    with pytest.raises(ParameterRefused):
        speech(**rich)
    with pytest.raises(ParameterRefused):
        speech_of({"input": "Hi", "sound": Sound(), "voice": "en-US-NobodyNeural"}, hd=True)


@pytest.mark.parametrize(
    ("wanted", "name", "comes"),
    [
        (Sound("mp3", 16000), "audio-16khz-128kbitrate-mono-mp3", Sound("mp3", 16000)),
        (Sound("mp3", 22050), "audio-24khz-96kbitrate-mono-mp3", Sound("mp3", 24000)),
        (Sound("opus"), "ogg-24khz-16bit-mono-opus", Sound("opus", 24000)),
        (Sound("wav", 8000), "riff-8khz-16bit-mono-pcm", Sound("wav", 8000)),
        (Sound("pcm", 96000), "raw-48khz-16bit-mono-pcm", Sound("pcm", 48000)),
        (Sound("flac"), "raw-24khz-16bit-mono-pcm", Sound("pcm", 24000)),
        (Sound("aac", 44100), "raw-44100hz-16bit-mono-pcm", Sound("pcm", 44100)),
        (Sound("mp3", 24000, 2), "raw-24khz-16bit-mono-pcm", Sound("pcm", 24000)),
    ],
)  # fmt: skip
def test_the_format_that_is_nearest(wanted, name, comes):
    assert format_of(wanted) == (comes, name)


def test_with_times_of_words_it_comes_without_heads():
    assert format_of(Sound("wav"), bare=True) == (Sound("pcm", 24000), "raw-24khz-16bit-mono-pcm")
    assert set(SAYS) == {"mp3", "opus", "wav", "pcm"}


def test_what_is_billed_is_all_but_who_speaks_and_ideographs_twice():
    assert billed(speech(input="Hello").ssml) == 5
    assert billed(speech(input="漢字 kana かな").ssml) == 10 + 2
    assert billed(speech(input="a&b").ssml) == len("a&amp;b")
    assert billed(speech(input="Hi", speed=2).ssml) == len('<prosody rate="+100%">Hi</prosody>')


@pytest.mark.parametrize(
    ("code", "details", "kind", "status"),
    [
        ("AuthenticationFailure", "Authentication error (401). Please", "CredentialRefused", 401),
        ("BadRequest", "Bad request (400). Error details: Failed with HTTP 400 x", "ParameterRefused", 400),
        ("BadRequest", "Error code: 1007. Error details: Quota exceeded. USP state: Sending.", "QuotaExhausted", None),
        ("Forbidden", "no quota", "QuotaExhausted", None),
        ("TooManyRequests", "Too many requests (429).", "RateLimited", 429),
        ("ServiceError", "Internal service error (500).", "ServerFault", 500),
        ("ServiceError", "Internal service error (404).", "Malformed", 404),
        ("ServiceUnavailable", "Service unavailable (503).", "Overloaded", 503),
        ("ServiceTimeout", "", "IdleTimeout", None),
        ("ConnectionFailure", "Connection failed (no connection to the remote host).", "Unreachable", None),
        ("ConnectionFailure", "WebSocket operation failed. WS_ERROR_UNDERLYING_IO_ERROR", "Dropped", None),
        ("ConnectionFailure", "Unspecified connection error (200).", "Malformed", 200),
        ("RuntimeError", "Failed to initialize platform (azure-c-shared). Error: 2407", "LibraryUnusable", None),
        ("RuntimeError", "Exception with error code: 0x5", "AdapterBroken", None),
        ("SomethingNew", "", "ServerFault", None),
    ],
)  # fmt: skip
def test_what_its_sdk_gives_up_for(code, details, kind, status):
    error = cancelled(code, f"{details} SessionId: 0123456789abcdef0123456789abcdef")
    assert type(error) is getattr(errors, kind)
    assert (error.provider_status, error.code, error.request_id) == (status, code, "0123456789abcdef0123456789abcdef")
    assert "SessionId" not in error.message and "USP" not in error.message and error.message


def test_neither_keys_nor_addresses_nor_what_it_quotes_come_with_an_error():
    said = (
        "Connection failed. Error details: no key secret-key-1234 at wss://h/speech?key=secret-key-1234\nX-Id: 1\n"
        'Response text: {"RecognitionStatus": "Error", "DisplayText": "private words"} SessionId: 12'
    )
    message = cancelled("ConnectionFailure", said, "secret-key-1234").message
    assert message == "Connection failed. Error details: no key *** at its address"


EMPTY = json.dumps({"error": {"code": "403", "message": "Out of call volume quota."}}).encode()
INNER = {"code": "InvalidAudioFormat", "message": "cannot be decoded"}
NESTED = json.dumps({"code": "InvalidArgument", "message": "no", "innerError": INNER}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, b"", "ParameterRefused", "Bad Request, without a message"),
        (401, b"", "CredentialRefused", "Unauthorized"),
        (403, EMPTY, "QuotaExhausted", "quota"),
        (404, b"", "ModelMissing", "Not Found"),
        (415, b"", "ParameterRefused", "Unsupported Media Type"),
        (422, NESTED, "ParameterRefused", "cannot be decoded"),
        (429, b"", "RateLimited", "Too Many Requests"),
        (502, b"<html>", "ServerFault", "Bad Gateway"),
        (503, b"", "Overloaded", "Service Unavailable"),
    ],
)  # fmt: skip
def test_refusals_over_rest(status, body, kind, words):
    error = read_error(status, body, secrets=("k" * 20,), request_id="r", retry_after=2.0)
    assert type(error) is getattr(errors, kind) and words in error.message
    assert (error.provider_status, error.request_id, error.retry_after) == (status, "r", 2.0)
