"""Explains Jobs that get no pod, from the Events of the Job controller."""

from __future__ import annotations

import re
import shlex

from kfnb.engine.core.units import quantity
from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    created,
    first_time,
    message,
)

# Admission plugins give their reasons only in the text of a message.
_ACCOUNT = re.compile(r'serviceaccount "([^"]+)" not found', re.IGNORECASE)
_EXCEEDED = re.compile(
    r"exceeded quota: (?P<quota>\S+), requested: (?P<requested>\S+), used: (?P<used>\S+), "
    r"limited: (?P<limited>[^\s]+)"
)
_UNSAID = re.compile(r"failed quota: (?P<quota>\S+): must specify (?P<what>.+)")
_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[^"]+)": (?P<why>.*)', re.DOTALL)
_PRIORITY = re.compile(r"no PriorityClass with name (\S+) was found")
_RANGE = re.compile(
    r"(maximum|minimum) (\S+) usage per (Container|Pod) is (\S+?)[.,]? ", re.IGNORECASE
)
# Errors of the API server or of a webhook, after which the Job controller tries again.
_PASSING = re.compile(
    r"timed? ?out|etcdserver|connection refused|failed calling webhook|too many requests"
    r"|internal error|unavailable|the object has been modified|context deadline",
    re.IGNORECASE,
)


def explain_creation(case: Case, job: Object) -> Diagnosis | None:
    """Say why a Job has no pod."""
    # Queues such as Kueue create Jobs suspended, and resume them when there is room.
    if (job.get("spec") or {}).get("suspend"):
        return Diagnosis(
            "waiting",
            Category.SUSPENDED,
            "infrastructure",
            "the step's Job is suspended until its queue admits it",
        )
    failures = case.about(job, "FailedCreate")
    if not failures:
        # The Job controller needs a moment to create the pod.
        if not case.over(created(job), case.patience.settle):
            return None
        return Diagnosis(
            "waiting",
            Category.NO_POD,
            "infrastructure",
            "Kubernetes has not created a pod for the step yet",
            "",
            f"If this lasts, look at {case.kubectl('describe job ' + _name(job))}.",
        )
    text = message(failures[-1])
    return (
        _account(case, failures, text)
        or _quota(text, case)
        or _security(text)
        or _refused(text, case, job)
    )


def _account(case: Case, failures: list[Object], text: str) -> Diagnosis | None:
    match = _ACCOUNT.search(text)
    if match is None:
        return None
    account = match[1]
    # A new namespace gets its "default" account a moment after its creation.
    young = account == "default" and not case.over(first_time(failures[0]), case.patience.settle)
    return Diagnosis(
        "failing" if young else "failed",
        Category.SERVICE_ACCOUNT_MISSING,
        "configuration",
        f"the service account {account} does not exist",
        text,
        f"Create it ({case.kubectl('create serviceaccount ' + shlex.quote(account))}), or name "
        "another one with --service-account.",
        permanent=True,
    )


def _quota(text: str, case: Case) -> Diagnosis | None:
    unsaid = _UNSAID.search(text)
    if unsaid:
        return Diagnosis(
            "failed",
            Category.QUOTA,
            "configuration",
            f"the quota {unsaid['quota']} requires every step to set {_kinds(unsaid['what'])}",
            text,
            "Tag the step with cpu: and memory:, or set them for all steps in the notebook's "
            "options.",
            permanent=True,
        )
    match = _EXCEEDED.search(text)
    if match is None:
        return None
    requested, used, limited = (_amounts(match[k]) for k in ("requested", "used", "limited"))
    # If the step alone exceeds the quota, waiting for other pods does not help.
    never = [kind for kind, amount in requested.items() if _more(amount, limited.get(kind, ""))]
    shown = never or list(requested)
    numbers = ", ".join(
        f"{kind}={requested[kind]}, but the limit is {limited.get(kind, '?')}"
        if never
        else f"{kind}={requested[kind]}, but {used.get(kind, '?')} of {limited.get(kind, '?')} is "
        "in use"
        for kind in shown
    )
    look = case.kubectl(f"describe quota {shlex.quote(match['quota'])}")
    if never:
        return Diagnosis(
            "failed",
            Category.QUOTA,
            "configuration",
            f"the step requests more than the quota {match['quota']} allows: {numbers}",
            text,
            f"Lower the step's cpu:, memory: or gpu:, or have the quota raised ({look}).",
            permanent=True,
        )
    return Diagnosis(
        "waiting",
        Category.QUOTA,
        "infrastructure",
        f"the quota {match['quota']} is used up for now: the step requests {numbers}",
        text,
        f"The step starts when other pods end. To see who uses the quota: {look}.",
    )


def _security(text: str) -> Diagnosis | None:
    match = _SECURITY.search(text)
    if match is None:
        return None
    return Diagnosis(
        "failed",
        Category.POD_SECURITY,
        "configuration",
        f'the namespace\'s Pod Security Standard "{match["level"]}" does not admit the pod: '
        f"{match['why']}",
        text,
        "Change or remove security_context in the options of the target; without it, kfnb's pods "
        'satisfy "restricted".',
        permanent=True,
    )


def _refused(text: str, case: Case, job: Object) -> Diagnosis:
    priority = _PRIORITY.search(text)
    if priority:
        return _permanent(
            f"there is no priority class {priority[1]}",
            text,
            "Name an existing one with --priority-class; `kubectl get priorityclass` lists them.",
        )
    bound = _RANGE.search(text)
    if bound:
        return _permanent(
            f"the namespace has a {bound[1].lower()} of {bound[4]} {bound[2]} for each "
            f"{bound[3].lower()}, which the step does not meet",
            text,
            f"Change the step's {bound[2]}: tag; the limits are listed by "
            f"{case.kubectl('describe limitrange')}.",
        )
    # The policy's own message is the best explanation that there is.
    webhook = re.search(r'admission webhook "([^"]+)" denied the request: (.*)', text, re.DOTALL)
    if webhook:
        return _permanent(
            f"the cluster's policy {webhook[1]} rejected the pod: {webhook[2]}",
            text,
            "Change the setting that the policy names, or ask the administrator of the cluster.",
        )
    if _PASSING.search(text):
        return Diagnosis(
            "waiting",
            Category.NO_POD,
            "infrastructure",
            "Kubernetes could not create the step's pod and is trying again",
            text,
        )
    if "forbidden" in text or "is invalid" in text or "Invalid value" in text:
        return _permanent(
            "the cluster rejected the step's pod",
            text,
            f"For details: {case.kubectl('describe job ' + _name(job))}.",
        )
    return Diagnosis(
        "failing",
        Category.POD_REFUSED,
        "infrastructure",
        "Kubernetes cannot create the step's pod and is trying again",
        text,
        f"For details: {case.kubectl('describe job ' + _name(job))}.",
    )


def _permanent(summary: str, text: str, remedy: str) -> Diagnosis:
    return Diagnosis(
        "failed", Category.ADMISSION, "configuration", summary, text, remedy, permanent=True
    )


def _amounts(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.strip(".").split(","))
    return {kind: amount for kind, present, amount in pairs if present}


def _kinds(text: str) -> str:
    # "limits.cpu for: step; requests.cpu for: step", or "limits.cpu,requests.cpu" before 1.26
    kinds = [part.split(" for:")[0].strip() for part in re.split(r"[;,]", text)]
    return ", ".join(dict.fromkeys(k for k in kinds if k))


def _more(amount: str, most: str) -> bool:
    wanted, allowed = quantity(amount), quantity(most)
    return wanted is not None and allowed is not None and wanted > allowed


def _name(job: Object) -> str:
    return str((job.get("metadata") or {}).get("name") or "")
