"""``kfnb clean``: make room."""

from __future__ import annotations

import click

from kfnb.cli.arguments import Duration


@click.command(
    epilog="""\b
Examples:
  kfnb clean --keep 10                 # all but the ten newest runs
  kfnb clean --older-than 7d --keep 3  # old ones, but never the three newest
  kfnb clean --dry-run --keep 10

Without --keep and --older-than only values that nothing refers to are removed. Runs that
go on, and what they need, always stay."""
)
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Keep the N newest runs in any case."
)
@click.option(
    "--older-than", type=Duration(), metavar="TIME", help="Remove only what is older (7d, 12h)."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def clean(keep: int | None, older_than: float | None, dry_run: bool) -> int:
    """Remove old runs, and the values that nothing refers to any more."""
    from kfnb.store.clean import clean as sweep

    done = sweep(keep=keep, older_than=older_than, dry_run=dry_run)
    for run in done.runs:
        click.echo(f"{'would remove' if dry_run else 'removed'} run {run}")
    would = "would be removed" if dry_run else "removed"
    runs = _count(len(done.runs), "run")
    click.echo(f"{runs} and {_count(done.blobs, 'value')} {would}: {_size(done.bytes)}")
    return 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
