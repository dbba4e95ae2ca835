"""How a kernel that was not forked is watched: it sends its listener to the step process.

The kernel installs the filter itself, when its step begins, so that its own imports cost nothing.
The step process is its parent; Yama (Ubuntu's default) lets only ancestors read the memory of
another process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from kfnb.step.opened_files.seccomp_filter import wanted, watch_this_process

BEGIN, END = ".kfnb-step-begins", ".kfnb-step-ends"
"""Files that never exist, in the attempt's folder: the kernel looks for them.

This is how the report shows what belongs to the step: what the kernel does before concerns itself
only, and after the last cell its own imports may list folders again.
"""

_WELCOME = b"send it"
_PATIENCE = 10.0
"""Seconds that a kernel waits for the step process before it goes on without being watched."""
_GRACE = 0.1
"""Seconds for the watched processes to end after their kernel."""


class KernelListener:
    """Takes the listener of one kernel, and answers for it in a thread until its processes end.

    Parameters
    ----------
    report
        File to which the uses of files are appended.
    listen
        Has another process answer for the descriptor and write the report, and returns whether it
        does; otherwise a thread of this process does.
    """

    def __init__(self, report: Path, *, listen: Callable[[int, Path], bool]) -> None:
        self._report = report
        self._listen = listen
        self._descriptor = -1
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        # An abstract address: no file is left, and its length does not depend on a folder.
        self.address = f"kfnb-{os.getpid()}-{secrets.token_hex(16)}"
        self._socket.bind(b"\0" + self.address.encode())
        self._socket.listen(1)
        self._thread = threading.Thread(target=self._receive, name="kfnb-files", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no kernel any more.

        If processes that are watched outlive the kernel (servers, for example), a process that
        ends with the last of them answers from here on, but writes nothing down.
        """
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        # Killed processes may take a moment.
        self._thread.join(_GRACE)
        if self._descriptor >= 0 and self._thread.is_alive():
            subprocess.Popen(
                [sys.executable, "-m", "kfnb.step.opened_files", str(self._descriptor)],
                pass_fds=[self._descriptor],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _receive(self) -> None:
        try:
            descriptor = self._accept()
        except OSError:  # Closed, or the kernel has ended.
            return
        self._socket.close()
        if descriptor is None:
            return
        if self._listen(descriptor, self._report):
            os.close(descriptor)
            return
        self._descriptor = descriptor
        answer(descriptor, self._report)

    def _accept(self) -> int | None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                _, user, _ = struct.unpack("3i", peer)
                if user != os.geteuid():
                    continue
                connection.sendall(_WELCOME)
                _, descriptors, *_ = socket.recv_fds(connection, 64, 1)
                if not descriptors:  # It could not install the filter.
                    return None
                os.set_inheritable(descriptors[0], False)
                return descriptors[0]


def start(
    report: Path, *, environment: Mapping[str, str], listen: Callable[[int, Path], bool]
) -> KernelListener | None:
    """Be ready for a kernel with this environment; None where files are not watched."""
    if not wanted(environment):
        return None
    try:
        return KernelListener(report, listen=listen)
    except OSError:
        return None


def watch_this_kernel(address: str) -> bool:
    """Have this process watched by the step process at ``address``; False if that is not possible.

    It is called in the kernel, which may have several threads. Nothing is installed unless the
    other side is there and waits.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(b"\0" + address.encode())
            if connection.recv(len(_WELCOME)) != _WELCOME:
                return False
            # From here on each open of this process waits for the other side.
            listener = watch_this_process()
            try:
                socket.send_fds(connection, [b"\0"], [listener])
            finally:
                os.close(listener)
    except OSError:
        return False
    return True


def mark(folder: Path, name: str) -> None:
    """Leave a mark in the report of an attempt's folder, if there is one."""
    os.access(folder / name, os.F_OK)


def answer(descriptor: int, report: Path) -> None:
    """Answer until all watched processes have ended."""
    from kfnb.step.opened_files.listener import Listener  # The kernel does not need it.

    listener = Listener(descriptor, report)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        while not listener.finished:
            poll.poll()
            listener.answer()
    finally:
        # Without it, calls fail; with nobody who answers, they would wait for ever.
        listener.close()
