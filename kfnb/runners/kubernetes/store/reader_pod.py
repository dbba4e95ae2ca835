"""A pod that serves the store on a claim to this machine, through a port-forward.

All processes of a user share one, by a file below ``KFNB_HOME`` that only the user can read. The
pod ends after a minute without requests, and its Job with it. It requires a token, of which the
cluster knows only a digest.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Lock
from typing import Any

from kfnb.errors import InfrastructureError, UsageError
from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.api.client import ApiError
from kfnb.runners.kubernetes.api.port_forward import PortForward
from kfnb.runners.kubernetes.explain.diagnose import Category, Diagnosis, diagnose
from kfnb.runners.kubernetes.objects import manifests, names
from kfnb.runners.kubernetes.objects.claims import with_claim
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.store import disk, locks
from kfnb.store.remote.base import Refused
from kfnb.store.remote.http import ServerAddress
from kfnb.store.remote.serve import DIGEST, PORT, digest_of

Object = Mapping[str, Any]

PATIENCE = 180.0
"""Seconds in which the pod has to start."""

UNBOUND = 30.0
"""Seconds in which a claim has to get its volume."""

_EVERY = 0.3
_ANSWERING = 15.0
# The server has nothing to save, so it needs little time to end.
_GRACE = 5


@dataclass(frozen=True, slots=True)
class _Known:
    """The Job of a reader pod, and the pod's token."""

    job: str
    uid: str
    token: str = field(repr=False)


class Reader:
    """Finds or creates the pod that serves a store on a claim, and connects to it.

    Parameters
    ----------
    folder
        The folder with the file by which this machine's processes share the pod.
    sleep
        Waits for seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        target: KubernetesOptions,
        folder: Path,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._target = target
        self._folder = folder
        self._sleep = sleep
        self._lock = Lock()
        self._way: ServerAddress | None = None
        self._tunnel: PortForward | None = None

    def find(self, *, instead_of: ServerAddress | None = None) -> ServerAddress:
        """Return an address of the store; a new one if it would be ``instead_of``.

        Raises
        ------
        UsageError, InfrastructureError
            If the pod cannot be created or does not start, with the reason.
        """
        with self._lock:
            if self._way is not None and self._way != instead_of:
                return self._way
            # Either there is no connection yet, or the caller reports that it no longer answers.
            self.close()
            with disk.writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            # Two processes that start at the same time should not create two pods.
            with locks.held(self._folder / "reader.lock", shared=False):
                self._way = self._again() or self._anew()
            return self._way

    def close(self) -> None:
        """Close this process's connection; the pod ends by itself."""
        self._way = None
        if self._tunnel is not None:
            self._tunnel.close()
            self._tunnel = None

    def _again(self) -> ServerAddress | None:
        """Connect to the pod that another process of this machine created, if it still runs."""
        # No file, or a damaged one, only means that a new pod is created.
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known = _Known(**json.loads((self._folder / "reader.json").read_bytes()))
            pod = self._pod(known)
            if pod is not None and _runs(pod):
                return self._connect(pod, known, tries=3)
        return None

    def _anew(self) -> ServerAddress:
        target = with_claim(self._cluster, self._target)
        token = secrets.token_urlsafe(32)
        body = reader_job(target, digest_of(token))
        name = str(body["metadata"]["name"])
        try:
            made = self._cluster.create("Job", body)
        except ApiError as error:
            # These do not change if the request is repeated.
            if error.status in (400, 403, 404, 422):
                raise UsageError(
                    f"kfnb reads the store {self._target.store} through a pod, which cannot be "
                    f"created: {error}"
                ) from error
            if error.status != 409:
                raise
            made = self._cluster.get("Job", name) or body  # the reply to our request was lost
        known = _Known(name, str(made["metadata"].get("uid", "")), token)
        try:
            way = self._connect(self._started(known), known, tries=int(_ANSWERING / _EVERY))
            if way is None:
                raise InfrastructureError(
                    f"The pod that reads the store {self._target.store} does not answer. To see "
                    f"why: kubectl logs job/{name} -n {shlex.quote(self._cluster.namespace)}"
                )
        # Ctrl+C while the pod starts must not leave it behind either.
        except BaseException:
            with contextlib.suppress(InfrastructureError):
                self._cluster.delete("Job", name)
            raise
        self._note(known)
        return way

    def _connect(self, pod: Object, known: _Known, *, tries: int) -> ServerAddress | None:
        """Forward a port to a pod; None if the pod does not answer, or refuses the token."""
        # A container that runs may need a moment until its server listens.
        for number in range(tries):
            if number:
                self._sleep(_EVERY)
            try:
                tunnel = self._cluster.port_forward(str(pod["metadata"]["name"]), PORT)
            except ApiError as error:
                # Without the right to forward ports, every try would fail.
                if error.status == 403:
                    raise UsageError(str(error)) from error
                continue
            way = ServerAddress("127.0.0.1", tunnel.port, known.token)
            if _answers(way):
                self._tunnel = tunnel
                return way
            tunnel.close()
        return None

    def _started(self, known: _Known) -> Object:
        """Wait for the pod to run.

        Raises
        ------
        InfrastructureError
            If it does not start or takes too long, with the reason that Kubernetes gives.
        """
        began = time.monotonic()
        while True:
            pod = self._pod(known)
            if pod is not None and _runs(pod):
                return pod
            waited = time.monotonic() - began
            # A pod that was just created has no state yet that could be explained.
            if waited > 2 * _EVERY:
                self._raise_if_hopeless(self._explained(known, pod), waited)
            self._sleep(_EVERY)

    def _raise_if_hopeless(self, diagnosis: Diagnosis | None, waited: float) -> None:
        """Raise if waiting longer is pointless."""
        store = self._target.store
        if diagnosis is None:
            if waited > PATIENCE:
                raise InfrastructureError(
                    f"The pod that reads the store {store} did not start within {PATIENCE:.0f} s."
                )
            return
        over = waited > (UNBOUND if diagnosis.category == Category.CLAIM_UNBOUND else PATIENCE)
        if over or diagnosis.permanent or diagnosis.level == "failed":
            summary = diagnosis.summary.rstrip(".")
            raise Refused(
                f"The store {store} cannot be read: its pod does not start, {summary}. "
                f"{diagnosis.remedy}".rstrip()
            )

    def _explained(self, known: _Known, pod: Object | None) -> Diagnosis | None:
        job = self._cluster.get("Job", known.job)
        pods = [pod] if pod is not None else []
        uids = [str(one["metadata"]["uid"]) for one in (job, pod) if one is not None]
        events = [
            event
            for uid in uids
            for event in self._cluster.list("Event", fields=f"involvedObject.uid={uid}").get(
                "items"
            )
            or ()
        ]
        return diagnose(job, pods, events, now=time.time())

    def _pod(self, known: _Known) -> Object | None:
        """Return the newest pod of the Job; None if there is none."""
        selector = f"{names.READER}={known.job}"
        pods = self._cluster.list("Pod", selector=selector).get("items") or []
        # A pod that is being deleted still runs for some seconds.
        ours = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        return max(ours, key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)

    def _note(self, known: _Known) -> None:
        """Write the file for other processes of this user, readable by nobody else."""
        path = self._folder / "reader.json"
        # Renamed into place, so that no process reads half a file.
        temporary = path.with_name(f".reader-{os.getpid()}-{os.urandom(4).hex()}")
        plain = {"job": known.job, "uid": known.uid, "token": known.token}
        with disk.writing(path):
            disk.write_new(temporary, json.dumps(plain).encode(), durable=False, mode=0o600)
            temporary.replace(path)


def reader_job(target: KubernetesOptions, digest: str) -> manifests.Object:
    """Return the Job of a pod that serves the store on a claim.

    Parameters
    ----------
    digest
        The digest of the token that the pod requires.
    """
    if not target.image:
        raise UsageError(
            f"kfnb reads the store {target.store} through a pod. Name an image for it that has "
            "kfnb: --image NAME, or image in your configuration file."
        )
    job = manifests.probe_pod(target, target.image, script="")
    spec: manifests.Object = job["spec"]
    # A probe ends soon, but this pod serves as long as it is used.
    del spec["activeDeadlineSeconds"]
    spec["terminationGracePeriodSeconds"] = _GRACE
    (container,) = spec["containers"]
    folder = manifests.store_inside(target).removeprefix("file://")
    container["command"] = ["python", "-m", "kfnb.store.remote.serve", folder, f"--port={PORT}"]
    container["env"].append({"name": DIGEST, "value": digest})
    # Random, because the reader of another machine must not be taken for ours: its token differs.
    name = names.object_name("kfnb-reader", os.urandom(4).hex())
    labels = {**job["metadata"]["labels"], names.PART: "reader", names.READER: name}
    metadata = {"labels": labels, "annotations": job["metadata"]["annotations"]}
    return {
        "metadata": {**metadata, "name": name},
        "spec": {
            "backoffLimit": 0,
            # Nobody may be there to remove the Job when its pod ends.
            "ttlSecondsAfterFinished": 0,
            "template": {"metadata": metadata, "spec": spec},
        },
    }


def _runs(pod: Object) -> bool:
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return any((one.get("state") or {}).get("running") for one in states)


def _answers(way: ServerAddress) -> bool:
    connection = HTTPConnection(way.host, way.port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {way.token}"}
        connection.request("HEAD", "/key/none", headers=headers)
        # 404 is an answer too: the token was accepted, and the key does not exist.
        return connection.getresponse().status in (200, 404)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
