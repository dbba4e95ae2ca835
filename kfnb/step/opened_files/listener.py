"""Answer the calls of watched processes, and write down which files they use.

A call waits until it is answered, and the answer is always to go on. This witnesses, and forbids
nothing: a path may change between being read here and being used (seccomp_unotify(2)).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import select
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from kfnb.step.opened_files.caller import CallerMemory, folder_of, process_of
from kfnb.step.opened_files.handover import BEGIN
from kfnb.step.opened_files.report import INCOMPLETE, ReportWriter
from kfnb.step.opened_files.system_calls import (
    AT_FDCWD,
    AT_REMOVEDIR,
    PathArgument,
    WatchedCall,
    architecture,
)

_RECEIVE, _SEND, _STILL_VALID, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40082104
_SAME_PROCESSOR = 1
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # id, thread, flags, call, processor, address, arguments
_RESPONSE = struct.Struct("=QqiI")
_CONTINUE = 1
_MOST_AT_ONCE = 64
"""Calls that are answered before whoever uses the listener can do other things."""
_MOST_REMEMBERED = 100_000
"""Different uses of files that are remembered, so that each is written once; some 20 MB."""

_SYSTEM = tuple(
    f"{folder}/".encode()
    for folder in (
        *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys"),
        *("/usr/bin", "/usr/include", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/sbin"),
        *("/usr/local/bin", "/usr/local/lib", "/usr/share", "/var/lib/dpkg"),
    )
)
_BEGIN = b"/" + BEGIN.encode()
_CODE = re.compile(rb"/(?:site-packages|dist-packages|__pycache__|lib/python3\.\d+)/")
# What a use of a file is told apart by, besides its path.
_DISTINGUISHING = os.O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_APPEND | os.O_DIRECTORY
if sys.platform.startswith("linux"):
    _DISTINGUISHING |= os.O_PATH
# A listing, or a look, by one process says nothing about the same by another one.
_BY_PROCESS = frozenset({"execute", "list", "stat"})


class Listener:
    """The files of one kernel and its child processes.

    Parameters
    ----------
    descriptor
        What :func:`~kfnb.step.opened_files.seccomp_filter.watch_this_process` returned in the
        kernel; it belongs to the listener from here on.
    report
        File to which events are appended (:mod:`kfnb.step.opened_files.report`).
    ignore
        Folders, each with a slash at the end, about whose files nobody asks.
    """

    def __init__(self, descriptor: int, report: Path, *, ignore: Sequence[bytes] = _SYSTEM) -> None:
        processor = architecture()
        if processor is None:
            raise OSError(errno.ENOSYS, "Files cannot be watched on this system")
        self.finished = False
        """Whether all processes that were watched have ended."""
        self._calls = processor.calls
        self._descriptor = descriptor
        self._ignore = tuple(ignore)
        self._memory = CallerMemory()
        self._seen: set[tuple[str, int, int, bytes | None]] = set()
        self._buffer = bytearray(_NOTIFICATION.size)
        self._empty = bytes(_NOTIFICATION.size)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._report = ReportWriter(report)
        # Caller and listener never work at the same time, so handing over the processor is
        # quicker than waking another one (since Linux 6.6).
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, _SET_FLAGS, _SAME_PROCESSOR)

    def fileno(self) -> int:
        """Return the descriptor, which is readable when a call waits."""
        return self._descriptor

    def answer(self) -> None:
        """Answer the calls that wait now. It does not wait for calls, files or other processes."""
        for _ in range(_MOST_AT_ONCE):
            ready = self._poll.poll(0)
            if not ready:
                return
            if not ready[0][1] & select.POLLIN:
                self.finished = True
                return
            self._buffer[:] = self._empty
            try:
                fcntl.ioctl(self._descriptor, _RECEIVE, self._buffer)
            except OSError as error:
                # The caller was killed meanwhile, or a signal arrived here.
                if error.errno in (errno.ENOENT, errno.EINTR):
                    continue
                raise
            identifier, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(self._buffer)
            try:
                # First the line, then the answer: what a program has opened is in the report.
                self._note(identifier, thread, self._calls[number], arguments)
            except Exception:  # Observing must never stop what the notebook does.
                self._report.append(thread, INCOMPLETE, 0, b"")
            finally:
                self._continue(identifier)

    def close(self) -> None:
        """Stop listening; calls of processes that still live fail from here on."""
        os.close(self._descriptor)
        self._report.close()

    def _continue(self, identifier: int) -> None:
        response = _RESPONSE.pack(identifier, 0, 0, _CONTINUE)
        try:
            fcntl.ioctl(self._descriptor, _SEND, response)
        except OSError as error:
            if error.errno != errno.ENOENT:  # The caller was killed while it waited.
                raise

    def _note(
        self, identifier: int, thread: int, call: WatchedCall, arguments: Sequence[int]
    ) -> None:
        """Write down what a call does, unless it is known or of no interest."""
        flags = call.fixed_flags
        if call.flags is not None:
            flags = self._flags(thread, call, arguments[call.flags])
        for argument in call.paths:
            operation = argument.operation
            path = self._path(thread, argument, arguments)
            if operation == "open":
                shown = flags & _DISTINGUISHING
            else:
                shown = 0
                if operation == "unlink" and flags & AT_REMOVEDIR:
                    operation = "rmdir"
            if operation == "stat" and path is not None and path.endswith(_BEGIN):
                # Another step of a group begins in this kernel: what it uses is written once more.
                self._seen.clear()
            # The same file may have several keys, since cleaning the path takes time.
            key = (operation, shown, thread if operation in _BY_PROCESS else 0, path)
            if key in self._seen:
                continue
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            if self._record(identifier, thread, operation, shown, path):
                self._seen.add(key)

    def _flags(self, thread: int, call: WatchedCall, argument: int) -> int:
        if not call.flags_in_memory:
            return argument & 0xFFFFFFFF
        return int.from_bytes(self._memory.read(thread, argument, 8), sys.byteorder)

    def _path(self, thread: int, argument: PathArgument, arguments: Sequence[int]) -> bytes | None:
        """Return an absolute path; empty if there is none, None if it cannot be read."""
        text = b""
        if argument.text is not None:
            address = arguments[argument.text]
            read = self._memory.text(thread, address) if address else b""
            if read is None:
                return None
            text = read
            if text.startswith(b"/"):
                return text
            if not text and argument.operation != "link_from":  # The call fails.
                return b""
        elif argument.folder is None:
            return b""
        folder = folder_of(thread, _descriptor(arguments, argument.folder))
        # Without a folder, or below one that was deleted, the call fails.
        return folder + b"/" + text if folder is not None else b""

    def _record(
        self, identifier: int, thread: int, operation: str, flags: int, path: bytes | None
    ) -> bool:
        """Write the line, if there is anything to say; False if the caller is gone."""
        if path is None:
            operation, flags, path = INCOMPLETE, 0, b""
        elif path:
            if b"//" in path or b"/." in path or path.endswith(b"/"):
                path = os.path.normpath(b"/" + path.lstrip(b"/"))
            if operation != "execute" and not self._is_of_interest(path):
                return True
        elif operation != "io_uring":
            return True
        process = process_of(thread)
        try:
            # If the caller was killed, another process may have its number by now.
            fcntl.ioctl(self._descriptor, _STILL_VALID, struct.pack("=Q", identifier))
        except OSError:
            return False
        self._report.append(process, operation, flags, path)
        return True

    def _is_of_interest(self, path: bytes) -> bool:
        folder = path + b"/"  # It may be one itself.
        return not folder.startswith(self._ignore) and _CODE.search(folder) is None


def _descriptor(arguments: Sequence[int], number: int | None) -> int | None:
    """Return an argument as a descriptor; None for the working directory."""
    if number is None:
        return None
    descriptor = arguments[number] & 0xFFFFFFFF
    return None if descriptor == AT_FDCWD & 0xFFFFFFFF else descriptor
