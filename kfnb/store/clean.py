"""Remove old runs, and values to which nothing refers any more: mark, then sweep.

The roots are the manifests and failure records of the remaining runs and the cache's entries.
Running runs are never touched, nor is anything younger than the oldest of them, or than a minute: a
manifest that refers to it may be about to be written.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder, runs_folder, store_folder
from kfnb.store import disk, locks
from kfnb.store.blobs import Store, open_store
from kfnb.store.file_restore import remove_unfinished
from kfnb.store.manifest import Failure, Manifest

GRACE = 60.0
_DAY = 86400.0
# A run that is being created has no lock for a moment; after so long it counts as abandoned.
_STARTING = 60.0


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed, or would be: run ids, counts, bytes; and the notebooks of those runs."""

    runs: tuple[str, ...]
    entries: int
    blobs: int
    bytes: int
    notebooks: Mapping[str, str] = field(default_factory=dict)
    """By run id; a run whose ``run.json`` is gone has none."""


def clean(
    *,
    keep: int | None = None,
    older_than: float | None = None,
    notebook: str | None = None,
    dry_run: bool = False,
    grace: float = GRACE,
) -> Cleaned:
    """Remove runs and unreferenced values of this ``KFNB_HOME``.

    Parameters
    ----------
    keep
        How many of the newest runs of each notebook are never removed.
    older_than
        Only runs (and unused cached results) older than this many seconds are removed. With
        neither of the two, no run is removed.
    notebook
        Remove only runs of the notebook with this absolute path.
    dry_run
        Remove nothing, only return what would be removed.
    grace
        Seconds for which a value may be in the store before anything refers to it.

    Raises
    ------
    InfrastructureError
        If the store cannot be written.
    """
    store = _open()
    now = time.time()
    # Nobody may mark a blob as used between the marking here and the removal.
    with locks.held(store.sweep_lock, shared=False):
        runs = sorted(_runs(), key=_moment, reverse=True)
        busy = [r for r in runs if _busy(r)]
        notebooks = {r.id: notebook_of(r) for r in runs}
        candidates = [r for r in runs if notebook is None or notebooks[r.id] == notebook]
        spared = {r.id for r in busy} | newest_of_each(
            [r.id for r in candidates], notebooks, keep=keep
        )
        leaving = (
            []
            if keep is None and older_than is None
            else [
                r
                for r in candidates
                if r.id not in spared and (older_than is None or now - _created(r) > older_than)
            ]
        )
        # A running step publishes its manifest at its end, and until then nothing refers to its
        # blobs.
        fresh = min([now - grace, *(_created(r) for r in busy)])
        staying = {r.id for r in runs} - {r.id for r in leaving}
        orphans = _orphans(store, {r.id for r in runs}, fresh=fresh)
        used, marked = _mark_runs(store, staying, also=_young_records(store, leaving, orphans))
        # Without a condition only what nothing refers to is removed, and cached results stay.
        limit = None if keep is None and older_than is None else now - (older_than or 0.0)
        expired = _mark_cache(store, used=used, marked=marked, limit=limit)
        if not dry_run:
            # Records are removed before blobs: a record whose blobs are gone would be damaged.
            for run in leaving:
                shutil.rmtree(run.path, ignore_errors=True)
            for run_id in [*(r.id for r in leaving), *orphans]:
                for top in ("manifests", "failed"):
                    shutil.rmtree(store.root / top / run_id, ignore_errors=True)
            for record in expired:
                store.delete(record)
                store.delete(record.removesuffix(".json") + ".manifest")
        blobs, size = _sweep(store, marked, fresh=fresh, dry_run=dry_run)
        if not dry_run:
            _sweep_staging(store, before=min(fresh, now - _DAY))
            # A driver that is killed while it restores a file leaves a part of it there.
            for folder in {Path(path).parent for path in notebooks.values() if path}:
                remove_unfinished(folder)
    removed = {r.id: notebooks[r.id] for r in leaving if notebooks[r.id]}
    return Cleaned(tuple(r.id for r in leaving), len(expired), blobs, size, removed)


def notebook_of(run: RunFolder) -> str:
    """Return the absolute path of the notebook of a run; empty if it is not known."""
    try:
        return notebook_in(run.run.read_bytes())
    except OSError:
        return ""


def notebook_in(record: bytes) -> str:
    """Return the notebook that the content of a ``run.json`` names; empty if it names none."""
    try:
        plain = json.loads(record)
    except ValueError:
        return ""
    return str(plain.get("notebook") or "") if isinstance(plain, dict) else ""


def newest_of_each(
    runs: Iterable[str], notebooks: Mapping[str, str], *, keep: int | None
) -> set[str]:
    """Return the ``keep`` newest runs of each notebook; ``runs`` are sorted, newest first."""
    newest: set[str] = set()
    counts: Counter[str] = Counter()
    for run in runs:
        notebook = notebooks.get(run, "")
        if counts[notebook] < (keep or 0):
            counts[notebook] += 1
            newest.add(run)
    return newest


def _open() -> Store:
    """Open the store, even if the disk is too full for the check that it can be written."""
    try:
        return open_store(store_folder())
    except InfrastructureError as error:
        full = isinstance(error.__cause__, OSError) and error.__cause__.errno in disk.FULL
        if not full or not (store_folder() / "blobs").is_dir():
            raise
        return Store(store_folder())


def _runs() -> Iterator[RunFolder]:
    try:
        entries = list(os.scandir(runs_folder()))
    except FileNotFoundError:
        return
    yield from (RunFolder(Path(e.path)) for e in entries if e.is_dir(follow_symlinks=False))


def _moment(run: RunFolder) -> tuple[str, int, str]:
    try:
        return run.moment
    except OSError:  # An incomplete run counts as older than any other.
        return "", 0, run.id


def _busy(run: RunFolder) -> bool:
    """Whether the run has a driver or a running step, or is just being created."""
    if locks.is_locked(run.driver_lock) or locks.is_locked(run.mirror_lock):
        return True
    # Its driver may not have taken its lock yet.
    if time.time() - _created(run) < _STARTING and not _ended(run):
        return True
    # A step outlives a driver that was killed, and the next driver takes it over.
    return any(locks.is_locked(p) for p in run.steps.glob("*/*/alive"))


def _ended(run: RunFolder) -> bool:
    try:
        with run.journal.open("rb") as journal:
            # A run's last event is short, so its end is enough.
            journal.seek(max(0, run.journal.stat().st_size - 4096))
            last = journal.read()
    except OSError:
        return False
    return b'"RunFinished"' in last or b'"RunCancelled"' in last


def _created(run: RunFolder) -> float:
    # The record is written once, when the run is created; the folder's time changes with each file
    # in it.
    for path in (run.run, run.path):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _orphans(store: Store, known: set[str], *, fresh: float) -> list[str]:
    """Find runs whose folder was deleted by hand."""
    orphans: set[str] = set()
    for top in ("manifests", "failed"):
        with contextlib.suppress(FileNotFoundError):
            entries = [e for e in os.scandir(store.root / top) if e.name not in known]
            orphans.update(e.name for e in entries if e.stat().st_mtime < fresh)
    return sorted(orphans)


def _young_records(store: Store, leaving: list[RunFolder], orphans: list[str]) -> set[str]:
    """Find runs without a folder whose records are too young to be removed."""
    gone = {*orphans, *(r.id for r in leaving)}
    run_ids: set[str] = set()
    for top in ("manifests", "failed"):
        with contextlib.suppress(FileNotFoundError):
            run_ids.update(e.name for e in os.scandir(store.root / top) if e.name not in gone)
    return run_ids


def _mark_runs(
    store: Store, staying: set[str], *, also: set[str]
) -> tuple[set[tuple[str, str, int]], set[str]]:
    """Collect what the remaining runs refer to: identities of manifests, and blobs."""
    used: set[tuple[str, str, int]] = set()
    marked: set[str] = set()
    for run_id in sorted(staying | also):
        for key in store.list(f"manifests/{run_id}"):
            manifest = _manifest(store, key)
            if manifest is not None:
                # A cached result has the same identity in every run that uses it.
                used.add((manifest.run, manifest.step, manifest.attempt))
                marked |= manifest.blobs()
        for key in store.list(f"failed/{run_id}"):
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                failure = Failure.from_json(store.get(key) or b"")
                marked.update(name for name in (failure.executed, failure.log) if name)
    return used, marked


def _mark_cache(
    store: Store,
    *,
    used: set[tuple[str, str, int]],
    marked: set[str],
    limit: float | None,
) -> list[str]:
    """Mark what cached results refer to; the keys of the entries that expire."""
    expired = []
    for key in store.list("cache/entries"):
        if not key.endswith(".json"):
            continue
        manifest = _manifest(store, key.removesuffix(".json") + ".manifest")
        if manifest is None:
            expired.append(key)
            continue
        identity = (manifest.run, manifest.step, manifest.attempt)
        try:
            touched = (store.root / key).stat().st_mtime
        except OSError:
            continue
        # A lookup touches an entry, so this is the time of its last use.
        if limit is not None and touched < limit and identity not in used:
            expired.append(key)
        else:
            marked |= manifest.blobs()
    return expired


def _sweep(store: Store, marked: set[str], *, fresh: float, dry_run: bool) -> tuple[int, int]:
    count = size = 0
    for folder in (store.root / "blobs").iterdir():
        # Somebody else's file, such as .DS_Store, which macOS writes into folders that it shows.
        if not folder.is_dir():
            continue
        for entry in os.scandir(folder):
            # The time of a blob is when it was written or last reused, so a young one may be about
            # to be published.
            status = entry.stat()
            if entry.name in marked or status.st_mtime >= fresh:
                continue
            count, size = count + 1, size + status.st_size
            if not dry_run:
                with contextlib.suppress(FileNotFoundError):
                    Path(entry.path).unlink()
    return count, size


def _sweep_staging(store: Store, *, before: float) -> None:
    for entry in os.scandir(store.root / "staging"):
        if entry.stat(follow_symlinks=False).st_mtime >= before:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                Path(entry.path).unlink()


def _manifest(store: Store, key: str) -> Manifest | None:
    try:
        return Manifest.from_json(store.get(key) or b"")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
