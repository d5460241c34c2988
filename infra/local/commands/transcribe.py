"""`patchbay transcribe`: what was said in a recording."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from infra.local.terminal import AS_JSON, allowing
from infra.local.who import who, with_who

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path, allow_dash=True)
FORMS = ("text", "json", "srt", "vtt", "verbose_json", "diarized_json")
_ENDINGS = {".srt": "srt", ".vtt": "vtt", ".json": "json"}
_SENT = ("language", "prompt", "min_speakers", "max_speakers")
OPTIONS = (
    click.option("-l", "--language", help="The language that is spoken, such as de; without it, it is detected."),
    click.option("--format", "form", type=click.Choice(FORMS), help="By the name of -o, else text."),
    click.option("--min-speakers", type=click.IntRange(1, 64), help="At least so many people speak."),
    click.option("--max-speakers", type=click.IntRange(1, 64), help="At most so many people speak."),
    click.option("--words", is_flag=True, help="The time of each word (--format json or verbose_json)."),
    click.option("--vocabulary", multiple=True, help="Names and terms with commas, or a file of them; repeatable."),
    with_who,
    click.option("--prompt", help="What it is about; models spell as it does."),
    click.option("-o", "--output", "out", type=_PATH, help="A file in place of standard output."),
    click.option("--stream", is_flag=True, help="Write what is recognised as it comes."),
    click.option("-q", "--quiet", is_flag=True, help="No progress on stderr."),
    click.option("-v", "--verbose", is_flag=True, help="Say who answered on stderr, also where it is no terminal."),
    AS_JSON,
)


def with_options(command: F) -> F:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("recording", metavar="FILE|-|URL|s3://...")
@click.option("--speakers", is_flag=True, help="Tell who speaks.")
@click.option("--english", is_flag=True, help="In English, whatever is spoken.")
@with_options
def transcribe(recording: str, speakers: bool, english: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Write down what is said in a recording.

    A file is sent, an address is read by the gateway. On a terminal stderr shows how far it is.

    \b
    patchbay transcribe meeting.mp3
    patchbay transcribe meeting.mp3 -o meeting.srt
    patchbay transcribe interview.m4a --speakers --max-speakers 2
    ffmpeg -i film.mkv -f mp3 - | patchbay transcribe - --language de --words --json
    patchbay transcribe s3://recordings/call.wav --vocabulary "Patchbay,Kubernetes"
    """
    speakers = speakers or options["min_speakers"] is not None or options["max_speakers"] is not None
    more = {"diarize": True} if speakers else {}
    run(recording, "/api/ai/transcribe", options, more | ({"task": "translate"} if english else {}))


def run(recording: str, path: str, options: dict[str, Any], more: dict[str, Any]) -> None:
    """Check what goes with what, and ask."""
    from infra.local.transcripts import transcribed  # noqa: PLC0415 - a command imports what it needs

    named, out = options["form"], options["out"]
    if options["as_json"] and named not in {None, "text", "json"}:
        raise click.UsageError(f"--json is a form of its own; leave out --format {named}")
    by_name = "text" if out is None or options["as_json"] else _ENDINGS.get(out.suffix.lower(), "text")
    options = {**options, "form": named or by_name}
    json = options["as_json"] or options["form"] in {"json", "verbose_json"}
    if options["words"] and not json:
        raise click.UsageError("--words shows in --format json and verbose_json alone")
    if options["stream"] and (options["out"] or options["as_json"] or options["form"] != "text"):
        raise click.UsageError("--stream writes text to standard output, and nothing else")
    body = {name: options[name] for name in _SENT if options[name] is not None} | more
    body |= {"timestamp_granularities": ["word", "segment"]} if options["words"] else {}
    body |= {"vocabulary": _phrases(options["vocabulary"])} if options["vocabulary"] else {}
    body |= who(options)
    transcribed(recording, path, body, options, allowing(options["timeout"]))


def _phrases(given: tuple[str, ...]) -> list[str]:
    from infra.local.prompts import read, text_of  # noqa: PLC0415 - a command imports what it needs

    found: list[str] = []
    for one in given:
        path = Path(one)
        text = text_of(read(path), one, "text (UTF-8)") if path.is_file() else one.replace(",", "\n")
        found += [phrase.strip() for phrase in text.splitlines() if phrase.strip()]
    return found
