"""The command `patchbay`: serve, and ask a running server. One file per command in commands/."""

from importlib import import_module

import click

from core import __version__

COMMANDS = ("serve", "providers", "models", "route", "decisions", "config", "simulate")


class _Commands(click.Group):
    """Imports a command when it is asked for: each brings what only it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - click's own signature
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"infra.local.commands.{name}"), name)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """One door to every AI provider that keeps answering when a provider does not."""


if __name__ == "__main__":
    main()
