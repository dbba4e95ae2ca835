"""Install the filter that reports a process's use of files to a listener outside (seccomp(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Mapping

from kfnb.step.opened_files.system_calls import Architecture, WatchedCall, architecture

VARIABLE = "KFNB_WATCH"
_SET_UID = re.compile(r"\b(sudo|su|doas|pkexec|ping|fusermount3?|newgrp|crontab)\b")

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_TSYNC, _SPEC_ALLOW, _TSYNC_ESRCH, _WAIT_KILLABLE_RECV = 1, 4, 16, 32
# Before Linux 5.16 a filter would otherwise slow down all code by a mitigation for sandboxes.
_NEW_LISTENER = 8 | _SPEC_ALLOW
# The best first: since Linux 5.19 a caller that waits is interrupted only to be killed, since 5.7
# the filter can be given to all threads; 5.5 has what is needed.
_FLAGS = (
    _NEW_LISTENER | _TSYNC | _TSYNC_ESRCH | _WAIT_KILLABLE_RECV,
    _NEW_LISTENER | _TSYNC | _TSYNC_ESRCH,
)
_FLAGS_FOR_ONE_THREAD = _NEW_LISTENER

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether files may be watched here: on Linux, unless ``KFNB_WATCH=off``."""
    return architecture() is not None and environment.get(VARIABLE) != "off"


def remedy_for(command_error: str) -> str:
    """Say what helps if a command failed that needs another user's rights; empty for others."""
    program = _SET_UID.search(command_error)
    if program is None or not wanted():
        return ""
    return (
        f"Programs below a step have the rights of their user only, so {program[1]} cannot work. "
        f"Set {VARIABLE}=off: kfnb then sees only files that Python itself opens."
    )


def watch_this_process() -> int:
    """Report the files that this process and its children use; the listener's descriptor.

    Give the descriptor to a :class:`~kfnb.step.opened_files.listener.Listener` in an ancestor
    that is not watched itself, and close it at once: the next open waits for ever if this
    process has the only copy. When no process has one any more, the watched calls fail with
    ENOSYS. Set-uid programs such as ``sudo`` lose their rights in the processes that are
    watched, as in a container that allows no new privileges.

    Raises
    ------
    OSError
        If the system does not allow it: EBUSY below another listener, ENOSYS on another
        processor, EINVAL or EPERM before Linux 5.5 and in some sandboxes.
    """
    processor = architecture()
    if processor is None:
        raise OSError(errno.ENOSYS, "Files cannot be watched on this system")
    code = filter_program(processor)
    libc = ctypes.CDLL(None, use_errno=True)
    # Without this, only a process with CAP_SYS_ADMIN may install a filter.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions))
    one_thread = len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 (only their number)
    for flags in (*_FLAGS, *([_FLAGS_FOR_ONE_THREAD] if one_thread else [])):
        listener = libc.syscall(processor.seccomp, _SET_MODE_FILTER, flags, program)
        if listener >= 0:
            return int(listener)
        if ctypes.get_errno() != errno.EINVAL:  # Not a flag that this kernel does not know.
            break
    raise OSError(ctypes.get_errno(), "seccomp(SECCOMP_SET_MODE_FILTER)")


def filter_program(processor: Architecture) -> bytes:
    """Return the filter for the kernel: calls that name a file are reported, all others pass."""
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_EQUAL, processor.audit, 1, 0),
        _line(_RETURN, _ALLOW),
        _line(_LOAD, _NUMBER),
    ]
    for number, call in processor.calls.items():
        block = _block(call)
        lines += [_line(_EQUAL, number, 0, len(block)), *block]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _block(call: WatchedCall) -> list[bytes]:
    """Return the instructions for one call."""
    if call.ignored_with is None:
        return [_line(_RETURN, _NOTIFY)]
    argument, bit = call.ignored_with
    return [
        # The lower half of the argument: all processors here are little-endian.
        _line(_LOAD, _ARGUMENTS + 8 * argument),
        _line(_ANY_BIT, bit, 0, 1),
        _line(_RETURN, _ALLOW),
        _line(_RETURN, _NOTIFY),
    ]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
