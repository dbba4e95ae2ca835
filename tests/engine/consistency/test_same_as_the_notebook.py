"""The promise: a run ends with what the notebook would have had, whatever ends first.

Hidden changes and aliases of values are always repaired. A file that a step needs as it was before
the run, and that a later step has overwritten, cannot be restored, so such a run may fail.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.small_notebooks import Act, Cell, Steps, disk_after, linear

names = st.sampled_from("xyz")
paths = st.lists(st.sampled_from(["f", "g"]), max_size=1).map(tuple)
acts = st.builds(
    Act,
    st.sampled_from(["new", "change", "hidden change", "alias", "maybe"]),
    names,
    names,
)


def cells(*, files: bool) -> st.SearchStrategy[tuple[Cell, ...]]:
    touched = paths if files else st.just(())
    cell = st.builds(
        Cell,
        reads=st.lists(names, max_size=2, unique=True).map(tuple),
        acts=st.lists(acts, max_size=2).map(tuple),
        files_read=touched,
        files_written=touched,
        files_first=st.booleans(),
    )
    first = Cell(acts=(Act("new", "x"), Act("new", "y"), Act("alias", "z", "x")))
    return st.lists(cell, min_size=2, max_size=6).map(lambda rest: (first, *rest))


MOST_EXECUTIONS = 3
"""Of a step, as far as findings alone cause them."""


def play(run: Steps, data: st.DataObject) -> None:
    """Let attempts finish in any order until the run has ended, and replay the journal."""
    run.turn()
    while run.attempts:
        run.finish(data.draw(st.sampled_from(sorted(run.attempts)), "finish"))
        run.obey()
    assert run.driver.engine.state.ended
    again = run.driver.replayed()
    assert again.state == run.driver.engine.state
    assert max(run.executions.values()) <= MOST_EXECUTIONS


def assert_same_as(run: Steps, notebook: tuple[Cell, ...]) -> None:
    for n, seen in enumerate(linear(notebook)):
        assert run.seen[f"s{n}"] == seen


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells(files=False), st.data(), st.integers(1, 4))
def test_values_are_those_of_the_notebook(
    notebook: tuple[Cell, ...], data: st.DataObject, parallel: int
) -> None:
    run = Steps(notebook, parallel=parallel)
    play(run, data)
    assert run.driver.status == "succeeded"
    assert_same_as(run, notebook)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells(files=True), st.data(), st.integers(1, 4))
def test_files_are_those_of_the_notebook_or_the_run_fails(
    notebook: tuple[Cell, ...], data: st.DataObject, parallel: int
) -> None:
    run = Steps(notebook, parallel=parallel)
    play(run, data)
    if run.driver.status == "succeeded":
        assert_same_as(run, notebook)
        run.restore_before(len(notebook))  # as the driver does after a repair
        assert run.disk == disk_after(notebook)
    else:
        failed = [e.data for e in run.driver.events if e.type == "StepFailed"]
        assert any(f.stale and (f.code or "").startswith("KFNB-E60") for f in failed)
