"""`patchbay speak`: a text as sound."""

import sys
from pathlib import Path
from typing import Any

import click

from infra.local.terminal import AS_JSON, Number, allowing, call, told
from infra.local.who import who, with_who

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
GENDERS = ("female", "male", "neutral")
_ENDINGS = {"ogg": "opus", **{one: one for one in FORMATS}}
_PATH = click.Path(path_type=Path, allow_dash=True)
_SENT = ("voice", "language", "gender", "style", "speed", "instructions")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("text", metavar="TEXT|-|FILE", nargs=-1)
@click.option("--voice", help="A voice, such as alloy or en-US-female-1.")
@click.option("-l", "--language", help="The language of the voice, such as de.")
@click.option("--gender", type=click.Choice(GENDERS), help="Of the voice, where none is named.")
@click.option("--style", help="How a voice sounds, such as calm or cheerful.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="By the name of the file, else mp3.")
@click.option("--speed", type=Number(0.25, 4), help="1 is the voice's own.")
@click.option("--rate", type=click.IntRange(8000, 48_000), help="Samples a second.  [default: 24000]")
@click.option("--instructions", help="How to say it, for models that take that.")
@click.option("--ssml", is_flag=True, help="The text is SSML.")
@click.option("--boundaries", "beside", type=_FILE, help="When each word is said: a file .json, .srt or .vtt.")
@with_who
@click.option("-o", "--output", "out", type=_PATH, help="A file; - is standard output.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("-v", "--verbose", is_flag=True, help="Say who answered on stderr, also where it is no terminal.")
@AS_JSON
def speak(text: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Say a text.

    Sound goes to a file, or into a pipe as it is made; never to a terminal. With --json it is in base64.

    \b
    patchbay speak "Good morning" -o morning.mp3
    patchbay speak chapter.txt --voice en-US-female-1 -o chapter.opus
    patchbay speak news.txt --gender male --style calm -o news.wav --boundaries news.srt
    echo "Hello" | patchbay speak - --format wav | aplay
    """
    from infra.local.recordings import checked_output, text_given, write_json  # noqa: PLC0415 - a command imports what it needs
    from infra.local.speech import BESIDE, ROUTE, spoken, write_words  # noqa: PLC0415 - see above

    out: Path | None = options["out"]
    if (out is None or str(out) == "-") and sys.stdout.isatty() and not as_json:
        raise click.UsageError("sound is nothing for a terminal: name a file (-o speech.mp3), or pipe it on")
    beside: Path | None = options["beside"]
    if beside is not None and (beside.suffix.lower() not in BESIDE or beside == out):
        raise click.UsageError(f"--boundaries needs a file of its own whose name ends in {', '.join(BESIDE)}")
    checked_output(out)
    checked_output(beside)
    form = options["form"] or (FORMATS[0] if as_json else _form_of(out))
    said = text_given(text)
    if not said.strip():
        raise click.UsageError("there is nothing to say")
    body = {name: options[name] for name in _SENT if options[name] is not None}
    body |= {"text": said, "response_format": form}
    body |= {"sample_rate": options["rate"]} if options["rate"] else {}
    body |= {"ssml": True} if options["ssml"] else {}
    body |= who(options)
    headers = allowing(options["timeout"])
    if as_json:
        body |= {"boundaries": True} if beside else {}
        data = call(
            "POST", ROUTE, "audio_base64", body, patient=True, headers={"accept": "application/json", **headers}
        )
        write_json(data, out)
        if beside is not None:
            write_words(data.get("words") or (), said, beside)
        return
    with told():
        spoken(body, out, headers, beside=beside, quiet=options["quiet"], verbose=options["verbose"])


def _form_of(out: Path | None) -> str:
    """By the name of the file: sound of another kind than it says would be played by nobody."""
    ending = out.suffix[1:].lower() if out is not None else ""
    if ending and ending not in _ENDINGS:
        known = ", ".join(f".{one}" for one in (*FORMATS, "ogg"))
        raise click.UsageError(f"speech is not written as .{ending}: name the file {known}, or say --format")
    return _ENDINGS.get(ending, FORMATS[0])
