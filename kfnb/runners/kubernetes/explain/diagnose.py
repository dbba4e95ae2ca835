"""Explains why an attempt waits or failed: a pure function of a Job, its pods and their Events.

It does not look at manifests: callers check first whether the step has published its result.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kfnb.runners.kubernetes.explain.admission import explain_creation
from kfnb.runners.kubernetes.explain.model import Category, Diagnosis, Level, Patience
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    conditions,
    created,
    is_live,
    metadata,
    status,
    step_container,
    step_status,
    terminated,
)
from kfnb.runners.kubernetes.explain.scheduling import explain_scheduling
from kfnb.runners.kubernetes.explain.startup import explain_running, explain_starting
from kfnb.runners.kubernetes.explain.termination import (
    explain_deleted,
    explain_end,
    explain_failed_job,
    explain_gone,
    explain_job_end,
    explain_overdue,
    was_asked,
)

__all__ = ["Category", "Diagnosis", "Level", "Patience", "diagnose", "exit_code", "has_ended"]


def diagnose(
    job: Object | None,
    pods: Sequence[Object],
    events: Sequence[Object],
    *,
    now: float,
    patience: Patience | None = None,
    gone: Collection[str] = (),
    printed: str = "",
) -> Diagnosis | None:
    """Explain why an attempt waits or failed.

    Parameters
    ----------
    job
        The attempt's Job, or its last state if it was deleted; None if it was never seen.
    pods
        Its pods, including deleted ones, in any order.
    events
        Events of the namespace; those of other objects are ignored.
    now
        Seconds since the epoch, by the cluster's clock.
    gone
        UIDs of deleted objects.
    printed
        What the container printed besides signals.

    Returns
    -------
    Diagnosis or None
        None if all goes well, or if the Job ended well.
    """
    case = Case(
        job, pods, events, now, patience or Patience(), gone=frozenset(gone), printed=printed
    )
    if job is not None and any(c.get("type") == "Complete" for c in conditions(job)):
        return None
    ordered = sorted(pods, key=lambda pod: created(pod) or 0.0)
    if any(_ended_well(pod) for pod in ordered):
        return _outlived(case, ordered[-1])
    # A deadline explains how the pods ended, so the Job is asked first.
    diagnosis = explain_job_end(job) if job is not None else None
    if diagnosis:
        return diagnosis
    live = [pod for pod in ordered if is_live(pod, case.gone)]
    if live:
        # Of two live pods, it is enough that one executes the step.
        pod = ([p for p in live if _executes(p)] or live)[-1]
        return (
            explain_end(case, pod)
            or explain_scheduling(case, pod)
            or explain_starting(case, pod)
            or explain_running(case, pod)
        )
    if ordered:
        return _ended(case, ordered[-1])
    if job is None:
        return None
    if case.is_gone(job):
        return explain_gone(case)
    return explain_failed_job(case, job) or explain_creation(case, job)


def has_ended(pod: Object) -> bool:
    """Return whether the step's container has ended, whatever sidecars do."""
    return (
        status(pod).get("phase") in ("Succeeded", "Failed")
        or terminated(step_status(pod)) is not None
    )


def exit_code(pod: Object) -> int | None:
    """Return the step's exit status, negative for the signal that killed it; None if unknown."""
    ended = terminated(step_status(pod))
    if ended is None or _is_unknown(pod):
        return None
    code = int(ended.get("exitCode") or 0)
    # A process that signal N killed has the exit code 128 + N; Linux has 64 signals.
    number = int(ended.get("signal") or 0) or (code - 128 if 128 < code < 128 + 65 else 0)
    return -number if number else code


def _executes(pod: Object) -> bool:
    return bool((step_status(pod).get("state") or {}).get("running"))


def _ended_well(pod: Object) -> bool:
    ended = terminated(step_status(pod))
    return ended is not None and ended.get("exitCode") == 0


def _outlived(case: Case, pod: Object) -> Diagnosis | None:
    """Explain that a sidecar still runs after the end of the step."""
    if not is_live(pod, case.gone) or not _ended_well(pod):
        return None
    main = step_container(pod).get("name")
    others = [
        str(c.get("name"))
        for c in status(pod).get("containerStatuses") or ()
        if c.get("name") != main and not terminated(c)
    ]
    if not others:
        return None
    return Diagnosis(
        "waiting",
        Category.SIDECAR,
        "infrastructure",
        f"the step has ended, but the container {', '.join(others)} in its pod is running",
        "",
        "The step counts as ended. A native sidecar (an init container with restartPolicy: "
        "Always) would end with the step.",
    )


def _ended(case: Case, pod: Object) -> Diagnosis | None:
    """Explain an attempt whose newest pod has ended."""
    job = case.job
    deleted = bool(metadata(pod).get("deletionTimestamp")) or case.is_gone(pod)
    # Without a Job, or if it has failed, no other pod follows.
    over = (
        job is None or case.is_gone(job) or any(c.get("type") == "Failed" for c in conditions(job))
    )
    if (
        job is not None
        and (case.is_gone(job) or metadata(job).get("deletionTimestamp"))
        and deleted
    ):
        # The pod was deleted with its Job, so its exit code explains nothing.
        known = explain_end(case, pod) if not _killed(pod) else None
        return known or explain_gone(case)
    known = explain_end(case, pod)
    if deleted and not _disrupted(pod):
        taken = known is None or _killed(pod)
        overdue = explain_overdue(case) if taken or _is_unknown(pod) else None
        if overdue or taken:
            return overdue or explain_deleted(pod, over=over)
    return known


def _killed(pod: Object) -> bool:
    """Return whether the step's container ended as those of a deleted pod do."""
    ended = terminated(step_status(pod))
    if ended is None or was_asked(ended):
        return True
    # A pod that is deleted gets SIGTERM (143), and SIGKILL (137) after its grace period.
    return ended.get("exitCode") in (137, 143) and ended.get("reason") == "Error"


def _is_unknown(pod: Object) -> bool:
    """Return whether the kubelet does not know how the step's container ended, or if it started."""
    return (terminated(step_status(pod)) or {}).get("reason") == "ContainerStatusUnknown"


def _disrupted(pod: Object) -> bool:
    # Kubernetes sets this on pods that it ends itself: preemption, drained and lost nodes.
    return any(c.get("type") == "DisruptionTarget" for c in conditions(pod))
