"""ipykernel's application and IPython's shell, made once in a template.

Making them takes a kernel longer than everything else before its first cell. ipykernel asks both
classes for their only instance, so in a child it gets those of the template, in which everything
is replaced that belongs to one process or one kernel. The sockets and threads are the child's own.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kfnb.step.templates.kernel_spec import HISTORY, executes_before_cells

_CONNECTION_FILE = "c.json"


class PreparedKernel:
    """The application and the shell of a template's children; see :func:`prepare_kernel`."""

    def __init__(self) -> None:
        from ipykernel.compiler import XCachingCompiler
        from ipykernel.kernelapp import IPKernelApp
        from ipykernel.zmqshell import ZMQInteractiveShell
        from IPython.core.application import BaseIPythonApplication

        self._base, self._app_class, self._shell_class = (
            BaseIPythonApplication,
            IPKernelApp,
            ZMQInteractiveShell,
        )
        self._app: Any = IPKernelApp.instance()
        BaseIPythonApplication.initialize(self._app, ["-f", _CONNECTION_FILE, HISTORY])
        self._shell: Any = ZMQInteractiveShell.instance(
            config=self._app.config,
            profile_dir=self._app.profile_dir,
            user_module=None,
            user_ns=None,
            compiler_class=XCachingCompiler,
        )
        # It is made when it is first used, which a step does before its first cell.
        self._shell.display_formatter.formatters  # noqa: B018

    def offer(self, arguments: Sequence[str]) -> None:
        """Have the kernel that this process starts next use them, if it is a usual one."""
        usual = len(arguments) == 3 and (arguments[0], arguments[2]) == ("-f", HISTORY)
        if not usual or executes_before_cells(os.environ):
            self._discard()
            return
        self._app.connection_file = arguments[1]
        self._app.config.IPKernelApp.connection_file = arguments[1]
        self._base_initialize = self._base.initialize
        self._base.initialize = self._initialize
        self._shell_class.instance = classmethod(lambda _cls, **given: self._adapted(**given))

    def _initialize(self, _argv: object = None) -> None:
        """Do what is left of the application's initialization before its sockets."""
        self._base.initialize = self._base_initialize
        self._app.init_crash_handler()

    def _adapted(self, *, parent: Any, **_: Any) -> Any:
        """Return the shell for the kernel ``parent``."""
        del self._shell_class.instance
        shell = self._shell
        shell.parent = shell.kernel = parent
        shell.init_environment()
        shell.starting_dir = os.getcwd()  # noqa: PTH109 (text, as IPython has it)
        shell.history_manager.dir_hist = [Path.cwd()]
        shell.save_sys_module_state()
        shell.init_sys_modules()
        shell.sys_excepthook = sys.excepthook
        # The last that was registered is called first: the shell's, and then the sockets'.
        atexit.unregister(shell.atexit_operations)
        atexit.register(shell.atexit_operations)
        return shell

    def _discard(self) -> None:
        atexit.unregister(self._shell.atexit_operations)
        self._shell_class.clear_instance()
        self._app_class.clear_instance()


def prepare_kernel() -> PreparedKernel | None:
    """Make application and shell for this process's children; None if that is not possible."""
    environment = dict(os.environ)
    if executes_before_cells(environment):
        return None
    main, hook = sys.modules["__main__"], sys.excepthook
    try:
        return PreparedKernel()
    except Exception:  # Another version of IPython or ipykernel: children make their own.
        for module, name in (("kernelapp", "IPKernelApp"), ("zmqshell", "ZMQInteractiveShell")):
            made = getattr(sys.modules.get(f"ipykernel.{module}"), name, None)
            if made is not None:
                made.clear_instance()
        return None
    finally:
        # The template itself is no kernel.
        os.environ.clear()
        os.environ.update(environment)
        sys.modules["__main__"], sys.excepthook = main, hook
