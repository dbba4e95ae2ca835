"""End a forked kernel as Python ends, but without taking the interpreter down.

Taking it down writes to all of the memory that the kernel shares with its template. What a program
can notice of a normal end is done: threads are waited for, exit handlers are called, what was made
since the fork is let go, so that finalisers run, and files are flushed.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import os
import sys
import threading
from typing import Any, NoReturn

from kfnb.step.templates.imports.leading_imports import own_file

_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def exit_without_teardown() -> NoReturn:
    """End this process with exit code 0."""
    # Undocumented, but what Python itself calls at its end.
    threading._shutdown()  # type: ignore[attr-defined]
    # IPython's handler lets go of what the cells have made.
    atexit._run_exitfuncs()
    # Python's own end does not call them either: they may use what modules no longer hold.
    gc.callbacks.clear()
    for name, module in list(sys.modules.items()):
        if own_file(module) is not None and not name.startswith("kfnb"):
            _let_go(module)
    gc.collect()
    for file in [each for each in gc.get_objects() if type(each) in _FILES]:
        with contextlib.suppress(Exception):
            file.flush()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    # Libraries in C have buffers and exit handlers of their own (HDF5 closes its files by one).
    # Python's lock is held, so that threads that are left do not execute Python meanwhile.
    ctypes.PyDLL(None).exit(0)
    os._exit(0)  # for the type checker, and for a system whose exit() returns


def _let_go(module: Any) -> None:
    """Drop what a module holds, as Python does at its end."""
    with contextlib.suppress(Exception):
        names = vars(module)
        for name in [name for name in names if not name.startswith("__")]:
            names[name] = None
