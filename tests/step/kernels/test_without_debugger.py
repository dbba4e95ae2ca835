"""A step's kernel does not import ipykernel's debugger."""

from __future__ import annotations

import pytest

from kfnb.step.kernels.without_debugger import without_debugger
from tests.step.conftest import Bench


def test_only_the_launcher_of_ipykernel_is_replaced() -> None:
    python = ["python3", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{file}"]
    changed = without_debugger(python)
    assert (changed[:3], changed[4:]) == (["python3", "-Xfrozen_modules=off", "-c"], python[4:])
    for other in (["xpython", "-f", "{file}"], ["python", "-m", "ipykernel", "-f", "{file}"], []):
        assert without_debugger(other) == other


@pytest.mark.slow
def test_a_cell_may_import_the_debugger_that_its_kernel_did_not(bench: Bench) -> None:
    ended = bench.run(
        "step",
        "import sys; print([name for name in sys.modules if name.startswith('debugpy')])",
        "import debugpy; print(debugpy.__name__)",
    )
    assert ended.log.split() == ["[]", "debugpy"]
