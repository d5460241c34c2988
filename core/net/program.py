"""A program of a provider's, run once for one answer. It leaves no process and no file behind."""

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from core.errors import IdleTimeout, Malformed, ProgramUnusable

_MOST_WORDS = 16 * 1024  # of its messages to people
# What any program needs to run here. Nobody's keys are among it.
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE"
    r"|XDG_\w+|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_\w+|DBUS_SESSION_BUS_ADDRESS",
    re.IGNORECASE,
)
leaving: set[asyncio.Task[Any]] = set()  # processes that were killed, until it is known how they ended


class Program:
    """Started with `start` in a folder of its own, `work`, and ended with `close`, which may be called twice."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._words = bytearray()
        self._size = 0
        self._closed = False

    async def start(
        self,
        *arguments: str,
        limit: int,
        said: str | None = None,
        files: Mapping[str, bytes] | None = None,
        environ: Mapping[str, str] | None = None,
        passed: tuple[str, ...] = (),
    ) -> None:
        """`said` is its input; `{folder}` in `environ` is where `files` lie; `passed` begin the names it may see."""
        path = shutil.which(self._command)
        if path is None:
            raise ProgramUnusable(f"there is no program {self._command} where this gateway runs")
        folder = self._folder = _folder(files or {})
        seen = {name: text for name, text in os.environ.items() if _PASSED.fullmatch(name) or name.startswith(passed)}
        own = {name: text.replace("{folder}", str(folder)) for name, text in (environ or {}).items()}
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                path,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder / "work",
                env={**seen, **own},
                limit=limit,
                start_new_session=True,
            )
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ProgramUnusable(f"{self._command} cannot be started ({why})") from error
        self._tasks = [asyncio.create_task(self._listen(process))]
        if said is not None:
            self._tasks.append(asyncio.create_task(self._tell(process, said.encode())))

    async def event(self, idle: float, limit: int) -> dict[str, Any] | None:
        """The next line that is an object; None at the end. Other lines are for people."""
        while True:
            line = await self._line(idle, limit)
            if not line:
                return None
            self._size += len(line)
            if self._size > limit:
                raise Malformed(f"the answer of {self._command} is larger than {limit} bytes")
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # what matters is that an answer follows
            if type(found) is dict:
                return found

    async def _line(self, idle: float, limit: int) -> bytes:
        output = self._running.stdout
        try:
            async with asyncio.timeout(idle):
                return await output.readline() if output is not None else b""
        except TimeoutError:
            raise IdleTimeout(f"{self._command} said nothing for {idle:g} s") from None
        except ValueError:  # the reader's word for a line that does not fit
            raise Malformed(f"the answer of {self._command} is larger than {limit} bytes") from None

    async def ended(self, within: float) -> tuple[int, str]:
        """Its status, and what it said to people."""
        try:
            async with asyncio.timeout(within):
                status = await self._running.wait()
                await asyncio.gather(*self._tasks, return_exceptions=True)
        except TimeoutError:
            raise IdleTimeout(f"{self._command} did not end within {within:g} s") from None
        return status, self._words.decode(errors="replace")

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the program was not started")
        return self._process

    async def _tell(self, process: asyncio.subprocess.Process, said: bytes) -> None:
        if process.stdin is None:
            return
        try:
            process.stdin.write(said)
            await process.stdin.drain()
            process.stdin.close()
        except (BrokenPipeError, ConnectionResetError):
            return  # it ended without hearing all, and its end says why

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        while process.stderr is not None and (part := await process.stderr.read(4096)):
            self._words += part
            del self._words[:-_MOST_WORDS]

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._process is not None:
            _kill(self._process)
            # There is no public way to let go of its pipes, and what nobody reads any more would never end.
            self._process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 - see above
            if self._process.returncode is None:
                end: asyncio.Task[Any] = asyncio.get_running_loop().create_task(self._process.wait())
                leaving.add(end)
                end.add_done_callback(leaving.discard)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _folder(files: Mapping[str, bytes]) -> Path:
    """A place to work in where no file of anybody's lies."""
    folder = Path(tempfile.mkdtemp(prefix="patchbay-"))
    (folder / "work").mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _kill(process: asyncio.subprocess.Process) -> None:
    """It starts further processes, which would go on without it."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        return  # it has ended
