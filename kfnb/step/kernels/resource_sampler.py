"""Sample the memory and CPU time of a kernel and its descendants, and enforce a memory limit."""

from __future__ import annotations

import contextlib
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INTERVAL = 0.5
_REPORT = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes of resident memory and seconds of CPU time so far, of the whole tree."""

    memory: int
    cpu_seconds: float
    threads: int


class Sampler:
    """A thread that takes a sample every half second; ``peak`` is in bytes.

    Parameters
    ----------
    limit
        Bytes that the tree may use, or None.
    report
        Called with every fourth sample.
    exceeded
        Called once, with the bytes in use, when the limit is passed.
    """

    def __init__(
        self,
        pid: int,
        *,
        limit: int | None,
        report: Callable[[Sample], None],
        exceeded: Callable[[int], None],
    ) -> None:
        self.peak = 0
        self._total = 0
        self._count = 0
        self._pid, self._limit = pid, limit
        self._report, self._exceeded = report, exceeded
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kfnb-sampler", daemon=True)

    @property
    def mean(self) -> int:
        """Mean of the memory samples, in bytes."""
        return self._total // self._count if self._count else 0

    def start(self) -> None:
        """Start to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join(2)

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            sample = tree_sample(self._pid)
            if sample is None:
                return
            self.peak = max(self.peak, sample.memory)
            self._total += sample.memory
            self._count += 1
            if self._count % _REPORT == 0:
                self._report(sample)
            if self._limit is not None and sample.memory > self._limit:
                # The resident size may count shared pages several times, so check before stopping a
                # step.
                own = unshared(self._pid)
                if own > self._limit:
                    self.peak = max(self.peak, own)
                    self._exceeded(own)
                    return


def tree_sample(pid: int) -> Sample | None:
    """Sample a process and its descendants now; None if it is gone."""
    import psutil

    memory, cpu, threads = 0, 0.0, 0
    processes = _tree(pid)
    for process in processes:
        # A process may end between the listing and this look at it.
        with contextlib.suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            cpu += times.user + times.system
            # Children that have ended are no longer in the tree, but their time was spent.
            cpu += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            memory += process.memory_info().rss
            threads += process.num_threads()
    return Sample(memory, round(cpu, 3), threads) if processes else None


def children_usage() -> tuple[int, float]:
    """Peak memory of the largest ended child, in bytes, and CPU seconds of all of them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    # macOS reports bytes and Linux kibibytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_maxrss * unit, used.ru_utime + used.ru_stime


def free_memory() -> int:
    """Return the bytes of memory that are available on this machine."""
    import psutil

    return int(psutil.virtual_memory().available)


def unshared(pid: int) -> int:
    """Return the bytes of a process tree that the system cannot reclaim.

    Resident sizes include mapped files and count the pages of forked workers several times. This
    figure does neither, but takes longer to read, so it only confirms that a limit is exceeded.
    """
    import psutil

    total = 0
    for process in _tree(pid):
        size = _rollup(process.pid)
        if size is None:
            with contextlib.suppress(psutil.Error):
                size = process.memory_info().rss
        total += size or 0
    return total


def _tree(pid: int) -> list[Any]:
    import psutil

    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _rollup(pid: int) -> int | None:
    """Read proportional anonymous and shared memory; None if the system has no such figures."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    fields = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    if "Pss_Anon" not in fields:
        return None
    return 1024 * (int(fields["Pss_Anon"]) + int(fields.get("Pss_Shmem", 0)))
