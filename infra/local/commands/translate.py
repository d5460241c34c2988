"""`patchbay translate`: a text in other languages."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from infra.local.terminal import AS_JSON, allowing, call
from infra.local.who import who, with_who

_PATH = click.Path(path_type=Path, allow_dash=True)
_SENT = ("formality", "context", "domain", "profanity")
FORMALITIES = ("default", "formal", "informal", "prefer_formal", "prefer_informal")
PROFANITIES = ("keep", "mark", "remove")
_HTML = (".html", ".htm", ".xhtml")
_LANGUAGE = "{lang}"  # in the name of an output file


@click.command()
@click.argument("text", metavar="TEXT|-|FILE", nargs=-1)
@click.option("-t", "--to", "targets", multiple=True, required=True, help="Languages with commas: de,fr. Repeatable.")
@click.option("-f", "--from", "source", help="The text's language; without it, it is detected.")
@click.option("--html/--text", "html", default=None, help="What the text is; else the name of its file says it.")
@click.option(
    "--glossary", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON, or lines: term = word."
)
@click.option("--formality", type=click.Choice(FORMALITIES), help="How to address people; prefer_: where it can be.")
@click.option("--context", help="What the text is about; it is not translated.")
@click.option("--domain", help="Whose words are meant, for who knows domains.")
@click.option("--profanity", type=click.Choice(PROFANITIES), help="What becomes of bad words.")
@with_who
@click.option("-o", "--output", "out", type=_PATH, help="A file; with {lang} in its name, one for each language.")
@click.option("-v", "--verbose", is_flag=True, help="Say who answered on stderr, also where it is no terminal.")
@AS_JSON
def translate(text: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Say a text in other languages.

    Of several languages each stands under its name.

    \b
    patchbay translate "Good morning" --to de
    patchbay translate page.html --to de,fr -o page.{lang}.html
    git log -1 --format=%B | patchbay translate - --to ja --json
    """
    from infra.local.recordings import checked_output, facts_of, tell, text_given  # noqa: PLC0415 - see chat

    out: Path | None = options["out"]
    targets = [one.strip() for given in options["targets"] for one in given.split(",") if one.strip()]
    if not targets:
        raise click.UsageError("--to names no language")
    checked_output(out)
    if out is not None and len(targets) > 1 and not as_json and _LANGUAGE not in out.name:
        raise click.UsageError(f"several languages need {_LANGUAGE} in the name of -o, or --json")
    said = text_given(text)
    if not said.strip():
        raise click.UsageError("there is nothing to translate")
    body = {name: options[name] for name in _SENT if options[name] is not None}
    body |= {"text": said, "targets": targets}
    body |= {"source_language": options["source"]} if options["source"] else {}
    body |= {"format": "html"} if _is_html(text, options["html"]) else {}
    body |= {"glossary": _glossary(options["glossary"])} if options["glossary"] else {}
    body |= who(options)
    data = call("POST", "/api/ai/translate", "translations", body, patient=True, headers=allowing(options["timeout"]))
    _write(data, out, as_json=as_json)
    if not as_json:
        characters = [f"{data['characters']} characters"] if data.get("characters") is not None else []
        tell(facts_of(data), verbose=options["verbose"] or sys.stderr.isatty(), about=characters)


def _is_html(text: tuple[str, ...], said: bool | None) -> bool:  # noqa: FBT001 - as click has it
    """As it is said, else by the name of the file."""
    if said is not None or len(text) != 1 or not text[0].lower().endswith(_HTML):
        return bool(said)
    return Path(text[0]).is_file()


def _write(data: dict[str, Any], out: Path | None, *, as_json: bool) -> None:
    from infra.local.recordings import write_json, write_text  # noqa: PLC0415 - see above

    made = {one["target_language"]: one["text"] for one in data["translations"]}
    if as_json:
        write_json(data, out)
    elif out is not None and str(out) != "-":
        for language, text in made.items():
            write_text(text, out.with_name(out.name.replace(_LANGUAGE, language)))
    elif len(made) == 1:
        write_text(next(iter(made.values())), None)
    else:
        blocks = [f"{language}:\n{text.rstrip(chr(10))}" for language, text in made.items()]
        write_text("\n\n".join(blocks), None)


def _glossary(path: Path) -> dict[str, Any]:
    """A JSON object, or lines with a term and its translation, = or a tab between them."""
    from infra.local.prompts import read, text_of  # noqa: PLC0415 - see above

    text = text_of(read(path), str(path), "text (UTF-8)")
    if text.lstrip().startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise click.UsageError(f"{path} is not valid JSON: {error}") from None
        return dict(found)
    made: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        term, mark, word = line.partition("\t" if "\t" in line else "=")
        if not mark or not term.strip() or not word.strip():
            raise click.UsageError(f"{path} line {number} is not: term = translation")
        made[term.strip()] = word.strip()
    return made
