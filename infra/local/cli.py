"""The command `patchbay`: serve, and ask. One file per command in commands/."""

import errno
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from core import __version__
from infra.local.terminal import BROKEN_PIPE, INTERRUPTED, USAGE, fail

COMMANDS = (
    "serve", "invoke", "chat", "embed", "transcribe", "diarize", "speak", "translate", "beautify", "providers",
    "models", "voices", "route", "decisions", "usage", "config", "doctor", "simulate", "completion",
)  # fmt: skip


# What a file that is full, broken or closed says when it is written to.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


class _Commands(click.Group):
    """Imports a command when it is asked for: each brings what only it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - click's own signature
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"infra.local.commands.{name}"), name)
        return _unwrapped(command)

    def invoke(self, ctx: click.Context) -> object:
        """Every command ends the same way when its reader, or the person, has had enough, and when it was misspelt."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal without a letter is no reason to end
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise  # its message is the help
        except click.UsageError as error:
            words = error.ctx.command_path if error.ctx else "patchbay"
            fail(f"{error.format_message().rstrip('.')}. See `{words} --help`.", USAGE)
        except BrokenPipeError:
            _forget_output()
            sys.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def main(self, *args: Any, **more: Any) -> Any:
        """Also `--help` and `--version` end with a line where nothing can be written."""
        if sys.stderr is None:
            sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - it is for the whole process
        if sys.stdout is None:
            fail("standard output is closed")
        try:
            return super().main(*args, **more)
        except OSError as error:
            if error.errno not in _UNWRITABLE or error.filename is not None:
                raise
            _forget_output()
            fail(f"the output cannot be written ({error.strerror})")


def _unwrapped(command: click.Command) -> click.Command:
    r"""Click keeps lines as they are after a real \b, which a docstring can only name."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for one in getattr(command, "commands", {}).values():
        _unwrapped(one)
    return command


def _forget_output() -> None:
    """Nobody reads it any more; what is still buffered must not fail a second time at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command("patchbay", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    r"""One door to every AI provider that keeps answering when a provider does not.

    A command asks the server that runs here, and answers itself when none does.

    \b
    patchbay serve
    patchbay chat "Explain DNS in one sentence"
    patchbay doctor

    \b
    Exit codes:
      0    done
      1    refused or failed: the line on stderr says who, what and what to do
      2    the command line is wrong
      3    no Patchbay answers at its address
      130  interrupted
      141  the reader of a pipe has left
      143  ended from outside (SIGTERM)
    """


_unwrapped(main)

if __name__ == "__main__":
    main(prog_name="patchbay")
