"""`patchbay diarize`: what was said, and by whom."""

from typing import Any

import click

from infra.local.commands.transcribe import run, with_options


@click.command()
@click.argument("recording", metavar="FILE|-|URL|s3://...")
@click.option("--known", "known", multiple=True, metavar="NAME", help="Somebody who speaks; repeatable.")
@with_options
def diarize(recording: str, known: tuple[str, ...], **options: Any) -> None:
    r"""Write down what is said in a recording, and by whom.

    \b
    patchbay diarize meeting.mp3
    patchbay diarize interview.wav --min-speakers 2 --max-speakers 2
    patchbay diarize meeting.mp3 --format srt
    patchbay diarize call.ogg --json
    """
    run(recording, "/api/ai/diarize", options, {"known_speaker_names": list(known)} if known else {})
