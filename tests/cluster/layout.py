"""Where things are: folders on this machine, addresses inside the node, ports outside."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from devtools.environments import cache_folder

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
CACHE = cache_folder() / "kubernetes"

NODE = "kfnb-test"
ADDRESS = "10.88.0.1"
"""Of the node, in its own network; the kubelet refuses a loopback address."""
SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/22"
CGROUP = "kfnb-test"
"""Below which every pod's cgroup is; not the kubelet's usual place, which may be another's."""


@dataclass(frozen=True)
class Door:
    """A port of the node, and the port of 127.0.0.1 that leads there if it is free."""

    address: str
    port: int
    outside: int


DOORS = {
    "api": Door("127.0.0.1", 6443, 16443),
    "s3": Door(ADDRESS, 9000, 19000),
    "registry": Door(ADDRESS, 5000, 15000),
    "private-registry": Door(ADDRESS, 5001, 15001),
}

S3_INSIDE = "http://s3.storage:9000"
S3_KEY, S3_SECRET = "test", "testsecret"
REGISTRY_USER, REGISTRY_PASSWORD = "test", "testsecret"


@dataclass(frozen=True)
class Layout:
    """The folders of one running cluster; all of it goes away with the cluster."""

    root: Path

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def containerd(self) -> Path:
        return self.root / "containerd.sock"

    @property
    def control(self) -> Path:
        """Where pid 1 listens for what is to be stopped and started."""
        return self.root / "control.sock"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def ready(self) -> Path:
        return self.root / "ready"

    @property
    def facts(self) -> Path:
        """JSON of what outside processes need: pids, ports, what ``down`` has to put back."""
        return self.root / "facts.json"


RUNNING = Layout(CACHE / "running")
