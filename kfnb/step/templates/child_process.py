"""Make a forked child like a process that was started afresh. Standard library only.

What a new process would not share with the template is replaced: session, signals, descriptors,
environment, folder, limits, random generators. What it would have made the same way (modules, exit
handlers that they registered) stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import sys
import tempfile
import time
from typing import Any

from kfnb.step.templates.spec import ForkOrder

_STREAMS = ("stdin", "stdout", "stderr")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ChildError(Exception):
    """A child cannot be made as its order says."""


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when the process ``parent``, which started it, ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # It may have ended before the call.
    if os.getppid() != parent:
        os._exit(1)


def reset_signals() -> None:
    """Give every signal the handler that it has when Python starts, and leave the session."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        # SIGKILL and SIGSTOP have no handler, and C libraries reserve some numbers.
        with contextlib.suppress(OSError, ValueError, TypeError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Python ignores these two: a write to a closed pipe raises an error instead.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()


def arrange_descriptors(order: ForkOrder, given: list[int], *, also: int) -> dict[str, int]:
    """Put the order's descriptors in place, and close all others but ``also``.

    Returns
    -------
    dict
        The number of each descriptor that is no standard stream, by its name.
    """
    others = [name for name in order.descriptors if name not in _STREAMS]
    numbers = {name: n for n, name in enumerate([*_STREAMS, *others])}
    beyond = len(numbers)
    # First out of the way of every number that is about to be taken.
    high = {
        name: fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, beyond)
        for name, descriptor in zip(order.descriptors, given, strict=True)
    }
    if also < beyond:
        raise ChildError("too many descriptors for the template's own socket")
    nothing = os.open(os.devnull, os.O_RDWR)
    for name, number in numbers.items():
        os.dup2(high.get(name, nothing), number, inheritable=True)
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 (numbers, no paths)
        if (number := int(entry)) >= beyond and number != also:
            # The listing's own descriptor is gone already.
            with contextlib.suppress(OSError):
                os.close(number)
    return {name: numbers[name] for name in others}


def replace_surroundings(order: ForkOrder, descriptors: dict[str, int]) -> None:
    """Set the environment, the folder, the mask and the limits that the order names."""
    os.environ.clear()
    os.environ.update(order.environment)
    for name, number in descriptors.items():
        os.environ[f"KFNB_{name.upper()}_FD"] = str(number)
    time.tzset()
    if order.umask is not None:
        os.umask(order.umask)
    for number, limits in order.limits.items():
        # A hard limit above the template's is refused.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(number, limits)
    os.chdir(order.cwd)
    # It was found with the template's folder and variables.
    tempfile.tempdir = None


def reseed() -> None:
    """Seed the generators that would otherwise continue alike in all children.

    Python reseeds :mod:`random` itself after a fork, and :mod:`uuid`, :mod:`secrets` and
    :mod:`tempfile` ask the system or look at the process's number.
    """
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.seed()
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        key = processes.AuthenticationString(os.urandom(32))
        processes.current_process()._config["authkey"] = key
    logging: Any = sys.modules.get("logging")
    if logging is not None:  # Log records have the time since the start; 3.13 counts nanoseconds.
        whole = isinstance(logging._startTime, int)
        logging._startTime = time.time_ns() if whole else time.time()
