"""What the README says is there is there, and the reverse; its commands run."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from core.capabilities import Capability
from core.config.settings import SETTINGS
from core.configuration import Configuration
from core.providers.registry import Registry, load_adapter
from core.providers.table import TABLE
from infra.local.readme import rewritten
from infra.local.server import simulated
from tests.harness import HELLO, server

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "make run" not in block]


def table(name: str) -> list[list[str]]:
    block = re.search(rf"<!-- {name}:.*?-->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert block, name
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block[1].splitlines()[2:]]


def test_every_provider_is_in_the_readme_with_what_it_can_do_and_needs():
    """The table is what `make docs` writes, and what it says is what the rows and adapters have."""
    assert rewritten(README) == README, "run make docs"
    rows = table("providers")
    assert [row[0] for row in rows] == [f"`{row.name}` {row.title}" for row in TABLE]
    verbs = {1: (Capability.CHAT, "chat"), 5: (Capability.EMBED, "embed"), 6: (Capability.RERANK, "rerank")}
    for written, row in zip(rows, TABLE, strict=True):
        names = row.declared().names
        assert re.findall(r"`([A-Z_]+)`", written[7]) == [names[name][0] for name in row.needs]
        shown = {capability for capability, _ in verbs.values()}
        assert all(model in written[8] for one, model in row.default_models.items() if one in shown)
        for column, (capability, verb) in verbs.items():
            assert (written[column] == "yes") == (capability in row.capabilities)
            assert capability not in row.capabilities or hasattr(load_adapter(row), verb)


def test_every_setting_is_in_the_readme():
    """With its default and its key, by the test above."""
    written = {name for row in table("settings") for name in re.findall(r"`(\w+)`", row[0])}
    assert written == {name for row in SETTINGS for name in row.env}


def test_the_readmes_file_can_be_used(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "patchbay.yaml").write_text(text)
    environ = {"AZURE_WEST_KEY": "k", "GROQ_API_KEY": "k"}
    config, problems = Configuration(Registry(), environ=environ, dotenv=tmp_path / ".env").examine()
    assert not problems and not config.warnings
    assert [one.name for one in config.accounts["azure"]] == ["west", "east"]


def test_every_route_is_in_the_readme(gateway):
    paths = gateway.http.get("/openapi.json").json()["paths"]
    there = {f"`{method.upper()} {path}`" for path, methods in paths.items() for method in methods}
    assert {row[0] for row in table("routes")} == there


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split()
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(named)


@pytest.mark.parametrize("commands", COMMANDS)
def test_the_readmes_commands_run(commands, tmp_path):
    with server(tmp_path) as running:
        port = running.url.rpartition(":")[2]
        script = commands.replace("localhost:8787", f"localhost:{port}")
        script = script.replace(".venv/bin/patchbay", f"{sys.executable} -m infra.local.cli").replace(
            "curl ", "curl -f "
        )
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT if "make " in commands else tmp_path,  # others write files
            env={"PORT": port, "PATH": "/usr/bin:/bin", "PATCHBAY_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout
        marks = ("Simulated", '"simulated":true')  # of an answer in words, and of one in JSON
        assert "messages" not in commands or any(mark in done.stdout for mark in marks)
        assert '"embeddings":[[' in done.stdout or "texts" not in commands


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_readmes_python_runs(code, tmp_path):
    with server(tmp_path, PATCHBAY_SIMULATOR_PROVIDERS="azure,openai,ollama") as running:
        environ = {"PATH": "/usr/bin:/bin", "PATCHBAY_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=tmp_path, env={**environ, **simulated(running.fleet, Registry())},
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Simulated answer from openai" in done.stdout
    assert "You said: Hello" in done.stdout
    assert "complex_reasoning capability" in done.stdout


def test_make_run_serves(tmp_path):
    """The first command of the README, as it stands."""
    command = ["make", "--no-print-directory", "run", f"PYTHON={sys.executable}"]
    environ = {"PATH": "/usr/bin:/bin", "PORT": "0", "PATCHBAY_HOME": str(tmp_path), "HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            banner = "".join(running.stdout.readline() for _ in range(10))
            url = re.findall(r"Patchbay on (http://127\.0\.0\.1:\d+)", banner)[0]
            answer = httpx.post(f"{url}/api/ai/chat", json=HELLO, trust_env=False)
            assert answer.json()["simulated"] is True
        finally:
            running.terminate()
            for note in tmp_path.glob("server-*.json"):
                os.kill(json.loads(note.read_text())["pid"], signal.SIGTERM)
