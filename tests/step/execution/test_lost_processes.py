"""A step process that ended without a record."""

from __future__ import annotations

import pytest

from kfnb.step.execution.failures import process_lost
from kfnb.step.order import StepOrder

ORDER = StepOrder(
    run="r", step="train", step_id="train", attempt=1, notebook="n", folder="f", workdir="w",
    store="s", memory=200 << 20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("code", "out_of_memory", "asked", "kind", "words"),
    [
        (-9, True, False, "memory", "200Mi"),
        (-9, False, True, "cancelled", "cancelled"),
        (-11, False, False, "infrastructure", "by SIGSEGV"),
        (7, False, False, "infrastructure", "exit code 7"),
    ],
)
def test_a_process_that_left_no_record_is_explained(code, out_of_memory, asked, kind, words):
    found = process_lost(
        ORDER, code, output="printed", out_of_memory=out_of_memory, stop_requested=asked
    )
    assert found.kind == kind
    assert words in found.summary
    assert found.traceback == "printed"
