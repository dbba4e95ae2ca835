"""``kfnb clean``: remove old runs and unused values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kfnb.api.use_cases.formats import count
from kfnb.commands.arguments import Duration
from kfnb.commands.target_options import (
    on_option,
    set_options,
    take_target_options,
    target_options,
)

if TYPE_CHECKING:
    from kfnb.runners.kubernetes.cleaning import Cleaned

_MAY_CONTINUE = "it may still be executing"
_RECENT = "another machine started it, and it wrote something within the last day"


@click.command(
    params=[
        click.Option(
            ["--keep"],
            type=click.IntRange(min=0),
            metavar="N",
            help="Keep the N newest runs in any case.",
        ),
        click.Option(
            ["--older-than"],
            type=Duration(),
            metavar="TIME",
            help="Remove only runs that are older (7d, 12h).",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Only list what would be removed."),
        on_option("Where to clean: this machine [default], or a namespace and its store."),
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
    options = set_options(take_target_options(given))
    if target == "kubernetes":
        return _clean_cluster(options, keep=keep, older_than=older_than, dry_run=dry_run)
    if options:
        raise click.UsageError(
            f"{', '.join(sorted(options))}: this option needs --on kubernetes",
            click.get_current_context(),
        )
    from kfnb.store.clean import clean as clean_here

    done = clean_here(keep=keep, older_than=older_than, dry_run=dry_run)
    for run in done.runs:
        click.echo(f"{'would remove' if dry_run else 'removed'} run {run}")
    verb = "would be removed" if dry_run else "removed"
    runs, values = count(len(done.runs), "run"), count(done.blobs, "value")
    click.echo(f"{runs} and {values} {verb}: {_size(done.bytes)}")
    return 0


def _clean_cluster(
    options: dict[str, Any], *, keep: int | None, older_than: float | None, dry_run: bool
) -> int:
    """Clean a namespace and its store; print what was removed, and why something was kept."""
    from kfnb.runners.kubernetes.api.client import connect
    from kfnb.runners.kubernetes.api.config import target_of
    from kfnb.runners.kubernetes.cleaning import clean as clean_cluster
    from kfnb.runners.kubernetes.store.store_access import store_of

    chosen = target_of(None, options)
    cluster = connect(context=chosen.context, namespace=chosen.namespace)
    remote = store_of(chosen).remote if chosen.store else None
    done = clean_cluster(cluster, remote, keep=keep, older_than=older_than, dry_run=dry_run)
    verb = "would remove" if dry_run else "removed"
    for run in done.objects:
        click.echo(f"{verb} the objects of run {run}")
    for run in done.runs:
        click.echo(f"{verb} run {run} from the store")
    for run in done.live:
        click.echo(f"kept run {run}: {_RECENT if run in done.recent else _MAY_CONTINUE}")
    if remote is None:
        click.echo("only Kubernetes objects were cleaned: no store was given (--store)")
    else:
        _print_values(done, dry_run=dry_run)
    return 0


def _print_values(done: Cleaned, *, dry_run: bool) -> None:
    cached = f", {count(done.cached, 'cached result')}" if done.cached else ""
    removed = f"{count(done.values, 'value')}{cached} and {count(len(done.runs), 'run')}"
    click.echo(
        f"{removed} {'would be ' if dry_run else ''}removed from the store: {_size(done.bytes)}"
    )
    if done.live:
        click.echo("values were kept: a run that may be executing could be about to use them")
    if done.fresh:
        were = "was" if done.fresh == 1 else "were"
        click.echo(
            f"{count(done.fresh, 'value')} {were} kept: written within the last day, and a run may "
            "be about to refer to it"
        )


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
