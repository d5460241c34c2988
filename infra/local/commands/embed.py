"""`patchbay embed`: texts as vectors."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from infra.local import complete
from infra.local.terminal import AS_JSON, Number, allowing, call, note, show, table, target, usd

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_SHOWN = 4  # numbers of a vector on a terminal


@click.command()
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("-f", "--file", "files", multiple=True, type=_FILE, help="One text a line; - is stdin. Repeatable.")
@click.option("--jsonl", metavar="FIELD", help="Lines are JSON objects, and this field is the text.")
@click.option("-m", "--model", help="A model or provider/model.", shell_complete=complete.models)
@click.option("-p", "--provider", help="Goes first; the chain follows.", shell_complete=complete.providers)
@click.option("--dimensions", type=click.IntRange(1), help="Shorter vectors, where the model can.")
@click.option("--base64", "packed", is_flag=True, help="Vectors as base64 of 32-bit floats.")
@click.option("--timeout", type=Number(0, min_open=True), help="Seconds for all attempts together.")
@click.option("--no-fallback", is_flag=True, help="Only what you name.")
@AS_JSON
def embed(texts: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Turn texts into vectors.

    In a pipe or a file: one vector a line, in the order of the texts, as a JSON array. On a terminal: a summary.

    \b
    patchbay embed "a text" "another one"
    patchbay embed --file lines.txt > vectors.jsonl
    cat articles.jsonl | patchbay embed - --jsonl title --json
    """
    body: dict[str, Any] = {"input": _texts(texts, options["files"], options["jsonl"])}
    body |= {name: options[name] for name in ("model", "provider", "dimensions") if options[name] is not None}
    body |= {"encoding_format": "base64"} if options["packed"] else {}
    body |= {"fallback": False} if options["no_fallback"] else {}
    data = call("POST", "/api/ai/embed", "embeddings", body, patient=True, headers=allowing(options["timeout"]))
    if as_json:
        show(data)
    elif sys.stdout.isatty():
        _summary(body["input"], data)
    else:
        for one in data["embeddings"]:
            click.echo(one if isinstance(one, str) else orjson.dumps(one))
    if not as_json:
        _tell(data)


def _texts(texts: tuple[str, ...], files: tuple[Path, ...], field: str | None) -> list[str]:
    """One text for each vector: an empty line is an error, because leaving it out would shift all that follow."""
    found = [(text, f"text {number}") for number, text in enumerate(texts, 1) if text != "-"]
    piped = "-" in texts or not (texts or files or sys.stdin is None or sys.stdin.isatty())
    for path in (*files, Path("-")) if piped else files:
        found += _lines(path, field)
    if not found:
        raise click.UsageError("nothing to embed: give texts, or --file")
    for text, where in found:
        if not text.strip():
            raise click.UsageError(f"{where} is empty; there is nothing to embed")
    return [text for text, _ in found]


def _lines(path: Path, field: str | None) -> list[tuple[str, str]]:
    from infra.local.prompts import read, read_some, text_of  # noqa: PLC0415 - a command imports what it needs

    name = "stdin" if str(path) == "-" else str(path)
    raw = read_some(sys.stdin.buffer, name) if name == "stdin" else read(path)
    # Not splitlines(), which also splits at characters that are part of a text.
    lines = text_of(raw, name, "text (UTF-8)").replace("\r\n", "\n").removesuffix("\n").split("\n") if raw else []
    named = [(line, f"{name} line {number}") for number, line in enumerate(lines, 1)]
    return [(_field(line, field, where), where) for line, where in named] if field else named


def _field(line: str, field: str, where: str) -> str:
    try:
        text = orjson.loads(line)[field]
    except (ValueError, KeyError, TypeError):
        raise click.UsageError(f"{where} is not a JSON object with {field!r}") from None
    if not isinstance(text, str):
        raise click.UsageError(f"{field!r} in {where} is not text")
    return text


def _summary(texts: list[str], data: dict[str, Any]) -> None:
    rows = [["", "VECTOR", "TEXT"]]
    for number, (text, one) in enumerate(zip(texts, data["embeddings"], strict=True), 1):
        vector = one[:32] if isinstance(one, str) else " ".join(f"{value:+.4f}" for value in one[:_SHOWN])
        rows.append([str(number), f"{vector} …", text])
    table(rows)
    who = target({"account": None, **data})
    usage = data["usage"]
    tokens = f"{usage['total_tokens']} tokens" if usage and "total_tokens" in usage else "tokens unknown"
    nano = data["cost"]["nano_usd"]
    price = "cost unknown" if nano is None else f"${usd(nano)}"
    click.echo(f"{len(texts)} vectors of {data['dimensions']} numbers  {who}  {tokens}  {price}", err=True)


def _tell(data: dict[str, Any]) -> None:
    if data["simulated"]:
        note("nothing is configured, so a simulator answered: these numbers mean nothing")
    for warning in data["warnings"]:
        note(f"warning: {warning}")
