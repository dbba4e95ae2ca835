"""Questions about a Job and its pods: pure functions of the objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfnb.runners.kubernetes.explain.diagnose import exit_code
from kfnb.runners.kubernetes.explain.termination import ASKED_TO_END
from kfnb.runners.kubernetes.watch.pod_events import View

Object = Mapping[str, Any]


def was_asked_to_end(pod: Object) -> bool:
    """Return whether the step ended because of a signal or a request."""
    return exit_code(pod) in (ASKED_TO_END, -15, -9)


def has_failed(job: Object | None) -> bool:
    """Return whether the cluster has marked a Job as failed."""
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Failed" and c.get("status") == "True" for c in conditions)


def has_started(pod: Object) -> bool:
    """Return whether a container of the pod has started, so that there is a log."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any((s.get("state") or {}).keys() & {"running", "terminated"} for s in statuses)


def may_still_execute(view: View) -> bool:
    """Return whether pods of the Job live, or the cluster still tries to create one."""
    job = view.job
    live = [pod for pod in view.live() if not _has_only_ended_containers(pod)]
    if live or job is None or view.pods or job["metadata"]["uid"] in view.gone:
        return bool(live)
    conditions = (job.get("status") or {}).get("conditions") or ()
    return not any(c.get("type") in ("Complete", "Failed") for c in conditions)


def _has_only_ended_containers(pod: Object) -> bool:
    """Return whether all containers of a pod have ended, which its phase shows a moment later."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    # A pod without statuses has not started, and all() of nothing is True.
    return bool(statuses) and all((s.get("state") or {}).get("terminated") for s in statuses)


def is_same(job: Object, body: Object) -> bool:
    """Return whether a Job was created for this attempt, by this or another driver."""
    labels = job["metadata"].get("labels") or {}
    return all(labels.get(k) == v for k, v in (body["metadata"].get("labels") or {}).items())
