"""The objects that a run would create: ``kfnb run --dry-run``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.engine.runner import Work
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.code_bundle import CodeBundle
from kfnb.runners.kubernetes.api.calls import version_of
from kfnb.runners.kubernetes.api.client import Cluster, connect
from kfnb.runners.kubernetes.objects import manifests
from kfnb.runners.kubernetes.objects.claims import on_claim
from kfnb.runners.kubernetes.objects.driver_job import driver_job
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.runner import attempt_prefix

Object = dict[str, Any]


def objects(
    target: KubernetesOptions,
    pipeline: Pipeline,
    *,
    run: str,
    code: CodeBundle,
    timeout: float | None = None,
) -> list[Object]:
    """List the objects of a run's first attempts, in the order of their creation.

    No cluster is needed; if one answers, the claim and the drivers' service account are looked up.
    The objects have no owner, because only an existing ConfigMap has the UID for that.

    Parameters
    ----------
    run
        The id that the run would have.
    timeout
        Seconds that a step may take unless it says so itself.
    """
    cluster = _cluster(target)
    namespace = cluster.namespace if cluster else target.namespace
    facts = {"run": run, "pipeline": pipeline.name, "store": target.store or ""}
    made = [_whole("ConfigMap", manifests.config_map(run, facts), namespace)]
    claim = manifests.claim(target)
    if claim is not None:
        existing = _there(cluster, "PersistentVolumeClaim", claim["metadata"]["name"])
        if existing is None:
            made.append(_whole("PersistentVolumeClaim", claim, namespace))
        target = on_claim(target, existing or claim)
    account = target.driver_service_account
    if target.driver == "cluster" or (
        target.driver == "auto" and _there(cluster, "ServiceAccount", account) is not None
    ):
        made.append(_whole("Job", driver_job(target, pipeline, run=run, owner=None), namespace))
    for step in pipeline.steps.values():
        limits = (step.options.timeout, pipeline.defaults.timeout, timeout)
        work = Work(step.name, step.id, 1, RunFolder(Path("runs", run)).attempt(step.id, 1))
        job = manifests.job(
            target,
            pipeline,
            work,
            run=run,
            order=attempt_prefix(run, work) + "order.json",
            code=f"code/{hashlib.sha256(code.data).hexdigest()[:32]}.tar" if code.data else "",
            owner=None,
            timeout=next((one for one in limits if one is not None), None),
        )
        made.append(_whole("Job", job, namespace))
    return made


def _whole(kind: str, body: Object, namespace: str | None) -> Object:
    """Return an object as ``kubectl`` reads it, with kind and namespace."""
    metadata = {"namespace": namespace} if namespace else {}
    return {**version_of(kind), **body, "metadata": {**body["metadata"], **metadata}}


def _cluster(target: KubernetesOptions) -> Cluster | None:
    try:
        return connect(context=target.context, namespace=target.namespace, tries=1)
    except KfnbError:
        # A context that was named has to exist; otherwise a preview needs no cluster.
        if target.context is not None:
            raise
        return None


def _there(cluster: Cluster | None, kind: str, name: str) -> Mapping[str, Any] | None:
    """Return an object of the cluster; None if it does not exist or cannot be read."""
    try:
        return cluster.get(kind, name) if cluster is not None else None
    except InfrastructureError:
        return None
