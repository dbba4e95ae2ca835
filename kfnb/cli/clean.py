"""``kfnb clean``: remove old runs and unused values."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from kfnb.commands.arguments import NotebookPath, duration_option, number_option
from kfnb.commands.target_options import (
    on_option,
    take_target_options,
    target_options,
)
from kfnb.commands.terminal import is_terminal
from kfnb.draw import visible
from kfnb.errors import UsageError
from kfnb.runners.amounts import count


@click.command(
    params=[
        number_option("--keep", help="Always keep the N newest runs of each notebook."),
        duration_option(
            "--older-than", help="Remove only runs that are older than this (7d, 12h)."
        ),
        click.Option(
            ["--notebook"], type=NotebookPath(), help="Remove only runs of this notebook."
        ),
        click.Option(
            ["--yes"], is_flag=True, help="Do not ask before runs of several notebooks are removed."
        ),
        click.Option(["--dry-run"], is_flag=True, help="Only list what would be removed."),
        on_option("What to clean: local [default] or kubernetes (a namespace and its store)."),
        *target_options(),
    ],
    epilog="""\b
Examples:
  kfnb clean --keep 10                 # all but the ten newest runs of each notebook
  kfnb clean --keep 1 --notebook train.ipynb
  kfnb clean --older-than 7d --keep 3  # old runs, but never the three newest
  kfnb clean --dry-run --keep 10
  kfnb clean --on kubernetes --older-than 30d

If runs of more than one notebook would be removed, kfnb asks first. Without a terminal it cannot
ask, so it needs --yes (or --notebook) then.

Without --keep and --older-than, only values that no run refers to are removed. Runs that are
executing, and what they need, are always kept.

With --on kubernetes, a value that no run refers to is kept for a day, and so is a run of another
machine after the last thing that it wrote: a run that is not known here may be about to refer to
a value. While any run may be executing, no value is removed.""",
)
def clean(
    keep: int | None,
    older_than: float | None,
    notebook: str | None,
    yes: bool,
    dry_run: bool,
    target: str,
    **given: Any,
) -> int:
    """Remove old runs, and the values that no run refers to any more."""
    from kfnb.api.run_lookup import absolute
    from kfnb.runners.target import check_names, find_target

    options = take_target_options(given)
    check_names(target, options)
    limits: dict[str, Any] = {
        "keep": keep,
        "older_than": older_than,
        "notebook": absolute(notebook) if notebook is not None else None,
    }
    where = find_target(target)
    # With a notebook, or without limits, no runs of several notebooks can be removed.
    asks = notebook is None and (keep is not None or older_than is not None)
    if asks and not yes and not dry_run:
        planned = where.clean(options, **limits, dry_run=True).runs
        if len(set(planned.values())) > 1 and not _agrees(planned):
            click.echo("Nothing was removed.")
            return 0
    for line in where.clean(options, **limits, dry_run=dry_run).sentences:
        click.echo(line)
    return 0


def _agrees(planned: Mapping[str, str]) -> bool:
    """Ask whether runs of several notebooks may be removed.

    Raises
    ------
    UsageError
        If nobody can be asked.
    """
    counts = Counter(planned.values())
    listed = [
        f"  {count(number, 'run')} of {visible(path) if path else 'unknown notebooks'}"
        for path, number in sorted(counts.items())
    ]
    question = f"This removes runs of {len(counts)} notebooks:\n" + "\n".join(listed)
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise UsageError(f"{question}\nTo remove them, add --yes; to choose one, add --notebook.")
    click.echo(question)
    return click.confirm("Remove them?", default=False)
