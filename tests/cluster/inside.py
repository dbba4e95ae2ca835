"""Pid 1 of the cluster's own namespaces: makes the node's network, starts it, and stops parts.

``node.py`` starts it; killing it ends everything that it started. It answers at a Unix socket,
one JSON object a connection: ``{"stop": NAME}`` (``"kill": true`` for -9), ``{"start": NAME}``
or ``{}``, with the state of every process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.cluster import binaries, components
from tests.cluster.api import Api
from tests.cluster.components import FIRST, THEN, Command
from tests.cluster.layout import ADDRESS, DOORS, SERVICES, Layout
from tests.cluster.machine import PLACES

STEP = 0.05  # seconds between looks
ENOUGH = 6 * 2**30  # bytes of free memory that let images be unpacked there: seconds, not a minute
PATIENCE = 10.0  # seconds that a process has to end by itself


class Supervisor:
    """Starts and stops processes, and collects every process that ends (it is pid 1)."""

    def __init__(self, commands: Mapping[str, Command], layout: Layout, path: str) -> None:
        self.commands = commands
        self.layout = layout
        self.environment = {"PATH": path, "HOME": str(layout.root), "LANG": "C.UTF-8"}
        self.running: dict[str, int] = {}
        self.ended: dict[str, int] = {}

    def start(self, name: str) -> None:
        if name in self.running:
            return
        command = self.commands[name]
        with (self.layout.log / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environment, **command.environment},
                cwd=self.layout.root,
                start_new_session=True,
            )
        self.running[name] = process.pid
        self.ended.pop(name, None)
        process.returncode = 0  # waited for by `reap`, like every other child

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process, and return when it is gone."""
        pid = self.running.get(name)
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        asked = time.monotonic()
        while self.reap().get(name) == pid:
            if time.monotonic() - asked > PATIENCE:
                os.kill(pid, signal.SIGKILL)
            time.sleep(STEP)

    def reap(self) -> dict[str, int]:
        """Collect what ended; returns what runs."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for name, one in list(self.running.items()):
                if one == pid:
                    del self.running[name]
                    self.ended[name] = os.waitstatus_to_exitcode(status)
        return self.running

    def expect(self) -> None:
        """Raise if anything ended that nobody stopped."""
        self.reap()
        for name, code in self.ended.items():
            raise RuntimeError(f"{name} ended with {code}; see {self.layout.log / name}.log")

    def serve(self, listening: socket.socket) -> None:
        listening.settimeout(0.5)
        while True:
            self.reap()
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(PATIENCE)
                try:
                    asked = json.loads(connection.makefile("r", encoding="utf-8").readline())
                    answer = self.answer(asked)
                    connection.sendall(json.dumps(answer).encode() + b"\n")
                except (OSError, ValueError) as error:
                    print(f"control: {error}", flush=True)

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked.get("stop") or asked.get("start")
        if name and name not in self.commands:
            return {"error": f"no process is called {name}; there are {', '.join(self.commands)}"}
        if "stop" in asked:
            self.stop(name, kill=bool(asked.get("kill")))
        elif "start" in asked:
            self.start(name)
        return {"running": self.reap(), "ended": self.ended}


def isolate(layout: Layout) -> None:
    """Make mounts and network the node's own."""
    upper, work, fast = (layout.root / name for name in ("var", "var-work", "containerd"))
    for folder in (upper, work, fast):
        folder.mkdir()
    overlay = f"lowerdir=/var,upperdir={upper},workdir={work}"
    for command in (
        # Away from the machine's peer groups, then shared: volumes must reach the containers.
        "mount --make-rprivate /",
        "mount --make-rshared /",
        "mount -t proc proc /proc",
        # Some places are fixed in the kubelet and in CNI: what they write there is ours alone.
        f"mount -t overlay overlay -o {overlay} /var",
        "mount -t tmpfs tmpfs /run",
        *([f"mount -t tmpfs tmpfs {fast}"] if psutil.virtual_memory().available > ENOUGH else []),
        "ip link set lo up",
        f"ip addr add {ADDRESS}/32 dev lo",
        # Service addresses need some route before kube-proxy gives them another destination.
        f"ip route add {SERVICES} dev lo",
    ):
        subprocess.run(command.split(), check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "ascii")


def boot(supervisor: Supervisor, layout: Layout, kubectl: Path) -> None:
    """Start everything; returns when the node is ready for pods."""
    api = Api(layout.pki, DOORS["api"].port)
    for name in FIRST:
        supervisor.start(name)
    while not api.answers():
        supervisor.expect()
        time.sleep(STEP)
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for name in THEN:
        supervisor.start(name)
    apply = [str(kubectl), "--kubeconfig", str(layout.pki / "admin.kubeconfig"), "apply", "-f"]
    subprocess.run([*apply, str(layout.config / "base.yaml")], check=True)
    while not api.node_ready_since(began):
        supervisor.expect()
        time.sleep(STEP)


def main(root: Path) -> None:
    layout = Layout(root)
    isolate(layout)
    folders = binaries.folders()
    path = ":".join([*map(str, folders.values()), PLACES])
    supervisor = Supervisor(components.commands(layout, folders), layout, path)
    for name in ("objects", "bucket-metadata", "registry", "volumes", "kubelet"):
        (root / name).mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(layout.control))
        listening.listen()
        boot(supervisor, layout, folders["kube"] / "kubectl")
        layout.ready.touch()
        supervisor.serve(listening)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
