"""``kfnb clean``: make room."""

from __future__ import annotations

from typing import Any

import click

from kfnb.cli.arguments import Duration
from kfnb.cli.cluster import target_options, with_target

_GOES_ON = "it may be going on"
_RECENT = "it wrote something within the last day, and is another machine's"


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
    type=click.Choice(["local", "kubernetes"]),
    default="local",
    help="Where to clean: here [default], or a namespace and its store.",
)
@with_target
def clean(
    keep: int | None, older_than: float | None, dry_run: bool, target: str, **said: Any
) -> int:
    """Remove old runs, and the values that nothing refers to any more."""
    options = {key: value for key, value in target_options(said).items() if value}
    if target == "kubernetes":
        return _clean_cluster(options, keep=keep, older_than=older_than, dry_run=dry_run)
    if options:
        raise click.UsageError(
            f"{', '.join(sorted(options))}: this has a meaning with --on kubernetes only",
            click.get_current_context(),
        )
    from kfnb.store.clean import clean as sweep

    done = sweep(keep=keep, older_than=older_than, dry_run=dry_run)
    for run in done.runs:
        click.echo(f"{'would remove' if dry_run else 'removed'} run {run}")
    would = "would be removed" if dry_run else "removed"
    runs = _count(len(done.runs), "run")
    click.echo(f"{runs} and {_count(done.blobs, 'value')} {would}: {_size(done.bytes)}")
    return 0


def _clean_cluster(
    options: dict[str, Any], *, keep: int | None, older_than: float | None, dry_run: bool
) -> int:
    """Clean a namespace and its store; say what was removed, and why something stays."""
    from kfnb.runners.kubernetes.api.client import connect
    from kfnb.runners.kubernetes.api.config import target_of
    from kfnb.runners.kubernetes.cleaning import clean as sweep
    from kfnb.runners.kubernetes.store.store_access import store_of

    found = target_of(None, options)
    cluster = connect(context=found.context, namespace=found.namespace)
    remote = store_of(found).remote if found.store else None
    done = sweep(cluster, remote, keep=keep, older_than=older_than, dry_run=dry_run)
    would = "would remove" if dry_run else "removed"
    for run in done.objects:
        click.echo(f"{would} the objects of run {run}")
    for run in done.runs:
        click.echo(f"{would} run {run} from the store")
    for run in done.live:
        click.echo(f"left run {run} alone: {_RECENT if run in done.recent else _GOES_ON}")
    if remote is None:
        click.echo("no store is said (--store), so that only objects were looked at")
        return 0
    cached = f", {_count(done.cached, 'cached result')}" if done.cached else ""
    said = f"{_count(done.values, 'value')}{cached} and {_count(len(done.runs), 'run')}"
    click.echo(
        f"{said} {'would be ' if dry_run else ''}removed from the store: {_size(done.bytes)}"
    )
    if done.live:
        click.echo("values stay: a run that may be going on could be about to refer to them")
    if done.fresh:
        stay = "stays" if done.fresh == 1 else "stay"
        click.echo(
            f"{_count(done.fresh, 'value')} {stay}: nobody refers to what was written within the "
            "last day, and a run may be about to"
        )
    return 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
