"""Programs under a filter, with a listener in this process."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kfnb.step.opened_files.listener import Listener
from kfnb.step.opened_files.report import FileEvent, read_report

LAUNCHER = """
import os, socket, sys
sys.path.insert(0, sys.argv[2])
from kfnb.step.opened_files.seccomp_filter import watch_this_process
if os.environ.get("DROP_TO"):
    os.setgroups([])
    os.setresgid(*3 * [int(os.environ["DROP_TO"])])
    os.setresuid(*3 * [int(os.environ["DROP_TO"])])
with socket.socket(fileno=int(sys.argv[1])) as channel:
    listener = watch_this_process()
    socket.send_fds(channel, [b"listener"], [listener])
    os.close(listener)
os.execvp(sys.argv[3], sys.argv[3:])
"""
ROOT = str(Path(__file__).parents[3])


class Watched:
    """A program that is watched, and what it did."""

    def __init__(self, command: Sequence[str], folder: Path, report: Path, **options: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, str(theirs.fileno()), ROOT, *command],
                cwd=folder,
                pass_fds=[theirs.fileno()],
                **options,
            )
            theirs.close()
            _, descriptors, *_ = socket.recv_fds(ours, 16, 1)
        assert descriptors, "the filter was not installed"
        self.folder, self.report = folder, report
        self.listener = Listener(descriptors[0], report)

    def answer_until(self, done: Callable[[], bool]) -> None:
        poll = select.poll()
        poll.register(self.listener.fileno(), select.POLLIN)
        while not done() and not self.listener.finished:
            poll.poll(20)
            self.listener.answer()

    def finish(self, *, timeout: float = 120) -> None:
        """Answer until the program and all its children have ended."""
        killer = threading.Timer(timeout, self.process.kill)
        killer.start()
        self.answer_until(lambda: False)
        killer.cancel()
        assert self.process.wait() == 0
        self.listener.close()

    def events(self) -> list[FileEvent]:
        return list(read_report(self.report))

    def uses(self) -> set[tuple[str, str]]:
        """Operations on paths relative to the folder; an open is ``read``, ``write`` or both."""
        return set(self._uses())

    def _uses(self) -> Iterator[tuple[str, str]]:
        folder = os.fsencode(os.path.realpath(self.folder)) + b"/"
        for event in self.events():
            if not event.path.startswith(folder):
                continue
            path = os.fsdecode(event.path[len(folder) :])
            if event.operation != "open":
                yield event.operation, path
                continue
            access = event.flags & os.O_ACCMODE
            if access in (os.O_RDONLY, os.O_RDWR):
                yield "read", path
            if access in (os.O_WRONLY, os.O_RDWR):
                yield "write", path


@contextmanager
def watched(command: Sequence[str], folder: Path, **options: Any) -> Iterator[Watched]:
    """Start a program below a filter; it is ended with the block."""
    program = Watched(command, folder, folder.parent / "report.txt", **options)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


def run_watched(command: Sequence[str], folder: Path, **options: Any) -> Watched:
    """Execute a program to its end, and return what it did."""
    with watched(command, folder, **options) as program:
        program.finish()
    return program


def run_python(code: str, folder: Path, **options: Any) -> Watched:
    return run_watched([sys.executable, "-c", code], folder, **options)
