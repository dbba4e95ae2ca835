"""End processes whose supervisor was killed and that escaped from what ended with it.

Children of a supervisor end with it, and the guards of their steps end the kernels. A process that
left its kernel's process group is found by the mark in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from kfnb.step.supervisor import process_table
from kfnb.step.supervisor.address import private_folder


def end_orphans() -> list[str]:
    """Kill the processes of supervisors that live no more; return descriptions of them."""
    ended = []
    for pid in process_table.all_pids():
        mark = process_table.environment_value(pid, process_table.SUPERVISOR)
        if mark is None or process_table.is_alive(mark) or pid == os.getpid():
            continue
        # In a container, the mark's pid is a pid of that container.
        if process_table.outlives_attempts(pid) or not process_table.same_namespace(pid):
            continue
        description = process_table.describe(pid)
        with contextlib.suppress(OSError):
            process = os.pidfd_open(pid)
            try:
                # Another process may have this pid by now.
                if process_table.environment_value(pid, process_table.SUPERVISOR) == mark:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    ended.append(description)
            finally:
                os.close(process)
    return ended


def end_orphans_of_killed_supervisors() -> list[str]:
    """Do :func:`end_orphans` if a supervisor of this user was killed, and otherwise nothing."""
    folder = private_folder()
    if folder is None or sys.platform != "linux":
        return []
    ended = []
    for note in folder.glob("*.process"):
        with contextlib.suppress(OSError):
            if not process_table.is_alive(note.read_text()):
                ended += end_orphans()
                note.unlink()
    return ended
