"""The program ``jupyter server`` with the extension, as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import wait_until

TOKEN = "secret"

START = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; "
    "from jupyter_server.serverapp import main; main()"
)
"""As the program ``jupyter-server``, which does not import what lies in its working directory."""


@dataclass(frozen=True)
class Program:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request below ``/kfnb/v1``."""
        request = urllib.request.Request(
            f"{self.url}/kfnb/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def children(self) -> list[psutil.Process]:
        """The processes that work for the server."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if "kfnb.server.worker.main" in " ".join(child.cmdline())
        ]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def started(root: Path, folder: Path, *words: str) -> Iterator[Program]:
    """Start the server on a free port; ``folder`` has its configuration and its log."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
    }
    command = [
        *(sys.executable, "-c", START, "--allow-root", "--no-browser"),
        f"--ServerApp.root_dir={root}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={TOKEN}",
        "--ServerApp.jpserver_extensions={'kfnb.server': True}",
        *words,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    program = Program(process, f"http://127.0.0.1:{port}", log)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return program.ask("GET", "status")[0] == 200
        return False

    try:
        wait_until(answers, log.read_text, unless=lambda: process.poll() is not None)
        yield program
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()
