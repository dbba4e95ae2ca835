"""A jupyter_client provisioner that has kernels forked from templates.

Where there is no template for a kernel, it starts an ordinary process, as its base class does.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint
from itertools import takewhile
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Any as AnyTrait
from traitlets import List

from kfnb.step.kernels.without_debugger import START
from kfnb.step.templates.forked_process import ForkedProcess
from kfnb.step.templates.imports.known_effects import imported_packages
from kfnb.step.templates.imports.leading_imports import READ_FROM_FOLDER
from kfnb.step.templates.kernel_source import KernelSource, shared_environment
from kfnb.step.templates.spec import ForkOrder, TemplateSpec

NAME = "kfnb-template"
_GROUP = "jupyter_client.kernel_provisioners"
_OPTIONS_BEFORE_CODE = ("-X", "-W", "-O", "-u", "-B", "-q", "-s", "-I", "-E", "-P")
_OWN_ARGUMENTS = ("-f", "--HistoryManager.hist_file=")


class TemplateProvisioner(LocalProvisioner):  # type: ignore[misc]
    """Forks the kernel if there is a template for it."""

    source = AnyTrait(None, allow_none=True)
    before_process = AnyTrait(None, allow_none=True)
    imports: Any = List()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel, or start a process."""
        environment = dict(kwargs.get("env") or os.environ)
        cwd = str(kwargs.get("cwd") or Path.cwd())
        started = self._fork(cmd, environment, cwd, kwargs)
        if started is None:
            if self.before_process is not None:
                self.before_process()
            return await super().launch_kernel(cmd, **kwargs)
        self.process = started
        self.pid = self.pgid = started.pid
        self.cwd = cwd
        return self.connection_info

    def _fork(
        self, command: list[str], environment: dict[str, str], cwd: str, options: dict[str, Any]
    ) -> ForkedProcess | None:
        if self.source is None or not Path(cwd).is_dir():
            return None
        names = local_names(cwd)
        spec = template_spec(command, environment, before_local(self.imports, names))
        if spec is None:
            return None
        order, descriptors = _order(command, environment, cwd, options, names)
        started = self.source.start_kernel(spec, order, descriptors)
        return ForkedProcess(started.pid, self.source) if started is not None else None


def select_provisioner(
    spec: Any,
    *,
    source: KernelSource,
    imports: Sequence[str],
    before_process: Callable[[], None] | None = None,
) -> None:
    """Have a kernelspec's kernel started by :class:`TemplateProvisioner`.

    ``before_process`` is called before an ordinary process is started instead.
    """
    config = {"source": source, "imports": list(imports), "before_process": before_process}
    spec.metadata["kernel_provisioner"] = {"provisioner_name": NAME, "config": config}
    # A checkout that is not installed has no entry points.
    known = KernelProvisionerFactory.instance().provisioners
    known.setdefault(NAME, EntryPoint(NAME, f"{__name__}:TemplateProvisioner", _GROUP))


def template_spec(
    command: Sequence[str], environment: Mapping[str, str], imports: Sequence[str]
) -> TemplateSpec | None:
    """Return the template for a kernel's command line; None if it cannot be forked.

    The imports are left out where something that is executed before a notebook's first cell could
    have an influence on them: IPython's startup files, configuration, another profile.
    """
    if START not in command:
        return None
    code = list(command).index(START)
    options, arguments = tuple(command[1 : code - 1]), command[code + 1 :]
    if not all(option.startswith(_OPTIONS_BEFORE_CODE) for option in options):
        return None
    # Python resolves these against the current folder, which a template does not share.
    search = environment.get("PYTHONPATH", "").split(os.pathsep)
    if any(path and not os.path.isabs(path) for path in search):  # noqa: PTH117
        return None
    if not _only_usual(arguments) or _executes_before_cells(environment):
        imports = ()
    python = command[0] if os.path.isabs(command[0]) else sys.executable  # noqa: PTH117
    shared = shared_environment(environment)
    return TemplateSpec("kernel", python, tuple(imports), shared, options)


def _order(
    command: Sequence[str],
    environment: dict[str, str],
    cwd: str,
    options: Mapping[str, Any],
    names: tuple[str, ...],
) -> tuple[ForkOrder, list[int]]:
    # As jupyter_client's launcher does.
    environment = {**environment, "JPY_PARENT_PID": str(os.getpid())}
    environment.pop("PYTHONEXECUTABLE", None)
    streams = [n for n in ("stdout", "stderr") if isinstance(options.get(n), int)]
    arguments = tuple(command[list(command).index(START) + 1 :])
    order = ForkOrder(
        arguments,
        cwd,
        environment,
        descriptors=tuple(streams) or ("stdout", "stderr"),
        local_names=names,
        umask=_umask(),
        limits={number: resource.getrlimit(number) for number in _limits()},
    )
    return order, [options[name] for name in streams] or [1, 2]


def before_local(imports: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the imports before the first one of a module of the notebook's folder.

    The user's own modules may do anything when they are imported.
    """
    own = set(names)
    return tuple(takewhile(lambda source: own.isdisjoint(imported_packages(source)), imports))


def local_names(folder: str) -> tuple[str, ...]:
    """List what a template must not have loaded from elsewhere, for a kernel in ``folder``.

    These are the names of modules, and of files that a library reads when it is imported.
    """
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            name, _, kind = entry.name.partition(".")
            if entry.name in READ_FROM_FOLDER:
                names.add(entry.name)
            elif name.isidentifier() and (not kind or kind == "py" or kind.endswith(("so", "pyc"))):
                names.add(name)
    return tuple(sorted(names))


def _only_usual(arguments: Sequence[str]) -> bool:
    connection = arguments.index("-f") + 1 if "-f" in arguments else -1
    return all(
        number == connection or argument.startswith(_OWN_ARGUMENTS)
        for number, argument in enumerate(arguments)
    )


def _executes_before_cells(environment: Mapping[str, str]) -> bool:
    """Whether IPython has configuration or startup files, which may do anything."""
    if environment.get("PYTHONSTARTUP"):
        return True
    home = environment.get("HOME") or str(Path.home())
    own = Path(environment.get("IPYTHONDIR") or Path(home, ".ipython")) / "profile_default"
    system = [Path(prefix, "etc", "ipython") for prefix in ("/", "/usr/local", sys.prefix)]
    patterns = ("startup/*.py", "startup/*.ipy", "*config.py", "*config.json")
    return any(
        next(folder.glob(pattern), None) is not None
        for folder in (own, *system)
        for pattern in patterns
    )


def _limits() -> list[int]:
    return [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


def _umask() -> int | None:
    """Return this process's file mode mask; reading it by os.umask() would change it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return None
