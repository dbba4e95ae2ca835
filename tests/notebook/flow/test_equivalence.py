"""Random programs split into steps do what they do from top to bottom, or check says why not."""

from __future__ import annotations

import ast
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.notebook.build import pipeline
from tests.notebook.flow.programs import programs, runnable
from tests.notebook.flow.simulate import linear, stepwise

EXAMPLES = int(os.environ.get("KFNB_FLOW_EXAMPLES", "250"))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_steps_print_what_the_notebook_prints(data: st.DataObject) -> None:
    cells = runnable(data.draw(programs()))
    found = pipeline(*cells)
    if found.errors:
        return
    code = [c.index for c in found.cells if c.type == "code"]
    for cell in found.cells:
        ast.parse(cell.source)
    expected = linear(found, code)
    printed = stepwise(found)
    assert printed == {cell: expected[cell] for cell in printed}
