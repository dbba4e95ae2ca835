"""The Job of a run's driver in the cluster, as JSON values: a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfnb.pipeline import Options, Pipeline
from kfnb.runners.kubernetes.objects import manifests, names
from kfnb.runners.kubernetes.options import KubernetesOptions

CONTAINER = "driver"
COMES_BACK = 100
"""How often a driver that was killed is started again."""


def driver_job(
    target: KubernetesOptions,
    pipeline: Pipeline,
    *,
    run: str,
    owner: Mapping[str, Any] | None,
    number: int = 1,
) -> manifests.Object:
    """Return the Job that drives a run in the cluster, in the image of its steps.

    Parameters
    ----------
    owner
        The run's ConfigMap as the cluster has it; None before there is one.
    number
        Counts the drivers of the run: a new one needs a Job with another name.
    """
    job = manifests.probe_pod(target, _image(target, pipeline), script="")
    spec: manifests.Object = job["spec"]
    # A driver lasts as long as its run.
    del spec["activeDeadlineSeconds"]
    (container,) = spec["containers"]
    container["name"] = CONTAINER
    container["command"] = ["python", "-m", "kfnb.runners.kubernetes.driver.driver_pod", run]
    container["env"].append({"name": "KFNB_HOME", "value": f"{manifests.ROOT}/home"})
    # The driver creates Jobs with its token; the pods of steps have none.
    spec["automountServiceAccountToken"] = True
    spec["serviceAccountName"] = target.driver_service_account
    # The kubelet then restarts a driver that was killed, on the same node.
    spec["restartPolicy"] = "OnFailure"
    labels = {**target.labels, **names.labels(run), names.PART: CONTAINER}
    metadata: manifests.Object = {
        "name": names.object_name("driver", run, str(number)),
        "labels": labels,
        "annotations": dict(target.annotations),
    }
    if owner is not None:
        metadata["ownerReferences"] = [manifests.owner_reference(owner)]
    return {
        "metadata": metadata,
        "spec": {
            "backoffLimit": COMES_BACK,
            "ttlSecondsAfterFinished": target.ttl,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _image(target: KubernetesOptions, pipeline: Pipeline) -> str:
    """Return the target's image, else that of the pipeline or of its first step with one."""
    options: list[Options] = [pipeline.defaults, *(s.options for s in pipeline.steps.values())]
    return target.image or next((o.image for o in options if o.image), "")
