"""Wall and processor time of a command and of everything that it starts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """``wall`` and ``cpu`` in seconds; ``cpu`` counts every descendant, detached ones too."""

    wall: float
    cpu: float


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants, so that their time is counted."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cost(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    ok: Sequence[int] = (0,),
    lasting: bool = False,
) -> Cost:
    """Run ``command`` to its end and return what it cost.

    With ``lasting``, processes that it leaves running, such as the supervisor and its templates,
    are counted as they are when it ends, and serve the next command.

    Raises
    ------
    SystemExit
        If the command failed; the message has its last lines. A failed run would give a
        meaningless figure.
    """
    before = _used(lasting=lasting)
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**_environment(), **(env or {})},
        )
        code = process.wait(timeout)
        wall = time.perf_counter() - start
        _reap_orphans(0 if lasting else 15)
        used = _used(lasting=lasting) - before
        if code not in ok:
            output.seek(0)
            tail = output.read()[-3000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, command))} ended with {code}:\n{tail}")
    return Cost(wall, used)


def end_lasting_processes() -> None:
    """End what commands have left running for the next."""
    for process in psutil.Process().children():
        process.terminate()
    _reap_orphans(15)


def _environment() -> dict[str, str]:
    """Return this process's environment as users have it: Python keeps what it has compiled."""
    return {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _used(*, lasting: bool) -> float:
    """Return the processor time of all descendants that have ended, or with ``lasting`` of all."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = ended.ru_utime + ended.ru_stime
    for process in psutil.Process().children(recursive=True) if lasting else ():
        with contextlib.suppress(psutil.Error):
            used += sum(process.cpu_times()[:4])
    return used


def _reap_orphans(patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.02)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))
