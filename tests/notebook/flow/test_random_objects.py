"""Steps over objects that share and change one another do what the notebook does."""

from __future__ import annotations

import os
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.notebook.build import pipeline
from tests.notebook.flow.object_programs import object_program
from tests.notebook.flow.simulate import linear, stepwise

EXAMPLES = int(os.environ.get("KFNB_FLOW_EXAMPLES", "250")) // 2


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_steps_over_shared_objects_print_what_the_notebook_prints(seed: int) -> None:
    found = pipeline(*object_program(Random(seed)))
    assert not found.errors
    try:
        expected = linear(found, [cell.index for cell in found.cells])
    except (AttributeError, TypeError, RecursionError):
        return  # The program itself fails.
    printed = stepwise(found)
    assert printed == {cell: expected[cell] for cell in printed}
