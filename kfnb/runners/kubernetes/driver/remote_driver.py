"""A run whose driver is in the cluster: started from here, followed here, asked from here.

The process that does this may end at any time: the run goes on, and the next one brings here
what came meanwhile.
"""

from __future__ import annotations

import contextlib
import selectors
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from kfnb.engine import driver_requests
from kfnb.engine.cache.cache_lookup import copy_notebook_and_log
from kfnb.engine.core.events import Event
from kfnb.engine.dispatch.manifests import read_manifest
from kfnb.engine.journal.file_journal import JournalBusy, JournalReader, read_journal
from kfnb.engine.journal.segment_journal import SegmentJournal, follow_segments
from kfnb.engine.wakeup import WakeupSocket
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import AttemptFolder, RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.client import ApiError, Cluster, connect
from kfnb.runners.kubernetes.api.lease import held_by_another_machine, is_fresh
from kfnb.runners.kubernetes.driver.drive import ask, publish
from kfnb.runners.kubernetes.driver.run_context import Workspace
from kfnb.runners.kubernetes.logs.attempt_reports import AttemptReports
from kfnb.runners.kubernetes.objects import names
from kfnb.runners.kubernetes.objects.claims import with_claim
from kfnb.runners.kubernetes.objects.driver_job import CONTAINER, driver_job
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.store.store_access import store_of
from kfnb.store.locks import FileLock
from kfnb.store.remote_store import RemoteStore

EVERY = 1.0
"""Seconds between two looks into the store."""

ALIVE = 10.0
"""Seconds between two looks whether the driver is there."""

_ENDS = {"RunFinished", "RunCancelled"}


class DriverGone(InfrastructureError):  # noqa: N818 (a state, not a mistake)
    """Nobody elsewhere drives the run any more."""


def drives_in_cluster(about: Mapping[str, Any]) -> bool:
    """Whether a run's driver belongs into the cluster: it is said, or its account is there.

    Raises
    ------
    UsageError, InfrastructureError
        If the cluster cannot be asked.
    """
    target = KubernetesOptions.of_run(about)
    if target.driver != "auto":
        return target.driver == "cluster"
    cluster = connect(context=target.context, namespace=target.namespace)
    try:
        return cluster.about("ServiceAccount", target.driver_service_account) is not None
    except ApiError as error:
        if error.status == 403:
            return False  # who may not even ask has nobody to drive for him
        raise


def has_remote_driver(run_id: str, about: Mapping[str, Any]) -> bool:
    """Whether a driver of the run is in the cluster, or about to be, or on another machine.

    Raises as connecting does.
    """
    target = KubernetesOptions.of_run(about)
    cluster = connect(context=target.context, namespace=target.namespace)
    there = any(not _finished(job) for job in _driver_jobs(cluster, run_id))
    return there or held_by_another_machine(cluster, run_id) is not None


def driven(target: KubernetesOptions) -> set[str]:
    """Name the runs of a workspace that somebody drives there or on another machine."""
    cluster = connect(context=target.context, namespace=target.namespace)
    ours = f"{names.MANAGED}=kfnb,{names.RUN}"
    jobs = cluster.list("Job", selector=f"{ours},{names.PART}={CONTAINER}").get("items") or ()
    leases = cluster.list("Lease", selector=ours).get("items") or ()
    held = [lease for lease in leases if is_fresh(lease)]
    alive = [*(job for job in jobs if not _finished(job)), *held]
    return {str(one["metadata"]["labels"][names.RUN]) for one in alive}


def is_driven_by_another_machine(run: RunFolder, about: Mapping[str, Any]) -> bool:
    """Whether another machine drives the run; raises as connecting does."""
    if all(event.type != "DriverStarted" for event in read_journal(run.journal)):
        return False  # it was made here just now: nobody else knows of it
    target = KubernetesOptions.of_run(about)
    cluster = connect(context=target.context, namespace=target.namespace)
    return held_by_another_machine(cluster, run.id) is not None


@contextlib.contextmanager
def following(run: RunFolder) -> Iterator[None]:
    """Be the one process here that follows the run; raises JournalBusy if there is another."""
    lock = FileLock(run.follower_lock)
    if not lock.acquire():
        raise JournalBusy(run.journal, lock.holder())
    try:
        yield
    finally:
        lock.release()


def follow_remote_driver(
    run: RunFolder, pipeline: Pipeline, about: Mapping[str, Any], *, away: bool = True
) -> str:
    """Have the run driven in the cluster, and bring here what happens until its end; its status.

    Within :func:`following`.

    Parameters
    ----------
    away
        Whether its driver belongs into the cluster; otherwise another machine drives it, and
        nobody is put in the place of that.

    Raises
    ------
    UsageError, InfrastructureError
        If the cluster or the store cannot be used.
    DriverGone
        If the run's driver is gone.
    """
    wakeup = WakeupSocket(run)
    try:
        target = KubernetesOptions.of_run(about)
        store = store_of(target)
        with SegmentJournal(run.journal, run.id, remote=store.remote):
            publish(run, store.remote)
        return _RemoteRun(run, pipeline, target, store, away=away).stay(wakeup)
    finally:
        wakeup.close()


class _RemoteRun:
    """One run, as this machine sees it."""

    def __init__(
        self,
        run: RunFolder,
        pipeline: Pipeline,
        target: KubernetesOptions,
        store: RemoteStore,
        *,
        away: bool,
    ) -> None:
        self._away = away
        self._run = run
        self._pipeline = pipeline
        self._target = target
        self._store = store
        self._workspace = Workspace(target, run)
        self._copies = Copies(run, pipeline, store)
        self._reader = JournalReader(run.journal)
        self._last: Event | None = None
        self._asked: dict[str, driver_requests.Request] = {}
        self._heard: set[str] = set()
        self._tried: set[str] = set()

    def stay(self, wakeup: WakeupSocket) -> str:
        self._look()
        check_at = 0.0
        with selectors.DefaultSelector() as selector:
            if wakeup.socket is not None:
                selector.register(wakeup.socket, selectors.EVENT_READ)
            while True:
                if self._forward() or (not self._over() and time.monotonic() >= check_at):
                    self._ensure_driver(first=check_at == 0.0)
                    check_at = time.monotonic() + ALIVE
                if self._over():
                    for request in self._asked.values():
                        driver_requests.remove_request(request)
                    return str(self._last.data.get("status", "cancelled") if self._last else "")
                selector.select(EVERY)
                wakeup.drain()
                with contextlib.suppress(InfrastructureError):  # a store that is away comes back
                    self._look()

    def _look(self) -> None:
        """Bring here what is new in the store."""
        follow_segments(self._store.remote, self._run.id, self._run.journal)
        for event in self._reader.read():
            self._copies.heed(event)
            self._last = event
            if "request" in event.data:
                self._heard.add(str(event.data["request"]))
        self._copies.look()

    def _over(self) -> bool:
        """Whether the run has ended, and is not to go on; what has ended cannot be stopped."""
        ended = self._last is not None and self._last.type in _ENDS
        return ended and all(request.type != "resume" for request in self._asked.values())

    def _forward(self) -> bool:
        """Hand on what was asked here; True if somebody has to be there for it.

        A request stays here until its event is: views wait for that.
        """
        forwarded = False
        for request in driver_requests.pending_requests(self._run):
            name = request.path.stem if request.path else ""
            ended = self._last is not None and self._last.type in _ENDS
            if name in self._asked:
                continue
            # Going on with what goes on is what a companion does by being there.
            if name in self._heard or (request.type == "resume" and not ended):
                driver_requests.remove_request(request)
                continue
            self._asked[ask(self._run.id, request, self._store.remote)] = request
            forwarded = True
        for name in self._heard & self._asked.keys():
            driver_requests.remove_request(self._asked.pop(name))
        return forwarded

    def _ensure_driver(self, *, first: bool) -> None:
        """Have a driver in the cluster; one that ended before the run is not replaced unasked."""
        cluster = self._workspace.cluster
        jobs = _driver_jobs(cluster, self._run.id)
        if any(not _finished(job) for job in jobs):
            return
        if not jobs and held_by_another_machine(cluster, self._run.id) is not None:
            return
        if not self._away:
            if not first:  # who has just taken the run over may not have told yet
                self._raise_if_hopeless("nothing is heard of the machine that drove the run.")
            return
        # One more driver for each thing that is asked: what ended the last may end the next.
        new = self._asked.keys() - self._tried
        self._tried |= new
        if jobs and not first and not new:
            self._raise_if_hopeless(_final_message(cluster, jobs[-1]["metadata"]["name"]))
            return
        owner = self._workspace.owner(self._pipeline)
        body = driver_job(
            with_claim(cluster, self._target),
            self._pipeline,
            run=self._run.id,
            owner=owner,
            number=len(jobs) + 1,
        )
        try:
            cluster.create("Job", body)
        except ApiError as error:
            if error.status != 409:  # another machine was quicker
                raise

    def _raise_if_hopeless(self, why: str) -> None:
        """Leave a run that nobody drives, unless it has ended meanwhile."""
        self._look()
        if not self._over():
            raise DriverGone(why)


class Copies:
    """What attempts printed, reported and left, laid down where views look for it."""

    def __init__(self, run: RunFolder, pipeline: Pipeline, store: RemoteStore) -> None:
        self._run = run
        self._pipeline = pipeline
        self._store = store
        self._going: dict[AttemptFolder, AttemptReports] = {}

    def heed(self, event: Event) -> None:
        """Take an event of the run: attempts begin and end."""
        if event.step is None or event.step not in self._pipeline.steps:
            return
        step_id = self._pipeline.steps[event.step].id
        folder = self._run.attempt(step_id, event.attempt or 0, index=event.index)
        if event.type == "AttemptStarted":
            if not folder.executed.exists():
                self._going[folder] = self._reports_of(folder)
        elif event.type == "StepCached":
            manifest = read_manifest(self._store, str(event.data.get("manifest")))
            if manifest is not None and not folder.executed.exists():
                with contextlib.suppress(KfnbError):
                    copy_notebook_and_log(self._store, manifest, folder)
        elif event.type in ("StepSucceeded", "AttemptFailed"):
            reports = self._going.pop(folder, None)
            if reports is not None:
                with contextlib.suppress(InfrastructureError):
                    reports.read_store()
                    reports.finish()
                reports.close()
                self._lay_notebook(event, folder)

    def look(self) -> None:
        """Bring here what attempts that go on have reported."""
        for reports in self._going.values():
            reports.read_store()

    def _reports_of(self, folder: AttemptFolder) -> AttemptReports:
        prefix = f"runs/{self._run.id}/steps/{folder.path.parent.name}/{folder.path.name}/"
        return AttemptReports(
            folder, read_client=None, remote=self._store.remote, prefix=prefix, wake=_ignore
        )

    def _lay_notebook(self, event: Event, folder: AttemptFolder) -> None:
        blob = event.data.get("executed")
        if event.type == "StepSucceeded":
            manifest = read_manifest(self._store, str(event.data.get("manifest")))
            blob = manifest.executed if manifest is not None else None
        if blob:
            with contextlib.suppress(KfnbError, OSError):  # a convenience: the store has it
                shutil.copyfile(self._store.fetch(str(blob)), folder.executed)


def _ignore() -> None:
    """Ring nobody: who copies looks again by himself."""


def _driver_jobs(cluster: Cluster, run_id: str) -> list[Mapping[str, Any]]:
    selector = f"{names.selector(run_id)},{names.PART}={CONTAINER}"
    return list(cluster.list("Job", selector=selector).get("items") or ())


def _final_message(cluster: Cluster, job: str) -> str:
    """Say what a driver said that has ended before its run, or where that stands."""
    reason = ""
    with contextlib.suppress(InfrastructureError):
        pods = cluster.list("Pod", selector=f"job-name={job}").get("items") or ()
        for pod in sorted(pods, key=lambda one: str(one["metadata"].get("creationTimestamp"))):
            log = cluster.pod_log(pod["metadata"]["name"], container=CONTAINER, timestamps=False)
            lines = b"".join(log).decode("utf-8", "replace").splitlines()
            messages = [line.removeprefix("kfnb: ") for line in lines if line.startswith("kfnb: ")]
            reason = messages[-1] if messages else reason
    if reason:
        return f"the run's driver in the cluster gave up: {reason}"
    return (
        "the run's driver in the cluster has ended before the run: "
        f"kubectl logs job/{job} says why."
    )


def _finished(job: Mapping[str, Any]) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(
        c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions
    )
