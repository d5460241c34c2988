"""What a program that uses the library sees of its log: nothing, its own logging's form, or our lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CALL = """
from core.library import orchestrator, user_message
asyncio.run(orchestrator.chat_completion([user_message("Hello")]))
"""
SILENT = f"import asyncio\n{CALL}"
OWN = f"""
import asyncio, logging
logging.basicConfig(level=logging.INFO, format="mine %(levelname)s %(name)s %(message)s")
logging.getLogger("asyncio").setLevel(logging.WARNING)
{CALL}
"""
HERE = f"""
import asyncio, logging, sys
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
logging.getLogger("patchbay").addHandler(handler)
logging.getLogger("patchbay").setLevel(logging.LEVEL)
{CALL}
"""


@pytest.fixture
def program(house, tmp_path):
    """A program of its own; two settings are warned of, and the first provider fails."""
    house.server.fault("azure", "500")

    def said(code, **more):
        known = {name: value for name, value in house.environ.items() if name not in {"LOG_LEVEL", "LOG_FORMAT"}}
        environ = {
            **known,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PATCHBAY_NONSENSE": "1",
            "PATCHBAY_FOLLY": "1",
            **more,
        }
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()

    return said


def test_nothing_is_written_where_nothing_is_configured(program):
    assert program(SILENT) == []


def test_a_programs_own_logging_has_it_in_its_own_form(program):
    lines = program(OWN)
    assert all(line.startswith("mine ") for line in lines), lines
    assert [line for line in lines if "WARNING patchbay PATCHBAY_NONSENSE (environment) is not known" in line]
    assert [line for line in lines if line.startswith("mine WARNING patchbay attempt decision=")]
    assert [line for line in lines if line.startswith("mine INFO patchbay request decision=")]


@pytest.mark.parametrize(("level", "events"), [("INFO", 5), ("WARNING", 3), ("ERROR", 0)])
def test_the_level_of_the_logger_holds(program, level, events):
    lines = program(HERE.replace("LEVEL", level))
    assert len(lines) == events, lines


@pytest.mark.parametrize("name", ["LOG_LEVEL", "LOG_FORMAT"])
def test_who_sets_them_gets_our_lines(program, name):
    lines = program(SILENT, **{name: {"LOG_LEVEL": "info", "LOG_FORMAT": "json"}[name]})
    assert [json.loads(line)["event"] for line in lines] == ["log", "log", "attempt", "attempt", "request"]
