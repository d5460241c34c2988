"""What is the same for every command: help with examples, JSON, light imports, completion, the README's table."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson
import pytest

from core.providers.table import TABLE
from infra.local.cli import COMMANDS, main
from infra.local.terminal import table, usd, width_of
from tests.infra.results import printed

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(sys.executable).with_name("patchbay")
# They print no data of their own.
WITHOUT_JSON = {"completion", "config example"}


def walk(command: click.Command, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that can be run, by the words that run it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, *names, name)
    else:
        yield " ".join(names), command


EACH = dict(walk(main))


@pytest.mark.parametrize("words", EACH)
def test_every_command_has_help_with_an_example(run, words):
    text = "\n".join(printed(run(*words.split(), "--help")))
    assert re.search(rf"^  (\S+=\S+ |.*\| )*patchbay {words}\b", text, re.MULTILINE), text
    assert "\\b" not in text and "\b" not in text
    command = EACH[words]
    assert [one.name for one in command.params if isinstance(one, click.Option) and not one.help] == []
    assert len((command.help or "").partition("\n")[0]) <= 66  # or the list of commands cuts it


@pytest.mark.parametrize("words", EACH)
def test_every_command_that_prints_data_has_json(words):
    options = {name for one in EACH[words].params for name in one.opts}
    assert ("--json" in options) is (words not in WITHOUT_JSON)


def test_every_command_is_in_the_readme():
    block = re.search(r"<!-- commands:.*?-->\n(.*?)<!-- end -->", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block
    assert re.findall(r"^\| `patchbay (\w+)", block[1], re.MULTILINE) == list(COMMANDS)


def test_the_help_lists_the_exit_codes_of_the_readme(run):
    codes = re.findall(r"^    (\d+)  ", "\n".join(printed(run("--help"))), re.MULTILINE)
    written = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert codes == written == ["0", "1", "2", "3", "130", "141", "143"]


def test_help_imports_nothing_heavy():
    """Neither the list of commands nor the help of one waits for a web framework."""
    heavy = ["aiohttp", "fastapi", "starlette", "httpx", "uvicorn", "sqlite3", "dotenv"]
    code = (
        "import sys\nfrom infra.local.cli import main\n"
        "for words in (['--help'], ['chat', '--help'], ['doctor', '-h'], ['completion', '-h']):\n"
        "    main(words, standalone_mode=False)\n"
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


BASH = shutil.which("bash")
# As the shell itself does it: the words of the line, and which of them is being typed.
COMPLETE = """
source <({script} completion bash)
complete -p patchbay >/dev/null || exit 9
COMP_WORDS=({words}); COMP_CWORD={at}; COMPREPLY=()
_patchbay_completion {script}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str) -> list[str]:
    """What bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in ("patchbay", *words))
    script = COMPLETE.format(script=SCRIPT, words=quoted, at=len(words))
    done = subprocess.run(
        [str(BASH), "--norc", "-c", script],
        capture_output=True,
        text=True,
        timeout=20,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["mo"], ["models"]),
        (["d"], ["diarize", "decisions", "doctor"]),
        (["transcribe", "--format", "ver"], ["verbose_json"]),
        (["translate", "--formality", "pre"], ["prefer_formal", "prefer_informal"]),
        (["chat", "--provider", "to"], ["together"]),
        (["chat", "--tier", "a"], ["advanced"]),
        (["chat", "-m", "azure/gpt-5.4-m"], ["azure/gpt-5.4-mini"]),
        (["models", "--capability", "ch"], ["chat"]),
        (["models", "--tier", ""], ["fast", "standard", "advanced"]),
        (["models", "--skill", "co"], ["code", "complex_reasoning"]),
        (["usage", "--by", "provider,mo"], ["provider,model"]),
        (["simulate", "fault", "az"], ["azure"]),
        (["simulate", "fault", "azure", "cut"], ["cut_stream"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["doctor", "--off"], ["--offline"]),
    ],
    ids=" ".join,
)
@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_bash_completes(words, offered):
    assert completed(*words) == offered


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_bash_completes_every_command_and_provider():
    assert completed("") == list(COMMANDS)
    assert completed("route", "--provider", "") == sorted(row.name for row in TABLE)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(run, shell, tmp_path):
    script = run("completion", shell).stdout
    assert f"_PATCHBAY_COMPLETE={shell}_complete" in script
    if found := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        assert subprocess.run([found, "-n", str(tmp_path / "script")], timeout=20).returncode == 0


def test_zsh_and_fish_are_answered():
    """What their scripts ask: one completion a line or three, in the shell's own form."""
    for shell, more, form in (
        ("zsh", {"COMP_WORDS": "patchbay mo", "COMP_CWORD": "1"}, "plain\nmodels\n"),
        ("fish", {"COMP_WORDS": "patchbay mo", "COMP_CWORD": "mo"}, "plain"),
    ):
        env = {"PATH": os.environ["PATH"], "_PATCHBAY_COMPLETE": f"{shell}_complete", **more}
        done = subprocess.run([SCRIPT], env=env, capture_output=True, text=True, timeout=20)
        assert done.stdout.startswith(form) and "models" in done.stdout and done.stderr == ""


def test_a_pipe_whose_reader_leaves(tmp_path):
    """Any command: quiet, and 141 as of other tools."""
    command = f"{SCRIPT} models --json | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}"
    env = {"PATH": os.environ["PATH"], "PORT": "1"}
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", command],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout.strip(), done.stderr) == ("141", "")


@pytest.mark.parametrize("words", ["--help", "models", "chat hello", "serve"])
@pytest.mark.parametrize(
    ("where", "said"), [(">/dev/full", "the output cannot be written (No space left on device)"), (">&-", "closed")]
)
def test_an_output_that_cannot_be_written(tmp_path, words, where, said):
    env = {"PATH": os.environ["PATH"], "PORT": "0", "PATCHBAY_HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", f"{SCRIPT} {words} {where} </dev/null"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_serve_says_where_it_is_to_programs(tmp_path):
    env = {"PATH": os.environ["PATH"], "PORT": "0"}
    with subprocess.Popen([SCRIPT, "serve", "--json"], env=env, cwd=tmp_path, stdout=subprocess.PIPE) as it:
        assert it.stdout is not None
        facts = orjson.loads(it.stdout.readline())
        it.send_signal(signal.SIGTERM)
        try:
            rest, _ = it.communicate(timeout=20)
        finally:
            it.kill()
        assert rest == b"" and it.returncode == 0
        assert facts["url"].startswith("http://127.0.0.1:") and facts["simulated"] is True
        assert facts["pid"] == it.pid


@pytest.mark.parametrize("flag", [[], ["--json"]], ids=str)
def test_serve_ends_when_it_is_told_to_at_once(tmp_path, flag):
    """As soon as it has spoken, and before its server has begun."""
    env = {"PATH": os.environ["PATH"], "PORT": "0"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([SCRIPT, "serve", *flag], env=env, cwd=tmp_path, **pipes) as it:
        try:
            assert it.stdout is not None and it.stdout.readline()
            it.send_signal(signal.SIGTERM)
            _, said = it.communicate(timeout=20)
        finally:
            it.kill()
        assert (it.returncode, said) == (0, b"")
    assert not list((tmp_path / ".patchbay").glob("server-*"))


def test_a_terminal_that_has_not_every_letter(run, closed, tmp_path):
    env = {"PATH": os.environ["PATH"], "PORT": closed, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [SCRIPT, "chat", "日本ü"], env=env, cwd=tmp_path, capture_output=True, timeout=30, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0 and b'you said "??\xfc"' in done.stdout


class Narrow:
    """A terminal of so many columns that remembers what it was shown."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [200, 60, 44, 10])
def test_a_wide_table_on_a_narrow_terminal(monkeypatch, columns):
    rows = [
        ["", "NAME", "TARGET", "SPARE", "WHY"],
        ["1", "one", "azure/" + "m" * 30, "spare", "one reason that is long; and another one that is longer still"],
        ["2", "two", "日本語/モデル", "spare", "短い"],
    ]
    screen = Narrow()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    table(rows, spare=["SPARE"])
    monkeypatch.undo()
    lines = screen.text.splitlines()
    if columns >= 44:  # below it nothing helps
        assert all(width_of(one) <= columns for one in lines)
    if columns == 200:
        assert len(lines) == 3
        at = width_of(lines[0].partition("WHY")[0])
        assert width_of(lines[2].partition("短い")[0]) == at  # wide letters stand in their columns
    assert "".join(screen.text.split()).count("longerstill") == 1 or columns == 10  # folded, not cut
    assert ("…" in screen.text) is (columns <= 60)
    assert ("SPARE" in screen.text) is (columns == 200)
    assert "one" in screen.text


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(None, "unknown"), (0, "0.000000"), (80, "0.000000080"), (1000, "0.000001"), (10**9, "1.000000")],
)
def test_money_that_is_little_is_not_nothing(nano, shown):
    assert usd(nano) == shown
