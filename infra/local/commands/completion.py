"""`patchbay completion`: what a shell needs to complete commands, options and their values."""

import click

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    r"""Print the completion script of SHELL.

    \b
    patchbay completion bash >> ~/.bashrc
    patchbay completion zsh  >> ~/.zshrc
    patchbay completion fish > ~/.config/fish/completions/patchbay.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - a command imports what it needs

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has all three
    click.echo(found(ctx.find_root().command, {}, "patchbay", "_PATCHBAY_COMPLETE").source())
