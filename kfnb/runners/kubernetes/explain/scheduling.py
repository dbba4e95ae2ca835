"""Explains pods that fit on no node, from the scheduler's message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    asked,
    condition,
    message,
    moment,
    pod_spec,
)

_CLAIM_MISSING = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_UNBOUND = re.compile(
    r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes",
)
_TAINT = re.compile(r"(?:untolerated taint(?:\(s\))?|had taints?)(?: \{([^}]*)\})?")
_NEVER = re.compile(r"(\d+) Preemption is not helpful")
# Kubernetes sets these taints itself while a node cannot be used.
_NOT_THE_POD = "not-ready", "unreachable", "memory-pressure", "disk-pressure", "unschedulable"


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why the pod does not fit on some nodes."""

    nodes: int
    category: Category
    phrase: str
    remedy: str


def explain_scheduling(case: Case, pod: Object) -> Diagnosis | None:
    """Explain why a pod fits on no node; None if it does, or is not scheduled yet."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") != "False":
        return None
    text = message(scheduled)
    since = moment(scheduled.get("lastTransitionTime"))
    if scheduled.get("reason") == "SchedulingGated":
        return Diagnosis(
            "waiting",
            Category.SUSPENDED,
            "infrastructure",
            "the pod waits behind a scheduling gate until its queue admits it",
            text,
        )
    missing = _CLAIM_MISSING.search(text)
    if missing:
        late = case.over(since, case.patience.settle)
        return Diagnosis(
            "failed" if late else "failing",
            Category.CLAIM_MISSING,
            "configuration",
            f"the PersistentVolumeClaim {missing[1]} does not exist",
            text,
            f"Create it, or name another one in volumes; {case.kubectl('get pvc')} lists the "
            "existing ones.",
            permanent=True,
        )
    reasons = _reasons(case, pod, text)
    if not reasons:
        if not text:
            return None
        reasons = [_Reason(0, Category.UNSCHEDULABLE, "", "")]
    first = reasons[0]
    # By default kfnb waits for ever, because other pods end and nodes may be added.
    over = case.patience.schedule is not None and case.over(since, case.patience.schedule)
    return Diagnosis(
        "failed" if over else "waiting",
        first.category,
        "infrastructure",
        _summary(reasons),
        text,
        first.remedy or "For details: `kubectl describe nodes`.",
    )


def _summary(reasons: list[_Reason]) -> str:
    phrases = list(dict.fromkeys(r.phrase for r in reasons if r.phrase))
    if not phrases:
        return "no node can execute the step"
    return "no node can execute the step: " + "; ".join(phrases)


def _reasons(case: Case, pod: Object, statement: str) -> list[_Reason]:
    """Read the scheduler's message, the reason of most nodes first."""
    # "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had …. preemption: 0/3 …"
    text = statement.split("preemption:", maxsplit=1)[0]
    text = text.partition("available:")[2] or text
    # After the first full stop come the results of other plugins.
    text = re.split(r"\.\s", f"{text} ", maxsplit=1)[0]
    total = re.match(r"0/(\d+)", statement)
    helpless = _NEVER.search(statement)
    # Newer schedulers report nodes that would be too small even if they were empty.
    never = bool(total and helpless and total[1] == helpless[1])
    reasons = []
    # A reason may contain commas, but each one begins with its number of nodes.
    for part in re.split(r",\s+(?=\d+ )", text.strip()):
        match = re.match(r"(\d+) (.*)", part.strip(" ."), re.DOTALL)
        nodes, phrase = (int(match[1]), match[2]) if match else (0, part.strip(" ."))
        if phrase:
            reasons.append(_reason(case, pod, nodes, phrase, never=never))
    return sorted(reasons, key=lambda r: -r.nodes)


def _reason(case: Case, pod: Object, nodes: int, phrase: str, *, never: bool) -> _Reason:
    short = re.match(r"Insufficient (\S+)", phrase)
    if short:
        return _short_of(pod, nodes, short[1], never=never)
    taint = _TAINT.search(phrase)
    if taint:
        return _tainted(nodes, taint[1] or "")
    if _UNBOUND.search(phrase):
        return _unbound(case, pod, nodes)
    spec = pod_spec(pod)
    if "node affinity/selector" in phrase or "node selector" in phrase:
        wanted = ", ".join(f"{k}={v}" for k, v in (spec.get("nodeSelector") or {}).items())
        sentence = (
            f"no node has the labels {wanted}" if wanted else "no node matches the node affinity"
        )
        return _Reason(
            nodes,
            Category.SELECTOR,
            sentence,
            "Correct --node-selector; `kubectl get nodes --show-labels` lists the nodes.",
        )
    if re.search(r"volume|pvc|available disk|free storage", phrase, re.IGNORECASE):
        return _Reason(
            nodes,
            Category.VOLUME,
            "a volume of the step cannot be used on the nodes that have room for it",
            "A ReadWriteOnce claim ties its steps to one node. For details: "
            f"{case.kubectl('get pvc -o wide')}.",
        )
    # After the volumes, whose messages may contain "node affinity" too.
    if "affinity" in phrase or "topology spread" in phrase:
        return _Reason(
            nodes,
            Category.AFFINITY,
            "the affinity rules exclude every node",
            "Correct the affinity of the step or of the target.",
        )
    if "Too many pods" in phrase:
        return _Reason(
            nodes,
            Category.PODS,
            "the nodes have as many pods as they allow",
            "The step starts when other pods end. --parallel N executes fewer steps at once.",
        )
    if "unschedulable" in phrase:
        return _Reason(
            nodes,
            Category.TAINT,
            "the nodes are cordoned, so they accept no new pods",
            "An administrator can change that: `kubectl uncordon NODE`.",
        )
    return _Reason(nodes, Category.UNSCHEDULABLE, phrase, "")


def _short_of(pod: Object, nodes: int, resource: str, *, never: bool) -> _Reason:
    amount = asked(pod, resource)
    called, option, category = {
        "cpu": ("CPU", "cpu:", Category.CPU),
        "memory": ("memory", "memory:", Category.MEMORY),
        "ephemeral-storage": ("local disk", "limit:ephemeral-storage:", Category.STORAGE),
    }.get(resource, (resource, f"limit:{resource}:", Category.GPU))
    asks = f"the step requests {option}{amount}"
    look = "`kubectl describe nodes` shows what they have"
    # A cluster without a device plugin has no GPUs at all, which looks like a full cluster.
    if category is Category.GPU:
        plugin = (
            f"remove the step's gpu: or limit:{resource} tag, or have the device plugin installed"
        )
        if never:
            return _Reason(
                nodes,
                category,
                f"no node has {amount} of {resource}",
                f"{plugin.capitalize()} ({look}).",
            )
        remedy = f"The step starts when other pods end. If no node has any, {plugin} ({look})."
        return _Reason(nodes, category, f"no node has {amount} of {resource} free", remedy)
    if never:
        remedy = f"Lower the step's {option}, or wait if the cluster can add larger nodes ({look})."
        return _Reason(nodes, category, f"no node has that much {called} ({asks})", remedy)
    remedy = (
        "The step starts when other pods end. If no node is large enough, lower the step's "
        f"{option} ({look})."
    )
    return _Reason(nodes, category, f"no node has enough free {called} ({asks})", remedy)


def _tainted(nodes: int, taint: str) -> _Reason:
    key = taint.rstrip(": ").strip()
    if "node.kubernetes.io/" in key and any(word in key for word in _NOT_THE_POD):
        state = key.partition("node.kubernetes.io/")[2].split(":")[0]
        return _Reason(
            nodes,
            Category.TAINT,
            f"the nodes are not available now ({state})",
            "Ask an administrator; `kubectl get nodes` shows their state.",
        )
    which, of = (f" (taint {key})", key.split(":")[0]) if key else ("", "the nodes' taint")
    return _Reason(
        nodes,
        Category.TAINT,
        f"the nodes are reserved for other pods{which}",
        f"If the step may run there, add a toleration for {of} (--toleration).",
    )


def _unbound(case: Case, pod: Object, nodes: int) -> _Reason:
    claims = [
        str(volume["persistentVolumeClaim"].get("claimName"))
        for volume in pod_spec(pod).get("volumes") or ()
        if volume.get("persistentVolumeClaim")
    ]
    which = ", ".join(claims)
    return _Reason(
        nodes,
        Category.CLAIM_UNBOUND,
        f"the PersistentVolumeClaim {which} has no volume"
        if len(claims) < 2
        else f"one of the PersistentVolumeClaims {which} has no volume",
        f"To see why: {case.kubectl('describe pvc ' + ' '.join(claims))}. A claim needs a storage "
        "class that creates volumes, or a free volume of its size (`kubectl get "
        "storageclass,pv`).",
    )
