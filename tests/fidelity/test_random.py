"""Notebooks that nobody thought of give the same as pipelines, or the run says why not.

``KFNB_FIDELITY_EXAMPLES`` raises the number of examples. A failure prints the
notebook and hypothesis's seed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings, target

from tests.fidelity.corpus import notebook
from tests.fidelity.programs import Cell, notebooks
from tests.fidelity.running import both

EXAMPLES = int(os.environ.get("KFNB_FIDELITY_EXAMPLES", "8"))


@given(cells=notebooks())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_notebooks_work_from_top_to_bottom(cells: tuple[Cell, ...]) -> None:
    space: dict[str, object] = {"__name__": "__main__", "print": lambda *a: None}
    for _, source in cells:
        exec(compile(source, "<cell>", "exec"), space)


@pytest.mark.slow
@given(cells=notebooks())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_random_notebooks_give_the_same_as_pipelines(cells: tuple[Cell, ...]) -> None:
    note("\n".join(f"--- {' '.join(tags)}\n{source}" for tags, source in cells))
    target(float(sum(len(source) for _, source in cells)))
    with tempfile.TemporaryDirectory() as folder:
        outcome = both(Path(folder), notebook(cells))
    if outcome.status == "succeeded":
        assert outcome.differences == (), outcome
    else:
        # Refused at run time, with the two steps' names and the tag that would fix it.
        assert "KFNB-E6" in outcome.error or any("KFNB-E6" in w for w in outcome.warnings), outcome
