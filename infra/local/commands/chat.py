"""`patchbay chat`: ask, and read the answer as it comes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.local import complete
from infra.local.terminal import AS_JSON, Number, allowing, clean, show, told

if TYPE_CHECKING:
    from infra.local.conversation import Conversation
    from infra.local.prompts import Content

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_STDIN = Path("-")
_OWN = ("provider", "model", "tier", "temperature", "max_tokens", "max_cost", "cache")


@click.command()
@click.argument("prompt", nargs=-1)
@click.option("-m", "--model", help="A model, provider/model or auto.", shell_complete=complete.models)
@click.option("-p", "--provider", help="Goes first; the chain follows.", shell_complete=complete.providers)
@click.option(
    "--tier",
    type=click.Choice(["fast", "standard", "advanced", "local"], case_sensitive=False),
    help="How able, or where.",
)
@click.option("-s", "--system", help="What the model is told first.")
@click.option("--temperature", type=Number(0, 2), help="0 is the most predictable.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest answer.")
@click.option("--max-cost", type=Number(0), help="USD; dearer targets are left out.")
@click.option("--cache", type=click.Choice(["off", "read", "write", "on"]), help="Answers that were given before.")
@click.option("--timeout", type=Number(0, min_open=True), help="Seconds for all attempts together.")
@click.option("--no-fallback", is_flag=True, help="Only what you name.")
@click.option("--no-stream", is_flag=True, help="Print the answer when it is whole.")
@click.option(
    "-f", "--file", "files", multiple=True, type=_FILE, help="A text file or an image; - is stdin. Repeatable."
)
@click.option("--image", "images", multiple=True, help="An image's address or path; repeatable.")
@click.option("-v", "--verbose", is_flag=True, help="Say who answered on stderr, also where it is not a terminal.")
@AS_JSON
def chat(prompt: tuple[str, ...], as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes options by name
    r"""Ask, and read the answer as it comes.

    What is piped in follows PROMPT, or is the prompt; - reads it too. Without any, on a terminal, it is a
    conversation. Who answered and what it cost is said on stderr.

    \b
    patchbay chat "Explain DNS in one sentence"
    git diff | patchbay chat "Write a commit message for this"
    patchbay chat -f main.py -f error.log "What is wrong?"
    patchbay chat --image photo.jpg "What is this?"
    patchbay chat --tier fast --max-cost 0.001 --json hello
    patchbay chat
    """
    from infra.local.conversation import Conversation  # noqa: PLC0415 - a command imports what it needs

    content, interactive = _content(prompt, options["files"], options["images"])
    if interactive and as_json:
        raise click.UsageError("--json wants a prompt")
    conversation = Conversation(
        {name: options[name] for name in _OWN if options[name] is not None} | {"fallback": not options["no_fallback"]},
        headers=allowing(options["timeout"]),
        system=options["system"],
        verbose=options["verbose"] or sys.stderr.isatty(),
    )
    with told(), conversation:
        if interactive:
            conversation.talk(content)
        else:
            _answer(conversation, content, as_json=as_json, whole=options["no_stream"])


def _answer(conversation: "Conversation", content: "Content", *, as_json: bool, whole: bool) -> None:
    if as_json:
        show(conversation.whole(content))
        return
    if whole:
        answer = conversation.whole(content)
        text = answer["content"] or answer.get("refusal") or ""
        click.echo(clean(text) if sys.stdout.isatty() else text, nl=bool(text) and not text.endswith("\n"))
    else:
        answer = conversation.streamed(content)
    conversation.tell(answer)


def _content(words: tuple[str, ...], files: tuple[Path, ...], images: tuple[str, ...]) -> "tuple[Content, bool]":
    """The question, and whether more are to be read from the terminal."""
    from infra.local.prompts import message, read_some  # noqa: PLC0415 - a command imports what it needs

    stdin = sys.stdin.buffer if sys.stdin is not None else None
    terminal = stdin is not None and stdin.isatty()
    asked = "-" in words or _STDIN in files
    piped = read_some(stdin, "stdin") if stdin is not None and (asked or not terminal) else None
    text = " ".join(word for word in words if word != "-")
    content = message(text, [path for path in files if path != _STDIN], images, piped)
    if terminal and not words and not asked:
        return content, True
    if not content or (isinstance(content, str) and not content.strip()):
        raise click.UsageError("nothing to ask: give a prompt, or pipe one in")
    return content, False
