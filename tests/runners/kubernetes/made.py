"""Jobs, pods and events written by hand, after what Kubernetes was seen or is documented to say."""

from __future__ import annotations

from datetime import datetime, timezone

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
IMAGE = "registry.example.org/team/step:1"


def stamp(seconds):
    return datetime.fromtimestamp(START + seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(*conditions, at=0, deleting=False, **spec):
    metadata = {"name": "load-1", "namespace": "lab", "uid": "job", "creationTimestamp": stamp(at)}
    if deleting:
        metadata["deletionTimestamp"] = stamp(at + 5)
    template = {"spec": {"containers": [container()]}}
    return {
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": template, **spec},
        "status": {"conditions": [c if isinstance(c, dict) else holds(c) for c in conditions]},
    }


def holds(kind, reason="", message="", value="True", at=0):
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": stamp(at),
    }


def container(**resources):
    return {"name": "step", "image": IMAGE, "resources": {"limits": resources}}


def pod(
    state=None,
    *,
    uid="pod",
    at=0,
    conditions=(),
    phase="Pending",
    limits=None,
    deleting=False,
    others=(),
    spec=None,
    node="node-1",
    **status,
):
    metadata = {"name": f"load-1-{uid}", "namespace": "lab", "uid": uid}
    metadata["creationTimestamp"] = stamp(at)
    if deleting:
        metadata["deletionTimestamp"] = stamp(at + 5)
    statuses = [{"name": "step", "image": IMAGE, "state": state}] if state else []
    return {
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [container(**(limits or {}))], **(spec or {})},
        "status": {
            "phase": phase,
            "startTime": stamp(at),
            "conditions": list(conditions),
            "containerStatuses": [*statuses, *others],
            **status,
        },
    }


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def running(at=0):
    return {"running": {"startedAt": stamp(at)}}


def ended(code, reason="Error", message=""):
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def failed(code, reason="Error", message="", **more):
    return pod(ended(code, reason, message), phase="Failed", **more)


def unscheduled(message, **more):
    condition = holds("PodScheduled", "Unschedulable", message, "False")
    return pod(conditions=[condition], node=None, **more)


def event(reason, message, *, about="pod", at=0, last=None):
    return {
        "involvedObject": {"uid": about},
        "reason": reason,
        "message": message,
        "firstTimestamp": stamp(at),
        "lastTimestamp": stamp(at if last is None else last),
    }
