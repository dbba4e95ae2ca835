"""No notebook makes reading follow its functions beyond the work budget: counted, not timed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.flow import cell_walk, infer
from kfnb.notebook.flow.interpreter.summaries import MOST_WORK
from kfnb.notebook.flow.step_facts import WalkResult
from tests.notebook.build import notebook

SLACK = 1.5
"""The budget is looked at before each call; one function's body may still be gone through."""

NAMES = [f"f{n}" for n in range(12)]


@st.composite
def functions(draw: st.DrawFn) -> str:
    """Functions and classes that call one another at random, some through values."""
    lines = ["table = []"]
    for name in NAMES:
        called = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6))
        form = draw(st.sampled_from(("def", "method", "closure")))
        calls = " + ".join(
            f"{other}({draw(st.sampled_from((name, 'x', 'table')))})" for other in called
        )
        if form == "def":
            lines += [f"def {name}(x=None):", f"    table.append({name})", f"    return {calls}"]
        elif form == "method":
            base = f"({draw(st.sampled_from(NAMES))})" if draw(st.booleans()) else ""
            lines += [f"class {name}{base}:", f"    def __init__(self, x=None): self.x = {calls}"]
            lines += ["    def run(self): return self.run() + self.x.run()"]
        else:
            lines += [f"def {name}(x=None):", f"    def inner(y): return {calls} + inner(y)"]
            lines += ["    table.append(inner)", "    return inner"]
    return "\n".join(lines)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=functions(), calls=st.lists(st.sampled_from(NAMES), min_size=1, max_size=20))
def test_generated_functions_stay_within_the_budget(source: str, calls: list[str]) -> None:
    cells = [(f"step:s{n}", f"v{n} = {name}(table)\nv{n}.run()") for n, name in enumerate(calls)]
    document = notebook(("setup", source), *cells)
    walks: list[WalkResult] = []
    original = cell_walk._Walk.through

    def through(self: cell_walk._Walk, visits: object) -> WalkResult:
        walks.append(original(self, visits))  # type: ignore[arg-type]
        return walks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_walk._Walk, "through", through)
        infer(declare(document))
    assert walks
    assert max(walk.interpreter.work for walk in walks) <= MOST_WORK * SLACK
