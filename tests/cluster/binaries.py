"""The cluster's programs, each built from its Go module at the versions in ``go/*/go.mod``.

A component's folder holds ``go.mod`` with its packages as ``tool`` lines, and ``go.sum``.
What is built is kept in the cache, keyed by these two files, the linker's flags and the
architecture.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.layout import ARCHITECTURE, CACHE, HERE
from tests.cluster.machine import Unable

UNUSED = 14 * 86400
"""Seconds after which binaries of another checkout's versions are removed."""


@dataclass(frozen=True)
class Component:
    """What one Go module is built into."""

    name: str
    module: str = ""
    """Whose version the programs must report; Kubernetes' refuse to talk otherwise."""
    versions: tuple[str, ...] = ()
    """Linker variables that take that version."""
    rename: tuple[tuple[str, str], ...] = ()

    @property
    def sources(self) -> Path:
        return HERE / "go" / self.name

    @property
    def folder(self) -> Path:
        key = hashlib.sha256(f"{ARCHITECTURE} {self.flags()}".encode())
        for name in ("go.mod", "go.sum"):
            key.update((self.sources / name).read_bytes())
        return CACHE / "bin" / f"{self.name}-{key.hexdigest()[:12]}"

    def flags(self) -> str:
        if not self.module:
            return "-s -w"
        version = required(self.sources / "go.mod", self.module)
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = {"Version": version, "gitVersion": version, "gitMajor": major, "gitMinor": minor}
        return " ".join(
            ["-s -w", *(f"-X {v}={values[v.rpartition('.')[2]]}" for v in self.versions)]
        )


KUBERNETES = tuple(
    f"{package}.{name}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name in ("gitVersion", "gitMajor", "gitMinor")
)
CONTAINERD = "github.com/containerd/containerd/v2"
COMPONENTS = (
    Component("kube", "k8s.io/kubernetes", KUBERNETES),
    Component("etcd", rename=(("server", "etcd"),)),
    Component("containerd", CONTAINERD, (f"{CONTAINERD}/version.Version",)),
    Component("cni"),
    Component("coredns"),
    Component("s3"),
    Component("registry"),
    Component("crane"),
)


def required(go_mod: Path, module: str) -> str:
    """Return the version of `module` that a ``go.mod`` asks for."""
    for line in go_mod.read_text("utf-8").splitlines():
        words = line.removeprefix("require").split()
        if len(words) > 1 and words[0] == module and words[1].startswith("v"):
            return words[1]
    raise LookupError(f"{go_mod} does not require {module}")


def folders() -> dict[str, Path]:
    """Where each component's programs are, built or not."""
    return {component.name: component.folder for component in COMPONENTS}


def ensure(say: Callable[[str], None], *only: str) -> None:
    """Build what is not in the cache; the first time that takes minutes.

    Of several processes one builds, and the others wait for it.
    """
    wanted = [component for component in COMPONENTS if not only or component.name in only]
    if not all(component.folder.exists() for component in wanted):
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "building").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for component in wanted:
                if not component.folder.exists():
                    _build(component, say)
    for component in wanted:
        os.utime(component.folder)
    for old in (CACHE / "bin").iterdir():
        if time.time() - old.stat().st_mtime > UNUSED:
            shutil.rmtree(old)


def _build(component: Component, say: Callable[[str], None]) -> None:
    if not shutil.which("go"):
        raise Unable("the test cluster is built with Go 1.26 or newer, which is not on PATH.")
    say(f"building {component.name} (minutes the first time, once)")
    began = time.monotonic()
    bin_folder = component.folder.parent
    bin_folder.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix=".building-", dir=bin_folder))
    command = [
        "go",
        "build",
        "-trimpath",
        "-ldflags",
        component.flags(),
        "-o",
        f"{target}/",
        "tool",
    ]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    try:
        subprocess.run(command, check=True, cwd=component.sources, env=environment)
        for built, wanted in component.rename:
            (target / built).rename(target / wanted)
        target.chmod(0o755)
        target.rename(component.folder)
        say(f"built {component.name} in {time.monotonic() - began:.0f} s")
    except subprocess.CalledProcessError as error:
        raise Unable(f"{component.name} could not be built; Go says why above.") from error
    finally:
        shutil.rmtree(target, ignore_errors=True)
