"""The commands of sound and text: files, pipes, addresses, terminals, and how they end."""

import asyncio
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import webvtt

from infra.local import door, recordings
from tests.core.library.conftest import heard
from tests.infra.results import line
from tests.sound import recording

COMMAND = [str(Path(sys.executable).with_name("patchbay"))]
TURNS = ((0, "Good morning."), (1, "Hello Anna."))
SAID = "Good morning. Hello Anna."
NO_KEY = "patchbay: nothing is configured, so a simulator answered"


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.mp3"
    path.write_bytes(recording(TURNS, "mp3"))
    return path


def words(result):
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stderr.splitlines()[0].startswith(NO_KEY)
    return result.stdout


# Transcripts


def test_a_file_is_written_down(patchbay, talk):
    assert words(patchbay("transcribe", "talk.mp3")) == f"{SAID}\n"


def test_what_is_piped_in_is_heard(patchbay):
    assert words(patchbay("transcribe", "-", given=recording(TURNS, "wav"))) == f"{SAID}\n"


def test_who_speaks(patchbay, talk):
    wanted = ["A (0:00): Good morning.", "B (0:01): Hello Anna."]
    for command in (["diarize"], ["transcribe", "--speakers"], ["transcribe", "--max-speakers", "2"]):
        assert words(patchbay(*command, "talk.mp3")).splitlines() == wanted, command


def test_each_form(patchbay, talk, tmp_path):
    srt = words(patchbay("transcribe", "talk.mp3", "--format", "srt"))
    found = webvtt.from_buffer(io.StringIO(srt), format="srt").captions
    assert [one.text for one in found] == ["Good morning.", "Hello Anna."]
    assert words(patchbay("diarize", "talk.mp3", "--format", "vtt")).startswith("WEBVTT\n")
    verbose = json.loads(words(patchbay("transcribe", "talk.mp3", "--format", "verbose_json", "--words")))
    assert verbose["task"] == "transcribe" and [one["word"] for one in verbose["words"]][:1] == ["Good"]
    diarized = json.loads(words(patchbay("diarize", "talk.mp3", "--format", "diarized_json")))
    assert [one["speaker"] for one in diarized["segments"]] == ["A", "B"]
    ours = patchbay("transcribe", "talk.mp3", "--json")
    assert ours.stderr == "" and json.loads(ours.stdout)["text"] == SAID
    assert json.loads(patchbay("transcribe", "talk.mp3", "--format", "json").stdout)["decision_id"]


def test_words_as_they_come(patchbay, talk):
    assert words(patchbay("transcribe", "talk.mp3", "--stream", "-p", "openai")) == f"{SAID}\n"


def test_what_goes_along_is_sent(patchbay, gateway, talk, tmp_path):
    (tmp_path / "terms.txt").write_text("Patchbay\n\nKubernetes\n")
    options = ["-l", "en", "--vocabulary", "Anna,Bob", "--vocabulary", "terms.txt", "-p", "openai", "--no-fallback"]
    words(patchbay("transcribe", "talk.mp3", *options))
    sent = gateway.fleet.requests("openai")[-1].body
    assert b'name="language"' in sent and all(one in sent for one in (b"Anna", b"Bob", b"Patchbay", b"Kubernetes"))


def test_a_form_takes_what_is_asked_of_the_gateway(patchbay, gateway, talk):
    said = line(patchbay("diarize", "talk.mp3", "--max-cost", "0.000000001"))
    assert "may cost" in said or "price" in said
    found = patchbay("transcribe", "talk.mp3", "--english", "--prompt", "names", "--strict", "-p", "openai", "--json")
    assert json.loads(found.stdout)["text"] == SAID
    assert gateway.fleet.requests("openai")[-1].path.endswith("/audio/translations")
    assert b"names" in gateway.fleet.requests("openai")[-1].body


def test_an_address_is_read_by_the_gateway(patchbay, run, stand_in, tmp_path):
    refused = line(patchbay("transcribe", "http://127.0.0.1:1/talk.mp3"))
    assert "audio_url cannot be used" in refused
    assert "PATCHBAY_AUDIO_BUCKETS" in line(patchbay("transcribe", "s3://bucket/talk.mp3"))
    stand_in.says({"text": "x", "decision_id": "0"})
    run("transcribe", "HTTPS://example.com/a.mp3", "--json", "--speakers", PORT=stand_in.port)
    assert stand_in.asked == [("/api/ai/transcribe", {"diarize": True, "audio_url": "HTTPS://example.com/a.mp3"})]


def test_a_file_in_place_of_standard_output(patchbay, talk, tmp_path):
    assert words(patchbay("transcribe", "talk.mp3", "--format", "srt", "-o", "talk.srt")) == ""
    assert (tmp_path / "talk.srt").read_text().startswith("1\n00:00:00,000 --> ")
    (tmp_path / "talk.txt").write_text("before")
    assert words(patchbay("transcribe", "talk.mp3", "-o", "talk.txt")) == ""
    assert (tmp_path / "talk.txt").read_text() == f"{SAID}\n"
    patchbay("diarize", "talk.mp3", "--json", "-o", "talk.json")
    assert json.loads((tmp_path / "talk.json").read_text())["speakers"][0]["name"] == "A"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["talk.json", "talk.mp3", "talk.srt", "talk.txt"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["none.mp3"], "none.mp3 cannot be read (No such file or directory)"),
        (["."], ". cannot be read (Is a directory)"),
        (["talk.mp3", "--json", "--format", "srt"], "--json is a form of its own"),
        (["talk.mp3", "--words"], "--words shows in --format json and verbose_json alone"),
        (["talk.mp3", "--stream", "--json"], "--stream writes text"),
        (["talk.mp3", "--stream", "-o", "x.txt"], "--stream writes text"),
        (["talk.mp3", "-o", "no/such/x.txt"], "no such folder"),
        (["talk.mp3", "-o", "."], "it is a folder"),
        (["talk.mp3", "--max-speakers", "0"], "0 is not in the range"),
        ([], "Missing argument"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_costs_nothing(patchbay, gateway, talk, args, said):
    before = gateway.fleet.status()["providers"]["openai"]["requests"]
    assert said in line(patchbay("transcribe", *args), 2)
    assert gateway.fleet.status()["providers"]["openai"]["requests"] == before


def test_what_cannot_be_heard_says_so(patchbay, tmp_path):
    assert "empty" in line(patchbay("transcribe", "-", given=b""))
    (tmp_path / "notes.mp3").write_text("not a sound")
    assert "no audio" in line(patchbay("transcribe", "notes.mp3", "--json"))


def test_silence_is_an_empty_text_with_its_reason(patchbay, tmp_path):
    (tmp_path / "quiet.wav").write_bytes(recording(()))
    quiet = patchbay("transcribe", "-", given=recording(((0, ""),)))
    assert quiet.exit_code == 0 and quiet.stdout == ""
    assert "patchbay: no text: the audio is silent" in quiet.stderr


def test_who_answered_and_what_failed(patchbay, gateway, talk):
    gateway.fault("openai", "500")
    said = patchbay("transcribe", "talk.mp3", "-p", "openai", "-v")
    assert said.stdout == f"{SAID}\n"
    assert re.search(r"warning: answered by \S+ instead of openai", said.stderr)
    last = said.stderr.splitlines()[-1]
    assert re.fullmatch(r"\S+  \d\.\d s heard(  \S+)?  (\$0\.\d{6,9}|cost unknown)  2 attempts  simulated", last), last
    alone = line(patchbay("transcribe", "talk.mp3", "-p", "openai", "--no-fallback"))
    assert "openai" in alone and "See `patchbay decisions" in alone


def test_without_a_server_it_answers_itself(run, talk, closed):
    assert words(run("transcribe", "talk.mp3", PORT=closed)) == f"{SAID}\n"


# Speech


def test_a_text_is_said_into_a_file(patchbay, tmp_path):
    assert words(patchbay("speak", "Good", "morning", "Anna", "-o", "hello.flac")) == ""
    said = (tmp_path / "hello.flac").read_bytes()
    assert said[:4] == b"fLaC" and heard(said) == "Good morning Anna"
    assert [one.name for one in tmp_path.iterdir()] == ["hello.flac"]


def test_into_a_pipe_and_heard_again(patchbay, tmp_path):
    (tmp_path / "text.txt").write_text("Good morning.\n")
    said = patchbay("speak", "text.txt", "--format", "wav", "--speed", "1", "--voice", "alloy", "-v")
    assert said.exit_code == 0 and said.stdout_bytes[:4] == b"RIFF"
    assert "14 characters" in said.stderr
    assert words(patchbay("transcribe", "-", given=said.stdout_bytes)) == "Good morning.\n"
    piped = patchbay("speak", "-", "--format", "opus", given="Good morning.")
    assert heard(piped.stdout_bytes) == "Good morning."


def test_what_a_stream_cost_is_known_at_its_end(patchbay, gateway):
    said = patchbay("speak", "Good morning", "-p", "openai", "-o", "a.opus", "-v")
    newest = gateway.http.get("/api/ai/decisions", params={"limit": 1}).json()["decisions"][0]
    assert newest["cost_nano"] > 0
    assert f"  ${newest['cost_nano'] / 1e9:.6f}  " in said.stderr and "unknown" not in said.stderr


def test_a_price_that_cannot_be_asked_for_is_pending(run, stand_in):
    stand_in.parts, stand_in.headers = [b"ID3 sound"], {"x-patchbay-cost-usd": "pending", "x-patchbay-decision": "1"}
    said = run("speak", "hello", "-o", "a.mp3", "-v", PORT=stand_in.port)
    assert said.exit_code == 0 and "  cost pending" in said.stderr


def test_the_name_of_a_file_says_how_it_is_written(patchbay, talk, tmp_path):
    for name in ("a.m4a", "a.xyz"):
        assert "name the file .mp3, .opus, .aac, .flac, .wav, .pcm, .ogg" in line(
            patchbay("speak", "hi", "-o", name), 2
        )
    words(patchbay("speak", "hi", "-o", "a.xyz", "--format", "flac"))
    words(patchbay("speak", "hi", "-o", "a.ogg"))
    assert (tmp_path / "a.xyz").read_bytes()[:4] == b"fLaC" and (tmp_path / "a.ogg").read_bytes()[:4] == b"OggS"
    assert patchbay("speak", "hi", "--json", "-o", "a.json").exit_code == 0
    assert json.loads((tmp_path / "a.json").read_text())["format"] == "mp3"
    for name, begins in (("a.srt", "1\n"), ("a.VTT", "WEBVTT\n"), ("a.txt", SAID)):
        words(patchbay("transcribe", "talk.mp3", "-o", name))
        assert (tmp_path / name).read_text().startswith(begins)
    assert patchbay("diarize", "talk.mp3", "-o", "b.json").exit_code == 0
    assert json.loads((tmp_path / "b.json").read_text())["decision_id"]
    (tmp_path / "notes").write_text("um we do not pay 50 dollars")
    words(patchbay("beautify", "notes", "-w", "summary", "-o", "c.txt"))
    assert "Summary" in (tmp_path / "c.txt").read_text() and "##" not in (tmp_path / "c.txt").read_text()


def test_when_each_word_is_said_is_written_beside_the_sound(patchbay, tmp_path):
    words(patchbay("speak", "Good morning. Hello Anna.", "-o", "a.flac", "--boundaries", "a.json"))
    assert heard((tmp_path / "a.flac").read_bytes()) == "Good morning. Hello Anna."
    told = json.loads((tmp_path / "a.json").read_text())
    assert [one["text"].strip(".") for one in told] == ["Good", "morning", "Hello", "Anna"]
    words(patchbay("speak", "Good morning. Hello Anna.", "-o", "a.wav", "--boundaries", "a.srt"))
    (cue,) = webvtt.from_buffer(io.StringIO((tmp_path / "a.srt").read_text()), format="srt").captions
    assert cue.text == "Good morning. Hello Anna."
    assert patchbay("speak", "Hello", "--json", "--boundaries", "b.json").exit_code == 0
    assert len(json.loads((tmp_path / "b.json").read_text())) == 1
    for name in ("a.ass", "c.json"):
        said = line(patchbay("speak", "hi", "-o", "c.json", "--format", "mp3", "--boundaries", name), 2)
        assert ".json, .srt, .vtt" in said


def test_every_option_of_speech_is_sent(run, stand_in):
    stand_in.parts = [b"ID3 sound"]
    options = [
        "--voice",
        "alloy",
        "-l",
        "en",
        "--gender",
        "male",
        "--style",
        "calm",
        "--rate",
        "16000",
        "--speed",
        "2",
    ]
    more = ["--instructions", "slowly", "-m", "tts-1", "-p", "openai", "--strict", "--no-fallback", "--max-cost", "1"]
    assert run("speak", "hello", *options, *more, "--ssml", PORT=stand_in.port).exit_code == 0
    assert stand_in.asked[0][1] == {
        "text": "hello", "response_format": "mp3", "voice": "alloy", "language": "en", "gender": "male",
        "style": "calm", "sample_rate": 16000, "speed": 2.0, "instructions": "slowly", "model": "tts-1",
        "provider": "openai", "strict": True, "fallback": False, "max_cost": 1.0, "ssml": True,
    }  # fmt: skip


def test_what_is_no_file_is_written_to_and_stays_what_it_is(patchbay, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    words(patchbay("speak", "hi", "--format", "wav", "-o", "pipe"))
    assert os.read(reader, 4) == b"RIFF" and (tmp_path / "pipe").is_fifo()
    os.close(reader)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.wav").write_text("before")
    (tmp_path / "a.wav").symlink_to("real/a.wav")
    words(patchbay("speak", "hi", "-o", "a.wav"))
    assert (tmp_path / "a.wav").is_symlink() and (tmp_path / "real" / "a.wav").read_bytes()[:4] == b"RIFF"


def test_speech_as_json(patchbay):
    said = patchbay("speak", "Good morning", "--json", "--format", "wav")
    assert said.stderr == "" and json.loads(said.stdout)["format"] == "wav"


@pytest.mark.parametrize(
    ("args", "given", "said"),
    [
        (["-"], " ", "there is nothing to say"),
        ([], "", "there is nothing to say"),
        (["hi", "--format", "midi"], None, "'midi' is not one of"),
        (["hi", "--speed", "9"], None, "9.0 is not in the range"),
        (["hi", "-o", "no/such/a.mp3"], None, "no such folder"),
        (["-"], b"\xff\xfe\xff", "is not text (UTF-8)"),
    ],
)
def test_what_cannot_be_said_is_refused_here(patchbay, args, given, said):
    assert said in line(patchbay("speak", *args, given=given), 2)


def test_speech_that_breaks_off_leaves_no_file(patchbay, gateway, tmp_path):
    for name in gateway.fleet.status()["providers"]:
        gateway.fault(name, "500")
    assert "failed" in line(patchbay("speak", "hello", "-o", "a.mp3"))
    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_its_end_is_none(run, stand_in, tmp_path):
    stand_in.parts, stand_in.whole = [b"ID3 and a little sound"], False
    said = line(run("speak", "hello", "-o", "a.mp3", PORT=stand_in.port))
    assert "broke off" in said and "incomplete" in said
    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_its_end_is_none_in_this_process_either():
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a little sound", "more_body": True})

    async def scenario():
        async with httpx.AsyncClient(transport=door._InProcess(app), base_url="http://127.0.0.1") as client:
            await client.get("/")

    with pytest.raises(httpx.RemoteProtocolError, match="no end"):
        asyncio.run(scenario())


# Translation, before a stand-in: what is sent and what is made of the answer

TRANSLATED = {
    "translated_text": "Guten Morgen",
    "translations": [{"target_language": "de", "text": "Guten Morgen"}],
    "detected_language": {"language": "en", "score": 1.0}, "characters": 12, "model": "nmt", "provider": "azure",
    "usage": None, "duration_ms": 1.0, "cost": {"usd": 0.0, "nano_usd": 120_000}, "cache": "off", "simulated": False,
    "decision_id": "0" * 32, "attempts": [{}], "warnings": [],
}  # fmt: skip


@pytest.fixture
def translate(stand_in, run):
    def invoke(*args: str, given: str | None = None, **answer):
        stand_in.says({**TRANSLATED, **answer})
        result = run("translate", *args, given=given, PORT=stand_in.port)
        return result, (stand_in.asked[-1] if stand_in.asked else None)

    return invoke


def test_a_translation(translate):
    result, asked = translate("Good", "morning", "--to", "de", "-v")
    assert result.stdout == "Guten Morgen\n"
    assert result.stderr == "azure/nmt  12 characters  $0.000120\n"
    assert asked == ("/api/ai/translate", {"text": "Good morning", "targets": ["de"]})


def test_a_translation_by_who_is_there(patchbay, tmp_path):
    (tmp_path / "page.html").write_text("<p>Good morning</p>")
    assert words(patchbay("translate", "Good morning", "--to", "de")) == "Guten Morgen\n"
    assert words(patchbay("translate", "page.html", "--html", "--to", "de")) == "<p>Guten Morgen</p>\n"
    made = json.loads(patchbay("translate", "Good morning", "--to", "de,fr", "--json").stdout)
    assert [one["target_language"] for one in made["translations"]] == ["de", "fr"]


def test_a_file_of_html_is_known_by_its_name(translate, tmp_path):
    (tmp_path / "page.HTML").write_text("<p>Hello</p>")
    assert translate("page.HTML", "--to", "de")[1][1]["format"] == "html"
    assert "format" not in translate("page.HTML", "--text", "--to", "de")[1][1]
    assert "format" not in translate("gone.html", "--to", "de")[1][1]


def test_every_option_of_a_translation_is_sent(translate, tmp_path):
    (tmp_path / "page.html").write_text("<p>Hello</p>")
    (tmp_path / "terms").write_text("# ours\nbay = Bucht\npatch\tFlicken\n")
    options = ["--from", "en", "--html", "--glossary", "terms", "--formality", "formal", "--context", "a page"]
    more = ["--domain", "sea", "-m", "nmt", "-p", "azure", "--no-fallback", "--strict", "--max-cost", "0.5"]
    more += ["--profanity", "mark"]
    result, (_, body) = translate("page.html", "-t", "de", *options, *more)
    assert result.exit_code == 0
    assert body == {
        "text": "<p>Hello</p>", "targets": ["de"], "source_language": "en", "format": "html", "formality": "formal",
        "glossary": {"bay": "Bucht", "patch": "Flicken"}, "context": "a page", "domain": "sea", "model": "nmt",
        "provider": "azure", "fallback": False, "strict": True, "max_cost": 0.5, "profanity": "mark",
    }  # fmt: skip


def test_several_languages(translate, tmp_path):
    made = [{"target_language": "de", "text": "Hallo\n"}, {"target_language": "fr", "text": "Bonjour"}]
    result, (_, body) = translate("-", "--to", "de,fr", given="Hello", translations=made)
    assert body["targets"] == ["de", "fr"]
    assert result.stdout == "de:\nHallo\n\nfr:\nBonjour\n"
    result, _ = translate("-", "--to", "de", "--to", "fr", "-o", "page.{lang}.txt", given="Hello", translations=made)
    assert result.stdout == ""
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {
        "page.de.txt": "Hallo\n", "page.fr.txt": "Bonjour\n",
    }  # fmt: skip
    result, _ = translate("-", "--to", "de,fr", "--json", given="Hello", translations=made)
    assert json.loads(result.stdout)["translations"] == made


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["hello"], "Missing option '-t' / '--to'"),
        (["hello", "--to", ","], "--to names no language"),
        (["hello", "--to", "de,fr", "-o", "x.txt"], "several languages need {lang}"),
        (["-", "--to", "de"], "there is nothing to translate"),
        (["hello", "--to", "de", "--glossary", "terms"], "terms line 1 is not: term = translation"),
        (["hello", "--to", "de", "--glossary", "terms.json"], "terms.json is not valid JSON"),
    ],
)
def test_a_translation_that_cannot_be_asked_for(translate, tmp_path, args, said):
    (tmp_path / "terms").write_text("nothing")
    (tmp_path / "terms.json").write_text('{"a": ')
    result, asked = translate(*args, given="")
    assert said in line(result, 2) and asked is None


# Beautifying


def test_a_text_is_cleaned(patchbay, tmp_path):
    (tmp_path / "notes.txt").write_text("um so we do not pay 50 dollars and anna will send the report by friday\n")
    page = words(patchbay("beautify", "notes.txt", "--what", "punctuation,summary", "-w", "action_items"))
    assert page == (
        "So we do not pay 50 dollars and anna will send the report by friday.\n\n"
        "## Summary\n\nSo we do not pay 50 dollars and anna will send the report by friday.\n\n"
        "## Action items\n\n- Anna will send the report by friday. (friday)\n"
    )
    assert words(patchbay("beautify", "-", "--format", "text", given="um we do not pay")) == "We do not pay.\n"


def test_a_transcript_out_of_a_pipe_keeps_its_speakers(patchbay, talk):
    transcript = patchbay("diarize", "talk.mp3", "--json").stdout
    page = words(patchbay("beautify", "-", given=transcript))
    assert page == "**A** (0:00): Good morning.\n\n**B** (0:01): Hello Anna.\n"
    made = json.loads(patchbay("beautify", "-", "--json", given=transcript).stdout)
    assert [one["speaker"] for one in made["segments"]] == ["A", "B"]
    assert [one["start"] for one in made["segments"]] == [one["start"] for one in json.loads(transcript)["segments"]]


def test_what_nobody_cleans_well_is_said(patchbay, gateway):
    for name in gateway.fleet.status()["providers"]:
        gateway.fault(name, "wrong_words")
    said = line(patchbay("beautify", "-", "-p", "openai", "--no-fallback", given="we do not pay 50 dollars"))
    assert "does not keep to the text" in said


@pytest.mark.parametrize(
    ("args", "said"), [(["-"], "there is nothing to clean"), (["-", "--what", "poetry"], "--what poetry is not known")]
)
def test_a_text_that_cannot_be_cleaned(patchbay, args, said):
    assert said in line(patchbay("beautify", *args, given=" "), 2)


# On a terminal


def on_terminal(gateway, home, *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
    """The exit code, what went to standard output, and what a terminal saw on stderr."""
    master, end = pty.openpty()
    env = {"PATH": os.environ["PATH"], "PORT": str(urlsplit(gateway.url).port), "TERM": "xterm"}
    out = end if stdout is None else stdout
    seen = b""
    try:
        with subprocess.Popen([*COMMAND, *args], env=env, cwd=home, stdin=stdin, stdout=out, stderr=end) as process:
            os.close(end)
            said = process.stdout.read() if process.stdout else b""
            code = process.wait(20)
            while select.select([master], [], [], 0)[0]:
                try:
                    seen += os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
    finally:
        os.close(master)
    return code, said, seen.decode()


def test_progress_is_for_a_terminal(gateway, talk):
    code, said, seen = on_terminal(gateway, talk.parent, "transcribe", "talk.mp3")
    assert (code, said.decode()) == (0, f"{SAID}\n")
    assert "\r\x1b[Ksending 0.0 MB: 100 %" in seen
    assert seen.replace("\r\n", "\n").endswith("simulated\n") and seen.count("\x1b[K") >= 2
    _, _, seen = on_terminal(gateway, talk.parent, "transcribe", "talk.mp3", "--quiet")
    assert "\x1b" not in seen and "simulated" in seen


def test_sound_is_never_written_to_a_terminal(gateway, tmp_path):
    code, _, seen = on_terminal(gateway, tmp_path, "speak", "hello", stdout=None)
    assert code == 2 and "sound is nothing for a terminal" in seen
    code, _, seen = on_terminal(gateway, tmp_path, "speak", "hello", "-o", "-", stdout=None)
    assert code == 2
    code, said, seen = on_terminal(gateway, tmp_path, "speak", "hello")
    assert code == 0 and said and "bytes" in seen


def test_waiting_is_counted(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(recordings, "_EVERY", 0)

    async def scenario():
        progress = recordings.Progress(quiet=False)
        async with progress.waiting("waiting for it"):
            while "waiting for it" not in shown.getvalue():  # noqa: ASYNC110 - it is written, not told
                await asyncio.sleep(0)

    asyncio.run(scenario())
    assert "waiting for it 0 s" in shown.getvalue() and shown.getvalue().endswith("\r\x1b[K")


def test_a_reader_that_leaves_ends_it(gateway, talk):
    command = f"{COMMAND[0]} speak talk.txt --format wav | head -c 4; exit ${{PIPESTATUS[0]}}"
    talk.with_name("talk.txt").write_text("Good morning. " * 400)
    env = {"PATH": os.environ["PATH"], "PORT": str(urlsplit(gateway.url).port)}
    done = subprocess.run(
        ["bash", "-c", command], env=env, cwd=talk.parent, capture_output=True, stdin=subprocess.DEVNULL
    )
    assert done.stdout == b"RIFF" and done.returncode == 141
    assert b"Traceback" not in done.stderr


@contextmanager
def hanging(gateway, home, *args, **environ):
    """A command whose provider has been asked and does not answer."""
    env = {"PATH": os.environ["PATH"], "PORT": str(urlsplit(gateway.url).port), **environ}
    before = requests(gateway)
    with subprocess.Popen(
        [*COMMAND, *args], env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        deadline = time.monotonic() + 20
        while requests(gateway) == before:
            assert time.monotonic() < deadline and it.poll() is None
            time.sleep(0.02)
        yield it


def requests(gateway):
    return sum(one["requests"] for one in gateway.fleet.status()["providers"].values())


def cancelled(gateway, before):
    made = [
        one for one in gateway.http.get("/api/ai/decisions").json()["decisions"] if one["decision_id"] not in before
    ]
    return [one["outcome"] for one in made] == ["cancelled"]


@pytest.mark.parametrize(
    ("args", "number", "code"),
    [
        (["transcribe", "talk.mp3", "-o", "out"], signal.SIGINT, 130),
        (["diarize", "talk.mp3", "--json", "-o", "out"], signal.SIGTERM, 143),
        (["speak", "Good morning", "-o", "out"], signal.SIGINT, 130),
        (["speak", "Good morning", "-o", "out"], signal.SIGTERM, 143),
        (["translate", "Interrupted in the middle", "--to", "de", "-o", "out"], signal.SIGINT, 130),
        (["beautify", "notes", "-o", "out"], signal.SIGINT, 130),
    ],
)
def test_who_is_interrupted_leaves_nothing(gateway, talk, args, number, code):
    talk.with_name("notes").write_text("um we do not pay 50 dollars")
    for name in gateway.fleet.status()["providers"]:
        gateway.fault(name, "stream_stall@1" if args[0] == "speak" else "hang")
    before = {one["decision_id"] for one in gateway.http.get("/api/ai/decisions").json()["decisions"]}
    with hanging(gateway, talk.parent, *args) as it:
        if args[0] == "speak":
            until(lambda: any(one.name.startswith(".out.") for one in talk.parent.iterdir()))
        it.send_signal(number)
        assert it.wait(20) == code
        assert b"Traceback" not in it.stderr.read()
    assert sorted(one.name for one in talk.parent.iterdir()) == ["notes", "talk.mp3"]
    until(lambda: cancelled(gateway, before))


def test_who_answers_itself_is_interrupted_all_the_same(gateway, tmp_path, closed):
    """In the background of a script, where Ctrl-C is not heard."""
    gateway.fault("openai", "stream_stall@1")
    address = {"OPENAI_API_KEY": "k-123456", "OPENAI_BASE_URL": f"{gateway.fleet.url('openai')}/v1"}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with hanging(gateway, tmp_path, "speak", "Good morning", "-o", "out", PORT=closed, **address) as it:
            until(lambda: any(one.name.startswith(".out.") for one in tmp_path.iterdir()))
            it.send_signal(signal.SIGTERM)
            assert it.wait(20) == 143
    finally:
        signal.signal(signal.SIGINT, before)
    assert not [one.name for one in tmp_path.iterdir() if "out" in one.name]


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
