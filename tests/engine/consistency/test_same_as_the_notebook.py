"""The promise: no run succeeds with values that the notebook would not have had."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.small_notebooks import Act, Cell, Steps, linear

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


def run_and_compare(notebook: tuple[Cell, ...], data: st.DataObject, parallel: int) -> str:
    expected = linear(notebook)
    run = Steps(notebook, parallel=parallel)
    run.turn()
    for _ in range(4):
        while run.attempts:
            run.finish(data.draw(st.sampled_from(sorted(run.attempts)), "finish"))
            run.obey()
        assert run.driver.engine.state.ended
        again = run.driver.replayed()
        assert again.state == run.driver.engine.state
        if run.driver.status == "succeeded":
            for n, seen in enumerate(expected):
                assert run.seen[f"s{n}"] == seen
            return "succeeded"
        assert any(e.data.stale for e in run.driver.events if e.type == "StepFailed")
        run.driver.emit("RunResumed")
        run.turn()
    return run.driver.status


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells(files=False), st.data(), st.integers(1, 3))
def test_values_are_those_of_the_notebook_or_the_run_fails(
    notebook: tuple[Cell, ...], data: st.DataObject, parallel: int
) -> None:
    run_and_compare(notebook, data, parallel)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells(files=True), st.data(), st.integers(1, 3))
def test_files_are_those_of_the_notebook_or_the_run_fails(
    notebook: tuple[Cell, ...], data: st.DataObject, parallel: int
) -> None:
    run_and_compare(notebook, data, parallel)
