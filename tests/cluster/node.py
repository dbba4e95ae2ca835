"""The cluster from outside: start it, stop it, and stop and start its parts for fault tests."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import binaries, certificates, components, images, machine
from tests.cluster.api import Api
from tests.cluster.images import Image, Images
from tests.cluster.layout import (
    ADDRESS,
    CACHE,
    CGROUP,
    CHECKOUT,
    DOORS,
    REGISTRY_PASSWORD,
    REGISTRY_USER,
    RUNNING,
    Layout,
)
from tests.cluster.machine import Unable

Say = Callable[[str], None]
START = 120.0  # seconds that the node has to become ready
KERNEL = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
"""Settings of the whole machine that a kubelet changes; put back when it is gone."""


@dataclass(frozen=True)
class Process:
    """A process that is still the one that was started, not another with its number."""

    pid: int
    began: int

    @classmethod
    def of(cls, pid: int) -> Process:
        return cls(pid, _began(pid))

    @property
    def alive(self) -> bool:
        try:
            return _began(self.pid) == self.began
        except OSError:
            return False

    def kill(self) -> None:
        """End it, and return when it is gone."""
        while self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)


@dataclass(frozen=True)
class Node:
    """A running cluster of our own, and what can be done to it."""

    layout: Layout
    images: Images
    ports: dict[str, int]
    """Of 127.0.0.1, by the names in `layout.DOORS`."""

    @property
    def api(self) -> Api:
        return Api(self.layout.pki, self.ports["api"])

    def stop(self, name: str, *, kill: bool = False) -> None:
        """Stop a process of the node (``kube-apiserver``, ``kubelet``, …); it stays stopped."""
        self._ask({"stop": name, "kill": kill})

    def start(self, name: str) -> None:
        """Start it again; returns when API server or kubelet are ready once more."""
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._ask({"start": name})
        if name in ("kube-apiserver", "etcd"):
            _until(self.api.answers, f"{name} does not answer", START)
        elif name == "kubelet":
            _until(lambda: self.api.node_ready_since(began), "the kubelet is not ready", START)

    @contextlib.contextmanager
    def without(self, name: str, *, kill: bool = False) -> Iterator[None]:
        """Stop a process for a while."""
        self.stop(name, kill=kill)
        try:
            yield
        finally:
            self.start(name)

    def running(self) -> dict[str, int]:
        """Return the pids, inside, of the processes that run."""
        found: dict[str, int] = self._ask({})["running"]
        return found

    def inside(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in the node's namespaces: ``ctr``, ``nft``, ``ip``; fails if it fails."""
        pid = _facts(self.layout)["node"][0]
        path = ":".join([*map(str, binaries.folders().values()), machine.PLACES])
        environment = {
            "PATH": path,
            "KUBECONFIG": str(self.layout.pki / "admin.kubeconfig"),
            "CONTAINERD_ADDRESS": str(self.layout.containerd),
            "CONTAINERD_NAMESPACE": "k8s.io",
        }
        enter = ["nsenter", "-t", str(pid), "-m", "-n", "-p", "--", *command]
        said: dict[str, Any] = {"capture_output": True, "text": True, **options}
        return subprocess.run(enter, env=environment, check=True, **said)

    def push(self, image: Image, name: str, *, private: bool = False) -> str:
        """Push an image to a registry; returns its name for pods.

        Both registries serve the same content; the private one asks pods for the password.
        """
        crane = binaries.folders()["crane"] / "crane"
        there = f"127.0.0.1:{self.ports['registry']}/{name}"
        push = [str(crane), "push", "--insecure", str(image.archive), there]
        subprocess.run(push, check=True, capture_output=True)
        door = DOORS["private-registry" if private else "registry"]
        return f"{door.address}:{door.port}/{name}"

    @property
    def login(self) -> dict[str, Any]:
        """What ``.dockerconfigjson`` of a pull secret holds for the private registry."""
        host = f"{ADDRESS}:{DOORS['private-registry'].port}"
        return {"auths": {host: {"username": REGISTRY_USER, "password": REGISTRY_PASSWORD}}}

    def load(self) -> None:
        """Import the images that containerd does not have yet."""
        for image in self.images:
            mark = self.layout.root / f"imported-{image.archive.stem}"
            if not mark.exists():
                where = ["--platform", f"linux/{images.ARCHITECTURE}", "--local"]
                self.inside("ctr", "images", "import", *where, str(image.archive))
                mark.touch()

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.layout.control))
            connection.sendall(json.dumps(asked).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer


def up(say: Say) -> tuple[Node, bool]:
    """Return the running cluster with today's images, and whether this call started it."""
    machine.check()
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        machine.prepare(say)
        binaries.ensure(say)
        made = images.ensure(say)
        node = find(made)
        if node is not None:
            node.load()
            return node, False
        began = time.monotonic()
        _clear(RUNNING)
        node = _start(RUNNING, made)
        say(f"the node is ready after {time.monotonic() - began:.1f} s")
        return node, True


def down() -> bool:
    """End the cluster with everything that it had; returns whether there was one."""
    with _alone():
        return _clear(RUNNING)


def find(made: Images) -> Node | None:
    """Return the cluster if it runs."""
    facts = _facts(RUNNING)
    alive = RUNNING.ready.exists() and all(
        Process(*facts[name]).alive for name in ("node", "forward") if name in facts
    )
    return Node(RUNNING, made, facts["ports"]) if alive else None


def _start(layout: Layout, made: Images) -> Node:
    layout.root.mkdir(mode=0o755, parents=True)
    layout.log.mkdir()
    components.configure(layout, binaries.folders(), made.busybox.name)
    certificates.make(layout.pki)
    kernel = {name: _setting(name).read_text("ascii").strip() for name in KERNEL}
    facts: dict[str, Any] = {"kernel": kernel}
    _note(layout, facts)
    for place in _cgroups(create=True):
        place.mkdir(exist_ok=True)
    unshare = ["unshare", "-m", "-n", "-p", "-f", "--kill-child"]
    inside = _launch(layout, "node", [*unshare, sys.executable, "-m", "tests.cluster.inside"])
    try:
        pid = _child(inside)
        facts["node"] = [pid, _began(pid)]
        facts["ports"] = {name: _port(door.outside) for name, door in DOORS.items()}
        _note(layout, facts)
        rules = [f"{facts['ports'][name]}:{d.address}:{d.port}" for name, d in DOORS.items()]
        forward = [sys.executable, "-m", "tests.cluster.forward"]
        forwarding = _launch(layout, "forward", forward, str(pid), *rules)
        facts["forward"] = [forwarding.pid, _began(forwarding.pid)]
        _note(layout, facts)
        node = Node(layout, made, facts["ports"])
        address = f"https://127.0.0.1:{facts['ports']['api']}"
        text = certificates.kubeconfig(layout.pki, "admin", address)
        layout.kubeconfig.touch(0o600)
        layout.kubeconfig.write_text(text, "ascii")
        _until(lambda: layout.containerd.exists() or _dead(inside), "containerd is missing", START)
        node.load()
        _until(lambda: layout.ready.exists() or _dead(inside), "the node is not ready", START)
    except (Unable, OSError, subprocess.CalledProcessError) as error:
        kept = CACHE / "log-of-the-last-failure"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(layout.log, kept)
        told = (kept / "node.log").read_text("utf-8", "replace").strip().splitlines()
        said = getattr(error, "stderr", None) or str(error)
        _clear(layout)
        last = told[-1] if told else "it said nothing"
        raise Unable(f"the node did not start: {said}. Its log, {kept}: {last}") from error
    except BaseException:
        _clear(layout)
        raise
    return node


def _clear(layout: Layout) -> bool:
    """End what runs or was left by something that was killed."""
    facts = _facts(layout)
    for name in ("forward", "node"):
        if name in facts:
            Process(*facts[name]).kill()
    for place in _cgroups(create=False):
        _remove_cgroup(place)
    for name, value in facts.get("kernel", {}).items():
        setting = _setting(name)
        if setting.read_text("ascii").strip() != value:
            setting.write_text(value, "ascii")
    there = layout.root.exists()
    shutil.rmtree(layout.root, ignore_errors=True)
    return there


def _cgroups(*, create: bool) -> list[Path]:
    """Return our cgroup in every hierarchy, where it is or where it has to be made."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    found = [Path(one[1], CGROUP) for one in mounts if one[2] in ("cgroup", "cgroup2")]
    return found if create else [one for one in found if one.is_dir()]


def _remove_cgroup(place: Path) -> None:
    deadline = time.monotonic() + 10
    while place.is_dir():
        for folder in sorted((p for p in place.rglob("*") if p.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        try:
            place.rmdir()
        except OSError:  # what was killed is still leaving
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _launch(
    layout: Layout, name: str, command: Sequence[str], *arguments: str
) -> subprocess.Popen[bytes]:
    with (layout.log / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *(arguments or [str(layout.root)])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
            start_new_session=True,
        )


def _dead(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is None:
        return False
    raise Unable(f"it ended with {process.returncode}")


def _child(parent: subprocess.Popen[bytes]) -> int:
    """Return the pid, here, of what unshare forked: pid 1 inside."""
    path = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    found: list[str] = []

    def look() -> bool:
        _dead(parent)
        found[:] = path.read_text("ascii").split()
        return bool(found)

    _until(look, "no namespaces could be made", 10)
    return int(found[0])


def _until(condition: Callable[[], bool], otherwise: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unable(f"{otherwise} after {seconds:.0f} s")
        time.sleep(0.05)


def _port(wanted: int) -> int:
    """Return a port of 127.0.0.1 that is free, the wanted one if it can be had."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
            found: int = probe.getsockname()[1]
            return found
    raise Unable("no port of 127.0.0.1 is free")


def _began(pid: int) -> int:
    """Return when a process began, in ticks since the machine did."""
    text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError(pid)
    return int(fields[19])


def _setting(name: str) -> Path:
    return Path("/proc/sys", name)


def _facts(layout: Layout) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(layout.facts.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _note(layout: Layout, facts: dict[str, Any]) -> None:
    unfinished = layout.facts.with_suffix(".new")
    unfinished.write_text(json.dumps(facts), "utf-8")
    unfinished.replace(layout.facts)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep others that start or stop the cluster waiting."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
