"""`patchbay speak`: a text as sound."""

import sys
from pathlib import Path
from typing import Any

import click

from core.wire.sound.speech import KINDS
from infra.local import complete
from infra.local.terminal import AS_JSON, Number, allowing, call, told

_ENDINGS = {"ogg": "opus", **{one: one for one in KINDS}}
_PATH = click.Path(path_type=Path, allow_dash=True)
_SENT = ("voice", "language", "speed", "instructions", "provider", "model")


@click.command()
@click.argument("text", metavar="TEXT|-|FILE", nargs=-1)
@click.option("--voice", help="A voice, such as alloy or en-US-female-1.")
@click.option("-l", "--language", help="The language of the voice, such as de.")
@click.option("--format", "form", type=click.Choice(KINDS), help="By the name of the file, else mp3.")
@click.option("--speed", type=Number(0.25, 4), help="1 is the voice's own.")
@click.option("--instructions", help="How to say it, for models that take that.")
@click.option("--ssml", is_flag=True, help="The text is SSML.")
@click.option("-m", "--model", help="A model or provider/model.", shell_complete=complete.models)
@click.option("-p", "--provider", help="Goes first; the chain follows.", shell_complete=complete.providers)
@click.option("-o", "--output", "out", type=_PATH, help="A file; - is standard output.")
@click.option("--timeout", type=Number(0, min_open=True), help="Seconds for all attempts.")
@click.option("--no-fallback", is_flag=True, help="Only what you name.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("-v", "--verbose", is_flag=True, help="Say who answered on stderr, also where it is no terminal.")
@AS_JSON
def speak(text: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Say a text.

    Sound goes to a file, or into a pipe as it is made; never to a terminal. With --json it is in base64.

    \b
    patchbay speak "Good morning" -o morning.mp3
    patchbay speak chapter.txt --voice en-US-female-1 -o chapter.opus
    echo "Hello" | patchbay speak - --format wav | aplay
    """
    from infra.local.outputs import checked_output, write_json  # noqa: PLC0415 - a command imports what it needs
    from infra.local.speech import ROUTE, spoken  # noqa: PLC0415 - see above
    from infra.local.texts import text_given  # noqa: PLC0415 - see above

    out: Path | None = options["out"]
    if (out is None or str(out) == "-") and sys.stdout.isatty() and not as_json:
        raise click.UsageError("sound is nothing for a terminal: name a file (-o speech.mp3), or pipe it on")
    checked_output(out)
    form = options["form"] or (_ENDINGS.get(out.suffix[1:].lower()) if out else None) or KINDS[0]
    said = text_given(text)
    if not said.strip():
        raise click.UsageError("there is nothing to say")
    body = {name: options[name] for name in _SENT if options[name] is not None}
    body |= {"text": said, "response_format": form}
    body |= {"ssml": True} if options["ssml"] else {}
    body |= {"fallback": False} if options["no_fallback"] else {}
    if as_json:
        headers = {"accept": "application/json", **allowing(options["timeout"])}
        write_json(call("POST", ROUTE, "audio_base64", body, patient=True, headers=headers), out)
        return
    with told():
        spoken(body, out, allowing(options["timeout"]), quiet=options["quiet"], verbose=options["verbose"])
