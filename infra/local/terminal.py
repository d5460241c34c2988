"""What every command needs: asking the gateway, how an answer looks on a terminal, and how a command ends."""

import asyncio
import math
import os
import shutil
import signal
import sys
import textwrap
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson

from core.errors import PatchbayError

# How a command ends, the same for all of them; 2 is click's own.
FAILED, USAGE, NO_SERVER, INTERRUPTED, BROKEN_PIPE, ENDED = 1, 2, 3, 130, 141, 143
DOTENV = Path(".env")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")

_COLOURS = {
    **dict.fromkeys(("ok", "live", "active"), "green"),
    **dict.fromkeys(("warn", "simulated", "needs", "deprecated", "cancelled"), "yellow"),
    **dict.fromkeys(("fail", "error", "cut", "disabled", "retired"), "red"),
}
_GAP = 2  # columns between cells
_NAMING = 2  # columns that say what a row is about
_NARROWEST = 8  # a cell is never cut to less
_FOLDED = 24  # the last column is folded when it has at least so much


def fail(message: str, code: int = FAILED) -> NoReturn:
    """One line on stderr, nothing on stdout: that is what scripts can rely on, with --json and without."""
    note(message)
    sys.exit(code)


def note(message: str) -> None:
    """A line for the person, beside what the command prints."""
    click.echo(f"patchbay: {' '.join(clean(message).split())}", err=True)


class Number(click.FloatRange):
    """A number that is one: nan passes every comparison."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


@contextmanager
def told() -> Iterator[None]:
    """Whatever goes wrong inside is one line and an exit code."""
    from infra.local.door import NoServer, Refused  # noqa: PLC0415 - 60 ms that `--help` need not pay

    try:
        with _ended_like_interrupted():
            yield
    except PatchbayError as error:
        fail(error.message)
    except Refused as error:
        fail(str(error))
    except NoServer as error:
        fail(str(error), NO_SERVER)


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """SIGTERM ends what is under way as Ctrl-C does: upstream is cancelled, and no half file is left."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread, which alone hears signals
        yield
        return
    try:
        yield
    except KeyboardInterrupt:
        if ended:
            sys.exit(ENDED)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def call(method: str, path: str, wanted: str, body: Any = None, *, inside: bool = True, **more: Any) -> Any:
    """Ask for an object that has `wanted`: the running server, or else (`inside`) a gateway in this process."""

    async def ask() -> Any:
        from infra.local.door import opened  # noqa: PLC0415 - see told

        async with opened(inside=inside) as door:
            if door.inside and sys.stderr.isatty():
                note(f"no server at {door.url}; this process answers")
            return await door.ask(method, path, wanted, body, **more)

    with told():
        return asyncio.run(ask())


def allowing(seconds: float | None) -> dict[str, str]:
    """How a person's --timeout is said to the gateway."""
    return {"x-patchbay-timeout-ms": str(max(1, round(seconds * 1000)))} if seconds else {}


def show(data: Any) -> None:
    click.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())


def clean(text: str) -> str:
    """Without what would steer a terminal: words of models and providers are anybody's."""
    if text.isprintable():
        return text
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")


def painted(text: str, word: str = "") -> str:
    """In the colour of its state, on a terminal that wants colours."""
    colour = _COLOURS.get(word or text)
    return click.style(text, fg=colour) if colour and colours() else text


def colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def table(rows: Sequence[Sequence[str]], *, state: str | None = None, spare: Sequence[str] = ()) -> None:
    """Columns under their heads. Where a terminal is narrow, spare ones go, the last is folded, wide ones are cut."""
    lines = [[" ".join(clean(cell).split()) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        lines, widths = _fitted(lines, widths, shutil.get_terminal_size().columns, spare)
    painting = lines[0].index(state) if state else None
    margin = " " * (sum(widths[:-1]) + _GAP * (len(widths) - 1))
    for row in lines:
        cells = [_cut(cell, width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        shown = [painted(cell, row[at].partition(" ")[0]) if at == painting else cell for at, cell in enumerate(cells)]
        first, *more = _fold(row[-1], widths[-1])
        if painting == len(cells):
            first = painted(first, first.partition(" ")[0])
        click.echo((" " * _GAP).join([*shown, first]).rstrip())
        for part in more:
            click.echo(margin + part)


def _fitted(
    lines: list[list[str]], widths: list[int], room: int, spare: Sequence[str]
) -> tuple[list[list[str]], list[int]]:
    """The first two columns name the row and stay whole."""

    def over() -> int:
        return sum(widths) - max(0, widths[-1] - _FOLDED) + _GAP * (len(widths) - 1) - room

    for name in spare:
        if over() > 0:
            gone = lines[0].index(name)
            lines = [row[:gone] + row[gone + 1 :] for row in lines]
            del widths[gone]
    too_wide = over()
    while too_wide > 0 and len(widths) > _NAMING + 1:
        widest = max(range(_NAMING, len(widths) - 1), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        too_wide -= 1
    left = room - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(left, _FOLDED))
    return lines, widths


def _cut(text: str, width: int) -> str:
    """Exactly so wide."""
    if width_of(text) > width:
        while width_of(text) >= width:
            text = text[:-1]
        text += "…"
    return text + " " * (width - width_of(text))


def _fold(text: str, width: int) -> list[str]:
    if width_of(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def target(one: dict[str, Any]) -> str:
    account = "" if one["account"] in {None, "default"} else f":{one['account']}"
    model = f"/{one['model']}" if one["model"] else ""
    return f"{one['provider']}{account}{model}" if one["provider"] else "-"


def usd(nano: int | None) -> str:
    """As many digits as it takes not to say 0 for what is not."""
    if nano is None:
        return "unknown"
    return f"{nano / 1e9:.9f}" if 0 < nano < 1000 else f"{nano / 1e9:.6f}"


def moment(at: float) -> str:
    """Local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
