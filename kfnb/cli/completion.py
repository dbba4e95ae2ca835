"""``kfnb completion``: words that a shell completes."""

from __future__ import annotations

import click

_HOW = {
    "bash": 'eval "$(kfnb completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(kfnb completion zsh)"    # in ~/.zshrc',
    "fish": "kfnb completion fish | source    # in ~/.config/fish/config.fish",
}


@click.command(
    epilog="\b\nExamples (then commands, options, notebooks, runs and steps complete with Tab):\n"
    + "\n".join(f"  {line}" for line in _HOW.values())
)
@click.argument("shell", type=click.Choice(sorted(_HOW)))
def completion(shell: str) -> int:
    """Print the script that completes kfnb's words in SHELL."""
    from click.shell_completion import get_completion_class

    from kfnb.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "kfnb", "_KFNB_COMPLETE")
    # Not .source(): for bash that starts a bash to ask for its version.
    click.echo(script.source_template % script.source_vars())
    return 0
