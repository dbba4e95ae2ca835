"""Explains pods that were evicted, preempted, or lost with their node."""

from __future__ import annotations

import re

from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    condition,
    message,
    name,
    status,
)

_LOW = re.compile(r"low on resource: (?P<resource>[\w-]+)")
_OWN = (
    re.compile(
        r"ephemeral local storage usage exceeds the total limit of containers (?P<most>\S+)"
    ),
    re.compile(
        r'emptydir volume "(?P<what>[^"]+)" exceeds the limit "?(?P<most>[^"\s]+)', re.IGNORECASE
    ),
    re.compile(r'ephemeral storage limit "?(?P<most>[^"\s]+)', re.IGNORECASE),
)
# The kubelet has used several names for this reason.
_SHUTDOWN = ("NodeShutdown", "Shutdown", "Terminated")
# The kubelet checks once more whether a pod fits when it arrives on its node.
_REFUSED = re.compile(
    r"OutOf(?P<resource>\w+)|NodeAffinity|UnexpectedAdmissionError|TopologyAffinity"
)


def explain_eviction(case: Case, pod: Object) -> Diagnosis | None:
    """Explain why the kubelet ended a pod, or never started it."""
    for event in case.about(pod, "Evicted"):
        # The pod's status loses this if the containers end within their grace period.
        return _evicted(pod, message(event))
    state = status(pod)
    reason, text = str(state.get("reason") or ""), message(state)
    node = (pod.get("spec") or {}).get("nodeName") or "its node"
    if reason == "Evicted":
        return _evicted(pod, text)
    if reason in _SHUTDOWN or "node shutdown" in text:
        return _lost(Category.EVICTED, f"the node {node} was shut down", text)
    if reason == "NodeLost":
        return _lost(Category.NODE_LOST, f"the node {node} no longer answers", text)
    if reason == "Preempting":
        return _lost(
            Category.PREEMPTED,
            f"the node {node} removed the step's pod to make room for its own pods",
            text,
        )
    refused = _REFUSED.match(reason)
    if refused:
        what = f", because it has too little {refused['resource']}" if refused["resource"] else ""
        return _lost(Category.NODE_REFUSED, f"the node {node} rejected the step's pod{what}", text)
    return None


def explain_disruption(pod: Object) -> Diagnosis | None:
    """Explain which part of the cluster ended a pod."""
    target = condition(pod, "DisruptionTarget")
    if target.get("status") != "True":
        return None
    node = (pod.get("spec") or {}).get("nodeName") or ""
    text = message(target)
    reason = target.get("reason")
    if reason == "PreemptionByScheduler":
        return _lost(
            Category.PREEMPTED,
            "the step's pod was preempted by a pod of higher priority",
            text,
            "kfnb starts the step again. --priority-class NAME gives steps a higher priority.",
        )
    if reason in ("DeletionByTaintManager", "DeletionByPodGC"):
        return _lost(
            Category.NODE_LOST,
            f"the node {node} was lost, or got a taint that the step's pod does not tolerate",
            text,
        )
    if reason == "EvictionByEvictionAPI":
        return _lost(Category.EVICTED, f"the node {node} is being drained", text)
    return _lost(Category.EVICTED, f"the node {node} ended the step's pod", text)


def _evicted(pod: Object, text: str) -> Diagnosis:
    # The pod's own limit is looked for first, because another node would not help.
    own = next((m for pattern in _OWN if (m := pattern.search(text))), None)
    if own is not None:
        what = own.groupdict().get("what")
        where = f" (its volume {what})" if what else ""
        return Diagnosis(
            "failed",
            Category.DISK_LIMIT,
            "disk",
            f"the step wrote more than its limit of {own['most'].rstrip('.')} to local disk{where}",
            text,
            "Write less, write to a volume, or raise the step's tag limit:ephemeral-storage:SIZE.",
        )
    low = _LOW.search(text)
    resource = low["resource"] if low else ""
    node = (pod.get("spec") or {}).get("nodeName") or ""
    if resource == "memory":
        return _lost(
            Category.EVICTED_MEMORY,
            f"the node {node} ran out of memory and evicted the step's pod",
            text,
            "kfnb starts the step again. Request what it needs with the tag memory:SIZE, so that "
            "other pods are evicted first.",
        )
    if resource in ("ephemeral-storage", "inodes", "nodefs", "imagefs"):
        return _lost(
            Category.EVICTED_DISK,
            f"the node {node} ran out of disk and evicted the step's pod",
            text,
            "kfnb starts the step again. Request what it needs with the tag "
            "limit:ephemeral-storage:SIZE.",
        )
    return _lost(
        Category.EVICTED,
        f"the node {node} evicted the step's pod {name(pod)}",
        text,
    )


def _lost(category: Category, summary: str, text: str, remedy: str = "") -> Diagnosis:
    return Diagnosis(
        "failed", category, "infrastructure", summary, text, remedy or "kfnb starts the step again."
    )
