"""A check that may take long, in a process of its own: nothing else can be ended, and leaves others their turn."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import orjson

from core.errors import RequestRefused
from core.wire.schemas import Miss, schema_of

_PATIENCE = 2.0  # seconds
_AT_ONCE = 2


async def misses_of(schema: Mapping[str, Any] | None, text: str) -> list[Miss]:
    """What of a schema an answer misses."""
    said = orjson.dumps({"schema": schema, "answer": text})
    found = await asyncio.get_running_loop().run_in_executor(_waiting(), _asked, said)
    return [Miss(*one) for one in orjson.loads(found)]


@lru_cache(maxsize=1)
def _waiting() -> ThreadPoolExecutor:
    """Threads of their own, who only wait: others must not stand behind them."""
    return ThreadPoolExecutor(_AT_ONCE, "schema")


def _asked(said: bytes) -> bytes:
    # It finds what is imported here, sees nobody's keys, and nothing is imported from where it happens to stand.
    environ = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        done = subprocess.run(  # noqa: S603 - this module, by this interpreter
            [sys.executable, "-P", "-m", __name__],
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            timeout=_PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired:
        words = f"the answer could not be checked within {_PATIENCE:g} s: the schema leads too many ways for it"
        raise RequestRefused(words, param="response_format", code="schema_too_complex") from None
    except (subprocess.CalledProcessError, OSError) as error:
        status = getattr(error, "returncode", None)
        why = f"the process for it ended with status {status}" if status is not None else "no process could be started"
        words = f"the answer could not be checked: it takes long, and {why}"
        raise RequestRefused(words, param="response_format", code="schema_too_complex") from error
    return done.stdout


def _answer() -> None:
    """As that process."""
    asked = orjson.loads(sys.stdin.buffer.read())
    misses = schema_of(asked["schema"]).misses(orjson.loads(asked["answer"]))
    sys.stdout.buffer.write(orjson.dumps([list(miss) for miss in misses]))


if __name__ == "__main__":
    _answer()
