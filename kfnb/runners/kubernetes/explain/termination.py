"""Explains pods and Jobs that failed."""

from __future__ import annotations

import re
import signal

from kfnb.engine.core.units import quantity
from kfnb.runners.kubernetes.explain.commands import explain_command
from kfnb.runners.kubernetes.explain.eviction import explain_disruption, explain_eviction
from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    conditions,
    container_statuses,
    is_sidecar,
    limit,
    message,
    moment,
    name,
    pod_spec,
    status,
    step_status,
    terminated,
)
from kfnb.step.pod.retry import ENDED_ON_REQUEST, WAITS
from kfnb.store.manifest import FailureClass

ASKED_TO_END = 3
"""The exit code of a step that was asked to end, and did."""

_ASKED = re.compile(f"^{re.escape(ENDED_ON_REQUEST)}", re.MULTILINE)
_DEADLINE = "DeadlineExceeded"
_ROUNDED = 1.0
"""Seconds by which a timestamp may be too early, because it has no fractions."""
# The name of this reason depends on the container runtime.
_NOT_STARTED = ("StartError", "ContainerCannotRun", "ContainerCannotStart")
_NO_KFNB = re.compile(r"No module named '?(?P<module>kfnb|papermill|ipykernel|nbclient)\b")
_READ_ONLY = re.compile(r"read-only file ?system", re.IGNORECASE)
_EVENT = "\x1e"
_NEVER = 2
_COULD_NOT_BEGIN: dict[int, FailureClass] = {_NEVER: "configuration", 4: "infrastructure"}
"""Exit codes of :mod:`kfnb.step.pod.pod_main` for failures that it could not record."""
_KFNB = re.compile(rf"^(?!{WAITS})kfnb: (?P<said>.+)", re.MULTILINE)
"""Matches the reason why a step did not begin, but not a line about waiting."""


def explain_job_end(job: Object) -> Diagnosis | None:
    """Explain why a Job failed, if the Job itself has the reason."""
    for one in conditions(job):
        # Newer versions set FailureTarget when the Job fails, and Failed when its pods have ended.
        if one.get("type") not in ("Failed", "FailureTarget"):
            continue
        if one.get("reason") == _DEADLINE:
            return _deadline(job, message(one))
    return None


def explain_failed_job(case: Case, job: Object) -> Diagnosis | None:
    """Explain a failed Job of which nothing is left that has the reason."""
    for one in conditions(job):
        if one.get("type") == "Failed":
            return Diagnosis(
                "failed",
                Category.JOB_FAILED,
                "infrastructure",
                "the step's pod is gone, and the reason of its end is unknown",
                f"{one.get('reason', '')}: {message(one)}".strip(": "),
                f"For details: {case.kubectl('describe job ' + name(job))}.",
            )
    return None


def explain_gone(case: Case) -> Diagnosis:
    """Explain that neither the Job nor a pod of it exists."""
    job = case.job
    ttl = ((job or {}).get("spec") or {}).get("ttlSecondsAfterFinished")
    ended = job is not None and any(
        c.get("type") in ("Complete", "Failed") for c in conditions(job)
    )
    if ended and ttl is not None:
        summary = f"the step's Job was removed {ttl} s after its end, before its result was read"
        remedy = "Raise ttl in the options of the target."
    else:
        summary = "somebody deleted the step's Job"
        remedy = "kfnb starts the step again. To end a run, use `kfnb stop`."
    return Diagnosis("failed", Category.JOB_GONE, "infrastructure", summary, "", remedy)


def explain_end(case: Case, pod: Object) -> Diagnosis | None:
    """Explain how a pod's step ended; None if it succeeded, or still runs."""
    state = status(pod)
    reason = state.get("reason")
    if reason == _DEADLINE:
        return _deadline(case.job or pod, message(state))
    return (
        # From the most to the least specific: an evicted pod also has containers that failed.
        explain_eviction(case, pod)
        or _memory(pod)
        or explain_disruption(pod)
        or _containers(case, pod)
    )


def was_asked(ended: Object) -> bool:
    """Return whether the step ended because of a request, as its last message says."""
    return ended.get("exitCode") == ASKED_TO_END and bool(_ASKED.search(message(ended)))


def explain_deleted(pod: Object, *, over: bool) -> Diagnosis:
    """Explain that the pod was deleted; ``over`` says that none replaces it."""
    return Diagnosis(
        "failed" if over else "failing",
        Category.POD_DELETED,
        "infrastructure",
        f"somebody deleted the step's pod {name(pod)}",
        _how_it_ended(pod),
        "kfnb starts the step again. To end a run, use `kfnb stop`.",
    )


def explain_overdue(case: Case) -> Diagnosis | None:
    """Explain that a pod was deleted because its Job's deadline was over.

    The controller writes the reason into the Job after it has removed the pods.
    """
    job = case.job or {}
    began = moment(status(job).get("startTime"))
    seconds = (job.get("spec") or {}).get("activeDeadlineSeconds")
    if began is None or seconds is None or case.now + _ROUNDED < began + float(seconds):
        return None
    return _deadline(job, "")


def _deadline(thing: Object, text: str) -> Diagnosis:
    spec = thing.get("spec") or {}
    seconds = spec.get("activeDeadlineSeconds") or pod_spec(thing).get("activeDeadlineSeconds")
    return Diagnosis(
        "failed",
        Category.DEADLINE,
        "timeout",
        f"the step took longer than its timeout of {seconds} s",
        text,
        "Give it more time with the tag timeout:DURATION (as in timeout:2h).",
    )


def _memory(pod: Object) -> Diagnosis | None:
    ended = terminated(step_status(pod)) or {}
    if ended.get("reason") != "OOMKilled":
        return None
    most = limit(pod, "memory")
    text = f"OOMKilled, exit code {ended.get('exitCode')}"
    # Without a limit only the node can have run out of memory.
    if not most:
        return Diagnosis(
            "failed",
            Category.OUT_OF_MEMORY,
            "memory",
            "the step was killed because its node ran out of memory (the step has no memory limit)",
            text,
            "Request what it needs with the tag memory:SIZE (as in memory:4Gi), so that it gets "
            "a node that has it.",
        )
    return Diagnosis(
        "failed",
        Category.OUT_OF_MEMORY,
        "memory",
        f"the step was killed because it used more than its memory limit of {most}",
        text,
        "Use less memory, or give the step more with the tag memory:SIZE (as in "
        f"memory:{_twice(most)}).",
    )


def _containers(case: Case, pod: Object) -> Diagnosis | None:
    step = step_status(pod)
    ended = terminated(step)
    if ended is not None:
        return _exit(case, pod, step, ended)
    failed = status(pod).get("phase") == "Failed"
    before = {c.get("name") for c in pod_spec(pod).get("initContainers") or ()}
    for container in container_statuses(pod):
        ended = terminated(container)
        which = container.get("name")
        # A sidecar is restarted, and the step is not affected.
        final = failed or (which in before and not is_sidecar(pod, container))
        if not ended or ended.get("exitCode") == 0 or not final:
            continue
        memory = ended.get("reason") == "OOMKilled"
        how = "ran out of memory" if memory else f"failed with exit code {ended.get('exitCode')}"
        return Diagnosis(
            "failed",
            Category.SIDECAR,
            "infrastructure",
            f"the init container {which}, which runs before the step, {how}",
            message(ended),
            f"To see its log: {case.kubectl(f'logs {name(pod)} -c {which}')}.",
        )
    if failed:
        reason = status(pod).get("reason") or "no reason given"
        return Diagnosis(
            "failed",
            Category.JOB_FAILED,
            "infrastructure",
            f"the step's pod failed ({reason})",
            message(status(pod)),
            f"For details: {case.kubectl('describe pod ' + name(pod))}.",
        )
    return None


def _exit(case: Case, pod: Object, step: Object, ended: Object) -> Diagnosis | None:
    code = int(ended.get("exitCode") or 0)
    # The message has the end of the log (FallbackToLogsOnError), unless the kubelet lost it.
    text = _plain(message(ended)) or _plain(case.printed)
    if code == 0:
        return None
    if ended.get("reason") in _NOT_STARTED:
        return explain_command(pod, step, message(ended))
    if ended.get("reason") == "ContainerStatusUnknown":
        return Diagnosis(
            "failed",
            Category.NODE_LOST,
            "infrastructure",
            "the node lost the step's container, and does not know how it ended",
            message(ended),
            "kfnb starts the step again.",
        )
    module = _NO_KFNB.search(text)
    if module:
        return Diagnosis(
            "failed",
            Category.IMAGE_WITHOUT_KFNB,
            "configuration",
            f"the Python package {module['module']} is missing in the image {step.get('image')}",
            text,
            f"Install it in the image (`pip install {module['module']}`), or name an image that "
            "has it with --image.",
            permanent=True,
        )
    match = _KFNB.search(text)
    kind = _COULD_NOT_BEGIN.get(code)
    if match and kind:
        never = code == _NEVER
        return Diagnosis("failed", Category.STORE, kind, match["said"], text, permanent=never)
    if _READ_ONLY.search(text):
        return Diagnosis(
            "failed",
            Category.READ_ONLY,
            "configuration",
            "the step's container tried to write to a read-only file system and ended",
            text,
            "Only /kfnb, the step's working folder and mounted volumes are writable.",
            permanent=True,
        )
    if was_asked(ended):
        return Diagnosis(
            "failed",
            Category.SIGNAL,
            "infrastructure",
            "something outside of kfnb asked the step's container to end (SIGTERM)",
            text,
            "kfnb starts the step again. To end a run, use `kfnb stop`.",
        )
    number = int(ended.get("signal") or 0) or (code - 128 if 128 < code < 128 + 65 else 0)
    if number:
        return _signal(number, text)
    return Diagnosis(
        "failed",
        Category.EXIT_CODE,
        "user",
        f"the step's container ended with exit code {code}",
        text,
        f"To see its log: {case.kubectl('logs ' + name(pod))}." if not text else "",
    )


def _signal(number: int, text: str) -> Diagnosis:
    try:
        called = signal.Signals(number).name
    except ValueError:
        called = f"signal {number}"
    # A crash of the code; the other signals come from outside.
    crashed = called in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS")
    remedy = ""
    if called == "SIGKILL":
        remedy = "If it ran out of memory, give it more with the tag memory:SIZE."
    elif crashed:
        remedy = "A compiled library crashed; the end of the log shows in which cell."
    return Diagnosis(
        "failed",
        Category.SIGNAL,
        "user" if crashed else "infrastructure",
        f"the step's container was ended by {called}",
        text,
        remedy,
    )


def _how_it_ended(pod: Object) -> str:
    ended = terminated(step_status(pod))
    return f"{ended.get('reason')}, exit code {ended.get('exitCode')}" if ended else ""


def _plain(text: str) -> str:
    """Remove signals from the last output of a container."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(_EVENT)).strip()


def _twice(most: str) -> str:
    match = re.fullmatch(r"(\d+)(\D.*)?", most)
    if match is None or quantity(most) is None:
        return most
    return f"{int(match[1]) * 2}{match[2] or ''}"
