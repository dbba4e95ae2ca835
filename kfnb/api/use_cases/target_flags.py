"""The flags of the target ``kubernetes``, and target options written as flags again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfnb.errors import UsageError

TEXTS = (
    ("--context", "NAME", "The kubeconfig's context [default: the current one]."),
    ("--namespace", "NAME", "The namespace [default: the context's]."),
    ("--image", "NAME", "The image that steps execute in, unless they have their own."),
    ("--image-pull-policy", "POLICY", "Always, IfNotPresent or Never."),
    ("--store", "ADDRESS", "Where values are stored: s3://BUCKET/PREFIX or pvc:CLAIM[/PATH]."),
    ("--store-endpoint", "URL", "The object store's address for pods."),
    (
        "--store-client-endpoint",
        "URL",
        "The object store's address for this machine, or service:NAME:PORT in the cluster.",
    ),
    ("--store-secret", "NAME", "The Secret with the AWS_* variables of pods."),
    ("--storage-class", "NAME", "The storage class of a claim that is created for the store."),
    ("--storage-size", "SIZE", "The size of a claim that is created for the store [10Gi]."),
    (
        "--storage-access",
        "MODE",
        "The access mode of that claim [ReadWriteMany]; ReadWriteOnce keeps pods on one node.",
    ),
    ("--service-account", "NAME", "The service account of the steps' pods."),
    ("--driver", "WHERE", "Where the run's driver executes: auto, cluster or here [auto]."),
    ("--driver-service-account", "NAME", "The service account of drivers [kfnb-driver]."),
    ("--priority-class", "NAME", "The priority class of the steps' pods."),
)
"""Flags with one value: flag, placeholder, help."""

PAIRS = (
    ("--node-selector", "node_selector", "Only nodes with this label; may be repeated."),
    ("--label", "labels", "A label of the steps' Jobs and pods; may be repeated."),
    ("--annotation", "annotations", "An annotation of the steps' Jobs and pods; may be repeated."),
)
"""Flags with a key and a value: flag, option, help."""

LISTS = (
    (
        "--image-pull-secret",
        "image_pull_secrets",
        "NAME",
        "The Secret with the password of the image's registry; may be repeated.",
    ),
    (
        "--toleration",
        "tolerations",
        "KEY[=VALUE][:EFFECT]",
        "A taint of nodes that the steps' pods tolerate; may be repeated.",
    ),
)
"""Flags that may be repeated: flag, option, placeholder, help."""

STORE_FLAGS = frozenset(
    ("--context", "--namespace", "--store", "--store-endpoint", "--store-client-endpoint")
)
"""The flags that are enough to find a cluster's store."""


def option_name(flag: str) -> str:
    """Return the name of the option that a flag sets.

    >>> option_name("--store-endpoint")
    'store_endpoint'
    """
    return flag.removeprefix("--").replace("-", "_")


def target_flags(options: Mapping[str, Any]) -> list[str]:
    """Write target options as words of a command.

    An option that no flag can express (Python callers may pass one) is left out.

    >>> target_flags({"namespace": "a", "labels": {"team": "x"}})
    ['--namespace', 'a', '--label', 'team=x']
    """
    words: list[str] = []
    for flag, _, _ in TEXTS:
        value = options.get(option_name(flag))
        words += [flag, str(value)] if value else []
    for flag, name, _ in PAIRS:
        for key, value in dict(options.get(name) or {}).items():
            words += [flag, f"{key}={value}"]
    for secret in options.get("image_pull_secrets") or ():
        words += ["--image-pull-secret", str(secret)]
    for tolerated in options.get("tolerations") or ():
        text = _toleration_text(tolerated)
        words += ["--toleration", text] if text else []
    return words


def toleration(text: str) -> dict[str, str]:
    """Read a toleration as ``kubectl taint`` writes a taint.

    >>> toleration("gpu=yes:NoSchedule")
    {'key': 'gpu', 'operator': 'Equal', 'value': 'yes', 'effect': 'NoSchedule'}
    >>> toleration("spot")
    {'key': 'spot', 'operator': 'Exists'}

    Raises
    ------
    UsageError
        If the text is not a toleration.
    """
    taint, _, effect = text.partition(":")
    key, sign, value = taint.partition("=")
    if not key or effect not in ("", "NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise UsageError(
            "--toleration expects KEY[=VALUE][:EFFECT] with the effect NoSchedule, "
            f"PreferNoSchedule or NoExecute, not {text!r}"
        )
    found = {"key": key, "operator": "Equal" if sign else "Exists"}
    if sign:
        found["value"] = value
    return {**found, "effect": effect} if effect else found


def _toleration_text(plain: Mapping[str, Any]) -> str | None:
    """Write what :func:`toleration` reads; None if the toleration has fields beyond that."""
    text = str(plain.get("key") or "")
    text += f"={plain['value']}" if "value" in plain else ""
    text += f":{plain['effect']}" if "effect" in plain else ""
    try:
        return text if toleration(text) == dict(plain) else None
    except UsageError:
        return None
