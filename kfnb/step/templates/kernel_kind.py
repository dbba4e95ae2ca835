"""A template of the kind "kernel": ipykernel, and the imports with which a pipeline's cells begin.

A child executes ``ipykernel_launcher`` as ``python -m ipykernel_launcher`` does.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Callable
from importlib import import_module

from kfnb.step.templates.spec import ForkOrder, TemplateSpec

_LAUNCHER = "ipykernel_launcher"
_KERNEL_MODULES = (
    "ipykernel_launcher",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "ipykernel.datapub",
    "IPython.core.history",
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "kfnb.step.in_kernel.kernel_side",
)


def load(
    spec: TemplateSpec,  # noqa: ARG001
) -> tuple[
    Callable[[ForkOrder], Callable[[], None]], dict[str, str], Callable[[ForkOrder], str | None]
]:
    """Import the kernel without its debugger, and then what the spec names."""
    # An import of what is None in sys.modules fails, and ipykernel does without the debugger then.
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    import_module("ipykernel.kernelapp")
    for name in _KERNEL_MODULES:
        with contextlib.suppress(ImportError):  # another version of ipykernel or IPython
            import_module(name)
    del sys.modules["debugpy"]
    return _start, {}, lambda _order: None


def _start(order: ForkOrder) -> Callable[[], None]:
    # The interpreter puts the current folder first, and the launcher takes it away.
    sys.path.insert(0, "")
    sys.argv = ["-c", *order.arguments]
    sys.orig_argv = [sys.executable, "-m", _LAUNCHER, *order.arguments]
    # A kernel exits when its parent changes, and the template is its parent.
    if "JPY_PARENT_PID" in os.environ:
        os.environ["JPY_PARENT_PID"] = str(os.getppid())
    return _launch


def _launch() -> None:
    runpy.run_module(_LAUNCHER, run_name="__main__", alter_sys=True)
