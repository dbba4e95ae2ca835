"""Runs that other machines began, or that go on without this one: brought here, and followed."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from kfnb.engine.dispatch.manifests import load_run
from kfnb.engine.driver_requests import pending_requests
from kfnb.engine.journal.file_journal import read_journal
from kfnb.engine.journal.segment_journal import JournalLost
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder, run_folder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.driver.drive import INDEX, drive_here
from kfnb.runners.kubernetes.driver.remote_driver import (
    Copies,
    DriverGone,
    driven,
    drives_in_cluster,
    follow_remote_driver,
    following,
    has_remote_driver,
    is_driven_by_another_machine,
)
from kfnb.runners.kubernetes.driver.run_copy import fetch
from kfnb.runners.kubernetes.options import TARGET, KubernetesOptions
from kfnb.runners.kubernetes.store.store_access import store_of
from kfnb.runners.launch import driver_state, has_succeeded, is_driven, start_driver
from kfnb.store import disk
from kfnb.store.remote_store import RemoteStore

NEWEST = 50
"""How many of a store's runs are brought here."""

_PATIENCE = 10.0
_OWN = ("context", "namespace", "store_client_endpoint")
"""What differs from machine to machine."""


def drive(run: RunFolder, pipeline: Pipeline, about: Mapping[str, Any]) -> str:
    """Drive the run from here, or follow whoever does so elsewhere; its status at its end.

    Raises
    ------
    JournalBusy, UsageError, InfrastructureError
        As :func:`~kfnb.runners.kubernetes.driver.drive.drive_here` and
        :func:`~kfnb.runners.kubernetes.driver.remote_driver.follow_remote_driver`.
    """
    away = drives_in_cluster(about)
    if away or is_driven_by_another_machine(run, about):
        with following(run):
            try:
                return follow_remote_driver(run, pipeline, about, away=away)
            except DriverGone as error:
                if all(request.type != "stop" for request in pending_requests(run)):
                    raise
                # Whoever wants it to end does not care who sees to that.
                print(f"kfnb: {error} It is stopped from here.", file=sys.stderr, flush=True)
            return drive_here(run, pipeline, about)
    try:
        return drive_here(run, pipeline, about)
    except JournalLost as error:
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        with following(run):
            return follow_remote_driver(run, pipeline, about, away=False)


def bring(target: KubernetesOptions) -> set[str]:
    """Have the newest runs of a store in this machine's list; those that others drive now.

    Raises
    ------
    UsageError, InfrastructureError
        If the store is not said, or cannot be read.
    """
    store = store_of(target)
    known = sorted(key.rpartition("/")[2] for key in store.remote.list(INDEX))
    for run_id in known[-NEWEST:]:
        run = run_folder(run_id)
        here = run.run.exists()
        if here and (is_driven(run) or has_succeeded(run)):
            continue
        try:
            fetch(run, store.remote)
        except KfnbError:
            continue  # it is being removed, or was never whole
        if not here:
            _use_local_addresses(run, target)
    try:
        return driven(target)
    except InfrastructureError:
        return set()  # who may not look sees runs as they were last told of


def attend(run: RunFolder, about: Mapping[str, Any]) -> None:
    """Bring here what came of a run that no process here drives or follows.

    What ended here may go on elsewhere.

    If its driver is in the cluster or on another machine, a process goes on with that until the
    run's end.

    Raises
    ------
    UsageError, InfrastructureError
        If the cluster or the store cannot be asked.
    """
    store = store_of(KubernetesOptions.of_run(about))
    # First, so that whoever asked sees how things are now, and not when somebody follows them.
    grew = fetch(run, store.remote)
    if driver_state(run) == "ended":
        if grew:
            _copy(run, store)
        return
    if has_remote_driver(run.id, about):
        start_driver(run)
        until = time.monotonic() + _PATIENCE
        while not is_driven(run) and time.monotonic() < until:
            time.sleep(0.05)
        return
    _copy(run, store)


def _copy(run: RunFolder, store: RemoteStore) -> None:
    pipeline, _ = load_run(run)
    copies = Copies(run, pipeline, store)
    for event in read_journal(run.journal):
        copies.heed(event)
    copies.look()


def _use_local_addresses(run: RunFolder, here: KubernetesOptions) -> None:
    """Note how this machine reaches the run's cluster and store."""
    about = json.loads(run.run.read_bytes())
    target = KubernetesOptions.of_run(about)
    own = {name: getattr(here, name) for name in _OWN}
    changed = dataclasses.replace(target, **{k: v for k, v in own.items() if v is not None})
    if here.context is None:
        changed = dataclasses.replace(changed, context=None)
    about[TARGET] = changed.plain()
    with disk.writing(run.run):
        disk.replace(run.run, json.dumps(about, ensure_ascii=False, indent=1).encode())
