"""``kfnb check --verify``: the notebook from top to bottom beside the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kfnb.verify import VerifyReport, verify
from tests.desk import Desk

pytestmark = pytest.mark.slow


def found(report: VerifyReport) -> list[tuple[str, str | None, int | None]]:
    return [(d.code, d.step, d.cell) for d in report.diagnostics]


def test_a_pipeline_that_does_what_the_notebook_does(desk: Desk) -> None:
    (desk.folder / "data.txt").write_text("1 2 3")
    path = desk.notebook(
        ("parameters", "factor = 2"),
        ("setup", "class Sum:\n    def __init__(self, v):\n        self.v = v"),
        ("step:load", "values = [int(v) for v in open('data.txt').read().split()]"),
        ("step:sum", "total = Sum(sum(values) * factor)\nvalues.append(4)"),
        ("step:show", "print(total.v, values)\nopen('out.txt', 'w').write('x');"),
    )
    before = path.read_bytes()
    report = verify(path, {"factor": 10})
    assert found(report) == []
    assert (report.ok, report.linear, report.status) == (True, "succeeded", "succeeded")
    assert (report.cells, report.values) == (5, 3)
    assert path.read_bytes() == before
    assert sorted(p.name for p in desk.folder.iterdir()) == ["data.txt", "nb.ipynb"]


def test_state_that_does_not_flow_is_reported_at_its_cell(desk: Desk) -> None:
    # A monkey patch that no reading of the source can see.
    path = desk.notebook(
        ("setup", "import string, builtins"),
        ("step:set", "setattr(builtins, 'hid' + 'den', 5)\nfrom_builtins = 1"),
        (
            "step:read",
            "got = getattr(builtins, 'hid' + 'den', 'nothing')\nprint(got, from_builtins)",
        ),
        ("step:end", "print(got)"),
    )
    report = verify(path)
    assert not report.ok
    assert ("KFNB-E653", "read", 2) in found(report)
    assert ("KFNB-E654", "read", 2) in found(report)
    said = next(d for d in report.diagnostics if d.code == "KFNB-E653")
    assert 'printed "nothing 1" in the pipeline but "5 1" in the notebook' in said.message
    assert said.location.startswith('step "read", `got = getattr(')


def test_what_differs_by_itself_is_a_warning(desk: Desk) -> None:
    path = desk.notebook(
        ("step:a", "import random\nvalue = random.random()"),
        ("step:b", "print(value)"),
    )
    report = verify(path)
    assert report.ok
    assert {d.code for d in report.diagnostics} == {"KFNB-W655"}


def test_a_notebook_that_fails_from_top_to_bottom(desk: Desk) -> None:
    path = desk.notebook(
        ("step:a", "import os\nmade = os.path.exists('once.txt')"),
        ("step:b", "raise RuntimeError('always')"),
    )
    report = verify(path)
    assert (report.linear, report.status) == ("failed", "failed")
    assert ("KFNB-W657", None, 1) in found(report)


def test_errors_of_reading_stop_it_before_anything_runs(desk: Desk) -> None:
    path = desk.notebook(("step:a", "print(nowhere)"))
    report = verify(path)
    assert (report.linear, report.ok) == (None, False)
    assert [d.code for d in report.diagnostics] == ["KFNB-E102"]


def test_the_source_is_read_and_nothing_else(desk: Desk, tmp_path: Path) -> None:
    path = desk.notebook(("", "x = 1\nx"))
    report = verify(path)
    assert report.ok
    assert json.loads(path.read_text())["cells"][0]["outputs"] == []
