"""A function as Lambda runs it: a process of its own under awslambdaric, with what Lambda sets around it."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from core.errors import Misconfigured
from infra.local.runtime_api import Outcome, RuntimeApi

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
MEMORY_MB = 1024
_STOP_SECONDS = 5
_MODULE_NAMES = ("awslambdaric", "aws_lambda_powertools", "mangum", "boto3")

Say = Callable[[str], None]


class Died(Exception):
    """The process ended without an answer."""


def known() -> list[str]:
    """The functions that serve HTTP."""
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py"))


def handler_of(name: str) -> str:
    return f"functions.{name}.app.handler"


def lambda_environ(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What Lambda sets, on top of what the user does."""
    return {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        **environ,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",  # which says how answers are encoded
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(ROOT),
        "PYTHONPATH": str(ROOT),
        "TZ": ":UTC",
    }


class Sandbox:
    """One warm process. Its invocations come one after the other."""

    def __init__(self, api: RuntimeApi, process: asyncio.subprocess.Process) -> None:
        self._api = api
        self._process = process
        self.pid = process.pid

    async def invoke(self, event: bytes, seconds: float = 30.0) -> Outcome:
        """Raises TimeoutError when Lambda would have stopped it, and Died."""
        invoked = asyncio.ensure_future(self._api.invoke(event, seconds))
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({invoked, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not invoked.done() and not self._api.init_error.done():
                raise Died(f"the function's process ended with status {ended.result()} and no answer")
            return await invoked
        finally:
            invoked.cancel()
            ended.cancel()
            await asyncio.gather(invoked, ended, return_exceptions=True)


@asynccontextmanager
async def sandbox(name: str, handler: str, environ: Mapping[str, str], say: Say) -> AsyncIterator[Sandbox]:
    """`handler` is a module and a name, as in template.yaml. `say` gets every line the function writes."""
    missing = [module for module in _MODULE_NAMES if importlib.util.find_spec(module) is None]
    if missing:
        raise Misconfigured(f"this needs {', '.join(missing)}: use `make invoke`, or install '.[lambda,runtime]'")
    async with RuntimeApi(name) as api:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "awslambdaric", handler,
            cwd=ROOT,
            env={**lambda_environ(name, environ), "AWS_LAMBDA_RUNTIME_API": api.address, "_HANDLER": handler},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            limit=2**24,
        )  # fmt: skip
        saying = asyncio.create_task(_relay(process, say))
        try:
            yield Sandbox(api, process)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
            await asyncio.wait({saying})


async def _relay(process: asyncio.subprocess.Process, say: Say) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    async for line in process.stdout:
        say(line.decode(errors="replace").rstrip("\n"))
