"""In a step's own execution ``%%step`` is a comment, and nothing launches pipelines."""

from __future__ import annotations

import pytest

import kfnb

CELLS = (
    ("", "%load_ext kfnb"),
    ("", "%%step load\nrows = [1, 2]"),
    ("", "%%step fit --after load\n\n%%time\nmodel = sum(rows)\n%load_ext kfnb\n%pipeline run"),
    ("", "%pipeline show\n%pipeline run --no-wait\nprint('fitted', model)"),
    ("", "%%step wait for it\nimport asyncio\nawait asyncio.sleep(0)\nfor n in [1]:\n    %pipeline run\n    print('waited', model + n)"),
    ("", "%reload_ext kfnb\nshown = %pipeline status\n"),
    ("", "%%step fail\n\n1 / 0 if model else model"),
)  # fmt: skip


@pytest.mark.slow
def test_a_notebook_of_magics_as_a_pipeline(desk):
    path = desk.notebook(*CELLS)
    run = kfnb.run(path)
    assert list(run.steps) == ["load", "fit", "wait for it", "fail"]
    assert "fitted 3" in run.logs("fit")
    assert "Wall time" in run.logs("fit")
    assert run.logs("wait for it") == "waited 4\n"
    error = run.steps["fail"].error
    assert (error.ename, error.cell, error.line) == ("ZeroDivisionError", 6, 3)
    assert [found.id for found in kfnb.runs()] == [run.id]


@pytest.mark.slow
def test_the_same_notebook_in_a_live_kernel(kernel, desk):
    """As it stands: what it prints and where it fails is what the pipeline showed."""
    desk.notebook(*CELLS)
    assert kernel.ok(CELLS[1][1]).text == ""
    assert "Wall time" in kernel.ok(CELLS[2][1].replace("%pipeline run", "")).text
    assert kernel.ok("print('fitted', model)").text == "fitted 3\n"
    live = CELLS[4][1].replace("%pipeline run", "pass")
    assert kernel.ok(live).text == "waited 4\n"
    assert "line 3" in kernel(CELLS[6][1]).error
