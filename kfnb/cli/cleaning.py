"""``kfnb clean``: make room."""

from __future__ import annotations

from typing import Any

import click

from kfnb.cli.arguments import Duration
from kfnb.cli.target_options import target_options, with_target
from kfnb.runners.target import LOCAL, target_names


@click.command(
    epilog="""\b
Examples:
  kfnb clean --keep 10                 # all but the ten newest runs
  kfnb clean --older-than 7d --keep 3  # old ones, but never the three newest
  kfnb clean --dry-run --keep 10
  kfnb clean --on kubernetes --older-than 30d

Without --keep and --older-than only values that nothing refers to are removed. Runs that
go on, and what they need, always stay.

With --on kubernetes, what nobody refers to stays for a day, and so does a run of another machine
after the last that it wrote: a run that is not known here may be about to refer to a value. While
any run may be going on, no value goes."""
)
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Keep the N newest runs in any case."
)
@click.option(
    "--older-than", type=Duration(), metavar="TIME", help="Remove only what is older (7d, 12h)."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--on",
    "target",
    type=click.Choice(target_names()),
    default=LOCAL,
    help="Where to clean: here [default], or a namespace and its store.",
)
@with_target
def clean(
    keep: int | None, older_than: float | None, dry_run: bool, target: str, **said: Any
) -> int:
    """Remove old runs, and the values that nothing refers to any more."""
    from kfnb.runners.target import check_names, find_target

    options = target_options(said)
    check_names(target, options)
    lines = find_target(target).clean(options, keep=keep, older_than=older_than, dry_run=dry_run)
    for line in lines:
        click.echo(line)
    return 0
