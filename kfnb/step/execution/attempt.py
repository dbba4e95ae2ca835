"""One attempt at one step, from its order to its result."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError, UsageError
from kfnb.metrics import CHANNEL
from kfnb.step import folder_files, version_check
from kfnb.step.event_log import EventLog, TextLog
from kfnb.step.execution import failures, publishing
from kfnb.step.execution.reporter import EventReporter, MetricReader, source_index
from kfnb.step.execution.session import KernelDied, Session
from kfnb.step.execution.stop_requests import Stopped, StopRequest, cancelled_by_signals
from kfnb.step.in_kernel import kernel_plan
from kfnb.step.kernels.kernel_process import Kernel
from kfnb.step.kernels.orphan_guard import ALIVE_FD, Guard
from kfnb.step.kernels.resource_sampler import Sample, Sampler, children_usage, free_memory
from kfnb.step.order import INJECTED, StepOrder, begin_source, outputs_source
from kfnb.step.pod.pip_install import install_lines
from kfnb.store import Store, failed_key, manifest_key, open_store
from kfnb.store.manifest import Failure

_START_TIMEOUT = 120
METRICS = "metrics.jsonl"


def preload() -> None:
    """Import what an attempt needs and takes long to load."""
    import jupyter_client.kernelspec
    import jupyter_client.manager  # noqa: F401

    _papermill()


def run(order_path: str, *, guard: Guard) -> int:
    """Carry out the order; the exit code of the step process."""
    order_path = str(Path(order_path).absolute())
    control = StopRequest()
    with cancelled_by_signals(control):
        try:
            order = StepOrder.from_json(Path(order_path).read_bytes())
            attempt = Attempt(order, order_path, control=control, guard=guard)
        except (OSError, InfrastructureError) as error:
            sys.stderr.write(f"kfnb: {error}\n")
            return failures.EXIT_CODES["infrastructure"]
        return attempt.carry_out()


class Attempt:
    """Everything that one attempt holds open."""

    def __init__(
        self, order: StepOrder, order_path: str, *, control: StopRequest, guard: Guard
    ) -> None:
        self.order, self.order_path, self.control = order, order_path, control
        self.guard = guard
        self.folder = Path(order.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.events = EventLog(self.folder / "events.jsonl", wakeup_socket=order.wakeup_socket)
        self.log = TextLog(self.folder / "log.txt")
        self.executed = self.folder / "executed.ipynb"
        self.started = time.time()
        self.staging: Path | None = None
        self.store: Store | None = None
        self.session: OrderSession | None = None

    def carry_out(self) -> int:
        """Execute, publish or record the failure, and report the result."""
        try:
            key = self._execute_and_publish()
        except Exception as error:
            failure = self._record(self._explain(error))
            self._result(ok=False, failure=failure.plain())
            code = failures.EXIT_CODES[failure.kind]
        else:
            self._result(ok=True, manifest=key)
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
        session = self.session = OrderSession(self)
        try:
            # the kernel boots while this process prepares and imports papermill
            loop.run_until_complete(session.launch())
            self.staging = self.store.staging()
            key = manifest_key(order.run, order.step_id, index=order.index, round=order.round)
            if self.store.get(key) is not None:
                return key
            folder_files.restore(self.store, Path(order.workdir), order.restore)
            kernel_plan.write(order, self.store, self.staging, path=session.path)
            before = self._before()
            if session.path is None:  # the kernel's environment is this one
                for said in version_check.differences(order.made_with):
                    session.events.warning(said.code, said.message, said.remedy)
            self._execute(session)
        finally:
            session.end_sampling()
            loop.run_until_complete(session.kernel.close())
        self._check_disk()
        result = publishing.read_result(self.folder)
        if result is None:
            raise InfrastructureError("The step's outputs were not reported by its kernel.")
        self._warn(result)
        done = publishing.StepTotals(
            started=self.started,
            metrics=tuple(session.metrics.found),
            durations=tuple(session.events.durations),
            usage=session.usage(),
            before=before,
            executed=self.executed,
            log=self.folder / "log.txt",
        )
        return publishing.publish(order, self.store, result, done, control=self.control)

    def _before(self) -> folder_files.Listing:
        """List the notebook's folder as it is before the step."""
        folder = Path(self.order.workdir)
        listing = folder_files.listing(folder, skip=publishing.skipped_folders(self.order))
        declared = folder_files.marks(folder, self.order.files_expected)
        return folder_files.Listing({**listing.files, **declared}, complete=listing.complete)

    def _execute(self, session: OrderSession) -> None:
        execute_notebook, error_type = _papermill()
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
            # papermill complains about every error output at the end, also about those of
            # cells that are tagged to raise; the step fails by what stopped it only
            if session.failure is not None:
                session.save()
                raise
        finally:
            session.collect()

    def _explain(self, error: Exception) -> Failure:
        """Find out what the failure was."""
        order, session = self.order, self.session
        if isinstance(error, Stopped):
            return failures.stopped(order, error, cell=session.current if session else None)
        if isinstance(error, KernelDied) and session is not None:
            peak = session.usage().peak_memory
            return failures.kernel_died(order, error, peak=peak, available=free_memory())
        failed = session.failure if session is not None else None
        if self.control.reason is not None:
            # What breaks while it is being ended, such as a kernel that starts, explains nothing.
            stop = Stopped(self.control.reason, self.control.detail)
            return failures.stopped(order, stop, cell=source_index(failed.cell) if failed else None)
        if session is None or failed is None:
            return failures.from_error(order, error)
        result = publishing.read_result(self.folder) or {}
        if source_index(failed.cell) is None:
            if result.get("failed"):
                self._keep_what_was_saved(result)
                return failures.unsaveable(order, result["failed"])
            if changed := result.get("setup_changed"):
                return failures.setup_changed(order, changed)
            if problem := result.get("problem"):
                return failures.values_failed(order, problem)
        return failures.failed_cell(order, failed, installs=self._installs())

    def _installs(self) -> list[list[str]]:
        """Return the notebook's ``%pip install`` lines, as far as it can be read."""
        with contextlib.suppress(OSError, ValueError):
            return install_lines(Path(self.order.notebook))
        return []

    def _keep_what_was_saved(self, result: Mapping[str, Any]) -> None:
        if self.store is not None:
            with contextlib.suppress(InfrastructureError, OSError):
                publishing.store_values(self.store, result)

    def _record(self, failure: Failure) -> Failure:
        """Put the failure, the notebook and the log into the store, as far as the disk allows."""
        store, order = self.store, self.order
        if store is None:
            return failure
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        with contextlib.suppress(InfrastructureError, OSError):
            executed = store.add_blob(self.executed, move=False) if self.executed.exists() else None
            log = store.add_blob(self.folder / "log.txt", move=False)
            failure = dataclasses.replace(failure, executed=executed, log=log)
        with contextlib.suppress(InfrastructureError, OSError):
            store.create(key, failure.to_json())
        return failure

    def _result(self, *, ok: bool, **data: Any) -> None:
        self.events.append("Result", ok=ok, **data)

    def _check_disk(self) -> None:
        session = self.session
        error = self.events.error or self.log.error or (session.save_error if session else None)
        if error is not None:
            raise error

    def _warn(self, result: Mapping[str, Any]) -> None:
        assert self.session is not None
        warn = self.session.events.warning
        for reason in result["not_numbers"].values():
            warn("KFNB-W610", f"Not logged: {reason}", "Log a number with kfnb.log_metric.")
        if result["setup_changed"]:
            message, remedy = failures.setup_change(self.order, result["setup_changed"])
            warn("KFNB-W609", message.partition(": ")[2], remedy)
        if threads := ", ".join(result["threads"]):
            warn(
                "KFNB-W613",
                f"Threads still ran when the step's values were saved ({threads}): later steps "
                "do not see what they change.",
                "Join them at the end of the step that starts them.",
            )
        if self.session.ended_early:
            warn(
                "KFNB-W611",
                f"Cell {self.session.current} called sys.exit: the cells after it did not run.",
                "Raise an error if the step is to fail there.",
            )


class OrderSession(Session):
    """The client's session for an order: early kernel, events, limits."""

    kernel: Kernel

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.control)
        self.order = attempt.order
        self.current: int | None = None
        self.ended_early = False
        self.path: Path | None = None
        self.save_error: OSError | None = None
        self.manager: Any = None
        self.first_source = begin_source(attempt.order_path)
        self._last_source = outputs_source(attempt.order_path)
        self._attempt = attempt
        self._sampler: Sampler | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.metrics = MetricReader(str(attempt.folder / METRICS))
        self.kernel = Kernel(self.order.kernel, guard=attempt.guard, capture=True)
        self.events = EventReporter(attempt.events, attempt.log)
        self.reporter = self.events

    async def launch(self) -> None:
        """Start the kernel."""
        self.path = kernel_plan.kernel_path(self.order, self.kernel)
        environment = {**os.environ, **self.order.environment}
        environment.pop(ALIVE_FD, None)
        environment[CHANNEL] = str(self._attempt.folder / METRICS)
        await self.kernel.launch(cwd=self.order.workdir, env=environment)

    def begins(self, manager: Any) -> None:
        """Note papermill's manager, and count the cells to come."""
        self.manager = manager
        self.events.expect(manager.nb.cells)

    def wants(self, cell: Mapping[str, Any]) -> bool:
        """Whether to execute ``cell``: all of them, unless the step has ended early."""
        return not self.ended_early or cell.get("source") == self._last_source

    def continues_after(self, error: Exception) -> bool:
        """Go on to the outputs after ``sys.exit(0)``, if no later step needs any.

        papermill takes it for a success. Later steps would have run with what the
        skipped cells did not make, which the notebook never shows: a failure then.
        """
        code = (getattr(error, "ename", ""), getattr(error, "evalue", ""))
        if code in (("SystemExit", ""), ("SystemExit", "0"), ("SystemExit", "None")):
            self.ended_early = not self.order.outputs
        if self.ended_early:
            self.failure = None
        return self.ended_early

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Report; at the first cell, begin to look at memory and the clock."""
        index = source_index(cell)
        self.current = index if index is not None else self.current
        if self._sampler is None and self.kernel.pid is not None:
            self._sampler = Sampler(
                self.kernel.pid,
                limit=self.order.memory,
                report=self._sampled,
                exceeded=lambda size: self.control.stop("memory", failures.format_bytes(size)),
            )
            self._sampler.start()
        if self._timer is None and self.order.timeout is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.order.timeout, self.control.stop, "timeout")
        super().cell_started(cell)

    def preparation_failed(self, reply: Mapping[str, Any]) -> None:
        """Say why the kernel cannot be used for a step."""
        raise UsageError(
            f'The kernel "{self.kernel.name}" cannot run kfnb\'s part of a step '
            f"({reply.get('ename')}: {reply.get('evalue')}). It must be a Python 3.10 or later."
        )

    def exit_timed_out(self) -> None:
        """Warn that exit handlers were cut off."""
        self.events.warning(
            "KFNB-W612",
            f"The kernel did not exit within {self.exit_timeout:g} seconds after its last cell "
            "and was killed.",
            "Stop threads and servers at the end of the step.",
        )

    def tick(self) -> None:
        """Report new metrics; stop when the disk refuses or the folder is gone."""
        for metric in self.metrics.read():
            self.events.metric(metric)
        error = self._attempt.events.error or self._attempt.log.error
        if error is not None:
            self.control.stop("disk", failures.os_sentence(error))
        elif not self._attempt.folder.is_dir():
            gone = f"its folder {self._attempt.folder} is gone; something removed it."
            self.control.stop("disk", gone)

    def collect(self) -> None:
        """Take in what came after the last tick."""
        self.events.flush()
        for metric in self.metrics.read():
            self.events.metric(metric)
        if self.manager is not None:
            self.save_error = self.manager.save_error

    def save(self) -> None:
        """Save the notebook as it is now, papermill's marks at the failing cell included."""
        if self.manager is None:
            return
        for cell in self.manager.nb.cells:
            tags = cell.metadata.get("tags", [])
            if "papermill-error-cell-tag" in tags and INJECTED not in tags:
                cell.metadata["tags"] = [*tags, INJECTED]
        self.manager.save_now()

    def end_sampling(self) -> None:
        """Stop the sampler."""
        if self._sampler is not None:
            self._sampler.stop()

    def usage(self) -> publishing.Usage:
        """Return what the kernel used; short steps may end before the first sample."""
        peak, cpu = children_usage()
        sampler = self._sampler
        return publishing.Usage(
            peak_memory=max(peak, sampler.peak if sampler else 0),
            mean_memory=(sampler.mean if sampler else 0) or peak,
            cpu_seconds=round(cpu, 3),
        )

    def _sampled(self, sample: Sample) -> None:
        self._attempt.events.append(
            "ResourceSampled",
            cpu_seconds=sample.cpu_seconds,
            memory=sample.memory,
            threads=sample.threads,
        )


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that nbclient will use as well, so that both share the kernel's sockets."""
    from jupyter_core.utils import ensure_event_loop

    return ensure_event_loop()


def _papermill() -> tuple[Any, type[Exception]]:
    """Import papermill without what it would load for storage that a step never uses."""
    unused = ("rfc3987_syntax", "pyarrow", "boto3", "gcsfs", "azure", "github")
    hidden = [name for name in unused if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        from kfnb.step.execution.papermill_engine import register
    finally:
        for name in hidden:
            if name != "rfc3987_syntax":
                sys.modules.pop(name, None)
    register()
    return execute_notebook, PapermillExecutionError
