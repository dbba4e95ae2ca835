"""The cluster's certificate authority, certificates and kubeconfigs, made by ``openssl``."""

from __future__ import annotations

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.layout import ADDRESS, NODE

DAYS = "30"
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = ("127.0.0.1", ADDRESS, "10.96.0.1")


@dataclass(frozen=True)
class Subject:
    """Who a certificate is for: a client by its name, a server by names and addresses."""

    name: str
    text: str
    serves: tuple[str, ...] = ()

    @property
    def extensions(self) -> str:
        if not self.serves:
            return "extendedKeyUsage=clientAuth"
        return f"extendedKeyUsage=serverAuth\nsubjectAltName={','.join(self.serves)}"


SUBJECTS = (
    Subject(
        "apiserver",
        "/CN=kube-apiserver",
        (*(f"DNS:{n}" for n in SERVER_NAMES), *(f"IP:{a}" for a in SERVER_ADDRESSES)),
    ),
    Subject("kubelet-server", f"/CN={NODE}", (f"DNS:{NODE}", f"IP:{ADDRESS}")),
    Subject("apiserver-kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
    Subject("admin", "/O=system:masters/CN=admin"),
    Subject("controller-manager", "/CN=system:kube-controller-manager"),
    Subject("scheduler", "/CN=system:kube-scheduler"),
    Subject("kube-proxy", "/O=system:node-proxier/CN=system:kube-proxy"),
    Subject("kubelet", f"/O=system:nodes/CN=system:node:{NODE}"),
)


def make(folder: Path) -> None:
    """Make everything in an empty folder, with a kubeconfig for each client."""
    folder.mkdir(mode=0o700)
    _openssl(folder, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "ca.key")
    authority = ["-subj", "/CN=kfnb-test-ca", "-days", DAYS, "-out", "ca.crt"]
    _openssl(folder, "req", "-x509", "-new", "-key", "ca.key", *authority)
    with ThreadPoolExecutor(4) as pool:
        keys = pool.submit(_service_account_keys, folder)
        list(pool.map(lambda subject: _certificate(folder, subject), SUBJECTS))
        keys.result()
    for subject in SUBJECTS:
        if not subject.serves:
            text = kubeconfig(folder, subject.name, "https://127.0.0.1:6443")
            (folder / f"{subject.name}.kubeconfig").write_text(text, "ascii")


def kubeconfig(folder: Path, client: str, server: str) -> str:
    """Return a kubeconfig (JSON, which is YAML) that has its certificates within."""

    def encoded(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": encoded("ca.crt")}
    user = {
        "client-certificate-data": encoded(f"{client}.crt"),
        "client-key-data": encoded(f"{client}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NODE, "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": NODE, "context": {"cluster": NODE, "user": client}}],
        "current-context": NODE,
    }
    return json.dumps(config, indent=1) + "\n"


def _certificate(folder: Path, subject: Subject) -> None:
    key, request, done = (f"{subject.name}.{ending}" for ending in ("key", "csr", "crt"))
    extensions = folder / f"{subject.name}.ext"
    extensions.write_text(subject.extensions + "\n", "ascii")
    _openssl(folder, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
    _openssl(folder, "req", "-new", "-key", key, "-subj", subject.text, "-out", request)
    signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-days", DAYS, "-extfile", extensions.name]
    serial = ["-set_serial", str(SUBJECTS.index(subject) + 2)]
    _openssl(folder, "x509", "-req", "-in", request, *signing, *serial, "-out", done)


def _service_account_keys(folder: Path) -> None:
    _openssl(folder, "genrsa", "-out", "sa.key", "2048")
    _openssl(folder, "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
