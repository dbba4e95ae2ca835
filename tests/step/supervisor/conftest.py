"""A supervisor of a test's own, and attempts that are small programs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kfnb.step.supervisor.client import Supervisor
from kfnb.step.supervisor.messages import Ended
from tests.waiting import wait_until


@dataclass
class SupervisorBench:
    """Starts attempts below a supervisor and waits for their ends."""

    folder: Path
    clients: list[Supervisor] = field(default_factory=list)

    def connect(self, *, start: bool = True) -> Supervisor:
        client = Supervisor.connect(start=start)
        assert client is not None
        self.clients.append(client)
        return client

    def start(self, client: Supervisor, source: str, *, name: str = "a") -> Path:
        """Start a program as an attempt; return the folder, in which it has its ``log``."""
        folder = self.folder / name
        folder.mkdir()
        with (folder / "log").open("wb") as log, (folder / "alive").open("wb") as alive:
            client.start_attempt(
                str(folder),
                [sys.executable, "-c", source],
                cwd=str(folder),
                environment=os.environ,
                descriptors=(log.fileno(), alive.fileno()),
            )
        return folder

    def end_of(self, client: Supervisor) -> Ended:
        """Wait for the next end that is reported to ``client``."""
        return wait_until(client.ended, "an attempt ends")[0]

    def pid(self) -> int:
        client = self.connect()
        with contextlib.closing(client):
            return client.processes().pid


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SupervisorBench]:
    if sys.platform != "linux":
        pytest.skip("the supervisor needs Linux")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("KFNB_HOME", str(home))
    monkeypatch.setenv("KFNB_TEMPLATES", "on")
    monkeypatch.setenv("KFNB_SUPERVISOR_IDLE", "60")
    made = SupervisorBench(tmp_path)
    yield made
    with contextlib.suppress(AssertionError, ProcessLookupError):
        os.kill(made.pid(), signal.SIGTERM)
    for client in made.clients:
        client.close()


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    from kfnb.step.supervisor.process_table import process_status

    status = process_status(pid)
    return status is not None and status.state not in "ZX"
