"""The Lease of a run, by which other machines see whether the run's driver lives.

It only informs: the journal decides which driver may act. As in any Lease of
``coordination.k8s.io/v1``, there is a holder and the time of its last renewal.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from kfnb.errors import InfrastructureError
from kfnb.home import home
from kfnb.runners.kubernetes.api.client_protocol import status_of
from kfnb.runners.kubernetes.explain.reading import moment
from kfnb.runners.kubernetes.objects import manifests, names

Object = Mapping[str, Any]

LASTS = 60.0
"""Seconds without renewal after which a driver counts as lost; clocks differ, too."""

RENEW = 10.0
"""Seconds between two renewals."""

# Seconds that the end of a run waits for a renewal that is under way.
_LEAVING = 2.0


class LeaseClient(Protocol):
    """The part of a cluster's client that Leases need."""

    def create(self, kind: str, body: Object) -> Object:
        """Create an object."""

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""

    def replace(self, kind: str, body: Object) -> Object:
        """Write an object that was read before."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The machine that drives a run, and its last renewal in seconds since the epoch."""

    machine: str
    heard: float


def this_machine() -> str:
    """Return a name for this machine and this user's folder, unique among a run's drivers."""
    digest = hashlib.sha256(str(home()).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{platform.node() or 'unknown'}_{digest}"


def lease_name(run: str) -> str:
    """Return the name of a run's Lease, which is that of its ConfigMap."""
    return names.object_name("kfnb", run)


def held_by_another_machine(
    cluster: LeaseClient, run: str, *, now: float | None = None
) -> Holder | None:
    """Return the other machine that drives the run; None if there is none.

    If the Lease cannot be read, there is none as far as can be known.
    """
    try:
        lease = cluster.get("Lease", lease_name(run))
    except InfrastructureError:
        return None
    if lease is None or not is_fresh(lease, now=now):
        return None
    holder = holder_of(lease)
    return None if holder is None or holder.machine == this_machine() else holder


@contextlib.contextmanager
def renewed(
    cluster: LeaseClient, run: str, owner: Object, *, now: Callable[[], float] = time.time
) -> Iterator[None]:
    """Hold the run's Lease within the context, if the cluster allows it.

    Parameters
    ----------
    owner
        The run's ConfigMap as the cluster has it.
    """
    over = threading.Event()

    def beat() -> None:
        held: Object | None = None
        while True:
            try:
                held = _renew(cluster, run, owner, now(), held=held)
            except InfrastructureError as error:
                # Another driver may have written the Lease, so the next renewal reads it first.
                held = None
                if status_of(error) == 403:
                    return  # kfnb doctor warns that other machines see no driver
            if over.wait(RENEW):
                return

    thread = threading.Thread(target=beat, name="kfnb-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LEAVING)
        with contextlib.suppress(InfrastructureError):
            _release(cluster, run)


def _renew(
    cluster: LeaseClient, run: str, owner: Object, now: float, *, held: Object | None = None
) -> Object | None:
    """Renew the Lease, unless another driver holds it; return what was written, or None.

    ``held`` is the Lease as this driver wrote it last; the server refuses the renewal if another
    one wrote it since.
    """
    stamp = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {
        "holderIdentity": this_machine(),
        "leaseDurationSeconds": int(LASTS),
        "renewTime": stamp,
    }
    lease = held or cluster.get("Lease", lease_name(run))
    if lease is None:
        metadata = {
            "name": lease_name(run),
            "labels": names.labels(run),
            "ownerReferences": [manifests.owner_reference(owner)],
        }
        made = {"metadata": metadata, "spec": {**spec, "acquireTime": stamp}}
        return cluster.create("Lease", made)
    holder = holder_of(lease)
    if holder is not None and holder.machine != this_machine():
        if is_fresh(lease, now=now):
            return None  # the journal makes one of the two drivers leave
        spec["acquireTime"] = stamp
    return cluster.replace("Lease", {**lease, "spec": {**(lease.get("spec") or {}), **spec}})


def _release(cluster: LeaseClient, run: str) -> None:
    """Release the Lease, if this driver holds it."""
    lease = cluster.get("Lease", lease_name(run))
    holder = holder_of(lease)
    if lease is not None and holder is not None and holder.machine == this_machine():
        # Without a holder, other machines see at once that nothing drives the run.
        spec = {k: v for k, v in lease["spec"].items() if k != "holderIdentity"}
        cluster.replace("Lease", {**lease, "spec": spec})


def is_fresh(lease: Object, *, now: float | None = None) -> bool:
    """Return whether a Lease has a holder that renewed it recently."""
    holder = holder_of(lease)
    # A time in the future means that the other machine's clock is ahead.
    return holder is not None and abs((time.time() if now is None else now) - holder.heard) < LASTS


def holder_of(lease: Object | None) -> Holder | None:
    """Return the holder of a Lease, alive or dead; None if the Lease was released."""
    spec = (lease or {}).get("spec") or {}
    heard = moment(spec.get("renewTime"))
    machine = str(spec.get("holderIdentity") or "")
    return Holder(machine, heard) if machine and heard is not None else None
