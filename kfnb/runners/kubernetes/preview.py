"""The objects that a run would have, before there is one: ``kfnb run --dry-run``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kfnb.engine.runner import Work
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.code import CodeBundle
from kfnb.runners.kubernetes import manifests
from kfnb.runners.kubernetes.calls import version_of
from kfnb.runners.kubernetes.client import Cluster, connect
from kfnb.runners.kubernetes.config import Target
from kfnb.runners.kubernetes.runner import attempt_prefix

Object = dict[str, Any]


def objects(
    target: Target,
    pipeline: Pipeline,
    *,
    run: str,
    code: CodeBundle,
    timeout: float | None = None,
) -> list[Object]:
    """List the objects of a run's first attempts, whole, in the order of their creation.

    No cluster is needed. Where one answers it is asked whether the store's claim is there
    already. Objects name no owner: only a ConfigMap that exists has the UID for it.

    Parameters
    ----------
    run
        What the run's id would be.
    timeout
        Seconds that a step may take unless it says so itself.
    """
    cluster = _cluster(target)
    namespace = cluster.namespace if cluster else target.namespace
    about = {"run": run, "pipeline": pipeline.name, "store": target.store or ""}
    made = [_whole("ConfigMap", manifests.config_map(run, about), namespace)]
    claim = manifests.claim(target)
    if claim is not None and not _is_there(cluster, claim["metadata"]["name"]):
        made.append(_whole("PersistentVolumeClaim", claim, namespace))
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
    """Return an object as ``kubectl`` wants it: with its kind, and where it is."""
    place = {"namespace": namespace} if namespace else {}
    return {**version_of(kind), **body, "metadata": {**body["metadata"], **place}}


def _cluster(target: Target) -> Cluster | None:
    try:
        return connect(context=target.context, namespace=target.namespace, tries=1)
    except KfnbError:
        if target.context is not None:
            raise
        return None


def _is_there(cluster: Cluster | None, claim: str) -> bool:
    try:
        return cluster is not None and cluster.about("PersistentVolumeClaim", claim) is not None
    except InfrastructureError:
        return False
