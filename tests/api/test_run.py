"""A run in Python, as its journal tells it."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

import kfnb
from kfnb.api import Run, StepFailure
from kfnb.engine.core.event_types import FailureData
from kfnb.errors import CheckError, InfrastructureError, UsageError
from kfnb.home import store_folder
from kfnb.store.blobs import open_store
from tests.cli import scripted
from tests.cli.scripted import drive, go, log, made_run, output, write
from tests.waiting import PATIENCE


def test_what_a_run_that_failed_says(tmp_path: Path) -> None:
    folder = made_run(tmp_path / "train.ipynb")
    write(folder, *scripted.FAILED)
    log(folder, "train", "epoch 1\n")
    run = kfnb.open_run(folder.id)
    assert (run.id, run.name, run.target) == (folder.id, "made", "local")
    assert run.path == tmp_path / "train.ipynb"
    assert (run.status, run.driver) == ("failed", "ended")
    assert run.parameters == {"rate": 0.1}
    assert list(run.steps) == ["load", "train", "report"]
    load, train, report = run.steps.values()
    assert (load.status, load.attempts, load.duration) == ("succeeded", 1, 1.25)
    assert load.why == "first run of this step"
    assert load.error is None
    assert train.error is not None
    assert (train.error.kind, train.error.cell, train.error.line) == ("user", 2, 2)
    assert "ZeroDivisionError" in str(train.error)
    assert (report.status, report.why) == ("skipped", 'step "train" failed')
    assert run.metrics == {"loss": 0.5}
    assert [(step, value) for _, step, value in run.metric_history("loss")] == [(1, 0.5)]
    assert run.metric_history("nothing") == []
    assert run.logs("train") == "epoch 1\n"
    assert run.logs() == "epoch 1\n"
    assert run.wait() == "failed"
    assert "failed, 1 of 3 steps done" in repr(run)


def test_a_run_is_read_anew_with_each_access() -> None:
    folder = made_run()
    run = Run(folder)
    train = run.steps["train"]
    assert (run.status, train.status) == ("pending", "pending")
    write(folder, *scripted.LOADED, *scripted.TRAINING)
    assert (run.status, train.status) == ("running", "running")


def test_waiting_for_the_end() -> None:
    folder = made_run()
    driver = drive(folder, *scripted.SUCCEEDED[:6], "go", *scripted.SUCCEEDED[6:])
    run = Run(folder)
    assert run.wait(timeout=0.01) in ("pending", "running")
    assert run.driver == "alive"
    go(folder)
    assert run.wait() == "succeeded"
    driver.wait()


def test_waiting_for_a_driver_that_is_gone() -> None:
    folder = made_run()
    write(folder, *scripted.LOADED)
    run = Run(folder)
    assert run.driver.startswith("lost since ")
    with pytest.raises(InfrastructureError, match="kfnb resume"):
        run.wait()


def test_stopping() -> None:
    folder = made_run()
    driver = drive(folder, *scripted.LOADED, "go")
    run = Run(folder)
    run.stop()
    assert run.wait(PATIENCE) == "cancelled"
    driver.wait()
    run.stop()
    assert run.status == "cancelled"


def test_runs_newest_first_and_of_one_notebook(tmp_path: Path) -> None:
    one, two = made_run(tmp_path / "one.ipynb"), made_run(tmp_path / "two.ipynb")
    assert [run.id for run in kfnb.runs()] == [two.id, one.id]
    assert [run.id for run in kfnb.runs(tmp_path / "one.ipynb")] == [one.id]
    assert kfnb.open_run("latest").id == two.id
    assert kfnb.open_run(tmp_path / "one.ipynb").id == one.id


def test_there_is_no_such_run_or_step() -> None:
    with pytest.raises(UsageError, match="There are no runs yet"):
        kfnb.open_run("latest")
    run = Run(made_run())
    with pytest.raises(UsageError, match='no step "trian"'):
        run.notebook("trian")
    with pytest.raises(UsageError, match="it is pending"):
        run.notebook("train")
    assert run.logs("train") == ""


def test_values_are_described_and_loaded() -> None:
    folder = made_run()
    value = {"rows": [1, 2, 3]}
    publish(folder.id, value)
    result = {
        "manifest": f"manifests/{folder.id}/s0.json",
        "outputs": {
            "rows": output("dict", "{'rows': [1, 2, 3]}", bundle="b0"),
            "nothing": output(absent=True),
        },
    }
    write(folder, *scripted.LOADED[:3], ("StepSucceeded", "load", result, 1))
    outputs = Run(folder).steps["load"].outputs
    assert list(outputs) == ["rows"]
    assert outputs.describe("rows") == {
        "type": "dict",
        "shape": None,
        "size": 28,
        "repr": "{'rows': [1, 2, 3]}",
    }
    assert "rows: dict" in repr(outputs)
    assert outputs["rows"] == value
    assert outputs["rows"] is outputs["rows"], "loaded once"
    with pytest.raises(KeyError):
        outputs["nothing"]


def test_a_value_that_needs_a_class_of_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_run()
    publish(folder.id, {"net": 1}, classes=("Net",))
    result = {
        "manifest": f"manifests/{folder.id}/s0.json",
        "outputs": {"net": output("Net", "Net()", bundle="b0")},
    }
    write(folder, *scripted.LOADED[:3], ("StepSucceeded", "load", result, 1))
    outputs = Run(folder).steps["load"].outputs
    with pytest.raises(UsageError, match=r'needs "Net".*from the notebook'):
        outputs["net"]
    assert outputs.describe("net")["type"] == "Net"
    monkeypatch.setattr(sys.modules["__main__"], "Net", object, raising=False)
    assert outputs["net"] == 1


def test_a_value_that_was_removed() -> None:
    folder = made_run()
    publish(folder.id, {"rows": 1})
    result = {
        "manifest": f"manifests/{folder.id}/s0.json",
        "outputs": {"rows": output(bundle="b0")},
    }
    write(folder, *scripted.LOADED[:3], ("StepSucceeded", "load", result, 1))
    for blob in (store_folder() / "blobs").rglob("*-*"):
        blob.unlink()
    with pytest.raises(InfrastructureError, match="removed from the store"):
        Run(folder).steps["load"].outputs["rows"]


def test_looking_at_a_value_writes_nothing() -> None:
    """Somebody else's folder of runs, or an archived one, may be read-only."""
    folder = made_run()
    publish(folder.id, {"rows": 1})
    result = {
        "manifest": f"manifests/{folder.id}/s0.json",
        "outputs": {"rows": output(bundle="b0")},
    }
    write(folder, *scripted.LOADED[:3], ("StepSucceeded", "load", result, 1))
    shutil.rmtree(store_folder() / "staging")
    before = {path: path.stat().st_mtime_ns for path in store_folder().rglob("*")}
    assert Run(folder).steps["load"].outputs["rows"] == {"rows": 1}
    assert {path: path.stat().st_mtime_ns for path in store_folder().rglob("*")} == before


def publish(run: str, value: object, classes: tuple[str, ...] = ()) -> None:
    """Publish a value as a step does."""
    from kfnb.step.values import save
    from kfnb.store.manifest import Bundle, Manifest, Output, manifest_key

    store = open_store(store_folder())
    assert isinstance(value, dict)
    values = value if len(value) == 1 and "net" in value else {"rows": value}
    saved = save(values, folder=store.staging(), definitions=(), origin="test")
    (bundle,) = saved.bundles
    blobs = tuple(store.add_blob(Path(file)) for file in bundle.files)
    name = next(iter(values))
    manifest = Manifest(
        run=run,
        step="load",
        attempt=1,
        started=0.0,
        finished=1.0,
        outputs={name: Output(bundle="b0")},
        bundles={"b0": Bundle(blobs, (name,), bundle.codec, classes)},
    )
    assert store.create(manifest_key(run, "s0"), manifest.to_json())


def test_a_failure_in_a_sentence() -> None:
    failure = StepFailure.of(msgspec.convert(scripted.DIVIDED, FailureData))
    assert str(failure) == (
        'Step "train" failed: line 2: `return 1 / 0` raised ZeroDivisionError: division by zero.'
    )
    placed = StepFailure("user", "it broke", remedy="Mend it.", cell=3, line=4, code="KFNB-E601")
    assert str(placed) == "KFNB-E601: it broke (line 4). Mend it."


def test_a_metric_that_is_no_number() -> None:
    folder = made_run()
    logged = [{"name": "loss", "value": value, "step": None} for value in ("nan", "inf", 2)]
    write(folder, *scripted.LOADED[:3], *(("MetricLogged", "load", m, 1) for m in logged))
    values = [value for _, _, value in Run(folder).metric_history("loss")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, 2]


def test_running_inside_a_step_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_STEP", "train")
    with pytest.raises(UsageError, match='inside step "train"'):
        kfnb.run("train.ipynb")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"parallel": 0}, "parallel must be a whole number"),
        ({"retries": -1}, "retries must be"),
        ({"timeout": "soon"}, "not a duration"),
        ({"on_failure": "cry"}, "finish or stop"),
        ({"target": "moon"}, 'no target "moon"'),
        ({"from_step": "trian"}, 'Did you mean "train"'),
    ],
)
def test_an_option_that_does_not_fit(option: dict[str, object], sentence: str) -> None:
    from kfnb.api.launch import create

    with pytest.raises(UsageError, match=sentence):
        create(scripted.pipeline(), {}, **option)  # type: ignore[arg-type]
    assert kfnb.runs() == []


def test_a_notebook_with_errors_is_not_started(tmp_path: Path) -> None:
    path = tmp_path / "bad.ipynb"
    cell = {"cell_type": "code", "metadata": {"tags": ["step:a"]}, "source": "print(nope)"}
    book = {"cells": [{**cell, "outputs": [], "execution_count": None}], "metadata": {}}
    path.write_text(json.dumps({**book, "nbformat": 4, "nbformat_minor": 4}))
    with pytest.raises(CheckError, match="KFNB-E102"):
        kfnb.run(path)
    assert kfnb.runs() == []


def test_parameters_of_all_kinds(tmp_path: Path) -> None:
    from kfnb.api.parameters import from_file, from_text, from_values

    pipeline = scripted.pipeline()
    assert from_values(pipeline.parameters, {"rate": 1}) == {"rate": 1.0}
    assert from_text(pipeline.parameters, {"rate": "1e-3"}) == {"rate": 0.001}
    file = tmp_path / "p.yaml"
    file.write_text("rate: 1e-3\n")
    assert from_file(pipeline.parameters, file) == {"rate": 0.001}
    numpy = pytest.importorskip("numpy")
    assert from_values(pipeline.parameters, {"rate": numpy.float32(0.5)}) == {"rate": 0.5}
    for wrong in ({"rate": object()}, {"rate": "fast"}, {"rte": 1}, ["rate"]):
        with pytest.raises(UsageError):
            from_values(pipeline.parameters, wrong)  # type: ignore[arg-type]
    for text in ("- a list\n", "rate: [1\n", "\x00"):
        file.write_text(text)
        with pytest.raises(UsageError, match=r"p\.yaml"):
            from_file(pipeline.parameters, file)
    with pytest.raises(UsageError, match="no such file"):
        from_file(pipeline.parameters, tmp_path / "none.yaml")


def test_an_unknown_step_says_which_exist(tmp_path: Path) -> None:
    run = kfnb.open_run(made_run(tmp_path / "train.ipynb").id)
    with pytest.raises(KeyError) as caught:
        run.steps["trian"]
    assert isinstance(caught.value, UsageError)
    assert str(caught.value) == (
        'The run has no step "trian". Did you mean "train"? It has: "load", "train", "report".'
    )
    assert run.steps.get("trian") is None
    assert "trian" not in run.steps


def test_a_printed_pipeline_is_a_short_summary(tmp_path: Path) -> None:
    made = scripted.pipeline(tmp_path / "train.ipynb")
    assert str(made).splitlines() == [
        "made: 3 steps",
        "steps: load, train, report",
        "parameters: rate = 0.1",
    ]
