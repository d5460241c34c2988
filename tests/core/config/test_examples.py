"""The example files are what the settings say, and what they say can be used."""

import re
from pathlib import Path

import pytest

from core.capabilities import Capability
from core.config import examples
from core.config.settings import SETTINGS, Settings
from core.configuration import Configuration
from core.providers.registry import Registry

ROOT = Path(__file__).parents[3]
ROWS = Registry().declared()
FILES = {".env.example": examples.env_example, "patchbay.example.yaml": examples.yaml_example}


@pytest.fixture
def read(tmp_path):
    def work(name, text):
        (tmp_path / name).write_text(text)
        environ = {"PATCHBAY_SECRETS_DIR": str(tmp_path)}
        return Configuration(Registry(), environ=environ, dotenv=tmp_path / ".env").examine()

    return work


@pytest.mark.parametrize("name", FILES)
def test_the_committed_file_is_what_is_made(name):
    assert (ROOT / name).read_text() == FILES[name](ROWS), "run `make docs`"


@pytest.mark.parametrize(("example", "name"), [(".env.example", ".env"), ("patchbay.example.yaml", "patchbay.yaml")])
def test_a_copy_changes_nothing(read, example, name):
    config, problems = read(name, (ROOT / example).read_text())
    assert not problems and not config.warnings
    assert not config.configured
    assert {name for name in config.origins if ":" not in name} <= {"secrets_dir"}


@pytest.mark.parametrize(("example", "name"), [(".env.example", ".env"), ("patchbay.example.yaml", "patchbay.yaml")])
def test_with_every_line_in_use_the_defaults_are_those_of_the_settings(read, example, name):
    text = (ROOT / example).read_text()
    used = re.sub(r"^(\s*)#(?=\w+[=:])", r"\1", text, flags=re.MULTILINE)
    assert used != text
    config, problems = read(name, used)
    assert not problems and not config.warnings
    for row in SETTINGS:
        if row.name != "secrets_dir":
            assert getattr(config, row.name) == getattr(Settings(), row.name), row.name


def test_every_name_is_there():
    env, yaml = ((ROOT / name).read_text() for name in FILES)
    for row in SETTINGS:
        assert re.search(rf"^#?{row.env[0]}=", env, re.MULTILINE), row.name
        if row.keys:
            assert re.search(rf"^  #{row.keys[0].partition('.')[2]}:", yaml, re.MULTILINE), row.name
    for one in ROWS:
        assert re.search(rf"^  {one.provider}:$", yaml, re.MULTILINE)
        for field, names in one.names.items():
            if field == "embedding_model" and Capability.EMBED not in one.capabilities:
                assert not any(re.search(rf"\b{name}\b", env) for name in names), names
            elif field not in {"simulated", "first"}:
                assert all(re.search(rf"\b{name}\b", env) for name in names), names
        assert all(re.search(rf"^{name}=$", env, re.MULTILINE) for name in one.later)


def test_secrets_are_empty():
    for line in (ROOT / ".env.example").read_text().splitlines():
        if re.match(r"#?\w*(_KEY|_TOKEN)=", line):
            assert line.endswith("=") and not line.startswith("#"), line
    for line in (ROOT / "patchbay.example.yaml").read_text().splitlines():
        if re.match(r"\s+#(api_key|token):", line):
            assert re.fullmatch(r"\s+#(api_key|token): \$\{\w+:-\}", line), line
