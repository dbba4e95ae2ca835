"""Rename a run, or delete one that has ended."""

from __future__ import annotations

import json
import shutil

from kfnb.api.run_lookup import facts
from kfnb.errors import InfrastructureError, UsageError
from kfnb.home import RunFolder, store_folder
from kfnb.runners import driver_state, is_driven
from kfnb.runners.target import target_of
from kfnb.store import disk, locks
from kfnb.store.blobs import open_store


def rename_run(run: RunFolder, name: str) -> None:
    """Give a run another name.

    Raises
    ------
    UsageError
        If the run is on another machine, whose record of it would win.
    InfrastructureError
        If the run's folder cannot be written.
    """
    about = facts(run)
    if not about:
        raise InfrastructureError(f"The run {run.id} cannot be read: {run.run} is damaged.")
    if target_of(about).is_remote:
        raise UsageError(f"Run {run.id} is on a cluster, which keeps its name.")
    plain = {**about, "name": name}
    with disk.writing(run.run):
        disk.replace(run.run, json.dumps(plain, ensure_ascii=False, indent=1).encode())


def remove_run(run: RunFolder) -> None:
    """Delete a run that has ended; its cached results stay, as with ``kfnb clean``.

    Raises
    ------
    UsageError
        If the run is executing, or is on another machine.
    """
    if is_driven(run) or driver_state(run) == "alive":
        raise UsageError(f"Run {run.id} is still executing. Stop it before you delete it.")
    if target_of(facts(run)).is_remote:
        raise UsageError(
            f"Run {run.id} is on a cluster. Remove it there with kfnb clean --on kubernetes."
        )
    store = open_store(store_folder())
    # Nobody may mark a value as used while the manifest that names it disappears.
    with locks.held(store.sweep_lock, shared=False):
        shutil.rmtree(run.path, ignore_errors=True)
        for top in ("manifests", "failed"):
            shutil.rmtree(store.root / top / run.id, ignore_errors=True)
    if run.run.exists():
        raise InfrastructureError(f"The folder of run {run.id} cannot be deleted: {run.path}.")
