"""``kfnb doctor --on kubernetes``: checks what runs need, and says how to repair it.

Each check yields findings in the order in which you would repair them. Without ``--fix`` nothing
is created but a pod that inspects an image for some seconds.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kfnb.errors import InfrastructureError, KfnbError
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.client import ApiError, Cluster, connect
from kfnb.runners.kubernetes.doctor import rights
from kfnb.runners.kubernetes.doctor.image import image_findings
from kfnb.runners.kubernetes.objects import manifests
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.target import Finding

_LEVEL = "pod-security.kubernetes.io/enforce"
_LEARNS = 5.0
"""Seconds that an API server may need to apply a Role that was just created."""


def examine(
    target: KubernetesOptions, *, pipeline: Pipeline | None = None, fix: bool = False
) -> Iterator[Finding]:
    """Check everything that runs need; yield each finding when it is made.

    Parameters
    ----------
    pipeline
        Its steps' images are inspected too.
    fix
        Create what is missing and can be created: the drivers' service account with its Role,
        and the store's claim.
    """
    try:
        # Few tries, because a person waits for the answer.
        cluster = connect(context=target.context, namespace=target.namespace, tries=2)
        version = cluster.version()
    except KfnbError as error:
        yield Finding("access", "missing", str(error))
        return
    space = cluster.namespace
    yield Finding("access", "ok", f"The API server {cluster.host} answers: Kubernetes {version}.")
    namespace = _namespace(cluster)
    yield namespace
    # Every further check would fail for the same reason.
    if namespace.status == "missing":
        return
    # Older clusters do not know the request; the findings then say "You".
    who = _asked(cluster.whoami) or ""
    needed = [r for r in rights.FOR_USER if r.concerns(target.store, target.store_client_endpoint)]
    yield from _rights(needed, cluster.can, who=who, space=space)
    yield from _driver(cluster, target, fix=fix)
    yield from _references(cluster, target)
    yield from _store(cluster, target, fix=fix)
    yield from image_findings(cluster, target, pipeline)


def _namespace(cluster: Cluster) -> Finding:
    space = cluster.namespace
    try:
        namespace = cluster.get("Namespace", space)
    except InfrastructureError as error:
        return Finding("namespace", "unknown", f"Namespace {space} cannot be read: {error}")
    if namespace is None:
        return Finding(
            "namespace",
            "missing",
            f"There is no namespace {space}.",
            (f"kubectl create namespace {shlex.quote(space)}",),
        )
    level = (namespace["metadata"].get("labels") or {}).get(_LEVEL)
    standard = (
        f'enforces the Pod Security Standard "{level}"'
        if level
        else "enforces no Pod Security Standard"
    )
    return Finding("namespace", "ok", f'Namespace {space} {standard}; steps satisfy "restricted".')


def _rights(
    needed: Sequence[rights.Right],
    can: Callable[..., bool],
    *,
    who: str,
    space: str,
    account: str = "",
    needs: bool = True,
) -> Iterator[Finding]:
    """Check each verb; yield one finding for what is granted, one for each resource that is not.

    ``needs`` says whether runs fail without the rights.
    """
    check = "driver rights" if account else "rights"
    name = f"The service account {account}" if account else f"{who or 'You'}"
    lacking = False
    for right in needed:
        where = {"group": right.group, "subresource": right.subresource}
        try:
            verbs = tuple(v for v in right.verbs if not can(v, right.resource, **where))
        except ApiError as error:
            yield Finding(
                check,
                "unknown",
                f"It is unknown what {name[:1].lower()}{name[1:]} may do: {error}",
                (f"kubectl auth can-i --list -n {shlex.quote(space)}{_as(space, account)}",),
            )
            # The other questions would fail in the same way.
            return
        if verbs:
            lacking = True
            yield Finding(
                check,
                "missing" if needs and not right.without else "warning",
                f"{name} may not {', '.join(verbs)} {right.whole} in namespace {space}. "
                f"{right.without}".rstrip(),
                rights.grant(right, verbs, namespace=space, who=who),
            )
    if not lacking:
        yield Finding(check, "ok", f"{name} may do everything necessary in namespace {space}.")


def _as(space: str, account: str) -> str:
    return f" --as={shlex.quote(f'system:serviceaccount:{space}:{account}')}" if account else ""


def _driver(cluster: Cluster, target: KubernetesOptions, *, fix: bool) -> Iterator[Finding]:
    """Check whether drivers can run in the cluster; otherwise they run on this machine."""
    account, space = target.driver_service_account, cluster.namespace
    who = f"system:serviceaccount:{space}:{account}"
    try:
        there = cluster.about("ServiceAccount", account) is not None
    except ApiError as error:
        yield Finding(
            "driver", "unknown", f"It is unknown whether drivers may run in the cluster: {error}"
        )
        return
    needed = [r for r in rights.FOR_DRIVER if r.concerns(target.store)]
    if fix:
        before = there and _all(cluster, account, needed)
        if not before:
            yield _fixed(cluster, rights.driver_objects(space, account), account)
            there = True
            # The server applies a Role a moment after it is written.
            until = time.monotonic() + _LEARNS
            while not _all(cluster, account, needed) and time.monotonic() < until:
                time.sleep(0.1)
    if not there:
        yield Finding(
            "driver",
            "missing" if target.driver == "cluster" else "warning",
            f"There is no service account {account} in namespace {space}, so this machine drives "
            f"runs, and they pause while it sleeps. kfnb doctor {target.flags} --fix creates it, "
            "or an administrator can:",
            (
                f"kubectl create serviceaccount {shlex.quote(account)} -n {shlex.quote(space)}",
                *(
                    line
                    for right in needed
                    for line in rights.grant(right, right.verbs, namespace=space, who=who)
                ),
            ),
        )
        return

    def can(verb: str, resource: str, *, group: str, subresource: str) -> bool:
        return cluster.account_can(account, verb, resource, group=group, subresource=subresource)

    # If the account exists, runs use it unless their options say otherwise.
    needs = target.driver != "here"
    yield from _rights(needed, can, who=who, space=space, account=account, needs=needs)


def _all(cluster: Cluster, account: str, needed: Sequence[rights.Right]) -> bool:
    try:
        return all(
            cluster.account_can(account, v, r.resource, group=r.group, subresource=r.subresource)
            for r in needed
            for v in r.verbs
        )
    except ApiError:
        return False


def _fixed(cluster: Cluster, objects: Sequence[dict[str, Any]], name: str) -> Finding:
    """Apply objects; yield what was done, or why not."""
    for one in objects:
        try:
            cluster.apply(one["kind"], one)
        except ApiError as error:
            sentence = f"{one['kind']} {name} cannot be created: {error}"
            return Finding("driver", "warning", sentence)
    kinds = ", ".join(one["kind"] for one in objects)
    return Finding("driver", "fixed", f"{name} was created or corrected: {kinds}.")


def _references(cluster: Cluster, target: KubernetesOptions) -> Iterator[Finding]:
    """Check that what pods refer to exists; the content of a Secret is never read."""
    space = shlex.quote(cluster.namespace)
    wanted = [("Secret", name, "image pull secret") for name in target.image_pull_secrets]
    if target.store_secret:
        wanted.append(("Secret", target.store_secret, "store secret"))
    if target.service_account:
        wanted.append(("ServiceAccount", target.service_account, "service account"))
    for kind, name, what in wanted:
        try:
            there = cluster.about(kind, name) is not None
        except ApiError as error:
            yield Finding(what, "unknown", f"The {what} {name} cannot be read: {error}")
            continue
        if there:
            yield Finding(what, "ok", f"The {what} {name} exists.")
            continue
        quoted = shlex.quote(name)
        command = {
            "image pull secret": f"kubectl create secret docker-registry {quoted} -n {space} "
            "--docker-server=REGISTRY --docker-username=NAME --docker-password=PASSWORD",
            "store secret": f"kubectl create secret generic {quoted} -n {space} "
            "--from-literal=AWS_ACCESS_KEY_ID=ID --from-literal=AWS_SECRET_ACCESS_KEY=KEY",
            "service account": f"kubectl create serviceaccount {quoted} -n {space}",
        }[what]
        sentence = f"There is no {what} {name} in namespace {cluster.namespace}."
        yield Finding(what, "missing", sentence, (command,))


def _store(cluster: Cluster, target: KubernetesOptions, *, fix: bool) -> Iterator[Finding]:
    try:
        inside = manifests.store_inside(target)
    except KfnbError as error:
        yield Finding("store", "missing", str(error))
        return
    if not inside.startswith("s3://"):
        yield _claim(cluster, target, fix=fix)
        return
    from kfnb.runners.kubernetes.store.store_access import store_of

    try:
        # Opening it writes and reads, so it shows missing rights and wrong addresses.
        remote = store_of(target).remote
    except KfnbError as error:
        yield Finding("store", "missing", str(error))
        return
    sentence = (
        f"This machine can use the store {remote.address}, which refuses to create a record twice."
    )
    yield Finding("store", "ok", sentence)


def _claim(cluster: Cluster, target: KubernetesOptions, *, fix: bool) -> Finding:
    body = manifests.claim(target)
    assert body is not None
    name, space = body["metadata"]["name"], cluster.namespace
    try:
        claim = cluster.get("PersistentVolumeClaim", name)
        if claim is None and fix:
            cluster.create("PersistentVolumeClaim", body)
            return Finding("store", "fixed", f"The claim {name} was created.")
    except ApiError as error:
        return Finding("store", "unknown", f"The claim {name} cannot be read or created: {error}")
    if claim is None:
        wrong = _class_missing(cluster, target)
        if wrong:
            return Finding("store", "missing", wrong, ("kubectl get storageclasses",))
        sentence = f"There is no claim {name} in namespace {space}; the first run creates it"
        return Finding("store", "ok", f"{sentence} with {target.storage_size}.")
    phase = (claim.get("status") or {}).get("phase")
    if phase == "Bound":
        return Finding("store", "ok", f"The claim {name} exists and is bound to a volume.")
    wrong = _class_missing(cluster, target, str(claim["spec"].get("storageClassName") or ""))
    look = f"kubectl describe pvc {shlex.quote(name)} -n {shlex.quote(space)}"
    if wrong or phase == "Lost":
        lost = f"The claim {name} has lost its volume."
        return Finding("store", "missing", wrong or lost, (look,))
    sentence = (
        f"The claim {name} has no volume yet; some storage classes create it for the first pod."
    )
    return Finding("store", "warning", sentence, (look,))


def _class_missing(cluster: Cluster, target: KubernetesOptions, own: str = "") -> str:
    """Return what is wrong with a claim's storage class; empty if nothing is, or unknown."""
    name = own or target.storage_class
    try:
        if name:
            there = cluster.about("StorageClass", name) is not None
            return "" if there else f"There is no storage class {name} in this cluster."
        listed = cluster.list("StorageClass").get("items") or ()
    except ApiError:
        return ""
    marks = [(c["metadata"].get("annotations") or {}) for c in listed]
    # Kubernetes marks the class that claims without a class get.
    if any(m.get("storageclass.kubernetes.io/is-default-class") == "true" for m in marks):
        return ""
    return "This cluster has no default storage class. Name one with --storage-class."


def _asked(ask: Callable[[], str]) -> str | None:
    try:
        return ask()
    except ApiError:
        return None
