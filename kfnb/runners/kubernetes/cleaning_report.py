"""What ``kfnb clean --on kubernetes`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kfnb.runners.amounts import count, size

if TYPE_CHECKING:
    from kfnb.runners.kubernetes.cleaning import Cleaned

_UNFINISHED = "it may be going on"
_RECENT = "it wrote something within the last day, and is another machine's"


def sentences(done: Cleaned, *, has_store: bool, dry_run: bool) -> Iterator[str]:
    """Yield what was removed, and why something was kept."""
    would = "would remove" if dry_run else "removed"
    for run in done.objects:
        yield f"{would} the objects of run {run}"
    for run in done.runs:
        yield f"{would} run {run} from the store"
    for run in done.live:
        yield f"left run {run} alone: {_RECENT if run in done.recent else _UNFINISHED}"
    if not has_store:
        yield "no store is given (--store), so only objects were cleaned"
        return
    cached = f", {count(done.cached, 'cached result')}" if done.cached else ""
    removed = f"{count(done.values, 'value')}{cached} and {count(len(done.runs), 'run')}"
    yield f"{removed} {'would be ' if dry_run else ''}removed from the store: {size(done.bytes)}"
    if done.live:
        yield "values stay: a run that may be going on could be about to refer to them"
    if done.fresh:
        stay = "stays" if done.fresh == 1 else "stay"
        yield (
            f"{count(done.fresh, 'value')} {stay}: nobody refers to what was written within the "
            "last day, and a run may be about to"
        )
