"""The node's processes: what each is called with, and the configuration files they read."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from tests.cluster.layout import (
    ADDRESS,
    CGROUP,
    CHECKOUT,
    DOORS,
    HERE,
    NODE,
    PODS,
    REGISTRY_USER,
    S3_KEY,
    S3_SECRET,
    SERVICES,
    Layout,
)
from tests.cluster.machine import need

ETCD = "http://127.0.0.1:2379"
HTPASSWD = REGISTRY_USER + ":$2y$05$KfnbTestClusterSaltAB.mbzPIYPlyyw7oo/O8dRUu8XEZSSYPo2"
"""bcrypt of `REGISTRY_PASSWORD`."""


@dataclass(frozen=True)
class Command:
    """A process of the node."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


FIRST = ("etcd", "containerd", "kube-apiserver", "s3", "registry", "private-registry")
THEN = ("kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "volumes", "kubelet")
"""What needs an API server that answers."""


def configure(layout: Layout, binaries: Mapping[str, Path], sandbox: str) -> None:
    """Write the configuration files of every process."""
    values = {
        "root": layout.root,
        "cni": binaries["cni"],
        "address": ADDRESS,
        "node": NODE,
        "pods": PODS,
        "cgroup": CGROUP,
        "runc": need("runc"),
        "sandbox": sandbox,
    }
    layout.config.mkdir()
    for template in (HERE / "config").iterdir():
        text = Template(template.read_text("utf-8")).substitute(values)
        (layout.config / template.name).write_text(text, "utf-8")
    (layout.config / "cni").mkdir()
    shutil.move(layout.config / "cni.conflist", layout.config / "cni" / "10-kfnb.conflist")
    (layout.config / "resolv.conf").write_text("nameserver 127.0.0.1\n", "ascii")
    (layout.config / "htpasswd").write_text(HTPASSWD + "\n", "ascii")
    for name in ("registry", "private-registry"):
        host = f"{ADDRESS}:{DOORS[name].port}"
        folder = layout.config / "registries" / host
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(f'server = "http://{host}"\n', "ascii")


def commands(layout: Layout, binaries: Mapping[str, Path]) -> dict[str, Command]:
    """Return every process of the node by its name."""
    root, pki = layout.root, layout.pki
    kube = binaries["kube"]
    issuer = "https://kubernetes.default.svc"

    def client(name: str) -> str:
        return f"{pki}/{name}.kubeconfig"

    def component(name: str, subject: str, *arguments: str) -> Command:
        config = client(subject)
        return Command(
            (
                f"{kube}/{name}",
                f"--kubeconfig={config}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
                f"--cert-dir={root}/{name}",
                "--bind-address=127.0.0.1",
                "--leader-elect=false",
                *arguments,
            )
        )

    def registry(config: str) -> Command:
        program = f"{binaries['registry']}/registry"
        return Command(
            (program, "serve", f"{layout.config}/{config}.yaml"), {"OTEL_TRACES_EXPORTER": "none"}
        )

    return {
        "etcd": Command(
            (
                f"{binaries['etcd']}/etcd",
                f"--name={NODE}",
                f"--data-dir={root}/etcd",
                "--unsafe-no-fsync",
                "--log-level=warn",
                f"--listen-client-urls={ETCD}",
                f"--advertise-client-urls={ETCD}",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                f"--initial-cluster={NODE}=http://127.0.0.1:2380",
            )
        ),
        "containerd": Command(
            (f"{binaries['containerd']}/containerd", "--config", f"{layout.config}/containerd.toml")
        ),
        "kube-apiserver": Command(
            (
                f"{kube}/kube-apiserver",
                f"--etcd-servers={ETCD}",
                "--bind-address=0.0.0.0",
                f"--secure-port={DOORS['api'].port}",
                f"--advertise-address={ADDRESS}",
                f"--tls-cert-file={pki}/apiserver.crt",
                f"--tls-private-key-file={pki}/apiserver.key",
                f"--client-ca-file={pki}/ca.crt",
                f"--cert-dir={root}/kube-apiserver",
                f"--service-account-issuer={issuer}",
                f"--service-account-key-file={pki}/sa.pub",
                f"--service-account-signing-key-file={pki}/sa.key",
                f"--service-cluster-ip-range={SERVICES}",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
                f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
                f"--kubelet-certificate-authority={pki}/ca.crt",
                "--kubelet-preferred-address-types=InternalIP",
            )
        ),
        "s3": Command(
            (
                *(f"{binaries['s3']}/versitygw", "--port", f"{ADDRESS}:{DOORS['s3'].port}"),
                *("posix", "--sidecar", f"{root}/bucket-metadata", f"{root}/objects"),
            ),
            {"ROOT_ACCESS_KEY": S3_KEY, "ROOT_SECRET_KEY": S3_SECRET},
        ),
        "registry": registry("registry"),
        "private-registry": registry("private-registry"),
        "kube-controller-manager": component(
            "kube-controller-manager",
            "controller-manager",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--root-ca-file={pki}/ca.crt",
            "--node-monitor-grace-period=20s",
        ),
        "kube-scheduler": component("kube-scheduler", "scheduler"),
        "kube-proxy": Command(
            (
                f"{kube}/kube-proxy",
                f"--kubeconfig={client('kube-proxy')}",
                f"--hostname-override={NODE}",
                "--proxy-mode=nftables",
                f"--cluster-cidr={PODS}",
                # The limits of conntrack are the whole machine's: not ours to change.
                "--conntrack-max-per-core=0",
                "--conntrack-min=0",
                "--conntrack-tcp-timeout-established=0s",
                "--conntrack-tcp-timeout-close-wait=0s",
                f"--bind-address={ADDRESS}",
                "--healthz-bind-address=127.0.0.1:10256",
                "--metrics-bind-address=127.0.0.1:10249",
                "--nodeport-addresses=127.0.0.0/8",
            )
        ),
        "coredns": Command(
            (f"{binaries['coredns']}/coredns", "-conf", f"{layout.config}/Corefile")
        ),
        "volumes": Command(
            (sys.executable, "-m", "tests.cluster.volumes", str(root)),
            {"PYTHONPATH": str(CHECKOUT)},
        ),
        "kubelet": Command(
            (
                f"{kube}/kubelet",
                f"--config={layout.config}/kubelet.yaml",
                f"--kubeconfig={client('kubelet')}",
                f"--hostname-override={NODE}",
                f"--node-ip={ADDRESS}",
                f"--root-dir={root}/kubelet",
                f"--cert-dir={root}/kubelet-certificates",
            )
        ),
    }
