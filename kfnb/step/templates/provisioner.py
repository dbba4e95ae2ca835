"""A jupyter_client provisioner that has kernels forked from templates.

Where there is no template for a kernel, it starts an ordinary process, as its base class does.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Any as AnyTrait
from traitlets import List

from kfnb.step.kernels.without_debugger import START
from kfnb.step.templates.forked_process import ForkedProcess
from kfnb.step.templates.kernel_source import KernelSource
from kfnb.step.templates.kernel_spec import before_local, local_names, template_spec
from kfnb.step.templates.spec import ForkOrder

NAME = "kfnb-template"
_GROUP = "jupyter_client.kernel_provisioners"


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


def _limits() -> list[int]:
    return [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


def _umask() -> int | None:
    """Return this process's file mode mask; reading it by os.umask() would change it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return None
