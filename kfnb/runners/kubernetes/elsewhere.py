"""Runs that other machines began, or that go on without this one: brought here, and followed."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any

from kfnb.engine.journal import read
from kfnb.engine.results import load_run
from kfnb.errors import KfnbError
from kfnb.home import RunFolder, run_folder
from kfnb.runners.kubernetes.away import Copies, has_driver
from kfnb.runners.kubernetes.conduct import INDEX
from kfnb.runners.kubernetes.config import TARGET, Target, target_of
from kfnb.runners.kubernetes.follow import fetch
from kfnb.runners.kubernetes.reach import store_of
from kfnb.runners.launch import is_driven, start_driver
from kfnb.store import disk
from kfnb.store.mirrored import MirroredStore

NEWEST = 50
"""How many of a store's runs are brought here."""

_PATIENCE = 10.0
_OWN = ("context", "namespace", "store_client_endpoint")
"""What differs from machine to machine."""


def bring(said: Mapping[str, Any]) -> int:
    """Have the newest runs of a store in this machine's list; how many came.

    Parameters
    ----------
    said
        Options of the target, as for :func:`~kfnb.runners.kubernetes.config.target_of`.

    Raises
    ------
    UsageError, InfrastructureError
        If the store is not said, or cannot be read.
    """
    target = target_of(None, said)
    store = store_of(target)
    known = sorted(key.rpartition("/")[2] for key in store.remote.list(INDEX))
    came = 0
    for run_id in known[-NEWEST:]:
        run = run_folder(run_id)
        if run.run.exists():
            continue
        try:
            fetch(run, store.remote)
        except KfnbError:
            continue  # it is being removed, or was never whole
        _make_own(run, target)
        came += 1
    return came


def attend(run: RunFolder, about: Mapping[str, Any]) -> None:
    """Bring here what came of a run that no process here drives or follows.

    If its driver is in the cluster or on another machine, a process goes on with that until the
    run's end.

    Raises
    ------
    UsageError, InfrastructureError
        If the cluster or the store cannot be asked.
    """
    if has_driver(run.id, about):
        start_driver(run)
        until = time.monotonic() + _PATIENCE
        while not is_driven(run) and time.monotonic() < until:
            time.sleep(0.05)
        return
    store = store_of(Target.from_plain(about.get(TARGET) or {}))
    fetch(run, store.remote)
    _copy(run, store)


def _copy(run: RunFolder, store: MirroredStore) -> None:
    pipeline, _ = load_run(run)
    copies = Copies(run, pipeline, store)
    for event in read(run.journal):
        copies.heed(event)
    copies.look()


def _make_own(run: RunFolder, here: Target) -> None:
    """Note how this machine reaches the run's cluster and store."""
    about = json.loads(run.run.read_bytes())
    target = Target.from_plain(about.get(TARGET) or {})
    own = {name: getattr(here, name) for name in _OWN}
    changed = dataclasses.replace(target, **{k: v for k, v in own.items() if v is not None})
    if here.context is None:
        changed = dataclasses.replace(changed, context=None)
    about[TARGET] = changed.plain()
    with disk.writing(run.run):
        disk.replace(run.run, json.dumps(about, ensure_ascii=False, indent=1).encode())
