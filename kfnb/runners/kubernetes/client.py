"""The API server: configuration, authentication and TLS by the official client, JSON in and out.

The typed classes of the client refuse what they do not know and cost much to make; its
watch loses events. Here only its connection is used, the same since version 28.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from kfnb.errors import InfrastructureError, UsageError

Object = Mapping[str, Any]

KINDS: Mapping[str, tuple[str, str]] = {
    "Job": ("/apis/batch/v1", "jobs"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Secret": ("/api/v1", "secrets"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
CONNECT, READ = 10.0, 30.0
_SLACK = 10.0
_TRIES = 6
_LONGEST_WAIT = 30.0
_AGAIN = {429, 500, 502, 503, 504}


class ApiError(InfrastructureError):
    """The API server refused, or does not answer (``status`` None)."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.retry_after = status, reason, retry_after


class Cluster:
    """A workspace: one namespace of one cluster. Made by :func:`connect`; used by any thread."""

    def __init__(self, api: Any, namespace: str, host: str) -> None:
        self._api = api
        self.namespace = namespace
        self.host = host

    def create(self, kind: str, body: Object) -> Object:
        """Create an object.

        Raises
        ------
        ApiError
            With the status 409 where one of its name is there: also if that is this very
            one, and the reply to its creation was lost.
        """
        full = {"apiVersion": _version(KINDS[kind][0]), "kind": kind, **body}
        return self._json("POST", self._path(kind), body=full)

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""
        try:
            return self._json("GET", self._path(kind, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def replace(self, kind: str, body: Object) -> Object:
        """Write an object that was read before; refused (409) if somebody wrote it meanwhile."""
        return self._json("PUT", self._path(kind, body["metadata"]["name"]), body=body)

    def list(self, kind: str, *, selector: str = "", fields: str = "") -> Mapping[str, Any]:
        """Return a list object."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        return self._json("GET", self._path(kind), query=query)

    def delete(
        self, kind: str, name: str, *, uid: str | None = None, grace: int | None = None
    ) -> None:
        """Delete an object and what it owns; one that is gone or has another UID is left alone."""
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        body["propagationPolicy"] = "Background"
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            self._json("DELETE", self._path(kind, name), body=body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def list_watch(
        self, kind: str, *, selector: str, since: str, timeout: float
    ) -> Iterator[bytes]:
        """Yield the lines of a watch."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": since,
            "timeoutSeconds": str(int(timeout)),
        }
        return self._lines(self._path(kind), query, read=timeout + _SLACK)

    def pod_log(
        self, name: str, *, container: str, since_time: str | None, follow: bool
    ) -> Iterator[bytes]:
        """Yield a container's log with times, in pieces."""
        query = {"container": container, "timestamps": "true"}
        if follow:
            query["follow"] = "true"
        if since_time is not None:
            query["sinceTime"] = since_time
        return self._pieces(self._path("Pod", name) + "/log", query, read=60.0)

    def can(self, verb: str, resource: str, *, group: str = "", subresource: str = "") -> bool:
        """Whether whoever asks may do something to objects of this namespace."""
        attributes = {
            "namespace": self.namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._json("POST", path, body=body)
        return bool((answer.get("status") or {}).get("allowed"))

    def _path(self, kind: str, name: str = "") -> str:
        base, plural = KINDS[kind]
        path = f"{base}/namespaces/{quote(self.namespace, safe='')}/{plural}"
        return f"{path}/{quote(name, safe='')}" if name else path

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Mapping[str, Any]:
        """Ask and read the answer, again where the server says that this may help.

        A creation is not repeated after a connection that broke: the Job may be there, and a
        second POST tells that it is, by 409.
        """
        for left in reversed(range(_TRIES)):
            try:
                response = self._request(method, path, query=query, body=body, read=READ)
                try:
                    found: Mapping[str, Any] = json.loads(response.data)
                finally:
                    response.release_conn()
                return found
            except ApiError as error:
                passing = error.status is None or error.status in _AGAIN
                if not passing or left == 0:
                    raise
                wait = error.retry_after
                if wait is None:
                    wait = 0.25 * 2 ** (_TRIES - 1 - left) * random.uniform(0.8, 1.2)  # noqa: S311
                time.sleep(min(wait, _LONGEST_WAIT))
            except ValueError as error:
                if left == 0:
                    raise ApiError(f"{self.host} answered with no JSON: {error}.") from error
        raise AssertionError("not reached")

    def _lines(self, path: str, query: Mapping[str, str], *, read: float) -> Iterator[bytes]:
        rest = b""
        for piece in self._pieces(path, query, read=read):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def _pieces(self, path: str, query: Mapping[str, str], *, read: float) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        response = self._request("GET", path, query=query, body=None, read=read)
        try:
            while piece := response.read1():
                yield piece
        except (HTTPError, OSError) as error:
            raise ApiError(f"The connection to {self.host} broke: {_words(error)}.") from error
        finally:
            # Not to be used again: there may be more to come on it.
            response.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        body: Object | None,
        read: float,
    ) -> Any:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        said = {k: v for k, v in (query or {}).items() if v}
        url = self.host + path + (f"?{urlencode(said)}" if said else "")
        headers = {"Accept": "application/json", "User-Agent": "kfnb"}
        headers.update(self._authorization())
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        pool = self._api.rest_client.pool_manager
        try:
            response = pool.request(
                method, url, body=data, headers=headers, preload_content=False,
                timeout=Timeout(connect=CONNECT, read=read), retries=False,
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise ApiError(f"{self.host} does not answer: {_words(error)}.") from error
        if response.status >= 400:
            raise self._refusal(response)
        return response

    def _authorization(self) -> dict[str, str]:
        configuration = self._api.configuration
        hook = getattr(configuration, "refresh_api_key_hook", None)
        if hook is not None:
            hook(configuration)
        found = configuration.get_api_key_with_prefix("authorization")
        if found is None and configuration.username:
            found = configuration.get_basic_auth_token()
        return {"Authorization": found} if found else {}

    def _refusal(self, response: Any) -> ApiError:
        try:
            data = response.data
        finally:
            response.close()
        try:
            plain = json.loads(data)
            said = str(plain.get("message") or data[:300])
            reason = str(plain.get("reason") or "")
        except (ValueError, AttributeError):
            said, reason = data[:300].decode("utf-8", "replace"), ""
        after = response.headers.get("Retry-After")
        try:
            wait = float(after) if after else None
        except ValueError:
            wait = None
        return ApiError(
            said.strip().rstrip(".") + ".", status=response.status, reason=reason, retry_after=wait
        )


def connect(*, context: str | None = None, namespace: str | None = None) -> Cluster:
    """Connect to the cluster of a kubeconfig's context, or to that of the pod this runs in.

    Parameters
    ----------
    context
        By default the kubeconfig's current one; without a kubeconfig, in a pod, its cluster.
    namespace
        By default the context's, else ``default``.

    Raises
    ------
    UsageError
        If there is no configuration, or no such context.
    """
    try:
        from kubernetes import client, config
    except ImportError:
        raise UsageError(
            "Running on Kubernetes needs its client. Install it: pip install 'kfnb[kubernetes]'"
        ) from None
    try:
        contexts, current = config.list_kube_config_contexts()
    except config.ConfigException as error:
        if context is None:
            return _inside(namespace, error)
        raise UsageError(f"There is no kubeconfig with the context {context!r}: {error}.") from None
    names = {c["name"]: c for c in contexts}
    if context is not None and context not in names:
        listed = ", ".join(sorted(names)) or "none"
        raise UsageError(f"The kubeconfig has no context {context!r}. It has: {listed}.")
    chosen = names[context] if context is not None else current
    configuration = client.Configuration()
    try:
        config.load_kube_config(context=chosen["name"], client_configuration=configuration)
    except config.ConfigException as error:
        raise UsageError(f"The kubeconfig cannot be used: {error}.") from error
    configuration.retries = False
    space = namespace or (chosen.get("context") or {}).get("namespace") or "default"
    return Cluster(client.ApiClient(configuration), space, configuration.host.rstrip("/"))


def _inside(namespace: str | None, error: Exception) -> Cluster:
    from pathlib import Path

    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise UsageError(
            f"There is no cluster to run on: {error}. Say which with KUBECONFIG, or log in with "
            "your cluster's tool."
        ) from None
    folder = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    try:
        space = (folder / "namespace").read_text().strip()
    except OSError:
        space = "default"
    api = client.ApiClient(configuration)
    return Cluster(api, namespace or space, configuration.host.rstrip("/"))


def _version(base: str) -> str:
    return base.removeprefix("/apis/").removeprefix("/api/")


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
