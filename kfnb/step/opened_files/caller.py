"""Look into a process that waits in a system call: its memory, folders and descriptors."""

from __future__ import annotations

import ctypes
import os

_PAGE = 4096
_LONGEST = 4096  # PATH_MAX, with its final zero
_ADDRESS = (1 << 56) - 1  # On aarch64, programs may use the upper byte of an address as a tag.


class _Vector(ctypes.Structure):
    """The system's ``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class CallerMemory:
    """Reads texts from the memory of other processes.

    It keeps no descriptors: process_vm_readv(2) takes the number of a thread, so that a number
    that was used again, or a new program in the same process, cannot be mistaken. Where a sandbox
    forbids that call, ``/proc/PID/mem`` is opened each time.
    """

    def __init__(self) -> None:
        self._readv = ctypes.CDLL(None, use_errno=True).process_vm_readv
        vectors = (ctypes.c_void_p, ctypes.c_ulong)
        self._readv.argtypes = (ctypes.c_int, *vectors, *vectors, ctypes.c_ulong)
        self._readv.restype = ctypes.c_ssize_t
        self._buffer = ctypes.create_string_buffer(_PAGE + 1)
        self._view = memoryview(self._buffer).cast("B")
        self._local = _Vector(ctypes.addressof(self._buffer), 0)
        self._remote = _Vector(0, 0)
        self._local_at = ctypes.addressof(self._local)
        self._remote_at = ctypes.addressof(self._remote)

    def text(self, thread: int, address: int) -> bytes | None:
        """Return the text that ends with a zero byte at ``address``; None if it is unreadable."""
        address &= _ADDRESS
        text = b""
        while len(text) < _LONGEST:
            # Not across the end of a page: the next one may not exist.
            part = self.read(thread, address, _PAGE - address % _PAGE)
            if not part:
                return None
            head, zero, _ = part.partition(b"\0")
            text += head
            if zero:
                return text
            address += len(part)
        return None

    def read(self, thread: int, address: int, size: int) -> bytes:
        """Return up to ``size`` bytes, at most a page; nothing if they are unreadable."""
        local, remote = self._local, self._remote
        local.size = remote.size = size
        remote.base = address
        count = self._readv(thread, self._local_at, 1, self._remote_at, 1, 0)
        if count < 0:
            return _from_proc(thread, address, size)
        return bytes(self._view[:count])


def _from_proc(thread: int, address: int, size: int) -> bytes:
    try:
        memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.pread(memory, size, address)
    except (OSError, OverflowError):
        return b""
    finally:
        os.close(memory)


def folder_of(thread: int, descriptor: int | None) -> bytes | None:
    """Return the path of a thread's working directory, or of one of its descriptors.

    Neither is looked at, so that a file system that does not answer delays nobody. None if there
    is no such thread, descriptor or path.
    """
    name = b"cwd" if descriptor is None else b"fd/%d" % descriptor
    try:
        path = os.readlink(b"/proc/%d/%s" % (thread, name))  # noqa: PTH115 (this must be fast)
    except OSError:
        return None
    # Pipes and sockets have no path, and files that were deleted have none any more.
    return path if path.startswith(b"/") and not path.endswith(b" (deleted)") else None


def process_of(thread: int) -> int:
    """Return the process to which a thread belongs; the thread's own number if it is gone."""
    try:
        # This works for the first thread of a process only, and is quicker than reading a file.
        os.close(os.pidfd_open(thread))
    except OSError:
        pass
    else:
        return thread
    try:
        with open(f"/proc/{thread}/status", "rb") as status:  # noqa: PTH123 (this must be fast)
            for line in status:
                if line.startswith(b"Tgid:"):
                    return int(line[5:])
    except (OSError, ValueError):
        pass
    return thread
