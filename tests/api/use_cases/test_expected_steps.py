"""What a run would do is what it then does."""

from __future__ import annotations

import pytest

import kfnb
from kfnb.api.launch import plan_run, read
from kfnb.api.use_cases.expected_steps import expected_steps, summary
from tests.desk import Desk

CELLS = (
    ("parameters", "rate = 1"),
    ("step:load", "rows = [1, 2]"),
    ("step:write", "open('rows.txt', 'w').write(str(rows))"),
    ("step:count", "print(len(open('rows.txt').read()))"),
    ("step:scale", "print([rate * row for row in rows])"),
    ("step:last", "print(1)"),
)


@pytest.mark.slow
def test_what_is_expected_of_a_run_is_what_it_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFNB_HOME", str(desk.home))
    path = desk.notebook(*CELLS)
    assert {one.action for one in expected_steps(plan_run(read(path), {}))} == {"execute"}
    kfnb.run(path)
    expected = expected_steps(plan_run(read(path), {"rate": 2}))
    done = kfnb.run(path, {"rate": 2})
    assert {one.name: (one.action == "cached", one.why) for one in expected} == {
        name: (step.status == "cached", step.why) for name, step in done.steps.items()
    }


def test_runs_on_another_machine_are_not_forecast(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kfnb.runners import target

    monkeypatch.setenv("KFNB_HOME", str(desk.home))
    plan = plan_run(read(desk.notebook(*CELLS)), {})
    monkeypatch.setattr(type(target.find_target("local")), "is_remote", True)
    steps = expected_steps(plan)
    assert {one.action for one in steps} == {"unknown"}
    assert summary(steps) == "at most 5 steps run"
