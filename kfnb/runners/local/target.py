"""The target ``local``: processes of this machine, values below ``KFNB_HOME``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfnb.errors import KfnbError, UsageError
from kfnb.runners.local.supervisor_findings import supervisor_findings
from kfnb.runners.target import Cleaning, Finding, Prepared, Workspace

if TYPE_CHECKING:
    from kfnb.home import RunFolder
    from kfnb.pipeline import Diagnostic, Pipeline
    from kfnb.store.blobs import Store


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """There is nothing to configure about this machine."""


class LocalTarget:
    """Runs on this machine; nothing has to be installed or configured for it."""

    title = "this machine"
    options: type = LocalOptions
    is_remote = False

    def parallel(self) -> int:
        """Return the number of cores that this process may use."""
        # In a container or on a shared machine a process may use only some of the cores.
        if hasattr(os, "sched_getaffinity"):
            return max(1, len(os.sched_getaffinity(0)))
        return os.cpu_count() or 1

    def workspaces(self) -> list[Workspace]:
        """Return none: this machine has no workspaces to choose from."""
        return []

    def check(self, pipeline: Pipeline, options: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
        """Report a kernel that is not installed, before a run would refuse it."""
        from kfnb.engine.dispatch.kernels import missing_kernel
        from kfnb.notebook.diagnostics import make

        del options
        if _in_a_page():  # where nothing is executed, so no kernel is needed
            return ()
        missing = missing_kernel(pipeline.kernel or "python3")
        return (make("KFNB-E502", *missing),) if missing is not None else ()

    def prepare(
        self, pipeline: Pipeline, parameters: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Prepared:
        """Require processes, and the notebook's kernel; raises UsageError without them."""
        from kfnb.engine.dispatch.kernels import require_kernel

        del parameters, options
        if _in_a_page():
            raise UsageError(
                "This Python runs in a web page, as in JupyterLite, and cannot start processes, so "
                "nothing was run. Open the notebook in JupyterLab (pip install 'kfnb[lab]') or on "
                "Binder to run it; show and check work here."
            )
        require_kernel(pipeline.kernel or "python3")
        return Prepared()

    def preview(
        self,
        pipeline: Pipeline,
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Refuse: a process is not an object that could be printed."""
        del pipeline, parameters, options, timeout
        raise UsageError(
            "--dry-run prints Kubernetes objects, and a local run has none: add --on kubernetes."
        )

    def store(self, facts: Mapping[str, Any]) -> Store:
        """Return the store of this machine, which may not exist yet or be read-only."""
        from kfnb.home import store_folder
        from kfnb.store.blobs import Store

        del facts
        return Store(store_folder())

    def store_identity(self, facts: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the same for every run: there is one store."""
        del facts
        return ()

    def drive(self, run: RunFolder, pipeline: Pipeline, facts: Mapping[str, Any]) -> str:
        """Drive a run in this process; its final status."""
        from kfnb.engine.driver import Driver
        from kfnb.engine.journal.file_journal import Journal
        from kfnb.runners import masked_values
        from kfnb.runners.launch import empty_journal
        from kfnb.runners.local.processes import LocalRunner

        del pipeline, facts
        with Journal(run.journal, run.id) as journal:
            # The event of the run's creation is lost, so the driver knows nothing about the run.
            if not journal.events:
                raise empty_journal(run)
            return Driver(run, LocalRunner(masked=masked_values.held(run)), journal).drive()

    def mirror(self, run: RunFolder, facts: Mapping[str, Any]) -> None:
        """Do nothing: the run's folder is the run."""

    def mirror_all(self, options: Mapping[str, Any]) -> set[str]:
        """Do nothing: all runs are here."""
        del options
        return set()

    def clean(
        self,
        options: Mapping[str, Any],
        *,
        keep: int | None,
        older_than: float | None,
        notebook: str | None,
        dry_run: bool,
    ) -> Cleaning:
        """Remove old runs of this machine and values that nothing refers to."""
        from kfnb.engine.wakeup import remove_unused_sockets
        from kfnb.runners.amounts import count, size
        from kfnb.step.supervisor.sweep import end_orphans_of_killed_supervisors
        from kfnb.store.clean import clean

        del options
        if not dry_run:
            end_orphans_of_killed_supervisors()
            remove_unused_sockets()
        done = clean(keep=keep, older_than=older_than, notebook=notebook, dry_run=dry_run)
        removes, removed = ("would remove", "would be removed") if dry_run else ("removed",) * 2
        lines = []
        for run in done.runs:
            path = done.notebooks.get(run)
            lines.append(f"{removes} run {run}{f' of {path}' if path else ''}")
        runs, values = count(len(done.runs), "run"), count(done.blobs, "value")
        lines.append(f"{runs} and {values} {removed}: {size(done.bytes)}")
        return Cleaning({run: done.notebooks.get(run, "") for run in done.runs}, tuple(lines))

    def doctor(
        self, pipeline: Pipeline | None, options: Mapping[str, Any], *, fix: bool
    ) -> Iterator[Finding]:
        """Check the notebook's kernel and the folder of runs and values."""
        from kfnb.engine.dispatch.kernels import require_kernel
        from kfnb.home import home
        from kfnb.store import disk

        del options, fix
        kernel = (pipeline.kernel if pipeline is not None else None) or "python3"
        try:
            require_kernel(kernel)
        except UsageError as error:
            yield Finding("kernel", "missing", str(error))
        else:
            yield Finding("kernel", "ok", f'The kernel "{kernel}" is installed.')
        folder = home()
        try:
            with disk.writing(folder):
                # A person who asks what is wrong is told, and nothing is changed.
                if not (folder.is_dir() and folder.stat().st_mode & 0o077):
                    disk.private_folder(folder)
                # mkdir succeeds for an existing folder that is read-only.
                if not os.access(folder, os.W_OK):
                    raise PermissionError(13, os.strerror(13), str(folder))
        except KfnbError as error:
            yield Finding("home", "missing", str(error))
        else:
            if folder.stat().st_mode & 0o077:
                yield Finding(
                    "home",
                    "warning",
                    f"Other users of this machine may be able to read runs and values in {folder}.",
                    (f"chmod 700 {shlex.quote(str(folder))}",),
                )
            else:
                yield Finding("home", "ok", f"Runs and values are kept in {folder}.")
        yield from supervisor_findings()


def _in_a_page() -> bool:
    """Whether this is a Python compiled for browsers, such as Pyodide."""
    return sys.platform == "emscripten"


TARGET = LocalTarget()
