"""The objects of a run, as JSON values: pure functions.

All of them satisfy the *restricted* Pod Security Standard. The run's ConfigMap owns them, so that
deleting it removes even objects that a stale driver creates later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from kfnb.engine.runner import Work
from kfnb.errors import UsageError
from kfnb.pipeline import Options, Pipeline, Volume
from kfnb.runners.kubernetes.explain.reading import STEP_CONTAINER
from kfnb.runners.kubernetes.objects import names
from kfnb.runners.kubernetes.options import KubernetesOptions, check_labels
from kfnb.step.pod.pod_environment import MASKED

Object = dict[str, Any]

ROOT = "/kfnb"
STORE = "/kfnb-store"
"""The folder where a claim is mounted."""
TEMPORARY = "/tmp"  # noqa: S108
"""Notebooks write to this path whatever TMPDIR says, so it is mounted from the same volume."""

GRACE = 30
"""Seconds between a pod's SIGTERM and its SIGKILL."""

BACKSTOP = 600
"""Seconds that a pod has in addition to the step's own timeout."""

_GPU = "nvidia.com/gpu"
_MASKED_KEY = "parameters"


def config_map(run: str, data: Mapping[str, str]) -> Object:
    """Return the ConfigMap that owns all objects of a run."""
    return {
        "metadata": {"name": names.object_name("kfnb", run), "labels": names.labels(run)},
        "data": dict(data),
    }


def masked_parameters(run: str, values: Mapping[str, Any], owner: Mapping[str, Any]) -> Object:
    """Return the Secret with a run's masked parameters."""
    return {
        "metadata": {
            "name": masked_parameters_name(run),
            "labels": names.labels(run),
            "ownerReferences": [owner_reference(owner)],
        },
        "stringData": {_MASKED_KEY: json.dumps(dict(values))},
    }


def masked_parameters_name(run: str) -> str:
    """Return the name of that Secret."""
    return names.object_name("kfnb", run, "masked")


def job(
    target: KubernetesOptions,
    pipeline: Pipeline,
    work: Work,
    *,
    run: str,
    order: str,
    code: str,
    owner: Mapping[str, Any] | None,
    timeout: float | None = None,
    masked: bool = False,
) -> Object:
    """Return the Job of an attempt.

    Parameters
    ----------
    order, code
        Keys of the step's order and of the code bundle; an empty key means that there is none.
    owner
        The run's ConfigMap as the cluster has it; None before there is one.
    timeout
        Seconds that the step's cells may take.
    masked
        Whether the step needs the run's masked parameters.
    """
    step = pipeline.steps[work.step]
    target = target.for_step(work.step)
    options = (step.options, pipeline.defaults)
    metadata: Object = {
        "name": names.job_name(run, work.step_id, work.attempt, index=work.index, round=work.round),
        "labels": {
            **target.labels,
            **_options(options, "labels"),
            **names.labels(run, work.step_id, work.attempt, index=work.index, round=work.round),
        },
        "annotations": {
            **target.annotations,
            **_options(options, "annotations"),
            names.NAME: work.step,
        },
    }
    if owner is not None:
        metadata["ownerReferences"] = [owner_reference(owner)]
    environment = {
        **_options(options, "env"),
        "KFNB_STORE": store_inside(target),
        "KFNB_STORE_ENDPOINT": target.store_endpoint or "",
        "KFNB_ORDER": order,
        "KFNB_CODE": code,
    }
    pod = {
        "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
        "spec": _pod_spec(target, pipeline.volumes, options, environment),
    }
    if masked:
        reference = {"name": masked_parameters_name(run), "key": _MASKED_KEY}
        (container,) = pod["spec"]["containers"]
        container["env"].append({"name": MASKED, "valueFrom": {"secretKeyRef": reference}})
    spec: Object = {
        # The driver decides about retries, and makes another Job for each attempt.
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": target.ttl,
        "template": pod,
    }
    # A step ends itself at its timeout; Kubernetes only ends a pod that did not manage to.
    if timeout is not None:
        spec["activeDeadlineSeconds"] = int(timeout) + BACKSTOP
    return {"metadata": metadata, "spec": spec}


def probe_pod(
    target: KubernetesOptions, image: str, *, script: str, pipeline: Pipeline | None = None
) -> Object:
    """Return a pod like a step's that executes a Python script."""
    environment = {
        "KFNB_STORE": store_inside(target) if target.store else "",
        "KFNB_STORE_ENDPOINT": target.store_endpoint or "",
        # The root file system is read-only, so programs need another home.
        "HOME": ROOT,
    }
    volumes = pipeline.volumes if pipeline else ()
    spec = _pod_spec(target, volumes, (Options(image=image),), environment)
    spec["containers"][0]["command"] = ["python", "-c", script]
    spec["activeDeadlineSeconds"] = BACKSTOP
    metadata = {
        "labels": {**target.labels, names.MANAGED: "kfnb"},
        "annotations": dict(target.annotations),
    }
    return {"metadata": metadata, "spec": spec}


def _pod_spec(
    target: KubernetesOptions,
    shared: tuple[Volume, ...],
    options: tuple[Options, ...],
    environment: Mapping[str, str],
) -> Object:
    image = next((o.image for o in options if o.image), None) or target.image
    if not image:
        raise UsageError(
            "No image is configured for the steps. Name one that has kfnb: --image NAME, or image "
            "in the notebook's metadata or in your configuration file."
        )
    # All that a step writes is in this volume, because the root file system is read-only.
    volumes: list[Object] = [{"name": "kfnb", "emptyDir": {}}]
    mounts: list[Object] = [{"name": "kfnb", "mountPath": ROOT}]
    # A volume of the notebook may have this path instead.
    if all(volume.mount.rstrip("/") != TEMPORARY for volume in shared):
        mounts.append({"name": "kfnb", "mountPath": TEMPORARY, "subPath": "tmp"})
    if target.store and target.store.startswith("pvc:"):
        claim, _ = claim_of(target.store)
        volumes.append({"name": "kfnb-store", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "kfnb-store", "mountPath": STORE})
    for volume in shared:
        name = names.object_name("v", volume.name)
        source: Object = {"emptyDir": {"sizeLimit": volume.size} if volume.size else {}}
        if volume.claim:
            source = {"persistentVolumeClaim": {"claimName": volume.claim}}
        volumes.append({"name": name, **source})
        mounts.append({"name": name, "mountPath": volume.mount})
    uid = {"fieldRef": {"fieldPath": "metadata.uid"}}
    # A dict, so that each name occurs once, and kfnb's own variables replace others.
    variables: dict[str, Object] = {}
    # The step's options come first in the tuple, and so replace those of the pipeline here.
    for options_ in reversed(options):
        for secret in options_.secrets:
            reference = {"secretKeyRef": {"name": secret.name, "key": secret.key}}
            variables[secret.env] = {"valueFrom": reference}
    variables.update({k: {"value": v} for k, v in environment.items()})
    # Reports are stored by pod, because Kubernetes may replace the pod of an attempt.
    variables["KFNB_POD_UID"] = {"valueFrom": uid}
    container: Object = {
        "name": STEP_CONTAINER,
        "image": image,
        # Whichever Python the image has.
        "command": ["python", "-m", "kfnb.step.pod.pod_main"],
        "workingDir": ROOT,
        "env": [{"name": name, **source} for name, source in variables.items()],
        "resources": resources(options),
        "volumeMounts": mounts,
        # The end of the log explains a Python that could not start.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if target.image_pull_policy:
        container["imagePullPolicy"] = target.image_pull_policy
    if target.store_secret:
        container["envFrom"] = [{"secretRef": {"name": target.store_secret}}]
    spec: Object = {
        "restartPolicy": "Never",
        # The notebook's code must not act with a token of the cluster.
        "automountServiceAccountToken": False,
        # Otherwise the pod gets variables for every service of the namespace.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            # Volumes get this group, so that the user may write to them.
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
            **target.security_context,
        },
        "containers": [container],
        "volumes": volumes,
    }
    extra = {
        "serviceAccountName": target.service_account,
        "nodeSelector": dict(target.node_selector),
        "tolerations": list(target.tolerations),
        "affinity": dict(target.affinity),
        "priorityClassName": target.priority_class,
        "imagePullSecrets": [{"name": name} for name in target.image_pull_secrets],
    }
    # Options that are not set are left out, so that the cluster's defaults apply.
    return {**spec, **{key: value for key, value in extra.items() if value}}


def resources(options: tuple[Options, ...]) -> Object:
    """Return a container's resources; for each, the first of ``options`` that has it counts.

    ``cpu`` and ``memory`` are requests; memory is a limit too, as are ``limit:`` options.
    """
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for option in reversed(options):
        if option.cpu:
            requests["cpu"] = option.cpu
        if option.memory:
            requests["memory"] = limits["memory"] = option.memory
        if option.gpu:
            # Kubernetes takes the limit of a GPU as the request too.
            limits[_GPU] = option.gpu
        limits.update(option.limits)
    if "memory" in limits and "memory" not in requests:
        requests["memory"] = limits["memory"]
    return {key: value for key, value in {"requests": requests, "limits": limits}.items() if value}


def claim(target: KubernetesOptions) -> Object | None:
    """Return the claim of a store on a volume; None for other stores."""
    if not target.store or not target.store.startswith("pvc:"):
        return None
    name, _ = claim_of(target.store)
    spec: Object = {
        "accessModes": [target.storage_access],
        "resources": {"requests": {"storage": target.storage_size}},
    }
    if target.storage_class:
        spec["storageClassName"] = target.storage_class
    return {"metadata": {"name": name}, "spec": spec}


def claim_of(store: str) -> tuple[str, str]:
    """Split ``pvc:CLAIM/PATH`` into the claim's name and the path on it.

    >>> claim_of("pvc:work/kfnb")
    ('work', 'kfnb')
    """
    name, _, path = store.removeprefix("pvc:").partition("/")
    # The path must not lead out of the claim's volume.
    if not name or ".." in PurePosixPath(path).parts:
        raise UsageError(f"{store!r} is not a valid store: write pvc:CLAIM or pvc:CLAIM/PATH.")
    return name, path.strip("/")


def store_inside(target: KubernetesOptions) -> str:
    """Return the store's address as pods see it."""
    if not target.store:
        raise UsageError(
            "No store is configured. Steps pass values to each other through a store: use "
            "--store s3://BUCKET/PREFIX or --store pvc:CLAIM."
        )
    if target.store.startswith("pvc:"):
        _, path = claim_of(target.store)
        return f"file://{STORE}/{path}".rstrip("/")
    return target.store


def image_of(target: KubernetesOptions, pipeline: Pipeline, step: str) -> str:
    """Return the image that a step executes in; empty if none is configured."""
    options = (pipeline.steps[step].options, pipeline.defaults)
    return next((o.image for o in options if o.image), None) or target.image or ""


def check(target: KubernetesOptions, pipeline: Pipeline) -> None:
    """Refuse groups, options without store or image, and labels that the cluster would refuse.

    Raises
    ------
    UsageError
        With what to add or to correct.
    """
    store_inside(target)
    group = next((group for group in pipeline.groups if group.names), None)
    if group is not None:
        listed = ", ".join(f'"{name}"' for name in group.steps)
        raise UsageError(
            f"Steps {listed} have to share a kernel: {group.why}. On Kubernetes each step has a "
            "pod and a kernel of its own. Give these cells one step, make the value in each step "
            "that uses it, or run on this machine."
        )
    for step in pipeline.steps.values():
        if not image_of(target, pipeline, step.name):
            raise UsageError(
                f'No image is configured for step "{step.name}". '
                "Name one that has kfnb: --image NAME."
            )
        for name in ("labels", "annotations"):
            options = _options((step.options, pipeline.defaults), name)
            check_labels(options, f'Step "{step.name}"', values=name == "labels")


def owner_reference(owner: Mapping[str, Any]) -> Object:
    """Return the owner reference, by which an object is deleted with its owner."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        # True would need the right to change the owner's finalizers in some clusters.
        "blockOwnerDeletion": False,
    }


def _options(options: tuple[Options, ...], name: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for option in reversed(options):
        merged.update(getattr(option, name))
    return merged
