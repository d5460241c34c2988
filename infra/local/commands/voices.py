"""`patchbay voices`."""

from typing import Any

import click

from infra.local import complete
from infra.local.terminal import AS_JSON, call, note, show, table

_HEAD = ["PROVIDER", "VOICE", "LANGUAGE", "GENDER", "STYLE", "SPEAKS"]
_FEW = 4  # languages that are named


@click.command()
@click.argument("words", nargs=-1)
@click.option("--language", help="Only who speaks it: en, en-GB or English.")
@click.option("--gender", type=click.Choice(["female", "male", "neutral"], case_sensitive=False), help="Only such.")
@click.option("--provider", help="Only its voices, and ours that it has.", shell_complete=complete.providers)
@AS_JSON
def voices(words: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Voices: who speaks which languages, at which provider.

    WORDS are looked for in names and styles. Those without a provider are names of ours for voices of several.

    \b
    patchbay voices --language de --gender female
    patchbay voices calm --provider openai
    """
    query = {name: value for name, value in options.items() if value is not None}
    data = call("GET", "/api/ai/voices", "voices", None, **query)["voices"]
    data = [one for one in data if _has(one, words)]
    if as_json:
        show(data)
        return
    if not data:
        note("no voice is like that; fewer words or options find more")
        return
    table([_HEAD, *map(_row, data)], spare=("STYLE", "SPEAKS"))


def _has(one: dict[str, Any], words: tuple[str, ...]) -> bool:
    text = " ".join([one["name"], *one["style"]]).lower()
    return all(word.lower() in text for word in words)


def _row(one: dict[str, Any]) -> list[str]:
    others = one["languages"][1:]
    more = f"and {len(others)} languages" if len(others) > _FEW else ", ".join(["", *others]).removeprefix(", ")
    where = one["provider"] or ", ".join(one["ids"])
    return [where, one["name"], one["language"], one["gender"], ", ".join(one["style"]) or "-", more or "-"]
