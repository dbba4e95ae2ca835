"""How this machine reaches a target's store: directly, or through the API server."""

from __future__ import annotations

import hashlib
from functools import partial
from threading import Lock

from kfnb.errors import UsageError
from kfnb.home import home
from kfnb.runners.kubernetes.api.client import Cluster, connect
from kfnb.runners.kubernetes.api.port_forward import PortForward
from kfnb.runners.kubernetes.objects import manifests
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.store.reader_pod import Reader
from kfnb.store.remote import StoreAddress, check_once, open_remote
from kfnb.store.remote.http import HttpRemote
from kfnb.store.remote_store import RemoteStore, open_remote_store

_SERVICE = "service:"

# Opening a store may start a pod or a port-forward, so a process shares what it opened.
_lock = Lock()
_claims: dict[str, HttpRemote] = {}
_tunnels: dict[tuple[str, str, str], PortForward] = {}


def store_of(target: KubernetesOptions) -> RemoteStore:
    """Open a target's store as this machine reaches it, with copies below ``KFNB_HOME``.

    Raises
    ------
    UsageError
        If no store is configured, or a package that it needs is not installed.
    InfrastructureError
        If the store does not answer, refuses, or cannot create an object only if absent.
    """
    inside = manifests.store_inside(target)
    if not inside.startswith("s3://"):
        return _on_a_claim(target, inside)
    endpoint = target.store_client_endpoint or target.store_endpoint
    # Before forwarding: the local port is another one each time, but the copies belong to the
    # store.
    name = hashlib.sha256(f"{inside} {endpoint}".encode()).hexdigest()[:16]
    if endpoint is not None and endpoint.startswith(_SERVICE):
        endpoint = _forwarded(target, endpoint)
    remote = open_remote(StoreAddress(inside, endpoint))
    return open_remote_store(home() / "remote" / name, remote)


def _on_a_claim(target: KubernetesOptions, inside: str) -> RemoteStore:
    """Open the store on a claim through a pod, which is reused while this process lives."""
    cluster = connect(context=target.context, namespace=target.namespace)
    # Claims in two clusters or namespaces may have the same name.
    identity = f"{cluster.host} {cluster.namespace} {target.store} {inside}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    folder = home() / "remote" / name
    with _lock:
        remote = _claims.get(str(folder))
        if remote is None:
            remote = HttpRemote(Reader(cluster, target, folder / "reader"), str(target.store))
            # Without atomic creation two drivers could both think that they own a run.
            check_once(remote)
            _claims[str(folder)] = remote
    return open_remote_store(folder, remote)


def _forwarded(target: KubernetesOptions, address: str) -> str:
    """Return a local address that is forwarded to a service (``service:NAME:PORT``)."""
    service, _, port = address.removeprefix(_SERVICE).partition(":")
    if not service or not port.isdecimal():
        raise UsageError(
            f"{address!r} is not an address of an object store: for --store-client-endpoint, "
            "write its URL for this machine, or service:NAME:PORT."
        )
    cluster = connect(context=target.context, namespace=target.namespace)
    key = (cluster.host, cluster.namespace, address)
    with _lock:
        if key not in _tunnels:
            find = partial(_behind, cluster, service, int(port))
            # The pod may be replaced later; then the service leads to another one.
            _tunnels[key] = cluster.port_forward(*find(), again=find)
        return f"http://{_tunnels[key].address}"


def _behind(cluster: Cluster, service: str, port: int) -> tuple[str, int]:
    """Find a pod of a service, and its port."""
    service_object = cluster.get("Service", service)
    if service_object is None:
        raise UsageError(f"There is no service {service} in namespace {cluster.namespace}.")
    spec = service_object["spec"]
    ports = {int(one["port"]): one.get("targetPort", one["port"]) for one in spec["ports"]}
    if port not in ports:
        listed = ", ".join(map(str, sorted(ports)))
        raise UsageError(f"The service {service} has no port {port}; it has {listed}.")
    chosen = ",".join(f"{key}={value}" for key, value in (spec.get("selector") or {}).items())
    # An empty selector would choose every pod of the namespace.
    pods = cluster.list("Pod", selector=chosen).get("items") or [] if chosen else []
    for pod in pods:
        # A pod without statuses has not started: the empty entry makes it count as not ready.
        ready = (pod.get("status") or {}).get("containerStatuses") or [{}]
        number = _number(pod, ports[port])
        if number is not None and all(one.get("ready") for one in ready):
            return str(pod["metadata"]["name"]), number
    raise UsageError(f"The service {service} has no ready pod.")


def _number(pod: dict[str, object], target_port: int | str) -> int | None:
    """Return the number of a port, which a service may refer to by name."""
    if not isinstance(target_port, str):
        return target_port
    spec = pod["spec"]
    assert isinstance(spec, dict)
    for container in spec["containers"]:
        for one in container.get("ports") or ():
            if one.get("name") == target_port:
                return int(one["containerPort"])
    return None
