"""The simulated Azure Speech is as strict as the real one, and hears and says what it is sent."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from infra.local.simulators.azure_speech_ws import parsed, text_message
from infra.local.simulators.faults import Fault
from infra.local.simulators.fleet import Fleet
from infra.local.simulators.signal import heard, text
from tests.sound import recording

KEY = {"ocp-apim-subscription-key": "k"}
FAST = "/speechtotext/transcriptions:transcribe?api-version=2025-10-15"
SHORT = "/speech/recognition/conversation/cognitiveservices/v1"
SPEAK = "/cognitiveservices/v1"
SSML = (
    '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
    '<voice name="en-US-AvaNeural">Hello you.</voice></speak>'
)
FORMAT = {"x-microsoft-outputformat": "riff-16khz-16bit-mono-pcm", "content-type": "application/ssml+xml"}


@asynccontextmanager
async def client():
    fleet = Fleet(("azure",))
    await fleet.start()
    try:
        async with httpx.AsyncClient(base_url=fleet.url("azure"), headers=KEY, trust_env=False) as http:
            yield http, fleet
    finally:
        await fleet.stop()


def asked(method, url, **how):
    async def scenario():
        async with client() as (http, _):
            return await http.request(method, url, **how)

    return asyncio.run(scenario())


def transcribed(definition=None, **files):
    files = files or {"audio": ("a.wav", recording("Hello you."))}
    data = (
        {}
        if definition is None
        else {"definition": definition if isinstance(definition, str) else json.dumps(definition)}
    )
    return asked("POST", FAST, files=files, data=data)


def test_a_file_is_heard_in_phrases_with_words():
    body = transcribed({"locales": ["de-DE", "en-US"], "diarization": {"enabled": True, "maxSpeakers": 2}}).json()
    assert body["combinedPhrases"] == [{"text": "Hello you."}]
    (phrase,) = body["phrases"]
    assert (phrase["text"], phrase["locale"], phrase["speaker"]) == ("Hello you.", "en-US", 1)
    assert [word["text"] for word in phrase["words"]] == ["Hello", "you."]
    end = phrase["words"][-1]["offsetMilliseconds"] + phrase["words"][-1]["durationMilliseconds"]
    assert phrase["offsetMilliseconds"] + phrase["durationMilliseconds"] == end <= body["durationMilliseconds"]


@pytest.mark.parametrize(
    "definition",
    ["{", [], {"language": "en-US"}, {"locales": ["en"]}, {"diarization": {"enabled": True, "maxSpeakers": 1}},
     {"diarization": {"enabled": True}, "channels": [0]}, {"profanityFilterMode": "none"},
     {"phraseList": {"phrases": [1]}}],
)  # fmt: skip
def test_a_definition_that_it_does_not_take(definition):
    answer = transcribed(definition)
    assert answer.status_code == 400 and answer.json()["message"]


def test_what_is_no_file_or_no_audio():
    assert transcribed(other=("a.wav", b"x")).json()["innerError"]["code"] == "EmptyAudioFile"
    assert transcribed(audio=("a.wav", b"not audio")).status_code == 422
    assert asked("POST", FAST.partition("?")[0], content=b"").json()["code"] == "InvalidApiVersion"
    assert asked("POST", FAST, headers={"ocp-apim-subscription-key": ""}, content=b"").status_code == 401


def test_a_short_utterance():
    body = recording("Hello you. And more.")
    head = {"content-type": "audio/wav; codecs=audio/pcm; samplerate=16000"}
    plain = asked("POST", f"{SHORT}?language=en-US", content=body, headers=head).json()
    assert (plain["RecognitionStatus"], plain["DisplayText"]) == ("Success", "Hello you.")
    detailed = asked("POST", f"{SHORT}?language=en-US&format=detailed", content=body, headers=head).json()
    assert detailed["NBest"][0]["Display"] == "Hello you." and detailed["Offset"] == 0
    assert asked("POST", f"{SHORT}?language=en", content=body, headers=head).status_code == 400
    assert asked("POST", f"{SHORT}?language=en-US", content=body).status_code == 415
    assert asked("GET", f"{SHORT}?language=en-US").status_code == 400  # asks for no WebSocket


def test_speech_says_it():
    answer = asked("POST", SPEAK, content=SSML, headers=FORMAT)
    assert answer.headers["content-type"] == "audio/x-wav" and text(heard(answer.content)) == "Hello you."
    assert asked("POST", f"/tts{SPEAK}", content=SSML, headers=FORMAT).content == answer.content


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("<voice", "<voce"), 400), (("AvaNeural", "Ava"), 400), ((' version="1.0"', ""), 400),
        ((' xml:lang="en-US"', ""), 400), (("Hello", "<loud/>Hello"), 400), (("<voice", "Hi <voice"), 400),
        (("</speak>", ""), 400),
    ],
)  # fmt: skip
def test_ssml_that_it_does_not_take(change, status):
    answer = asked("POST", SPEAK, content=SSML.replace(*change), headers=FORMAT)
    assert (answer.status_code, answer.content) == (status, b"")


def test_formats_and_heads_that_it_does_not_take():
    assert asked("POST", SPEAK, content=SSML, headers={**FORMAT, "x-microsoft-outputformat": "mp3"}).status_code == 400
    assert asked("POST", SPEAK, content=SSML, headers={**FORMAT, "content-type": "text/plain"}).status_code == 415
    assert asked("POST", SPEAK, content=SSML, headers={**FORMAT, "user-agent": ""}).status_code == 415


def test_voices_and_tokens():
    assert "en-US-AvaNeural" in {one["ShortName"] for one in asked("GET", "/cognitiveservices/voices/list").json()}
    assert asked("POST", "/sts/v1.0/issueToken").text.startswith("eyJ")


@pytest.mark.parametrize(("body", "code"), [("nonsense", 1007), ("unconfigured", 1007), ("language", 1007)])
def test_who_does_not_speak_the_protocol_is_closed_off(body, code):
    messages = {
        "nonsense": ["Path: hello\r\n\r\n{}"],
        "unconfigured": [text_message("speech.context", "1", {})],
        "language": [text_message("speech.config", "1", {}), text_message("speech.context", "1", {})],
    }

    async def scenario():
        import aiohttp

        async with client() as (http, _), aiohttp.ClientSession() as session:
            url = f"{http.base_url}".rstrip("/") + f"{SHORT}?language=en"
            async with session.ws_connect(url, headers=KEY, protocols=("USP",)) as socket:
                assert socket.protocol == "USP"
                for message in messages[body]:
                    await socket.send_str(message)
                last = await socket.receive(5)
                return last.type is aiohttp.WSMsgType.CLOSE, socket.close_code

    assert asyncio.run(scenario()) == (True, code)


def test_messages_are_headers_and_what_follows():
    head, body = parsed(text_message("turn.end", "r1", {"a": 1}))
    assert (head["path"], head["x-requestid"], json.loads(body)) == ("turn.end", "r1", {"a": 1})


def test_faults_of_sockets():
    assert (Fault.parse("close:1011").name, Fault.parse("close:1011").word) == ("close", "1011")
    assert Fault.parse("phrase:TooManyRequests").word == "TooManyRequests"
    for nonsense in ("close", "close:99", "close:x", "phrase:", "phrase:1"):
        with pytest.raises(ValueError, match="unknown fault"):
            Fault.parse(nonsense)


def test_a_fault_of_sockets_is_none_of_requests():
    async def scenario():
        async with client() as (http, fleet):
            await fleet.fault("azure", "close:1011")
            return (await http.post("/sts/v1.0/issueToken")).status_code

    assert asyncio.run(scenario()) == 200
