"""Jobs for tests of the cluster itself: what a restricted namespace allows, and how they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from tests.cluster.fixtures import Cluster

T = TypeVar("T")
Plain = dict[str, Any]


def until(look: Callable[[], T | None], what: str, seconds: float = 180) -> T:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def job(name: str, image: str, command: Sequence[str], **container: Any) -> Plain:
    """Return a Job of one attempt; its root file system is read-only, /work is not."""
    pod = container.pop("pod", {})
    mounts = container.pop("volumeMounts", [])
    one = {
        "name": "main",
        "image": image,
        "command": list(command),
        "imagePullPolicy": "IfNotPresent",
        "workingDir": "/work",
        "volumeMounts": [{"name": "work", "mountPath": "/work"}, *mounts],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **container,
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [one],
        **pod,
        "volumes": [{"name": "work", "emptyDir": {}}, *pod.get("volumes", [])],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}


def ended(cluster: Cluster, namespace: str, name: str, seconds: float = 180) -> str:
    """Wait for a Job's end; returns ``Complete`` or ``Failed``."""
    batch = cluster.batch()

    def look() -> str | None:
        conditions = batch.read_namespaced_job(name, namespace).status.conditions or ()
        ends = [c.type for c in conditions if c.status == "True"]
        return next((one for one in ends if one in ("Complete", "Failed")), None)

    return until(look, f"the end of Job {name}", seconds)


def pod_of(cluster: Cluster, namespace: str, name: str) -> Any:
    """Return the one pod of a Job."""
    [pod] = cluster.core().list_namespaced_pod(namespace, label_selector=f"app={name}").items
    return pod


def run(cluster: Cluster, namespace: str, body: Plain, seconds: float = 180) -> str:
    """Run a Job that must complete; returns its log."""
    name = body["metadata"]["name"]
    cluster.batch().create_namespaced_job(namespace, body)
    end = ended(cluster, namespace, name, seconds)
    pod = pod_of(cluster, namespace, name)
    log: str = cluster.core().read_namespaced_pod_log(pod.metadata.name, namespace)
    assert end == "Complete", log
    return log


def environment(values: Mapping[str, str]) -> list[Plain]:
    return [{"name": name, "value": value} for name, value in values.items()]
