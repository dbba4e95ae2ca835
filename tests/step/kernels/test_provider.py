"""The seam between a step and its kernel: start, execute and end can be provided in another way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_core.utils import ensure_event_loop

from kfnb.step.execution import attempt
from kfnb.step.kernels.kernel_process import Kernel
from kfnb.step.kernels.own_kernels import OwnKernels
from kfnb.step.kernels.provider import CellExecution, KernelProvider, KernelRequest, StepKernel
from tests.step.conftest import Bench, Ended

pytestmark = pytest.mark.slow


class OneKernel:
    """A provider whose only kernel executes one step after another."""

    def __init__(self) -> None:
        self.own = OwnKernels(capture=True)
        self.kernel: Kernel | None = None
        self.ready = False

    async def start(self, request: KernelRequest) -> StepKernel:
        if self.kernel is None:
            self.kernel = await self.own.start(request)
        return self.kernel

    async def execute(self, kernel: StepKernel, cells: CellExecution) -> None:
        if self.ready:
            await cells.run_cells(kernel)
        else:
            self.ready = True
            await self.own.execute(kernel, cells)

    async def end(self, kernel: StepKernel, cells: CellExecution | None = None) -> None:
        """Leave the kernel to the next step."""

    def close(self) -> None:
        if self.kernel is not None:
            ensure_event_loop().run_until_complete(self.own.end(self.kernel))


class Recorded:
    """Passes on to another provider what it is asked, and keeps a list of it."""

    def __init__(self, other: KernelProvider) -> None:
        self.other = other
        self.calls: list[str] = []

    async def start(self, request: KernelRequest) -> StepKernel:
        self.calls.append("start")
        return await self.other.start(request)

    async def execute(self, kernel: StepKernel, cells: CellExecution) -> None:
        self.calls.append("execute")
        await self.other.execute(kernel, cells)

    async def end(self, kernel: StepKernel, cells: CellExecution | None = None) -> None:
        self.calls.append("kill" if cells is None else "exit")
        await self.other.end(kernel, cells)


@pytest.fixture
def one_kernel() -> Iterator[OneKernel]:
    kernels = OneKernel()
    yield kernels
    kernels.close()


def run(bench: Bench, kernels: KernelProvider, step: str, *cells: str, **options: Any) -> Ended:
    """Execute a step in this process, in a kernel of the given provider."""
    path = bench.prepare(step, *cells, **options)
    exit_code = attempt.run(str(path), kernels=kernels)
    order = attempt.StepOrder.from_json(path.read_bytes())
    return Ended(exit_code, path.parent, bench.store, order)


def test_steps_can_share_a_kernel(bench: Bench, one_kernel: OneKernel) -> None:
    log = "import kfnb; kfnb.log_metric('loss', {})"
    first = run(
        bench, one_kernel, "first", "import os; x = 41", log.format(1), "print(os.getpid())"
    )
    second = run(bench, one_kernel, "second", log.format(2), "print(os.getpid(), x + 1)")
    assert (first.code, second.code) == (0, 0)
    assert one_kernel.kernel is not None
    pid = one_kernel.kernel.pid
    assert (first.text(2).strip(), second.text(1).strip()) == (f"{pid}", f"{pid} 42")
    assert [[m[2] for m in ended.manifest.metrics] for ended in (first, second)] == [[1], [2]]
    assert first.log.split() == [str(pid)]


def test_a_step_that_fails_in_a_shared_kernel_leaves_it_to_the_next(
    bench: Bench, one_kernel: OneKernel
) -> None:
    failed = run(bench, one_kernel, "first", "y = 1", "1 / 0")
    assert failed.code == 1
    assert failed.failure.ename == "ZeroDivisionError"
    assert run(bench, one_kernel, "second", "assert y == 1").code == 0


@pytest.mark.parametrize(
    ("cell", "code", "ending"),
    [("x = 1", 0, "exit"), ("1 / 0", 1, "exit"), ("import os; os._exit(3)", 1, "kill")],
)
def test_a_kernel_is_started_once_and_ended_after_its_step(
    bench: Bench, cell: str, code: int, ending: str
) -> None:
    kernels = Recorded(OwnKernels(capture=True))
    assert run(bench, kernels, "step", cell).code == code
    assert kernels.calls[:3] == ["start", "execute", ending]
    assert set(kernels.calls[3:]) <= {"kill"}


def test_a_step_that_is_published_already_ends_its_kernel(bench: Bench) -> None:
    kernels = Recorded(OwnKernels(capture=True))
    assert run(bench, kernels, "step", "x = 1").code == 0
    kernels.calls.clear()
    assert run(bench, kernels, "step", "x = 1").code == 0
    assert kernels.calls == ["start", "kill"]
