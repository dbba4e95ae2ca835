"""Templates whose parent is the test."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

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
from tests.kernel_arguments import kernel_arguments as arguments_of_kernel

if not sys.platform.startswith("linux"):
    collect_ignore_glob = ["*"]

E = TypeVar("E")
PATIENCE = 300.0
END = "\nimport os; os._exit(0)"


class Parent:
    """Starts templates, and waits for what they report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "template.log"
        self.templates: list[Template] = []
        self.seen: list[Event] = []

    def start(self, kind: str = "kernel", *imports: str, **environment: str) -> Template:
        """Start a template, and wait until it is ready."""
        template = self.begin(kind, *imports, **environment)
        self.wait(template, Ready)
        return template

    def begin(self, kind: str, *imports: str, **environment: str) -> Template:
        spec = TemplateSpec(
            kind,  # type: ignore[arg-type]
            sys.executable,
            imports=imports,
            environment={**os.environ, "PYTHONHASHSEED": "0", **environment},
        )
        with self.log.open("ab") as log:
            template = Template.start(spec, log=log.fileno())
        self.templates.append(template)
        return template

    def wait(
        self, template: Template, kind: type[E], *, like: Callable[[E], bool] | None = None
    ) -> E:
        """Return the first event of this kind, also one that came earlier."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for event in self.seen:
                if isinstance(event, kind) and (like is None or like(event)):
                    self.seen.remove(event)
                    return event
                if isinstance(event, Unusable):
                    raise AssertionError(f"{event.reason} {self.log.read_text()}")
            select.select([template], [], [], 1)
            self.seen += template.receive()
        raise AssertionError(f"no {kind.__name__} came; {self.seen} {self.log.read_text()}")

    def fork(self, template: Template, *arguments: str, **options: object) -> Forked:
        """Fork a child, and wait until it has begun."""
        return self.wait(template, Forked, like=self._of(self.ask(template, *arguments, **options)))

    def ask(self, template: Template, *arguments: str, **options: object) -> int:
        passed = options.pop("descriptors", {})
        assert isinstance(passed, dict)
        environment = options.pop("environment", {**os.environ, "PYTHONHASHSEED": "0"})
        order = ForkOrder(
            arguments,
            str(options.pop("cwd", self.folder)),
            environment,  # type: ignore[arg-type]
            descriptors=tuple(passed),
            **options,  # type: ignore[arg-type]
        )
        return template.fork(order, list(passed.values()))

    def ended(self, template: Template, pid: int) -> Exited:
        return self.wait(template, Exited, like=lambda event: event.pid == pid)

    def refused(self, template: Template, request: int) -> NotForked:
        return self.wait(template, NotForked, like=self._of(request))

    @staticmethod
    def _of(request: int) -> Callable[[Forked | NotForked], bool]:
        return lambda event: event.request == request


def code(report: Path, source: str) -> str:
    return f"REPORT = {str(report)!r}\n{source}{END}"


def kernel_arguments(folder: Path, code: str) -> tuple[str, ...]:
    return arguments_of_kernel(folder / str(time.time_ns()), code)


def run(parent: Parent, template: Template, source: str, **options: object) -> object:
    report = parent.folder / f"report-{time.time_ns()}"
    child = parent.fork(template, *kernel_arguments(parent.folder, code(report, source)), **options)
    assert parent.ended(template, child.pid).status == 0, parent.log.read_text()
    return json.loads(report.read_text())


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    parent = Parent(tmp_path)
    yield parent
    for template in parent.templates:
        template.close()
