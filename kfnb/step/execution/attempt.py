"""One attempt at one step, from its order to its result."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError, UsageError
from kfnb.masked_parameters import received
from kfnb.step import folder_files, version_check
from kfnb.step.event_log import EventLog, TextLog
from kfnb.step.execution import failures, publishing, step_warnings
from kfnb.step.execution.group import Group
from kfnb.step.execution.order_session import OrderSession
from kfnb.step.execution.papermill_import import import_papermill
from kfnb.step.execution.reporter import source_index
from kfnb.step.execution.session import KernelDied
from kfnb.step.execution.stop_requests import Stopped, StopRequest, cancelled_by_signals
from kfnb.step.in_kernel import kernel_plan
from kfnb.step.kernels.group_kernel import GroupKernel
from kfnb.step.kernels.provider import KernelProvider
from kfnb.step.kernels.resource_sampler import free_memory
from kfnb.step.order import StepOrder
from kfnb.step.pod.pip_install import install_lines
from kfnb.step.supervisor.client import StepChannel
from kfnb.store import Store, failed_key, manifest_key, open_store
from kfnb.store.file_restore import restore
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import Failure

_START_TIMEOUT = 120


def run(order_path: str, *, kernels: KernelProvider, supervisor: StepChannel | None = None) -> int:
    """Execute the order in a kernel of ``kernels``, and then the orders of its group.

    Returns
    -------
    int
        The exit code of the step process: that of the last order.
    """
    # First, because children must inherit neither the pipe nor its number.
    masked = received(os.environ)
    order_path = str(Path(order_path).absolute())
    stop = StopRequest()
    kernel = GroupKernel(kernels)
    folder = Path(order_path).parent
    group = Group(folder, kernel=kernel, driver_lock=folder / "../../../driver.lock")

    def execute(order_path: str) -> int:
        try:
            order = StepOrder.from_json(Path(order_path).read_bytes())
            attempt = Attempt(
                order,
                order_path,
                stop=stop,
                kernel=kernel,
                group=group,
                supervisor=supervisor or StepChannel(None),
                masked=masked,
            )
        except (OSError, InfrastructureError) as error:
            sys.stderr.write(f"kfnb: {error}\n")
            return failures.EXIT_CODES["infrastructure"]
        return attempt.execute()

    with cancelled_by_signals(stop):
        code = execute(order_path)
        if kernel.waiting is not None:
            loop = _event_loop()
            if code == 0:
                code = group.execute(loop, execute, stop)
            group.close(loop)
    return code


class Attempt:
    """Everything that one attempt holds open."""

    def __init__(
        self,
        order: StepOrder,
        order_path: str,
        *,
        stop: StopRequest,
        kernel: GroupKernel,
        group: Group,
        supervisor: StepChannel,
        masked: Mapping[str, Any],
    ) -> None:
        self.order, self.order_path, self.stop = order, order_path, stop
        self.folder = Path(order.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.events = EventLog(self.folder / "events.jsonl", wakeup_socket=order.wakeup_socket)
        self.log = TextLog(self.folder / "log.txt")
        self.executed = self.folder / "executed.ipynb"
        self.started, self._began = time.time(), time.monotonic()
        self.staging: Path | None = None
        self.store: Store | None = None
        self.session: OrderSession | None = None
        self._kernel = kernel
        self._group = group
        self._supervisor = supervisor
        self._masked = masked

    def execute(self) -> int:
        """Execute the step, publish its outputs or record its failure, and report the result."""
        try:
            key = self._execute_and_publish()
        except Exception as error:
            failure = self._record(self._explain(error))
            self._report_result(ok=False, failure=failure.plain())
            code = failures.EXIT_CODES[failure.kind]
        else:
            self._report_result(ok=True, manifest=key)
            code = 0
        finally:
            for path in (self.staging, self.folder / kernel_plan.LOCAL):
                if path is not None:
                    shutil.rmtree(path, ignore_errors=True)
        self.events.close()
        self.log.close()
        return code

    def _execute_and_publish(self) -> str:
        order = self.order
        loop = _event_loop()
        self.store = open_store(Path(order.store))
        session = self.session = OrderSession(
            order,
            self.order_path,
            stop=self.stop,
            kernel=self._kernel,
            events=self.events,
            log=self.log,
            supervisor=self._supervisor,
            masked=self._masked,
        )
        if missing := [name for name in order.masked if name not in self._masked]:
            raise UsageError(
                f"The step did not get the value of the masked parameter {', '.join(missing)}."
            )
        self._kernel.stays = self._kernel_stays
        try:
            # The kernel boots while this process prepares the step and imports papermill.
            loop.run_until_complete(session.start_kernel())
            self.staging = self.store.staging()
            key = manifest_key(order.run, order.step_id, index=order.index, round=order.round)
            # An earlier attempt that was believed to be lost may have published meanwhile.
            if self.store.get(key) is not None:
                return key
            restore(
                order.restore,
                workdir=Path(order.workdir),
                store=self.store,
                hashes=FileHashes(self.store),
            )
            kernel_plan.write(
                order,
                self.store,
                self.staging,
                path=session.kernel_path,
                listener=session.files.address if session.files is not None else None,
            )
            # After the restore, so that restored files do not count as written by this step.
            before = self._list_folder()
            if session.kernel_path is None:  # The kernel has the packages of this process.
                for finding in version_check.differences(order.made_with):
                    session.events.warning(finding.code, finding.message, finding.remedy)
            self._execute_notebook(session)
        finally:
            loop.run_until_complete(session.end_kernel())
        self._check_disk()
        result = publishing.read_result(self.folder)
        if result is None:
            raise InfrastructureError("The step's kernel did not report its outputs.")
        uses = publishing.opened_files(order, result)
        self._warn(session, result)
        names = folder_files.unnameable(Path(order.workdir), uses.written, before=before)
        if names:
            session.events.warning(*step_warnings.names_not_utf8(names))
        totals = publishing.StepTotals(
            started=self.started,
            elapsed=time.monotonic() - self._began,
            metrics=tuple(session.metrics.metrics),
            durations=tuple(session.events.durations),
            usage=session.usage(),
            before=before,
            executed=self.executed,
            log=self.folder / "log.txt",
        )
        lives = self._kernel.waiting is not None
        if lives:
            self._group.open()
        # If the kernel has exited, what its exit handlers wrote to files is published as well.
        return publishing.publish(
            order,
            self.store,
            result,
            totals,
            uses=uses,
            stop=self.stop,
            supervisor=self._supervisor,
            kernel_lives=lives,
        )

    def _kernel_stays(self) -> bool:
        """Whether the kernel is to wait for the next step of a group: all cells were executed."""
        after = self.order.after
        failed = self.session is None or self.session.failure is not None
        if failed or self.stop.reason is not None or after == "end":
            return False
        result = publishing.read_result(self.folder) or {}
        return after == "wait" or bool(result.get("in_kernel"))

    def _list_folder(self) -> folder_files.Listing:
        """List the notebook's folder as it is before the step."""
        folder = Path(self.order.workdir)
        listing = folder_files.listing(folder, skip=publishing.skipped_folders(self.order))
        declared = folder_files.marks(folder, self.order.files_expected)
        return folder_files.Listing({**listing.files, **declared})

    def _execute_notebook(self, session: OrderSession) -> None:
        execute_notebook, error_type = import_papermill()
        assert session.kernel is not None
        try:
            execute_notebook(
                self.order.notebook,
                None,
                engine_name="kfnb",
                progress_bar=False,
                kernel_name=session.kernel.name,
                start_timeout=_START_TIMEOUT,
                session=session,
                save_to=str(self.executed),
                given_parameters=dict(self.order.parameters),
            )
        except error_type:
            # papermill raises for any error output in the notebook, also for cells that are tagged
            # to raise. The step has failed only if an error stopped it.
            if session.failure is not None:
                session.save()
                raise
        finally:
            session.collect()

    def _explain(self, error: Exception) -> Failure:
        """Find out why the step failed."""
        order, session = self.order, self.session
        if isinstance(error, Stopped):
            return failures.stopped(order, error, during=self._current_cell())
        if isinstance(error, KernelDied) and session is not None:
            peak = session.usage().peak_memory
            return failures.kernel_died(order, error, peak=peak, available=free_memory())
        failed = session.failure if session is not None else None
        if self.stop.reason is not None:
            # Whatever breaks while the step is being stopped is a consequence of the stop.
            stop = Stopped(self.stop.reason, self.stop.detail)
            return failures.stopped(order, stop, during=failed.cell if failed else None)
        if session is None or failed is None:
            return failures.from_error(order, error)
        result = publishing.read_result(self.folder) or {}
        # A cell that kfnb injected has failed: the kernel's result file says in which of its
        # checks.
        if source_index(failed.cell) is None:
            if result.get("failed"):
                self._store_saved_values(result)
                return failures.unsaveable(order, result["failed"], self._cells())
            if reason := result.get("collecting"):
                return failures.more_than_added(order, reason)
            if changed := result.get("setup_changed"):
                return failures.setup_changed(order, changed)
            if problem := result.get("problem"):
                return failures.values_failed(order, problem)
        cells = session.events.cells
        return failures.failed_cell(order, failed, cells=cells, installs=self._installs())

    def _installs(self) -> list[list[str]]:
        """Return the notebook's ``%pip install`` lines, if the notebook can be read."""
        with contextlib.suppress(OSError, ValueError):
            return install_lines(Path(self.order.notebook))
        return []

    def _current_cell(self) -> Mapping[str, Any] | None:
        current = self.session.current if self.session is not None else None
        return self._cells().get(current) if current is not None else None

    def _cells(self) -> dict[int, Mapping[str, Any]]:
        """Return the step's cells by their index in the author's notebook, if they can be read."""
        with contextlib.suppress(OSError, ValueError):
            notebook = json.loads(Path(self.order.notebook).read_text("utf-8"))
            indexed = [(source_index(cell), cell) for cell in notebook["cells"]]
            return {index: cell for index, cell in indexed if index is not None}
        return {}

    def _store_saved_values(self, result: Mapping[str, Any]) -> None:
        if self.store is not None:
            with contextlib.suppress(InfrastructureError, OSError):
                publishing.store_values(self.store, result)

    def _record(self, failure: Failure) -> Failure:
        """Store the failure, the notebook and the log, as far as the disk allows."""
        store, order = self.store, self.order
        if store is None:
            return failure
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        with contextlib.suppress(InfrastructureError, OSError):
            executed = store.add_blob(self.executed, move=False) if self.executed.exists() else None
            log = store.add_blob(self.folder / "log.txt", move=False)
            failure = dataclasses.replace(failure, executed=executed, log=log)
        # On a full disk this small record may fit although the notebook and the log do not.
        with contextlib.suppress(InfrastructureError, OSError):
            store.create(key, failure.to_json())
        return failure

    def _report_result(self, *, ok: bool, **data: Any) -> None:
        self.events.append("Result", ok=ok, **data)

    def _check_disk(self) -> None:
        session = self.session
        error = self.events.error or self.log.error or (session.save_error if session else None)
        if error is not None:
            raise error

    def _warn(self, session: OrderSession, result: Mapping[str, Any]) -> None:
        """Report what the kernel noticed that is no failure."""
        warn = session.events.warning
        for reason in result["not_numbers"].values():
            warn(*step_warnings.not_a_number(reason))
        if result["setup_changed"]:
            warn(*step_warnings.setup_changed(self.order, result["setup_changed"]))
        if result["threads"]:
            warn(*step_warnings.threads_left(result["threads"]))
        if session.ended_early:
            warn(*step_warnings.ended_early(self._current_cell()))


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that nbclient uses too, so that both can use the kernel's sockets."""
    from jupyter_core.utils import ensure_event_loop

    return ensure_event_loop()
