"""The commands of ``%pipeline``. Options shared with the command line are taken from there."""

from __future__ import annotations

from typing import Any

import click

from kfnb.commands.lazy_group import LazyGroup
from kfnb.notebook.suggestions import did_you_mean

_COMMANDS = {
    "show": ("kfnb.magics.inspect_commands", "Draw the pipeline, with the reason for each edge."),
    "check": (
        "kfnb.magics.inspect_commands",
        "List what is wrong with the notebook before it runs.",
    ),
    "suggest": ("kfnb.magics.inspect_commands", "Suggest steps for a notebook without tags."),
    "run": ("kfnb.magics.run_commands", "Run the notebook as a pipeline, and show its progress."),
    "status": ("kfnb.magics.inspect_commands", "Show the status of a run."),
    "logs": ("kfnb.magics.inspect_commands", "Print the log of a step."),
    "stop": ("kfnb.magics.run_commands", "Stop a run; finished steps keep their results."),
    "resume": ("kfnb.magics.run_commands", "Continue a run that failed, was stopped or lost."),
    "runs": ("kfnb.magics.inspect_commands", "List the runs of this notebook, newest first."),
    "compare": ("kfnb.magics.inspect_commands", "Compare runs."),
    "load": ("kfnb.magics.values", "Load a value of a run into this kernel."),
    "debug": (
        "kfnb.magics.debug_command",
        "Load a failed step's inputs and parameters into this kernel.",
    ),
}
_EPILOG = """\b
Examples:
  %pipeline show
  %pipeline run -p lr=0.1 -p layers={layers} --no-wait
  %pipeline logs train -f
  %pipeline load train.model
  %pipeline debug train

\b
The commands use the saved notebook. A RUN is an id, the beginning of one, a name that
only one run has, or latest (the default: the latest run of this notebook). {name} stands
for a variable of this kernel.
"""


class Commands(LazyGroup):
    """A group that imports its commands when called, and suggests similar ones for a typo."""

    table = _COMMANDS

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command named by the first word."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], _COMMANDS, f"Its commands: {', '.join(_COMMANDS)}.")
            raise click.UsageError(f'%pipeline has no command "{args[0]}". {hint}')
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
def pipeline(ctx: click.Context) -> Any:
    """Show, check and run the pipeline of this notebook."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
