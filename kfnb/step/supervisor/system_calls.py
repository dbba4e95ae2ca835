"""What the supervisor asks of Linux and Python's standard library has no function for."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends (see prctl(2)).

    Raises
    ------
    OSError
        If the system refuses.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends; to be called in a new child.

    Parameters
    ----------
    parent
        The pid that the parent must have. If it has ended already, no signal would come, so this
        process kills itself.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# Loaded once in the parent: a child between fork and exec must not load libraries.
_libc = ctypes.CDLL(None, use_errno=True)
