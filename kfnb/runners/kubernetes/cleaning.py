"""``kfnb clean --on kubernetes``: removes what old runs left in a namespace and in its store.

A run that something may still drive is kept. For a run of this machine, its folder says so; a run
of another machine is kept as long as one of its Jobs is active, its Lease is renewed, or one of
its objects is younger than a day.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder, runs_folder
from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.api.client import ApiError
from kfnb.runners.kubernetes.api.lease import is_fresh
from kfnb.runners.kubernetes.driver.requests import INDEX
from kfnb.runners.kubernetes.explain.reading import moment
from kfnb.runners.kubernetes.objects import names
from kfnb.runners.launch import driver_state
from kfnb.store.clean import newest_of_each, notebook_in, notebook_of
from kfnb.store.manifest import Failure, Manifest
from kfnb.store.remote.base import ObjectInfo, Remote

Object = Mapping[str, Any]
T = TypeVar("T")

YOUNG = 86_400.0
"""Seconds for which unreferenced objects are kept: a run may be about to refer to them."""

_RECORDS = ("runs", "manifests", "failed")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed or would be, and which runs were kept.

    Parameters
    ----------
    objects, runs
        The runs whose objects, and whose records, were removed.
    cached
        How many cached results were removed.
    values, bytes
        How many values and bundles of code were removed, and how many bytes in all.
    live, recent
        The runs that were kept, and those of them that only a recent object keeps.
    fresh
        How many unreferenced values were too young to be removed.
    notebooks
        The notebooks of ``runs``, as far as they are known.
    """

    objects: tuple[str, ...]
    runs: tuple[str, ...]
    cached: int
    values: int
    bytes: int
    live: tuple[str, ...]
    recent: tuple[str, ...] = ()
    fresh: int = 0
    notebooks: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """A run's ConfigMap, its last change, and whether something executes or drives it."""

    owner: Object | None = None
    written: float = 0.0
    active: bool = False
    keys: list[str] = field(default_factory=list)


def clean(
    cluster: Cluster,
    remote: Remote | None,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    notebook: str | None = None,
    dry_run: bool = False,
    young: float = YOUNG,
) -> Cleaned:
    """Remove what runs left that have ended.

    Their objects are always removed, because their results are in the store. Their records are
    removed as ``keep`` and ``older_than`` say; values and bundles of code, if no record refers to
    them and no live run could be about to. A resumed run stores its bundle again.

    Parameters
    ----------
    remote
        The store; None to remove objects only.
    keep
        How many of the newest runs of each notebook keep their records in any case.
    older_than
        Only remove records of runs that wrote nothing for this many seconds, and cached results
        that are older.
    notebook
        Only remove what runs of the notebook with this path left; objects too.
    young
        Seconds for which unreferenced values are kept.

    Raises
    ------
    InfrastructureError
        If the cluster or the store does not answer, or refuses.
    """
    now = time.time()
    stored = remote.list_objects("") if remote is not None else {}
    runs = _runs(cluster, stored, now=now)
    live = {name for name, run in runs.items() if _is_live(name, run, now=now, young=young)}
    # Ids of runs begin with the time, so this puts the newest first.
    recorded = sorted((name for name in runs if runs[name].keys), reverse=True)
    limited = keep is not None or older_than is not None or notebook is not None
    # To read the notebook of a run may cost a request to the store.
    notebooks = {name: _notebook(remote, name) for name in recorded} if limited else {}
    over = sorted(
        (name for name in runs if name not in live and notebook in (None, notebooks.get(name))),
        reverse=True,
    )
    objects = [(name, runs[name].owner) for name in over if runs[name].owner is not None]
    gone: list[str] = []
    if keep is not None or older_than is not None:
        spared = newest_of_each(recorded, notebooks, keep=keep)
        gone = [
            name
            for name in over
            if runs[name].keys
            and name not in spared
            and (older_than is None or now - runs[name].written > older_than)
        ]
    cached: list[str] = []
    values: list[str] = []
    fresh: set[str] = set()
    if remote is not None and not live:
        if older_than is not None:
            entries = (key for key in stored if key.startswith("cache/entries/"))
            cached = sorted(key for key in entries if now - stored[key].written > older_than)
        # Entries that are removed do not need their values any more.
        needed = {key: info for key, info in stored.items() if key not in set(cached)}
        staying = [name for name in runs if name not in gone]
        unused = _unused(remote, needed, staying)
        fresh = {key for key in unused if now - stored[key].written < young}
        values = [key for key in unused if key not in fresh]
    if not dry_run:
        for _, owner in objects:
            assert owner is not None
            metadata = owner["metadata"]
            cluster.delete("ConfigMap", metadata["name"], uid=metadata["uid"])
        # Records go before values: if this is interrupted, no record refers to a missing value.
        for name in gone if remote is not None else ():
            assert remote is not None
            for top in _RECORDS:
                remote.delete_all(f"{top}/{name}/")
            remote.delete(INDEX + name)
        for key in (*cached, *values):
            assert remote is not None
            remote.delete(key)
    removed = [*cached, *values, *(key for name in gone for key in runs[name].keys)]
    return Cleaned(
        tuple(sorted(name for name, _ in objects)),
        tuple(sorted(gone)),
        sum(key.endswith(".json") for key in cached),
        len(values),
        sum(stored[key].size for key in removed),
        tuple(sorted(live)),
        tuple(sorted(name for name in live if not runs[name].active and not _is_here(name))),
        len(fresh),
        {name: notebooks[name] for name in gone if notebooks[name]},
    )


def _runs(cluster: Cluster, stored: Mapping[str, ObjectInfo], *, now: float) -> dict[str, _Run]:
    """Gather runs from the namespace's objects and the store's keys."""
    runs: dict[str, _Run] = {}
    ours = f"{names.MANAGED}=kfnb,{names.RUN}"
    for owner in cluster.list("ConfigMap", selector=ours).get("items") or ():
        run = runs.setdefault(_run_of(owner), _Run())
        run.owner = owner
        run.written = moment(owner["metadata"].get("creationTimestamp")) or 0.0
    for job in cluster.list("Job", selector=ours).get("items") or ():
        run = runs.setdefault(_run_of(job), _Run())
        status = job.get("status") or {}
        run.active |= bool(status.get("active"))
        at = moment(status.get("completionTime") or job["metadata"].get("creationTimestamp"))
        run.written = max(run.written, at or 0.0)
    with contextlib.suppress(ApiError):  # without a right to list Leases, ages decide
        for lease in cluster.list("Lease", selector=ours).get("items") or ():
            run = runs.setdefault(_run_of(lease), _Run())
            at = moment((lease.get("spec") or {}).get("renewTime")) or 0.0
            run.written = max(run.written, at)
            run.active |= is_fresh(lease, now=now)
    for key, info in stored.items():
        parts = key.split("/")
        if parts[0] in _RECORDS and len(parts) > 2:
            run = runs.setdefault(parts[1], _Run())
            run.keys.append(key)
            run.written = max(run.written, info.written)
    return runs


def _run_of(item: Object) -> str:
    """Return the id of the run that an object belongs to."""
    # A label holds a shortened form of an id that is too long for it.
    run = (item.get("data") or {}).get("run")
    return str(run or item["metadata"]["labels"][names.RUN])


def _is_live(name: str, run: _Run, *, now: float, young: float) -> bool:
    # Another machine may drive a run that this one knows as ended.
    if run.active:
        return True
    folder = RunFolder(runs_folder() / name)
    # The name comes from the store, and must not lead to another folder.
    if name not in ("", ".", "..") and "/" not in name and folder.run.is_file():
        return driver_state(folder) != "ended"
    return now - run.written < young


def _is_here(name: str) -> bool:
    """Return whether the run's folder is here, which says whether its driver lives."""
    return RunFolder(runs_folder() / name).run.is_file()


def _unused(remote: Remote, stored: Mapping[str, ObjectInfo], staying: Iterable[str]) -> list[str]:
    """Return the values and bundles to which neither the cache nor a kept run refers."""
    stays = set(staying)
    used: set[str] = set()
    for key in stored:
        top, _, rest = key.partition("/")
        name = rest.partition("/")[0]
        if (top == "manifests" and name in stays) or key.endswith(".manifest"):
            used |= _manifest(remote, key)
        elif top == "failed" and name in stays:
            used |= _failed(remote, key)
    return sorted(
        key
        for key in stored
        if key.startswith(("blobs/", "code/")) and key.rpartition("/")[2] not in used
    )


def _notebook(remote: Remote | None, run: str) -> str:
    """Return the notebook of a run; empty if its ``run.json`` is neither here nor in the store."""
    if _is_here(run):
        return notebook_of(RunFolder(runs_folder() / run))
    data = remote.get(f"runs/{run}/run.json") if remote is not None else None
    return "" if data is None else notebook_in(data)


def _manifest(remote: Remote, key: str) -> set[str]:
    data = remote.get(key)
    return set() if data is None else set(_read(Manifest.from_json, data, key).blobs())


def _failed(remote: Remote, key: str) -> set[str]:
    data = remote.get(key)
    if data is None:
        return set()
    failure = _read(Failure.from_json, data, key)
    return {name for name in (failure.executed, failure.log) if name}


def _read(parse: Callable[[bytes], T], data: bytes, key: str) -> T:
    """Read a record; if that fails, refuse to clean: it may refer to any value."""
    try:
        return parse(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InfrastructureError(
            f"The record {key} of the store cannot be read, so kfnb does not know which values "
            "are needed. Nothing was removed. Clean with the version of kfnb that wrote the "
            "record, or remove it."
        ) from error
