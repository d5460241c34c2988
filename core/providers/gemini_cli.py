"""Gemini by its own program, for who is logged in there and has no key: one text in, one text out.

The program is an agent for people. Here it gets an empty folder, no tools, our system prompt in place of its own, and
of the environment only what it needs to run and to find its login.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import orjson

from core.config.settings import Account
from core.errors import (
    CredentialRefused,
    ModelMissing,
    ProgramUnusable,
    RateLimited,
    ServerFault,
    StreamCut,
    TargetError,
)
from core.net.program import Program
from core.net.transport import Transport
from core.providers.api import checked
from core.providers.contract import CANONICAL, Call, Reply
from core.providers.row import Row
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import canonical, sse
from core.wire.faults import redact
from core.wire.gemini import program as gemini_program
from core.wire.openai import Completion

_AT_ONCE = 4  # each is a process with some hundred MB of memory
_END_SECONDS = 10.0
_LOOK_BYTES = 64 * 1024
_LOGIN = ("GEMINI_", "GOOGLE_", "CLOUDSDK_", "NODE_")  # by what it finds whose login it is, and certificates
_SETTINGS = {
    "tools": {"core": ["none"]},  # a list of those allowed, and none of them has this name
    "mcp": {"allowed": []},
    "general": {"maxAttempts": 1, "enableAutoUpdate": False},  # who is asked next is decided here
}
_ENVIRON = {
    "GEMINI_SYSTEM_MD": "{folder}/system.md",
    "GEMINI_CLI_TRUST_WORKSPACE": "true",  # the folder is ours, and empty
    "NO_COLOR": "1",
}
# How it ends when it was not the model that failed.
_EXITS: Mapping[int, type[TargetError]] = {
    41: CredentialRefused, 42: ProgramUnusable, 44: ProgramUnusable, 52: ProgramUnusable, 55: ProgramUnusable,
}  # fmt: skip
_WORDS: tuple[tuple[re.Pattern[str], type[TargetError]], ...] = (
    (re.compile(r"quota|rate limit|\b429\b|capacity", re.IGNORECASE), RateLimited),
    (re.compile(r"model.{0,40}not found|\b404\b", re.IGNORECASE), ModelMissing),
    (re.compile(r"auth|log ?in|credential|permission|\b40[13]\b", re.IGNORECASE), CredentialRefused),
    (re.compile(r"unknown argument", re.IGNORECASE), ProgramUnusable),
)
_LOG_IN = "Log in: start the program once by hand where this gateway runs, or set a key in its place."
_BILL = "the cost is what its API would take; a login may have a plan of its own"


class GeminiCli:
    def __init__(self, row: Row, account: Account, _transport: Transport) -> None:
        self._command = account.command or row.command
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def chat(self, call: Call) -> Reply[Completion]:
        frames = await self.chat_stream(call)
        try:
            message = {"content": "".join([text async for text in frames.texts()])}
        finally:
            frames.close()
        created = int(time.time())
        made = canonical.completion(frames.ident, call.target.model, created, [(message, "stop")], frames.usage)
        return Reply(made, made.usage, None, frames.warnings)

    async def chat_stream(self, call: Call) -> "ProgramFrames":
        system, prompt, losses = gemini_program.prompt_of(call.body["messages"])
        frames = ProgramFrames(Program(self._command), self._room, call, (*checked(losses, call), _BILL))
        await frames.open(system, prompt)
        return frames

    async def models(self) -> list[str]:
        """It has no list of models to give; that it runs is all that can be seen for nothing."""
        program = Program(self._command)
        try:
            await program.start("--version", limit=_LOOK_BYTES, environ=_ENVIRON, passed=_LOGIN)
            status, said = await program.ended(_END_SECONDS)
        finally:
            program.close()
        if status:
            raise _failure(status, said)
        return []


class ProgramFrames:
    """The program's answer while it comes."""

    request_id: str | None = None
    dialect = CANONICAL

    def __init__(self, program: Program, room: asyncio.Semaphore, call: Call, warnings: tuple[str, ...]) -> None:
        self.warnings = warnings
        self.usage = Usage()
        self.outputs = 0
        self.ident = f"chatcmpl-{uuid4().hex}"
        self._program = program
        self._room = room
        self._inside = False
        self._call = call
        self._chunks = canonical.Chunks(self.ident, call.target.model, int(time.time()))
        self._ended = False

    async def open(self, system: str, prompt: str) -> None:
        await self._room.acquire()
        self._inside = True
        files = {"system.md": system.encode(), "work/.gemini/settings.json": orjson.dumps(_SETTINGS)}
        try:
            await self._program.start(
                "-m", self._call.target.model, "-o", "stream-json",
                limit=self._call.max_bytes, said=prompt, files=files, environ=_ENVIRON, passed=_LOGIN,
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    async def next(self) -> list[Frame] | None:
        if self._ended:
            return None
        text = await self._text()
        if text is not None:
            first = [] if self.outputs else [self._chunks.role()]
            self.outputs += 1
            return [*first, self._chunks.text(text)]
        self._ended = True
        wanted = self._call.wants_usage and self.usage.source == "reported"
        said = [self._chunks.usage(self.usage)] if wanted else []
        return [self._chunks.finish("stop"), *said, Frame(sse.DONE, Kind.END)]

    async def texts(self) -> AsyncIterator[str]:
        while (text := await self._text()) is not None:
            yield text

    async def _text(self) -> str | None:
        """What it says next; None when it has said all, and why if it has not."""
        while True:
            event = await self._program.event(self._call.idle, self._call.max_bytes)
            if event is None:
                status, said = await self._program.ended(_END_SECONDS)
                raise _failure(status, said) if status else StreamCut("the program ended without a result")
            if event.get("type") == "message" and event.get("role") == "assistant" and event.get("content"):
                return str(event["content"])
            if event.get("type") == "result":
                if event.get("status") != "success":
                    raise _refusal(event.get("error"))
                self.usage = gemini_program.read_usage(event.get("stats"))
                return None

    def close(self) -> None:
        self._program.close()
        if self._inside:
            self._inside = False
            self._room.release()


def _failure(status: int, said: str) -> TargetError:
    """By how it ended, in its own last words."""
    words = redact(gemini_program.last_words(said))
    kind = _EXITS.get(status) or _by_words(words)
    return _advised(kind(f"the program ended with {status}" + (f": {words}" if words else ""), code=str(status)))


def _refusal(error: Any) -> TargetError:
    table = error if type(error) is dict else {}
    said = redact(" ".join(str(table.get("message") or "it did not say why").split()))[:500]
    return _advised(_by_words(f"{table.get('type')} {said}")(said))


def _by_words(said: str) -> type[TargetError]:
    return next((kind for words, kind in _WORDS if words.search(said)), ServerFault)


def _advised(error: TargetError) -> TargetError:
    if isinstance(error, CredentialRefused):
        error.advice = _LOG_IN
    return error
