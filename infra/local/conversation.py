"""A chat from a terminal: one question, or one after the other, streamed as the answer comes."""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import click
import httpx
import orjson

from core.errors import PatchbayError
from core.wire import sse
from infra.local.door import Door, NoServer, Refused, opened, words
from infra.local.prompts import Content
from infra.local.terminal import clean, note, target, usd

_ROUTE = "/api/ai/chat"
_HELP = "/reset forgets the conversation, /model NAME changes the model, /quit or Ctrl-D ends."
_NO_KEY = "nothing is configured, so a simulator answers; put a key into .env (OPENAI_API_KEY=...) for a real one"
_LIMIT = 64 * 2**20  # bytes of one event


@dataclass(slots=True)
class Conversation:
    """An open door, what every question has in common, and what was said."""

    options: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    system: str | None = None
    verbose: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _door: Door | None = None
    _told: bool = False  # that simulators answer

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.__exit__(kind, error, at)

    def open(self) -> Door:
        if self._door is None:
            self._door = self._runner.run(self._stack.enter_async_context(opened()))
            if self._door.inside and self.verbose:
                note(f"no server at {self._door.url}; this process answers")
        return self._door

    def whole(self, content: Content) -> dict[str, Any]:
        """The answer in one piece."""
        self.open()
        return self._runner.run(self._whole(content))

    def streamed(self, content: Content) -> dict[str, Any]:
        """The answer written as it comes, then its receipt."""
        self.open()
        return self._runner.run(self._streamed(content))

    async def _whole(self, content: Content) -> dict[str, Any]:
        door = self.open()
        try:
            answer = await door.client.post(
                _ROUTE, content=self._body(content), headers=self._sent(), timeout=door.patience
            )
        except httpx.HTTPError as error:
            raise Refused(f"{door.where} did not answer ({type(error).__name__}); its log says more.") from error
        data: dict[str, Any] = door.judged(answer.status_code, answer.content, "decision_id")
        self._remember(content, data["content"] or "")
        return data

    async def _streamed(self, content: Content) -> dict[str, Any]:
        door, page = self.open(), _Page()
        try:
            async with door.client.stream(
                "POST", _ROUTE, content=self._body(content, stream=True), headers=self._sent(), timeout=door.patience
            ) as answer:
                if answer.status_code >= 400:
                    door.judged(answer.status_code, await answer.aread(), "decision_id")
                receipt = await _read(answer, page)
        except httpx.HTTPError as error:
            raise Refused(f"{door.where} broke off ({type(error).__name__}); the answer is incomplete.") from error
        finally:
            page.end()
        self._remember(content, page.text)
        return {**receipt, "content": page.text, "finish_reason": page.finish_reason}

    def _sent(self) -> dict[str, str]:
        return {"content-type": "application/json", **self.headers}

    def _body(self, content: Content, **more: Any) -> bytes:
        first = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*first, *self.history, {"role": "user", "content": content}]
        try:
            return orjson.dumps({**self.options, **more, "messages": messages})
        except orjson.JSONEncodeError:
            raise Refused("the question is not valid text (UTF-8)") from None

    def _remember(self, content: Content, text: str) -> None:
        self.history += [{"role": "user", "content": content}, {"role": "assistant", "content": text}]

    def tell(self, answer: dict[str, Any]) -> None:
        """On stderr: what must be known of an answer, and what is good to know."""
        if answer["simulated"] and not self._told:
            self._told = True
            note(_NO_KEY)
        if answer.get("finish_reason") == "length":
            note("the answer is not complete: it reached its limit of tokens (--max-tokens)")
        elif not answer["content"]:
            note(f"the answer has no text (finish reason: {answer.get('finish_reason')})")
        for warning in answer["warnings"]:
            note(f"warning: {warning}")
        if self.verbose:
            click.echo(summary(answer), err=True)

    def talk(self, first: Content) -> None:
        """Question after question until the end of input; a failed one is told and forgotten."""
        note(f"talking to {self.open().where}. {_HELP}")
        _editing()
        while True:
            try:
                asked = _line()
            except (EOFError, KeyboardInterrupt):
                click.echo(err=True)
                return
            if asked.startswith("/"):
                if not self._command(asked):
                    return
            elif asked:
                first = self._turn(asked, first)

    def _turn(self, asked: str, first: Content) -> Content:
        """One question; gives back what belongs to the next one."""
        try:
            self.tell(self.streamed(_joined(asked, first)))
        except (PatchbayError, Refused, NoServer) as error:
            note(str(error))
        except KeyboardInterrupt:
            note("interrupted; the answer is forgotten")
        else:
            return ""
        return first

    def _command(self, line: str) -> bool:
        """False ends the conversation."""
        word, _, name = line.partition(" ")
        match word:
            case "/quit" | "/exit":
                return False
            case "/reset":
                self.history.clear()
                note("forgotten")
            case "/model" if name.strip():
                self.options["model"] = name.strip()
                note(f"model: {name.strip()}")
            case "/model":
                note(f"model: {self.options.get('model', 'auto')}")
            case _:
                note(_HELP)
        return True


class _Page:
    """Writes what comes, and keeps it."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._parts: list[str] = []
        self._terminal = sys.stdout.isatty()

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        text = delta.get("content") or delta.get("refusal")
        if text:
            self._parts.append(text)
            click.echo(clean(text) if self._terminal else text, nl=False)

    def end(self) -> None:
        if self._parts and not self._parts[-1].endswith("\n"):
            click.echo()


async def _read(answer: httpx.Response, page: _Page) -> dict[str, Any]:
    """All events to the receipt, which is the last."""
    cut = sse.Splitter(_LIMIT)
    receipt: dict[str, Any] | None = None
    async for part in answer.aiter_bytes():
        for event in sse.events(cut.feed(part)):
            data = sse.data_of(event)
            if data is None or data == b"[DONE]":
                continue
            said = orjson.loads(data)
            if "error" in said:
                raise Refused(words(said["error"]))
            for choice in said["choices"][:1]:
                page.add(choice)
            receipt = said if "decision_id" in said else receipt
    if receipt is None:
        raise Refused("the answer broke off before its end; ask again.")
    return receipt


def summary(answer: dict[str, Any]) -> str:
    """Who answered, what it took and what it cost."""
    usage, attempts = answer["usage"], len(answer["attempts"])
    nano = answer["cost"]["nano_usd"]
    words = [
        target({"account": None, **answer}),
        f"{usage['prompt_tokens']} + {usage['completion_tokens']} tokens" if usage else "tokens unknown",
        "cost unknown" if nano is None else f"${usd(nano)}",
        f"{answer['duration_ms'] / 1000:.1f} s",
        *([f"{attempts} attempts"] if attempts > 1 else []),
        *(["cache hit"] if answer["cache"] == "hit" else []),
        *(["simulated"] if answer["simulated"] else []),
    ]
    return "  ".join(words)


def _joined(words: str, first: Content) -> Content:
    """What was given on the command line goes before the first question."""
    if isinstance(first, str):
        return f"{first}\n\n{words}" if first else words
    return [{"type": "text", "text": words}, *first]


def _editing() -> None:
    try:
        import readline  # noqa: F401, PLC0415 - importing it gives input() a history
    except ImportError:
        return  # a system without it types all the same


def _line() -> str:
    """One question; a backslash at the end of a line continues it."""
    lines = [_input("> ")]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(_input(". "))
    return "\n".join(lines).strip()


def _input(prompt: str) -> str:
    if sys.stdout.isatty():
        return input(prompt)
    click.echo(prompt, nl=False, err=True)  # answers go to a file or a pipe, the prompt does not
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.removesuffix("\n")
