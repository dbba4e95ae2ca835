"""Wall and processor time of a command and of everything that it starts."""

from __future__ import annotations

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
) -> Cost:
    """Run ``command`` to its end and return what it cost.

    Raises
    ------
    SystemExit
        If the command failed; the message has its last lines. A failed run would give a
        meaningless figure.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )
        code = process.wait(timeout)
        wall = time.perf_counter() - start
        _reap_orphans()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if code not in ok:
            output.seek(0)
            tail = output.read()[-3000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, command))} ended with {code}:\n{tail}")
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Cost(wall, used)


def _reap_orphans(patience: float = 15) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.02)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))
