"""A template of the kind "kernel": ipykernel, and the imports with which a pipeline's cells begin.

A child executes ``ipykernel_launcher`` as ``python -m ipykernel_launcher`` does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import sys
from importlib import import_module
from pathlib import Path

from kfnb.step.in_kernel import loaded_modules
from kfnb.step.library_state import adapters
from kfnb.step.templates.forked_kernel import set_replay
from kfnb.step.templates.imports import leading_imports
from kfnb.step.templates.imports.leading_imports import LoadedImports
from kfnb.step.templates.kernel_exit import exit_without_teardown
from kfnb.step.templates.loaded import Loaded, Run
from kfnb.step.templates.prepared_kernel import prepare_kernel
from kfnb.step.templates.spec import ForkOrder, TemplateSpec

_LAUNCHER = "ipykernel_launcher"
# What a kernel has loaded when it executes its first cell.
_KERNEL_MODULES = (
    "ipykernel_launcher",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "ipykernel.datapub",
    "IPython.core.history",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "faulthandler",
    "sqlite3",
    "tornado.platform.asyncio",
    "unicodedata",
    "kfnb.step.in_kernel.kernel_side",
    "kfnb.step.library_state.generators",
    "kfnb.step.library_state.options",
    "kfnb.step.library_state.process",
    "kfnb.step.library_state.registries",
    "kfnb.step.values",
)
_BACKEND = "MPLBACKEND"
_loaded = LoadedImports()


def load(spec: TemplateSpec) -> Loaded:
    """Import the kernel without its debugger, and then what the spec names.

    Raises
    ------
    TakesEffect
        If some of the imports are for the children to make.
    """
    # An import of what is None in sys.modules fails, and ipykernel does without the debugger then.
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    import_module("ipykernel.kernelapp")
    for name in _KERNEL_MODULES:
        with contextlib.suppress(ImportError):  # another version of ipykernel or IPython
            import_module(name)
    del sys.modules["debugpy"]
    _close_devnull()
    # Matplotlib reads it when it is imported, and a kernel has set it by then.
    os.environ[_BACKEND] = os.environ.get(_BACKEND) or "module://matplotlib_inline.backend_inline"
    leading_imports.execute(spec.imports, _loaded)
    set_replay(_replay)
    _fill_caches()
    kernel = prepare_kernel()

    def start(order: ForkOrder) -> Run:
        _start(order)
        if kernel is not None:
            kernel.offer(order.arguments)
        return _launch

    return Loaded(start, refuse=lambda order: _loaded.conflict(order.local_names))


def _replay() -> frozenset[str]:
    _loaded.replay()
    return frozenset(_loaded.modules)


def _start(order: ForkOrder) -> None:
    _reopen_devnull()
    # The interpreter puts the current folder first, and the launcher takes it away.
    sys.path.insert(0, "")
    sys.argv = ["-c", *order.arguments]
    sys.orig_argv = [sys.executable, "-m", _LAUNCHER, *order.arguments]
    # A kernel exits when its parent changes, and the template is its parent.
    if "JPY_PARENT_PID" in os.environ:
        os.environ["JPY_PARENT_PID"] = str(os.getppid())


def _close_devnull() -> None:
    """Close the /dev/null that IPython before version 9 opens; a child opens its own."""
    opened = getattr(sys.modules.get("IPython.utils.io"), "devnull", None)
    if opened is not None:
        atexit.unregister(opened.close)
        opened.close()


def _reopen_devnull() -> None:
    """Give IPython its own open /dev/null, which it closes at exit."""
    io = sys.modules.get("IPython.utils.io")
    if getattr(io, "devnull", None) is not None:
        opened = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (open until the exit)
        atexit.register(opened.close)
        vars(io)["devnull"] = opened


def _launch() -> None:
    runpy.run_module(_LAUNCHER, run_name="__main__", alter_sys=True)
    exit_without_teardown()


def _fill_caches() -> None:
    """Do once what each kernel would do at its first cell and at its last."""
    from IPython.core.inputtransformer2 import TransformerManager

    # It compiles the regular expressions of Python's tokenizer.
    TransformerManager().transform_cell("name = 1\n")
    loaded_modules.own_module_files(os.devnull)
    # What packages bring may do anything when it is loaded, so only the list of it is made here.
    adapters.installed_points()
