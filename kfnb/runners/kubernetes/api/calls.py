"""The calls that kfnb makes to an API server, with JSON values, in one namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from kfnb.runners.kubernetes.api.port_forward import PortForward
from kfnb.runners.kubernetes.api.transport import ApiError, Transport

Object = Mapping[str, Any]

KINDS: Mapping[str, tuple[str, str]] = {
    "Job": ("/apis/batch/v1", "jobs"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Service": ("/api/v1", "services"),
    "Secret": ("/api/v1", "secrets"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "Namespace": ("/api/v1", "namespaces"),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses"),
}
"""The API path of each kind, and its plural."""

_OF_THE_CLUSTER = {"Namespace", "StorageClass"}
_REVIEWS = "/apis/authorization.k8s.io/v1"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
# With this media type the server returns nothing of an object but its metadata.
_ABOUT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# Seconds by which the server may end a watch later than it was asked to.
_SLACK = 10.0
# A silence of this many seconds is an error: a dead connection looks like a quiet step.
_LOG_SILENCE = 60.0


class Cluster:
    """A workspace: one namespace of one cluster. Any thread may use it.

    Every call raises :class:`ApiError` if the server refuses or does not answer.
    """

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self.namespace = namespace
        self.host = transport.host

    def create(self, kind: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object; with ``dry_run`` the server only checks it.

        Raises
        ------
        ApiError
            With the status 409 if an object of this name exists, which may be this one if the
            reply to its creation was lost.
        """
        query = {"dryRun": "All"} if dry_run else None
        # Manifests are built without apiVersion and kind, which the server requires.
        return self._transport.json(
            "POST", self._path(kind), query=query, body={**version_of(kind), **body}
        )

    def apply(self, kind: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create or change an object (server-side apply)."""
        # Server-side apply needs a name for the owner of the fields that it sets.
        query = {"fieldManager": "kfnb", "dryRun": "All" if dry_run else ""}
        return self._transport.json(
            "PATCH",
            self._path(kind, body["metadata"]["name"]),
            query=query,
            body={**version_of(kind), **body},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""
        return self._object(kind, name)

    def about(self, kind: str, name: str) -> Object | None:
        """Return an object's metadata, or None; a Secret's content does not leave the server."""
        return self._object(kind, name, headers={"Accept": _ABOUT})

    def replace(self, kind: str, body: Object) -> Object:
        """Replace an object that was read before; status 409 if it has changed since."""
        return self._transport.json("PUT", self._path(kind, body["metadata"]["name"]), body=body)

    def list(self, kind: str, *, selector: str = "", fields: str = "") -> Mapping[str, Any]:
        """Return a list object."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        return self._transport.json("GET", self._path(kind), query=query)

    def delete(
        self, kind: str, name: str, *, uid: str | None = None, grace: int | None = None
    ) -> None:
        """Delete an object and what it owns, unless it is gone or has another UID."""
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        # Without it, the pods of a deleted Job would stay.
        body["propagationPolicy"] = "Background"
        # By now the name may belong to a newer object, which must not be deleted.
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            self._transport.json("DELETE", self._path(kind, name), body=body)
        except ApiError as error:
            # Gone, or replaced by another object of this name: there is nothing left to delete.
            if error.status not in (404, 409):
                raise

    def list_watch(
        self, kind: str, *, selector: str, since: str, timeout: float
    ) -> Iterator[bytes]:
        """Yield the lines of a watch."""
        query = {
            "watch": "true",
            # Bookmarks keep the resource version young, so that a quiet watch can be continued.
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": since,
            "timeoutSeconds": str(int(timeout)),
        }
        rest = b""
        for piece in self._transport.pieces(self._path(kind), query=query, read=timeout + _SLACK):
            # A piece may end in the middle of a line.
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        # A server may end a watch within a line; the reader recognises that it is truncated.
        if rest:
            yield rest

    def pod_log(
        self,
        name: str,
        *,
        container: str,
        since_time: str | None = None,
        follow: bool = False,
        timestamps: bool = True,
    ) -> Iterator[bytes]:
        """Yield a container's log in pieces, by default with timestamps."""
        query = {
            "container": container,
            "timestamps": "true" if timestamps else "",
            "follow": "true" if follow else "",
            "sinceTime": since_time or "",
        }
        path = self._path("Pod", name) + "/log"
        return self._transport.pieces(path, query=query, read=_LOG_SILENCE)

    def port_forward(
        self, pod: str, port: int, *, again: Callable[[], tuple[str, int]] | None = None
    ) -> PortForward:
        """Forward a port of this machine to a port of a pod, until it is closed.

        Every process of this machine can connect, so the pod has to authenticate requests. If the
        pod is gone, ``again`` returns another one and its port.
        """

        def path(pod: str, port: int) -> str:
            return f"{self._path('Pod', pod)}/portforward?ports={int(port)}"

        return PortForward(
            self._transport,
            path(pod, port),
            what=f"port {port} of pod {pod}",
            again=(lambda: path(*again())) if again is not None else None,
        )

    def can(self, verb: str, resource: str, *, group: str = "", subresource: str = "") -> bool:
        """Return whether the user may do something to objects of this namespace."""
        spec = {"resourceAttributes": self._act(verb, resource, group, subresource)}
        return self._review("SelfSubjectAccessReview", f"{_REVIEWS}/selfsubjectaccessreviews", spec)

    def account_can(
        self, account: str, verb: str, resource: str, *, group: str = "", subresource: str = ""
    ) -> bool:
        """Return whether a service account may do something; asking needs a separate right."""
        spec = {
            "resourceAttributes": self._act(verb, resource, group, subresource),
            "user": f"system:serviceaccount:{self.namespace}:{account}",
            # A service account is always in these groups, and Roles may be bound to one of them.
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{self.namespace}",
                "system:authenticated",
            ],
        }
        space = quote(self.namespace, safe="")
        path = f"{_REVIEWS}/namespaces/{space}/localsubjectaccessreviews"
        return self._review("LocalSubjectAccessReview", path, spec)

    def whoami(self) -> str:
        """Return the user's name as the server knows it; empty if the server is too old."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self._transport.json("POST", _WHO, body=body)
        except ApiError as error:  # servers before 1.28 have no such review
            if error.status is None:
                raise
            return ""
        return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")

    def version(self) -> str:
        """Return the API server's version."""
        return str(self._transport.json("GET", "/version").get("gitVersion", ""))

    def _act(self, verb: str, resource: str, group: str, subresource: str) -> dict[str, str]:
        return {
            "namespace": self.namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
        }

    def _review(self, kind: str, path: str, spec: Object) -> bool:
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": kind,
            # The server compares the namespace in a local review with that of the path.
            "metadata": {"namespace": self.namespace} if kind.startswith("Local") else {},
            "spec": spec,
        }
        answer = self._transport.json("POST", path, body=body)
        return bool((answer.get("status") or {}).get("allowed"))

    def _object(
        self, kind: str, name: str, *, headers: Mapping[str, str] | None = None
    ) -> Object | None:
        try:
            return self._transport.json("GET", self._path(kind, name), headers=headers)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _path(self, kind: str, name: str = "") -> str:
        base, plural = KINDS[kind]
        if kind not in _OF_THE_CLUSTER:
            base = f"{base}/namespaces/{quote(self.namespace, safe='')}"
        path = f"{base}/{plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


def version_of(kind: str) -> dict[str, str]:
    """Return ``apiVersion`` and ``kind`` of an object."""
    base, _ = KINDS[kind]
    return {"apiVersion": base.removeprefix("/apis/").removeprefix("/api/"), "kind": kind}
