"""`patchbay beautify`: a text or a transcript made readable."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from infra.local.terminal import AS_JSON, allowing, call
from infra.local.who import who, with_who

WHAT = ("punctuation", "paragraphs", "headings", "summary", "action_items")
FORMATS = ("markdown", "text")
_PATH = click.Path(path_type=Path, allow_dash=True)


@click.command()
@click.argument("text", metavar="FILE|-", nargs=-1)
@click.option("-w", "--what", multiple=True, metavar="LIST", help=f"Of {', '.join(WHAT)}, with commas. Repeatable.")
@click.option("-l", "--language", help="The text's language; without it, its words tell.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="By the name of the file, else markdown.")
@with_who
@click.option("-o", "--output", "out", type=_PATH, help="A file in place of standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Say who answered on stderr, also where it is no terminal.")
@AS_JSON
def beautify(text: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Clean a text or a transcript, and invent nothing.

    A transcript is what `patchbay transcribe --json` prints: its speakers and times are kept.

    \b
    patchbay beautify notes.txt
    patchbay beautify notes.txt --what punctuation,headings,summary -o notes.md
    patchbay diarize meeting.mp3 --json | patchbay beautify - --what punctuation,paragraphs,action_items
    """
    from infra.local.recordings import checked_output, facts_of, tell, text_given, write_json, write_text  # noqa: PLC0415 - see chat

    out: Path | None = options["out"]
    checked_output(out)
    what = [one.strip() for given in options["what"] for one in given.split(",") if one.strip()]
    if unknown := [one for one in what if one not in WHAT]:
        raise click.UsageError(f"--what {unknown[0]} is not known; known: {', '.join(WHAT)}")
    given = text_given(text)
    if not given.strip():
        raise click.UsageError("there is nothing to clean")
    body = {name: options[name] for name in ("language",) if options[name] is not None}
    form = options["form"] or ("text" if out is not None and out.suffix.lower() == ".txt" else FORMATS[0])
    body |= {**_asked(given), "format": form, **who(options)}
    body |= {"what": what} if what else {}
    data = call("POST", "/api/ai/beautify", "parts", body, patient=True, headers=allowing(options["timeout"]))
    if as_json:
        write_json(data, out)
    else:
        write_text(_page(data, markdown=form == "markdown"), out)
        parts = [f"{data['parts']} parts"] if data["parts"] > 1 else []
        tell(facts_of(data), verbose=options["verbose"] or sys.stderr.isatty(), about=parts)


def _asked(given: str) -> dict[str, Any]:
    """A transcript where it is one in JSON, else a text."""
    if given.lstrip().startswith("{"):
        try:
            found = orjson.loads(given)
        except orjson.JSONDecodeError:
            return {"text": given}
        if isinstance(found, dict) and ("segments" in found or "text" in found):
            kept = ("text", "segments", "language", "detected_language")
            return {"transcript": {name: found[name] for name in kept if found.get(name)}}
    return {"text": given}


def _page(data: Mapping[str, Any], *, markdown: bool) -> str:
    """The text, and below it what was asked for beside it."""
    mark = "## " if markdown else ""
    blocks = [data["text"]]
    if data.get("summary") is not None:
        blocks.append(f"{mark}Summary\n\n{data['summary']}")
    if data.get("action_items") is not None:
        items = [f"- {_item(one)}" for one in data["action_items"]] or ["none"]
        blocks.append(f"{mark}Action items\n\n" + "\n".join(items))
    return "\n\n".join(blocks)


def _item(one: Mapping[str, Any]) -> str:
    beside = ", ".join(str(one[name]) for name in ("owner", "due") if one.get(name))
    return f"{one['task']} ({beside})" if beside else str(one["task"])
