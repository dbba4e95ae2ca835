"""``kfnb completion``: Tab completion in a shell."""

from __future__ import annotations

import click

_SETUP = {
    "bash": 'eval "$(kfnb completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(kfnb completion zsh)"    # in ~/.zshrc',
    "fish": "kfnb completion fish | source    # in ~/.config/fish/config.fish",
}


@click.command(
    epilog="\b\nExamples (afterwards Tab completes commands, options, notebooks, runs and steps):\n"
    + "\n".join(f"  {line}" for line in _SETUP.values())
)
@click.argument("shell", type=click.Choice(sorted(_SETUP)))
def completion(shell: str) -> int:
    """Print the script that makes SHELL complete kfnb's commands and options."""
    from click.shell_completion import get_completion_class

    from kfnb.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "kfnb", "_KFNB_COMPLETE")
    # Not .source(), which starts bash to find out its version.
    click.echo(script.source_template % script.source_vars())
    return 0
