"""Explains pods that are on a node and do not start their step."""

from __future__ import annotations

import re
import shlex

from kfnb.runners.kubernetes.explain.commands import explain_command
from kfnb.runners.kubernetes.explain.images import explain_image, explain_pulling
from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    condition,
    container_statuses,
    created,
    first_time,
    is_sidecar,
    last_time,
    message,
    moment,
    name,
    pod_spec,
    status,
    step_status,
    terminated,
    waiting,
)
from kfnb.step.pod.retry import WAITS

_NO_OBJECT = re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(
    r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?:[^/\s]+/)?(?P<name>\S+)"
)
_NO_KEY_TO_MOUNT = re.compile(
    r'for volume "(?P<volume>[^"]+)".*references non-existent (?P<kind>secret|config) key: '
    r"(?P<key>\S+)",
    re.DOTALL,
)
_MOUNTING = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")


def explain_starting(case: Case, pod: Object) -> Diagnosis | None:
    """Explain why a scheduled pod does not execute the step; None if it is starting."""
    for container in container_statuses(pod):
        state = waiting(container)
        # A container that runs or has ended is not what the pod waits for.
        if state is None:
            continue
        diagnosis = explain_image(case, pod, container) or _configuration(
            case, pod, container, state
        )
        if diagnosis:
            return diagnosis
        diagnosis = _crashing(case, pod, container, state)
        if diagnosis:
            return diagnosis
    if (step_status(pod).get("state") or {}).get("running"):
        return None
    return (
        _volumes(case, pod)
        or _sandbox(case, pod)
        or explain_pulling(case, pod)
        or _waits_for_another(case, pod)
    )


def explain_running(case: Case, pod: Object) -> Diagnosis | None:
    """Explain what is wrong with a pod that executes its step."""
    lost = explain_silent_node(case, pod)
    if lost:
        return lost
    running = (step_status(pod).get("state") or {}).get("running")
    if not running:
        return None
    ready = condition(pod, "ContainersReady")
    since = moment(running.get("startedAt"))
    # A container may be unready for a short time without any fault.
    if ready.get("status") == "False" and case.over(since, case.patience.ready):
        # Kubernetes lists the containers only in the text: "containers with unready status: [a b]".
        which = re.findall(r"[\w.-]+", message(ready).partition("[")[2].partition("]")[0])
        unhealthy = case.about(pod, "Unhealthy")
        return Diagnosis(
            "waiting",
            Category.NOT_READY,
            "infrastructure",
            f"the step is running, but the container {', '.join(which) or 'step'} in its pod does "
            "not become ready",
            message(unhealthy[-1]) if unhealthy else message(ready),
            f"The step continues. For details: {case.kubectl('describe pod ' + name(pod))}.",
        )
    return _waits_for_the_store(case)


def _waits_for_the_store(case: Case) -> Diagnosis | None:
    """Explain that the step waits for its store, if that is the last line it printed."""
    # Not strip(), which would remove the separator of signals.
    last = case.printed.rstrip("\r\n").rpartition("\n")[2]
    if not last.startswith(WAITS):
        return None
    return Diagnosis(
        "waiting",
        Category.STORE,
        "infrastructure",
        f"the step waits for the store: {last.removeprefix(WAITS)}",
        "",
        "Check that pods can reach it (--store-endpoint is its address for pods): `kfnb doctor "
        "--on kubernetes`.",
    )


def explain_silent_node(case: Case, pod: Object) -> Diagnosis | None:
    """Explain that the node of a pod does not answer."""
    events = case.about(pod, "NodeNotReady")
    ready = condition(pod, "Ready")
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    # The node reports the containers' state, the cluster the pod's.
    unknown = ready.get("status") == "Unknown" or status(pod).get("reason") == "NodeLost"
    # A readiness gate is set by another controller and says nothing about the node.
    gated = ready.get("reason") == "ReadinessGatesNotReady"
    marked = (ready.get("status") == "False" and not gated) and (
        condition(pod, "ContainersReady").get("status") == "True" or bool(events)
    )
    if not node or not (unknown or (marked and not _answered(events, pod))):
        return None
    return Diagnosis(
        "waiting",
        Category.NODE_LOST,
        "infrastructure",
        f"the node {node} does not answer; the step continues if it comes back, and is started "
        "again if Kubernetes gives the node up",
        message(events[-1]) if events else message(ready),
        f"For details: `kubectl describe node {node}`.",
    )


def _answered(events: list[Object], pod: Object) -> bool:
    """Return whether a container's state changed after the node seemed lost."""
    if not events:
        return False
    times = [
        moment(condition(pod, "ContainersReady").get("lastTransitionTime")),
        *(
            moment((state.get(kind) or {}).get(at))
            for state in (c.get("state") or {} for c in container_statuses(pod))
            for kind, at in (("running", "startedAt"), ("terminated", "finishedAt"))
        ),
    ]
    return max((t for t in times if t is not None), default=0.0) > (last_time(events[-1]) or 0.0)


def _configuration(case: Case, pod: Object, container: Object, state: Object) -> Diagnosis | None:
    reason, text = state.get("reason"), message(state)
    if reason in ("CreateContainerError", "RunContainerError", "PostStartHookError"):
        return explain_command(pod, container, text)
    if reason != "CreateContainerConfigError":
        return None
    diagnosis = _missing(case, pod, text)
    if diagnosis:
        return diagnosis
    if "runAsNonRoot" in text:
        image = container.get("image")
        return Diagnosis(
            "failed",
            Category.IMAGE_USER,
            "configuration",
            f"the image {image} runs as root or as a named user, which the pod's security context "
            "forbids",
            text,
            "Set a numeric USER in the image (as in USER 1000), or runAsUser in security_context "
            "in the options of the target.",
            permanent=True,
        )
    return Diagnosis(
        "failing",
        Category.CONTAINER_CONFIG,
        "configuration",
        "the container cannot be created with its settings",
        text,
    )


def _missing(case: Case, pod: Object, text: str) -> Diagnosis | None:
    """Explain which Secret or ConfigMap, or key of one, is missing."""
    key = _NO_KEY.search(text)
    mounted = _NO_KEY_TO_MOUNT.search(text)
    if key or mounted:
        if key:
            kind, which, missing = key["kind"], key["name"], key["key"]
        else:
            assert mounted is not None
            kind = "Secret" if mounted["kind"] == "secret" else "ConfigMap"
            which, missing = _mounted(pod, mounted["volume"]), mounted["key"]
        secret = kind == "Secret"
        describe = case.kubectl(f"describe {kind.lower()} {shlex.quote(which)}")
        return Diagnosis(
            "failed",
            Category.SECRET_KEY_MISSING if secret else Category.CONFIG_MAP_MISSING,
            "configuration",
            f"the {kind} {which} has no key {missing}",
            text,
            f"Correct the step's {'secret: tag' if secret else 'reference to it'}, or add the "
            f"key; {describe} lists its keys.",
            permanent=True,
        )
    match = _NO_OBJECT.search(text)
    if match is None:
        return None
    which, quoted = match["name"], shlex.quote(match["name"])
    secret = match["kind"].lower() == "secret"
    kind, command = ("Secret", "secret generic") if secret else ("ConfigMap", "configmap")
    return Diagnosis(
        "failed",
        Category.SECRET_MISSING if secret else Category.CONFIG_MAP_MISSING,
        "configuration",
        f"the {kind} {which} does not exist",
        text,
        f"Create it ({case.kubectl(f'create {command} {quoted} --from-literal=KEY=VALUE')}), or "
        f"correct {'the secret: tag or --store-secret' if secret else 'the reference to it'}.",
        permanent=True,
    )


def _mounted(pod: Object, volume: str) -> str:
    """Return the name of the Secret or ConfigMap of a volume."""
    for entry in pod_spec(pod).get("volumes") or ():
        if entry.get("name") == volume:
            secret, config = entry.get("secret") or {}, entry.get("configMap") or {}
            return str(secret.get("secretName") or config.get("name") or volume)
    return volume


def _crashing(case: Case, pod: Object, container: Object, state: Object) -> Diagnosis | None:
    """Explain that a sidecar crashes again and again."""
    if state.get("reason") != "CrashLoopBackOff":
        return None
    ended = (container.get("lastState") or {}).get("terminated") or {}
    which = container.get("name")
    return Diagnosis(
        "waiting",
        Category.SIDECAR,
        "infrastructure",
        f"the sidecar container {which} in the step's pod keeps failing (exit code "
        f"{ended.get('exitCode', '?')})",
        message(ended) or message(state),
        f"To see why: {case.kubectl(f'logs {name(pod)} -c {which} --previous')}.",
    )


def _volumes(case: Case, pod: Object) -> Diagnosis | None:
    events = case.about(pod, *_MOUNTING)
    if not events:
        return None
    text = message(events[-1])
    missing = next((d for e in reversed(events) if (d := _missing(case, pod, message(e)))), None)
    if missing:
        return missing
    since = min(t for t in (first_time(e) or case.now for e in events))
    volume = re.search(r'for volume "([^"]+)"', text) or re.search(r"volumes=\[([^\]]+)\]", text)
    # Kubernetes uses this word for a volume that is attached to another node.
    several = "Multi-Attach" in text
    over = case.over(since, case.patience.mount)
    which = f"the volume {volume[1]}" if volume else "a volume of the step"
    return Diagnosis(
        "failed" if over else "failing",
        Category.MOUNT,
        "infrastructure",
        f"{which} is in use on another node" if several else f"{which} cannot be mounted",
        text,
        "A ReadWriteOnce claim can be used on one node at a time: wait until the other pod ends, "
        "or use a ReadWriteMany claim."
        if several
        else f"Kubernetes tries again. For details: {case.kubectl('describe pod ' + name(pod))}.",
    )


def _sandbox(case: Case, pod: Object) -> Diagnosis | None:
    events = case.about(pod, "FailedCreatePodSandBox")
    if not events:
        return None
    return Diagnosis(
        "waiting",
        Category.SANDBOX,
        "infrastructure",
        "the node cannot set up the pod (most often its network) and is trying again",
        message(events[-1]),
        f"For details: {case.kubectl('describe pod ' + name(pod))}.",
    )


def _waits_for_another(case: Case, pod: Object) -> Diagnosis | None:
    """Explain that a container that starts before the step does not get ready."""
    since = moment(status(pod).get("startTime")) or created(pod)
    if not case.over(since, case.patience.ready):
        return None
    for container in status(pod).get("initContainerStatuses") or ():
        which = container.get("name")
        ended = terminated(container)
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if (container.get("state") or {}).get("running") and not container.get("started"):
            beside = is_sidecar(pod, container)
            unhealthy = case.about(pod, "Unhealthy")
            return Diagnosis(
                "waiting",
                Category.NOT_READY,
                "infrastructure",
                f"the step waits for the container {which}, which does not become ready"
                if beside
                else f"the step waits until the container {which} has ended",
                message(unhealthy[-1]) if unhealthy else "",
                f"To see its log: {case.kubectl(f'logs {name(pod)} -c {which}')}.",
            )
    node = (pod.get("spec") or {}).get("nodeName")
    if not node:
        return None
    return Diagnosis(
        "waiting",
        Category.STARTING,
        "infrastructure",
        f"the node {node} has not started the step's container yet",
        message(waiting(step_status(pod)) or {}),
        f"For details: {case.kubectl('describe pod ' + name(pod))} and `kubectl get nodes`.",
    )
