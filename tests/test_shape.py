"""The house's own rules, checked by a program: who may name a provider, what may be loaded, what may be committed."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.capabilities import Capability
from core.providers.table import TABLE

ROOT = Path(__file__).parent.parent
# The dialect that is also our canonical one shares its name with a provider.
DIALECT = "openai"
# A tier and an everyday word before it is a provider.
WORD = "local"
NAMES = sorted({name for row in TABLE for name in (row.name, *row.aliases)} - {WORD})
# Capabilities that live in another one's function.
TOGETHER = {"embed": {"rerank"}}
# Where no vendor is ever named; elsewhere in core and functions only the canonical dialect is.
STRICT = ("routing", "execution", "health", "accounting", "cache", "jobs", "config", "types", "backends", "net")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def words(path: Path) -> str:
    """A file without the names of our own modules."""
    return re.sub(
        r"core\.wire(\.| import )openai|openai_dialect|wire\.openai|import openai, sse", "", path.read_text()
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_named_in_its_own_file_and_in_the_table_only(name):
    row = next(row for row in TABLE if name in (row.name, *row.aliases))
    own = {path for one in (row.name, *row.aliases) for path in (ROOT / "core").rglob(f"{one.replace('-', '_')}*.py")}
    own |= {
        ROOT / "core/providers/table.py",
        ROOT / "core/providers/services.py",
        ROOT / "core/library/legacy.py",
    }  # the second has a seed's own enumeration
    allowed = {path for path in sources("core", "functions") if "wire" in path.parts} | own
    naming = [path for path in sources("core", "functions") if path not in allowed]
    if name == DIALECT:
        naming = [path for path in naming if path.parent.name in STRICT or path.name in {"gateway.py", "bootstrap.py"}]
    leaks = [
        str(path.relative_to(ROOT))
        for path in naming
        if re.search(rf"(?<![a-zA-Z]){re.escape(name)}(?![a-z])", words(path), re.IGNORECASE)
    ]
    assert not leaks, f"{name} is named in {leaks}"


def test_adapters_are_small():
    adapters = [
        path
        for path in sources("core")
        if path.parent.name == "providers" and path.name not in {"table.py", "services.py"}
    ]
    assert not [path.name for path in adapters if len(path.read_text().splitlines()) >= 250]


@pytest.mark.parametrize("function", ["chat", "embed"])
def test_a_function_loads_no_vendor_sdk_and_no_second_client(function):
    # Powertools imports botocore's name, which is empty; its session is where the weight begins.
    heavy = ["openai", "anthropic", "azure", "boto3", "botocore.session", "httpx", "httpx2", "requests", "sqlite3"]
    heavy += ["uvicorn", "aws_xray_sdk", "jsonschema_rs"]
    code = f"import sys, functions.{function}.app; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("function", [path.parent.name for path in sorted(ROOT.glob("functions/*/app.py"))])
def test_a_function_loads_no_other_one_and_no_other_capability(function, tmp_path):
    """Until its gateway is open: what is not asked for is not paid for."""
    code = (
        f"import asyncio, sys; from functions.{function}.app import app; service = app.state.service;"
        "asyncio.run(service.open()); print(*sorted(name for name in sys.modules if name[:5] in ('core.', 'funct')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "PATCHBAY_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    loaded = done.stdout.split()
    assert f"functions.{function}.app" in loaded
    others = {path.parent.name for path in ROOT.glob("functions/*/app.py")} - {function}
    assert not [name for name in loaded if name.startswith("functions.") and name.split(".")[1] in others]
    if function == "catalog":
        return  # it plans for all of them
    # By chat's codec the others check their own fields, too.
    foreign = {one.value for one in Capability} - {function, "chat", *TOGETHER.get(function, ())}
    stems = {name.rstrip("e") for name in foreign}
    assert not [
        name
        for name in loaded
        for word in name.split(".")
        for stem in stems
        if word.startswith(stem) and word != "embedded"
    ]


def test_no_exception_is_swallowed_without_a_word():
    silent = []
    for path in sources("core", "functions", "infra"):
        text = path.read_text()
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass | ast.Continue):
                reason = "".join(lines[node.lineno - 1 : node.body[0].lineno])
                if "#" not in reason:
                    silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not silent


def test_a_suppressed_check_says_why():
    bare = []
    for path in sources("core", "functions", "infra", "tests"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"# noqa: [A-Z0-9, ]+$|# type: ignore(\[[a-z-]+(, [a-z-]+)*\])?$", line):
                bare.append(f"{path.relative_to(ROOT)}:{number}")
    assert not bare


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_locks_have_hashes_and_no_addresses():
    locks = [path for path in tracked() if path.name.startswith("requirements")]
    assert len(locks) >= 6
    for path in locks:
        text = path.read_text()
        assert "://" not in text and "--index" not in text
        blocks = re.split(r"\n(?=\S)", text.strip())
        assert all("--hash=sha256:" in block for block in blocks)


def test_nothing_committed_names_this_machine():
    me = Path(__file__)
    for path in tracked():
        if path == me or path.suffix in {".png", ".db"}:
            continue
        found = re.search(r"(?<![\w.])/(work|root|farm)/", path.read_text(errors="replace"))
        assert found is None, path.relative_to(ROOT)
