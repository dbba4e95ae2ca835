"""``kfnb clean``: remove old runs and unused values."""

from __future__ import annotations

from typing import Any

import click

from kfnb.commands.arguments import duration_option, number_option
from kfnb.commands.target_options import (
    on_option,
    take_target_options,
    target_options,
)


@click.command(
    params=[
        number_option("--keep", help="Always keep the N newest runs."),
        duration_option(
            "--older-than", help="Remove only runs that are older than this (7d, 12h)."
        ),
        click.Option(["--dry-run"], is_flag=True, help="Only list what would be removed."),
        on_option("What to clean: local [default] or kubernetes (a namespace and its store)."),
        *target_options(),
    ],
    epilog="""\b
Examples:
  kfnb clean --keep 10                 # all but the ten newest runs
  kfnb clean --older-than 7d --keep 3  # old runs, but never the three newest
  kfnb clean --dry-run --keep 10
  kfnb clean --on kubernetes --older-than 30d

Without --keep and --older-than, only values that no run refers to are removed. Runs that are
executing, and what they need, are always kept.

With --on kubernetes, a value that no run refers to is kept for a day, and so is a run of another
machine after the last thing that it wrote: a run that is not known here may be about to refer to
a value. While any run may be executing, no value is removed.""",
)
def clean(
    keep: int | None, older_than: float | None, dry_run: bool, target: str, **given: Any
) -> int:
    """Remove old runs, and the values that no run refers to any more."""
    from kfnb.runners.target import check_names, find_target

    options = take_target_options(given)
    check_names(target, options)
    lines = find_target(target).clean(options, keep=keep, older_than=older_than, dry_run=dry_run)
    for line in lines:
        click.echo(line)
    return 0
