"""What ``/proc`` says about processes: parents, environments, command lines."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from kfnb.step.supervisor.leftovers import GUARD

ATTEMPT = "KFNB_ATTEMPT_FOLDER"
"""The variable that marks all processes of an attempt; its value is the attempt's folder."""

SUPERVISOR = "KFNB_SUPERVISOR"
"""The variable that marks all processes below a supervisor; its value is :func:`identity`."""

DRIVER_MODULE = "kfnb.runners"
PROGRAM = str(Path(__file__).with_name("__main__.py"))
"""The supervisor's program, by which its processes are recognised."""

_LONGEST_COMMAND = 80


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One line of ``/proc/PID/stat``; ``started`` is in clock ticks since the machine's boot."""

    pid: int
    name: str
    state: str
    parent: int
    group: int
    session: int
    started: int


def process_status(pid: int) -> ProcessStatus | None:
    """Return the status of a process; None if there is none."""
    data = _read(pid, "stat")
    # The name is in parentheses and may itself contain spaces and parentheses.
    head, _, tail = data.rpartition(b")")
    fields = tail.split()
    if len(fields) < 20:
        return None
    name = os.fsdecode(head.partition(b"(")[2])
    parent, group, session = (int(number) for number in fields[1:4])
    return ProcessStatus(pid, name, fields[0].decode(), parent, group, session, int(fields[19]))


def identity(pid: int) -> str:
    """Return the pid and the start of a process, which no later process can have together."""
    status = process_status(pid)
    return f"{pid}.{status.started if status is not None else 0}"


def is_alive(identified: str) -> bool:
    """Return whether the process that :func:`identity` named has not ended."""
    pid = identified.partition(".")[0]
    if not pid.isdigit() or identity(int(pid)) != identified:
        return False
    status = process_status(int(pid))
    return status is not None and status.state not in "ZX"


def children(pid: int) -> list[int]:
    """List the processes whose parent is ``pid``, also those that have ended and wait for it."""
    try:
        pids = []
        for task in Path(f"/proc/{pid}/task").iterdir():
            # Not every Linux has this file.
            text = (task / "children").read_bytes()
            pids += [int(number) for number in text.split()]
    except OSError:
        statuses = map(process_status, all_pids())
        return [status.pid for status in statuses if status is not None and status.parent == pid]
    return pids


def descendants(pid: int) -> list[int]:
    """List the processes below ``pid``, parents before their children."""
    below = []
    waiting = children(pid)
    while waiting:
        below += waiting
        waiting = [pid for child in waiting for pid in children(child)]
    return below


def all_pids() -> list[int]:
    """List all processes that this one can see."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process; empty if it has ended."""
    return [os.fsdecode(word) for word in _read(pid, "cmdline").split(b"\0")[:-1]]


def environment_value(pid: int, name: str) -> str | None:
    """Return a variable that a process was started with; None if it was started without."""
    beginning = os.fsencode(name) + b"="
    for entry in _read(pid, "environ").split(b"\0"):
        if entry.startswith(beginning):
            return os.fsdecode(entry[len(beginning) :])
    return None


def describe(pid: int) -> str:
    """Name a process for a person: its command, shortened, and its pid."""
    status = process_status(pid)
    name = status.name if status is not None else "a process"
    program, *arguments = command_line(pid) or [name]
    # The folder of the program says little and may be long; a program of ``python -c`` has line
    # breaks.
    command = " ".join(" ".join([program.rpartition("/")[2], *arguments]).split()) or name
    if len(command) > _LONGEST_COMMAND:
        command = command[: _LONGEST_COMMAND - 1] + "…"
    return f"{command} (pid {pid})"


def outlives_attempts(pid: int) -> bool:
    """Return whether it is a driver or a supervisor, which a cell may have started by a new run."""
    words = command_line(pid)
    return DRIVER_MODULE in words[:6] or PROGRAM in words[:6]


def is_guard(pid: int) -> bool:
    """Return whether it is the process that ends a step's kernel if the step is killed."""
    status = process_status(pid)
    return status is not None and status.name == GUARD


def same_namespace(pid: int) -> bool:
    """Return whether a process sees the same pids as this one; in a container it does not."""
    with contextlib.suppress(OSError):
        own = Path("/proc/self/ns/pid").readlink()
        return Path(f"/proc/{pid}/ns/pid").readlink() == own
    return False


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    # The process has ended, or belongs to somebody else.
    except OSError:
        return b""


def private_memory(pid: int) -> int:
    """Return the bytes of memory that a process does not share with files; 0 if it has ended."""
    fields = _read(pid, "statm").split()
    if len(fields) < 3:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def total_memory() -> int:
    """Return the machine's memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
