"""The claim of a store on a volume, and what its access mode requires of pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from kfnb.errors import UsageError
from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.api.client import ApiError
from kfnb.runners.kubernetes.objects import manifests, names
from kfnb.runners.kubernetes.options import KubernetesOptions

_KIND = "PersistentVolumeClaim"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def with_claim(cluster: Cluster, target: KubernetesOptions) -> KubernetesOptions:
    """Create the claim of the store if it is missing; return the options that its pods need.

    Pods that use a claim with ReadWriteOnce have to be on one node. Without a claim the options
    are returned as they are.

    Raises
    ------
    UsageError
        If the claim cannot be created, or cannot be written by several pods.
    ApiError
        If the cluster does not answer.
    """
    body = manifests.claim(target)
    if body is None:
        return target
    name = str(body["metadata"]["name"])
    try:
        existing = cluster.get(_KIND, name) or _made(cluster, name, body)
    except ApiError as error:
        # The same request would fail again.
        if error.status in (400, 403, 404, 422):
            raise UsageError(
                f"The store's claim {name} cannot be read or created: {error}"
            ) from error
        raise
    return on_claim(target, existing)


def on_claim(target: KubernetesOptions, claim: Mapping[str, Any]) -> KubernetesOptions:
    """Return the options for pods that use this claim for their store.

    Raises
    ------
    UsageError
        If the claim cannot be written by several pods.
    """
    name = str(claim["metadata"]["name"])
    spec = claim.get("spec") or {}
    modes = set(spec.get("accessModes") or ())
    if "ReadWriteMany" in modes:
        return target
    if "ReadWriteOnce" in modes:
        return on_one_node(target, name)
    raise UsageError(
        f"The claim {name} is {', '.join(sorted(modes)) or 'without an access mode'}, but several "
        "pods must be able to write to a store. Use a claim that is ReadWriteMany, or "
        "ReadWriteOnce (then all steps execute on one node)."
    )


def on_one_node(target: KubernetesOptions, claim: str) -> KubernetesOptions:
    """Return the options with all pods on the node of the others that use the claim."""
    value = names.label_value(claim)
    # The first pod may go anywhere: the scheduler lets a pod match its own affinity.
    term = {
        "labelSelector": {"matchLabels": {names.CLAIM: value}},
        "topologyKey": "kubernetes.io/hostname",
    }

    def near(affinity: Mapping[str, Any]) -> dict[str, Any]:
        rule = dict(affinity.get("podAffinity") or {})
        return {**affinity, "podAffinity": {**rule, _REQUIRED: [*rule.get(_REQUIRED, ()), term]}}

    # A step's own affinity replaces the target's, so the rule has to be in both.
    steps = {
        step: {**own, "affinity": near(own["affinity"])} if "affinity" in own else own
        for step, own in target.steps.items()
    }
    return dataclasses.replace(
        target,
        affinity=near(target.affinity),
        # The affinity rule chooses pods by this label.
        labels={**target.labels, names.CLAIM: value},
        steps=steps,
    )


def _made(cluster: Cluster, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return cluster.create(_KIND, body)
    except ApiError as error:
        if error.status != 409:
            raise
    # Another driver created it first, or the reply to our own request was lost.
    return cluster.get(_KIND, name) or body
