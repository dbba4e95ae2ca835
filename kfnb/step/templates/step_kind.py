"""A template of the kind "step": the step runner with papermill and nbclient."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

from kfnb.step.templates.loaded import Loaded, Run
from kfnb.step.templates.spec import ForkOrder
from kfnb.step.templates.warm_up import warm_up

# What an attempt imports late, because the driver or the command line must not import it.
_MODULES = (
    "ipykernel.kernelspec",
    "psutil",
    "xxhash",
    "kfnb.step.__main__",
    "kfnb.step.execution.attempt",
    "kfnb.step.execution.client",
    "kfnb.step.kernels.orphan_guard",
    "kfnb.step.kernels.own_kernels",
    "kfnb.step.opened_files.listener",
    "kfnb.step.supervisor.attempts",
    "kfnb.step.supervisor.connection",
    "kfnb.step.templates.provisioner",
)


def load() -> Loaded:
    """Import what an attempt needs."""
    from kfnb.step.execution.papermill_import import preload

    # First, because it hides what papermill would import without need.
    preload()
    for name in _MODULES:
        import_module(name)
    warm_up()
    return Loaded(_start)


def _start(order: ForkOrder) -> Run:
    from kfnb.step.__main__ import main

    sys.argv = ["kfnb.step", *order.arguments]
    return lambda: _exit(main(list(order.arguments)))


def _exit(code: int) -> NoReturn:
    """Exit without taking the interpreter down.

    That would write to all of the memory that this process shares with its template, which takes a
    fifth of the time of a short step; nothing is left to be done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
