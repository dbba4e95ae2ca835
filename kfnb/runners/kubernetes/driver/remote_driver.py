"""The driver of a run that is not driven by this machine: whether it lives, and starting it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from kfnb.engine.journal.file_journal import read_journal
from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.client import ApiError, Cluster, connect
from kfnb.runners.kubernetes.api.lease import held_by_another_machine, is_fresh
from kfnb.runners.kubernetes.driver.run_context import Workspace
from kfnb.runners.kubernetes.objects import names
from kfnb.runners.kubernetes.objects.claims import with_claim
from kfnb.runners.kubernetes.objects.driver_job import CONTAINER, driver_job
from kfnb.runners.kubernetes.options import KubernetesOptions


class DriverGone(InfrastructureError):  # noqa: N818 (a state, not a mistake)
    """No other machine and no pod drives the run any more."""


def drives_in_cluster(facts: Mapping[str, Any]) -> bool:
    """Return whether a run's driver is a pod: by its options, or because the account exists.

    Raises
    ------
    UsageError, InfrastructureError
        If the cluster cannot be asked.
    """
    options = KubernetesOptions.of_run(facts)
    if options.driver != "auto":
        return options.driver == "cluster"
    cluster = connect(context=options.context, namespace=options.namespace)
    try:
        return cluster.about("ServiceAccount", options.driver_service_account) is not None
    except ApiError as error:
        if error.status == 403:
            return False  # without the right to ask there is none to start such a pod either
        raise


def has_remote_driver(run_id: str, facts: Mapping[str, Any]) -> bool:
    """Return whether a pod or another machine drives the run; raises as connecting does."""
    options = KubernetesOptions.of_run(facts)
    cluster = connect(context=options.context, namespace=options.namespace)
    has_pod = any(not _has_finished(job) for job in _driver_jobs(cluster, run_id))
    return has_pod or held_by_another_machine(cluster, run_id) is not None


def driven_runs(options: KubernetesOptions) -> set[str]:
    """Return the ids of the runs of a workspace that something drives."""
    cluster = connect(context=options.context, namespace=options.namespace)
    ours = f"{names.MANAGED}=kfnb,{names.RUN}"
    jobs = cluster.list("Job", selector=f"{ours},{names.PART}={CONTAINER}").get("items") or ()
    leases = cluster.list("Lease", selector=ours).get("items") or ()
    held = [lease for lease in leases if is_fresh(lease)]
    alive = [*(job for job in jobs if not _has_finished(job)), *held]
    return {str(one["metadata"]["labels"][names.RUN]) for one in alive}


def is_driven_by_another_machine(run: RunFolder, facts: Mapping[str, Any]) -> bool:
    """Return whether another machine drives the run; raises as connecting does."""
    if all(event.type != "DriverStarted" for event in read_journal(run.journal)):
        return False  # a run that was just created here is not known anywhere else
    options = KubernetesOptions.of_run(facts)
    cluster = connect(context=options.context, namespace=options.namespace)
    return held_by_another_machine(cluster, run.id) is not None


class RemoteDriver:
    """The driver of one run, which is a pod or on another machine.

    Parameters
    ----------
    in_cluster
        Whether it is a pod, and a new one is started when it is missing. Nothing replaces a driver
        on another machine.
    """

    def __init__(
        self,
        run: RunFolder,
        pipeline: Pipeline,
        options: KubernetesOptions,
        *,
        in_cluster: bool,
    ) -> None:
        self._run = run
        self._pipeline = pipeline
        self._options = options
        self._in_cluster = in_cluster
        self._workspace = Workspace(options, run)
        self._started_for: set[str] = set()
        self._is_first = True

    def ensure(self, requests: frozenset[str]) -> None:
        """Make sure that a driver lives; call it now and then until the run has ended.

        A pod that ended before its run is replaced once for each new request only: the reason
        for its end may be there still.

        Raises
        ------
        DriverGone
            If no driver lives and none is started, with the last one's message.
        UsageError, InfrastructureError
            If the cluster refuses, or does not answer.
        """
        is_first, self._is_first = self._is_first, False
        cluster = self._workspace.cluster
        jobs = _driver_jobs(cluster, self._run.id)
        if any(not _has_finished(job) for job in jobs):
            return
        # A driver in a pod renews the Lease too, so it shows another machine only without such a
        # Job.
        if not jobs and held_by_another_machine(cluster, self._run.id) is not None:
            return
        if not self._in_cluster:
            if is_first:  # a driver that has just taken the run over may have no Lease yet
                return
            raise DriverGone("the machine that drives the run does not answer.")
        is_requested = bool(requests - self._started_for)
        self._started_for |= requests
        if jobs and not is_first and not is_requested:
            raise DriverGone(_final_message(cluster, jobs[-1]["metadata"]["name"]))
        body = driver_job(
            with_claim(cluster, self._options),
            self._pipeline,
            run=self._run.id,
            owner=self._workspace.owner(self._pipeline),
            # A Job that has finished keeps its name until it is removed.
            number=len(jobs) + 1,
        )
        try:
            cluster.create("Job", body)
        except ApiError as error:
            if error.status != 409:  # another machine started it first
                raise


def _driver_jobs(cluster: Cluster, run_id: str) -> list[Mapping[str, Any]]:
    selector = f"{names.selector(run_id)},{names.PART}={CONTAINER}"
    return list(cluster.list("Job", selector=selector).get("items") or ())


def _final_message(cluster: Cluster, job: str) -> str:
    """Return the last message of a driver that ended before its run, or where to find it."""
    reason = ""
    # The reason is only a help: without it, the message names the command that shows it.
    with contextlib.suppress(InfrastructureError):
        pods = cluster.list("Pod", selector=f"job-name={job}").get("items") or ()
        for pod in sorted(pods, key=lambda one: str(one["metadata"].get("creationTimestamp"))):
            log = cluster.pod_log(pod["metadata"]["name"], container=CONTAINER, timestamps=False)
            lines = b"".join(log).decode("utf-8", "replace").splitlines()
            messages = [line.removeprefix("kfnb: ") for line in lines if line.startswith("kfnb: ")]
            reason = messages[-1] if messages else reason
    if reason:
        return f"the run's driver in the cluster failed: {reason}"
    return (
        f"the run's driver in the cluster ended before the run; kubectl logs job/{job} shows why."
    )


def _has_finished(job: Mapping[str, Any]) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(
        c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions
    )
