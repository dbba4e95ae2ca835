"""The rights that kfnb needs on a cluster, and the objects that grant them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

DRIVER = "kfnb-driver"
USER = "kfnb-user"


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs that are needed on a resource, or on a subresource of it."""

    resource: str
    verbs: tuple[str, ...]
    group: str = ""
    subresource: str = ""
    store: tuple[str, ...] = ("",)
    """Prefixes of stores for which it is needed; by default it always is."""
    without: str = ""
    """What does not work without it, if runs do; empty if runs fail."""

    def concerns(self, *stores: str | None) -> bool:
        """Return whether it is needed with a store that has these addresses."""
        return any((store or "").startswith(self.store) for store in stores)

    @property
    def whole(self) -> str:
        """The resource as a Role names it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def dotted(self) -> str:
        """The resource as ``kubectl`` names it."""
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{name}/{self.subresource}" if self.subresource else name


FOR_DRIVER = (
    Right("jobs", ("create", "delete", "get", "list", "watch"), group="batch"),
    Right("pods", ("delete", "get", "list", "watch")),
    Right("pods", ("get",), subresource="log"),
    Right("events", ("list",)),
    Right("configmaps", ("create", "delete", "get")),
    Right(
        "leases",
        ("create", "get", "update"),
        group="coordination.k8s.io",
        without="Without it, kfnb clean on other machines decides by the age of values only.",
    ),
    Right("persistentvolumeclaims", ("create", "get"), store=("pvc:",)),
)
"""What the drivers' service account needs in its namespace."""

FOR_USER = (
    Right("jobs", ("create", "delete", "get", "list", "watch"), group="batch"),
    # Steps run in Jobs; kfnb doctor creates a pod to inspect an image.
    Right("pods", ("create", "delete", "get", "list", "watch")),
    Right("pods", ("get",), subresource="log"),
    # A store on a claim or behind a service is read through a port-forward.
    Right("pods", ("create", "get"), subresource="portforward", store=("pvc:", "service:")),
    Right("events", ("list",)),
    Right("configmaps", ("create", "delete", "get", "list")),
    Right(
        "leases",
        ("create", "get", "list", "update"),
        group="coordination.k8s.io",
        without="Without it, other machines show runs that this machine drives as lost.",
    ),
    Right("persistentvolumeclaims", ("create", "get"), store=("pvc:",)),
    Right("services", ("get",), store=("service:",)),
    Right(
        "secrets",
        ("create",),
        without="Without it, masked parameters (--mask) cannot be given to steps.",
    ),
    # Whether the drivers' account exists decides where a run's driver starts.
    Right("serviceaccounts", ("get",)),
)
"""What you need to run pipelines in a namespace."""


def role(name: str, rights: tuple[Right, ...]) -> Object:
    """Return the Role that grants rights."""
    rules = [
        {"apiGroups": [one.group], "resources": [one.whole], "verbs": list(one.verbs)}
        for one in rights
    ]
    return {**_rbac("Role"), "metadata": _metadata(name), "rules": rules}


def driver_objects(namespace: str, account: str = DRIVER) -> list[Object]:
    """List the service account, Role and RoleBinding for drivers in a namespace."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    made = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(account)},
        role(account, FOR_DRIVER),
        {
            **_rbac("RoleBinding"),
            "metadata": _metadata(account),
            "roleRef": reference,
            "subjects": [subject],
        },
    ]
    for one in made:
        one["metadata"]["namespace"] = namespace
    return made


def grant(right: Right, verbs: tuple[str, ...], *, namespace: str, who: str) -> tuple[str, str]:
    """Return the commands by which an admin grants verbs on a resource to an account.

    >>> right = Right("jobs", ("create",), group="batch")
    >>> role, binding = grant(right, ("create",), namespace="lab", who="ada")
    >>> role
    'kubectl create role kfnb-ada-jobs -n lab --verb=create --resource=jobs.batch'
    >>> binding
    'kubectl create rolebinding kfnb-ada-jobs -n lab --role=kfnb-ada-jobs --user=ada'
    """
    import shlex

    from kfnb.runners.kubernetes.objects.names import object_name

    space = shlex.quote(namespace)
    account = who.startswith("system:serviceaccount:")
    parts = (who.rpartition(":")[2] if account else who, right.resource, right.subresource)
    # One Role for each resource, because kubectl refuses to create one that exists.
    name = object_name("kfnb", *(part for part in parts if part))
    subject_name = who.removeprefix("system:serviceaccount:")
    subject = f"--serviceaccount={subject_name}" if account else f"--user={who or 'NAME'}"
    return (
        f"kubectl create role {name} -n {space} --verb={','.join(verbs)} --resource={right.dotted}",
        f"kubectl create rolebinding {name} -n {space} --role={name} {shlex.quote(subject)}",
    )


def _rbac(kind: str) -> Mapping[str, str]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind}


def _metadata(name: str) -> Object:
    return {"name": name, "labels": {"app.kubernetes.io/part-of": "kfnb"}}
