"""What ``kfnb clean --on kubernetes`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kfnb.runners.amounts import count, size

if TYPE_CHECKING:
    from kfnb.runners.kubernetes.cleaning import Cleaned

_UNFINISHED = "it may be executing"
_RECENT = "another machine started it, and it was active within the last day"


def sentences(done: Cleaned, *, has_store: bool, dry_run: bool) -> Iterator[str]:
    """Yield what was removed, and why something was kept."""
    would = "would remove" if dry_run else "removed"
    for run in done.objects:
        yield f"{would} the objects of run {run}"
    for run in done.runs:
        path = done.notebooks.get(run)
        yield f"{would} run {run}{f' of {path}' if path else ''} from the store"
    for run in done.live:
        yield f"kept run {run}: {_RECENT if run in done.recent else _UNFINISHED}"
    if not has_store:
        yield "only Kubernetes objects were removed, because no store was given (--store)"
        return
    cached = f", {count(done.cached, 'cached result')}" if done.cached else ""
    removed = f"{count(done.values, 'value')}{cached} and {count(len(done.runs), 'run')}"
    yield f"{removed} {'would be ' if dry_run else ''}removed from the store: {size(done.bytes)}"
    if done.live:
        yield "no values were removed: a run that may be executing could use them"
    if done.fresh:
        were = "was" if done.fresh == 1 else "were"
        yield (
            f"{count(done.fresh, 'value')} {were} kept: written within the last day, so a run may "
            "be about to use it"
        )
