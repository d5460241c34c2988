"""`patchbay config`: settings."""

import click

from infra.local.commands.config_changes import CHANGES


@click.group()
def config() -> None:
    """Settings, and what is changed while gateways run."""


for command in CHANGES:
    config.add_command(command)
