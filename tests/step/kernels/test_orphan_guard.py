"""The guard that ends kernels whose step process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait_until


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard is forked")
def test_the_guard_kills_registered_processes_when_its_owner_dies(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys, time
from kfnb.step.kernels.orphan_guard import Guard
keeper = Guard()
keeper.start()
quiet = {"stdout": subprocess.DEVNULL, "start_new_session": True}
made = [subprocess.Popen(["sleep", "600"], **quiet) for _ in range(3)]
for process in made[:2]: keeper.watch(process.pid)
keeper.release(made[1].pid)
keeper.remove(sys.argv[1])
print(*[p.pid for p in made], flush=True)
time.sleep(600)
"""
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    (sockets / "s").touch()
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(sockets)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    watched, released, unknown = map(int, owner.stdout.readline().split())
    owner.kill()
    owner.communicate()
    wait_until(lambda: not _alive(watched), "the watched process ends")
    wait_until(lambda: not sockets.exists(), "the sockets are removed")
    for pid in (released, unknown):
        assert _alive(pid)
        os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
