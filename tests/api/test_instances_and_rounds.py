"""Index and round of what a run executes are visible in Python, in JSON and in lines of text."""

from __future__ import annotations

from pathlib import Path

import pytest

import kfnb
from kfnb.api import json_output
from kfnb.api.run_handle import Run
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.event_lines import event_lines
from kfnb.engine.core.event_types import (
    AttemptStarted,
    GroupFormed,
    MetricLogged,
    OutputData,
    StepExpanded,
    StepInvalidated,
    StepReady,
    StepSucceeded,
)
from kfnb.engine.journal.file_journal import Journal
from kfnb.home import RunFolder
from tests.cli.scripted import made_run

DONE = StepSucceeded(outputs={"x": OutputData(type="int", repr="1", size=28)}, duration=1.5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    return made_run(tmp_path / "train.ipynb")


@pytest.fixture
def first(folder: RunFolder) -> str:
    """The name of the run's first step."""
    return next(iter(Run(folder).steps))


def log(folder: RunFolder, step: str, text: str, *, attempt: int, index: str = "") -> None:
    step_id = Run(folder).pipeline.steps[step].id
    path = folder.attempt(step_id, attempt, index=index).log
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_instance_has_its_own_status_values_log_and_json(folder: RunFolder, first: str) -> None:
    with Journal(folder.journal, folder.id) as journal:
        journal.append(StepExpanded(items=2), first)
        journal.append(StepReady(inputs={}, why="first run"), first, index="1")
        journal.append(AttemptStarted(), first, index="1", attempt=1)
        journal.append(MetricLogged(name="loss", value=0.5), first, index="1", attempt=1)
        journal.append(DONE, first, index="1", attempt=1)
    log(folder, first, "one\n", attempt=1, index="1")
    run = Run(folder)
    step = run.steps[first]
    assert list(step.instances) == ["0", "1"]
    one = step.instances["1"]
    assert (one.name, one.index, one.round, one.status) == (first, "1", 0, "succeeded")
    assert (one.attempts, one.why, one.duration) == (1, "first run", 1.5)
    assert one.outputs.describe("x")["repr"] == "1"
    assert repr(one) == f"<step '{first}[1]': succeeded>"
    assert step.instances["0"].status == "pending"
    assert run.metrics == {"loss": 0.5}
    assert run.logs(first, "1") == "one\n"
    assert run.logs() == "one\n"
    plain = json_output.status(run)["steps"][first]
    assert (plain["index"], plain["instances"]["1"]["index"]) == ("", "1")
    assert plain["instances"]["1"]["status"] == "succeeded"


def test_an_instance_that_does_not_exist_is_an_error_with_a_remedy(
    folder: RunFolder, first: str
) -> None:
    with Journal(folder.journal, folder.id) as journal:
        journal.append(StepExpanded(items=2), first)
    run = Run(folder)
    for read in (run.logs, run.notebook):
        with pytest.raises(kfnb.UsageError, match=r'no instance "7"\. Its instances: 0, 1\.'):
            read(first, "7")
    with pytest.raises(kfnb.UsageError, match=rf"{first}\[1\].*: it is pending"):
        run.notebook(first, "1")


def test_events_of_an_instance_name_it(folder: RunFolder, first: str) -> None:
    with Journal(folder.journal, folder.id) as journal:
        journal.append(StepExpanded(items=1), first)
        journal.append(AttemptStarted(), first, index="0", attempt=1)
    view = RunView(folder)
    lines = [line for event in view.update() for line in event_lines(view, event)]
    assert lines[-1] == f"{first}[0]: started"


def test_a_group_is_a_line_that_says_why(folder: RunFolder, first: str) -> None:
    with Journal(folder.journal, folder.id) as journal:
        journal.append(GroupFormed(id=first, members=((first, ""),), why="con cannot be saved"))
    view = RunView(folder)
    lines = [line for event in view.update() for line in event_lines(view, event)]
    assert lines[-1] == f"{first}: execute in one kernel, because con cannot be saved"


def test_a_second_round_is_visible_and_has_only_its_own_results(
    folder: RunFolder, first: str
) -> None:
    with Journal(folder.journal, folder.id) as journal:
        journal.append(StepReady(inputs={}), first)
        journal.append(AttemptStarted(), first, attempt=1)
        journal.append(MetricLogged(name="loss", value=9), first, attempt=1)
        journal.append(DONE, first, attempt=1)
    run = Run(folder)
    assert (run.steps[first].round, run.steps[first].status) == (0, "succeeded")
    with Journal(folder.journal, folder.id) as journal:
        data = StepInvalidated(target=(first, ""), because="old", voids=((first, "", 1),))
        journal.append(data, first)
    step = run.steps[first]
    assert (step.round, step.status, step.attempts) == (1, "pending", 1)
    assert dict(step.outputs.describe()) == {}
    assert run.metrics == {}
    with Journal(folder.journal, folder.id) as journal:
        journal.append(StepReady(inputs={}), first, round=1)
        journal.append(AttemptStarted(), first, round=1, attempt=2)
        journal.append(DONE, first, attempt=2, round=1)
    log(folder, first, "again\n", attempt=2)
    assert (step.round, step.status, step.attempts) == (1, "succeeded", 2)
    assert run.logs(first) == "again\n"
    assert json_output.status(run)["steps"][first]["round"] == 1


def test_one_instance_may_have_a_second_round(folder: RunFolder, first: str) -> None:
    with Journal(folder.journal, folder.id) as journal:
        journal.append(StepExpanded(items=2), first)
        data = StepInvalidated(target=(first, "1"), because="old", voids=((first, "1", 1),))
        journal.append(data, first, index="1")
    step = Run(folder).steps[first]
    assert step.round == 0
    assert [one.round for one in step.instances.values()] == [0, 1]
