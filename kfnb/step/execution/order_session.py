"""The client's session for a step order: an early kernel, events, limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.errors import UsageError
from kfnb.json_values import python_literal
from kfnb.metrics import CHANNEL
from kfnb.step.event_log import EventLog, TextLog
from kfnb.step.execution import failures, publishing, step_warnings
from kfnb.step.execution.reporter import EventReporter, MetricReader, source_index
from kfnb.step.execution.session import Session
from kfnb.step.execution.stop_requests import StopRequest
from kfnb.step.in_kernel import kernel_plan
from kfnb.step.kernels.group_kernel import GroupKernel
from kfnb.step.kernels.orphan_guard import ALIVE_FD
from kfnb.step.kernels.provider import KernelRequest
from kfnb.step.kernels.resource_sampler import Sample, Sampler, children_usage
from kfnb.step.opened_files import handover, report
from kfnb.step.order import INJECTED, MASKED, StepOrder, begin_source, outputs_source
from kfnb.step.supervisor.client import StepChannel


class OrderSession(Session):
    """The execution of one order's notebook.

    Attributes
    ----------
    current
        Index of the source cell that executes, or executed last.
    ended_early
        Whether a cell ended the step with ``sys.exit(0)``.
    kernel_path
        Folder that makes kfnb importable in the kernel; None if the kernel has kfnb.
    files
        Where the kernel sends the listener of its files; None if they are not watched.
    """

    def __init__(
        self,
        order: StepOrder,
        order_path: str,
        *,
        stop: StopRequest,
        kernel: GroupKernel,
        events: EventLog,
        log: TextLog,
        supervisor: StepChannel,
        masked: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(stop, kernels=kernel)
        self._group_kernel = kernel
        self._supervisor = supervisor
        self._masked = dict(masked or {})
        self.order = order
        self.current: int | None = None
        self.ended_early = False
        self.kernel_path: Path | None = None
        self.save_error: OSError | None = None
        self.files: handover.KernelListener | None = None
        self.manager: Any = None
        self.first_source = begin_source(order_path)
        self.metrics = MetricReader(str(Path(order.folder) / kernel_plan.METRICS))
        self.events = EventReporter(events, log)
        self.reporter = self.events
        self._last_source = outputs_source(order_path)
        self._event_log, self._text_log = events, log
        self._sampler: Sampler | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began = False

    async def start_kernel(self) -> None:
        """Start the kernel, so that it boots while the step is prepared."""
        environment = {**os.environ, **self.order.environment}
        # The kernel must not inherit the lock: it would count as an executing attempt if it
        # outlived us.
        environment.pop(ALIVE_FD, None)
        environment[CHANNEL] = str(Path(self.order.folder) / kernel_plan.METRICS)
        if self._group_kernel.waiting is None:  # It is watched since its first step.
            self.files = handover.start(
                Path(self.order.folder) / report.NAME,
                environment=environment,
                listen=self._supervisor.listen,
            )
        self.kernel = await self.kernels.start(
            KernelRequest(
                self.order.kernel,
                cwd=self.order.workdir,
                env=environment,
                imports=self.order.imports,
            )
        )
        self.kernel_path = kernel_plan.kernel_path(self.order, self.kernel.command)

    async def end_kernel(self) -> None:
        """Stop sampling, and end the kernel if the client has not done so."""
        if self._sampler is not None:
            self._sampler.stop()
        if self.kernel is not None:
            await self.kernels.end(self.kernel)
        if self._group_kernel.waiting is not None:
            # The limits are those of a step.
            self._supervisor.limit(seconds=None, memory=None)
            if self.files is not None:
                self._group_kernel.at_end(self.files.close)
        elif self.files is not None:
            self.files.close()

    def notebook_started(self, manager: Any) -> None:
        """Remember papermill's manager, and count the cells to come."""
        self.manager = manager
        self.events.expect(manager.nb.cells)

    def should_execute(self, cell: Mapping[str, Any]) -> bool:
        """Whether to execute ``cell``: all of them, unless the step has ended early."""
        return not self.ended_early or cell.get("source") == self._last_source

    def silent_source(self, cell: Mapping[str, Any]) -> str:
        """Return the assignments of the masked parameters that ``cell`` names."""
        names = cell.get("metadata", {}).get("kfnb", {}).get(MASKED, ())
        return "\n".join(f"{name} = {python_literal(self._masked[name])}" for name in names)

    def continues_after(self, error: Exception) -> bool:
        """Continue with the outputs after ``sys.exit(0)``, if no later step needs any.

        papermill treats that as a success. If later steps need outputs, it is a failure: they would
        run without what the skipped cells make, which never happens in the notebook.
        """
        code = (getattr(error, "ename", ""), getattr(error, "evalue", ""))
        if code in (("SystemExit", ""), ("SystemExit", "0"), ("SystemExit", "None")):
            # The outputs of the skipped cells would be missing.
            self.ended_early = not self.order.outputs
        if self.ended_early:
            self.failure = None
        return self.ended_early

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Report the cell; at the first one, start the memory sampler and the time limit."""
        index = source_index(cell)
        self.current = index if index is not None else self.current
        # Now, and not when the kernel starts: booting it is not the step's own time and memory.
        if self._sampler is None and self.kernel is not None and self.kernel.pid is not None:
            self._sampler = Sampler(
                self.kernel.pid,
                limit=self.order.memory,
                report=self._sampled,
                exceeded=lambda size: self.stop.request("memory", failures.format_bytes(size)),
            )
            self._sampler.start()
        if not self._began:
            self._began = True
            self._supervisor.limit(seconds=self.order.timeout, memory=self.order.memory)
        if self._timer is None and self.order.timeout is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.order.timeout, self.stop.request, "timeout")
        super().cell_started(cell)

    def preparation_failed(self, reply: Mapping[str, Any]) -> None:
        """Raise an error that says why the kernel cannot be used for a step."""
        name = self.kernel.name if self.kernel is not None else self.order.kernel
        raise UsageError(
            f'kfnb cannot load its code in the kernel "{name}" '
            f"({reply.get('ename')}: {reply.get('evalue')}). The kernel needs Python 3.10 or later."
        )

    def exit_timed_out(self) -> None:
        """Warn that exit handlers were cut off."""
        self.events.warning(*step_warnings.exit_timed_out(self.exit_timeout))

    def kernel_exited(self) -> None:
        """End what the kernel left running, and warn about it."""
        left = self._supervisor.end_leftovers()
        if left:
            self.events.warning(*step_warnings.processes_left(left))

    def poll(self) -> None:
        """Report new metrics; stop if the disk refuses or the attempt's folder was removed."""
        self._report_metrics()
        error = self._event_log.error or self._text_log.error
        if error is not None:
            # Without its events the attempt could not be followed, and without its log not be
            # explained.
            self.stop.request("disk", failures.os_sentence(error))
        elif not Path(self.order.folder).is_dir():
            self.stop.request("disk", f"its folder {self.order.folder} was removed.")

    def collect(self) -> None:
        """Report what came after the last poll."""
        self.events.flush()
        self._report_metrics()
        if self.manager is not None:
            self.save_error = self.manager.save_error

    def save(self) -> None:
        """Save the notebook as it is now, with papermill's marks at the failing cell."""
        if self.manager is None:
            return
        for cell in self.manager.nb.cells:
            tags = cell.metadata.get("tags", [])
            # Cells that papermill adds are marked as ours, so that views hide them like other
            # injected cells.
            if "papermill-error-cell-tag" in tags and INJECTED not in tags:
                cell.metadata["tags"] = [*tags, INJECTED]
        self.manager.save_now()

    def usage(self) -> publishing.Usage:
        """Return what the kernel used; short steps may end before the first sample."""
        # The operating system counts what has ended; samples exist only while the kernel runs.
        peak, cpu = children_usage()
        if self.kernel is not None and (used := self.kernel.usage) is not None:
            peak, cpu = max(peak, used.peak_memory), cpu + used.cpu_seconds
        sampler = self._sampler
        return publishing.Usage(
            peak_memory=max(peak, sampler.peak if sampler else 0),
            mean_memory=(sampler.mean if sampler else 0) or peak,
            cpu_seconds=round(cpu, 3),
        )

    def _report_metrics(self) -> None:
        for metric in self.metrics.read():
            self.events.metric(metric)

    def _sampled(self, sample: Sample) -> None:
        self._event_log.append(
            "ResourceSampled",
            cpu_seconds=sample.cpu_seconds,
            memory=sample.memory,
            threads=sample.threads,
        )
