"""Kernels from templates, without a supervisor: the step process itself starts the templates."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence

from kfnb.step.templates.kernel_source import KernelEnd, StartedProcess
from kfnb.step.templates.template import (
    Event,
    Exited,
    Forked,
    ForkOrder,
    NotForked,
    Ready,
    Template,
    TemplateSpec,
    Unusable,
)


class TemplateSource:
    """Waits for templates instead of going without them, so that every kernel is forked."""

    def __init__(self) -> None:
        self.templates: dict[TemplateSpec, Template] = {}
        self.left_out: dict[str, str] = {}
        self.forked: list[int] = []
        self.refused: list[str] = []
        self._ends: dict[int, KernelEnd] = {}

    def start_kernel(
        self, spec: TemplateSpec, order: ForkOrder, descriptors: Sequence[int]
    ) -> StartedProcess | None:
        template = self.templates.get(spec)
        if template is None:
            null = os.open(os.devnull, os.O_RDWR)
            template = self.templates[spec] = Template.start(spec, log=null)
            os.close(null)
            while not template.ready:
                self._take(template)
        request = template.fork(order, descriptors)
        while True:
            for event in self._take(template):
                if isinstance(event, Forked) and event.request == request:
                    self.forked.append(event.pid)
                    return StartedProcess(event.pid)
                if isinstance(event, NotForked) and event.request == request:
                    self.refused.append(event.reason)
                    return None

    def kernel_ended(self, pid: int) -> KernelEnd | None:
        for template in self.templates.values():
            self._take(template, timeout=0)
        return self._ends.get(pid)

    def close(self) -> None:
        for template in self.templates.values():
            template.close()

    def _take(self, template: Template, *, timeout: float = 60) -> list[Event]:
        select.select([template], [], [], timeout)
        events = template.receive()
        for event in events:
            if isinstance(event, Ready):
                self.left_out.update(event.left_out)
            elif isinstance(event, Exited):
                self._ends[event.pid] = KernelEnd(
                    event.status, event.peak_memory, event.cpu_seconds
                )
            elif isinstance(event, Unusable):
                raise AssertionError(event.reason)
        return events
