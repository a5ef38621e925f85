"""`taskservice completion`: what makes a shell complete commands, options and keys of definitions."""

import click
from click.shell_completion import get_completion_class

from taskservice.cli.examples import examples

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    epilog=examples(
        'eval "$(taskservice completion bash)"      # ~/.bashrc',
        'eval "$(taskservice completion zsh)"       # ~/.zshrc, after compinit',
        "taskservice completion fish | source       # ~/.config/fish/config.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, and keys of definitions."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    click.echo(kind(ctx.find_root().command, {}, "taskservice", "_TASKSERVICE_COMPLETE").source())
