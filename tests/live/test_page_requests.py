"""Outputs come in sizes that a page can show; runs are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfnb.api.run_view import RunView
from kfnb.engine.core.state import StepState
from kfnb.errors import UsageError
from kfnb.live import page_requests, protocol
from tests.cli.scripted import FAILED, LOADED, SOURCES, SUCCEEDED, TRAINING, made_run, write
from tests.live.runs import view_of
from tests.live.typed_dicts import fits


def executed(view: RunView, *outputs: dict[str, Any], cell: object = 2) -> None:
    path: Path = view.attempt("train").executed
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [
        {"metadata": {"tags": ["kfnb-injected"]}, "outputs": [{"output_type": "error"}]},
        {"metadata": {"kfnb": {"cell": cell}}, "outputs": list(outputs), "source": "…"},
    ]
    path.write_text(json.dumps({"cells": cells}))


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_outputs_are_sorted_by_the_notebooks_cells() -> None:
    _, view = view_of(*LOADED, *TRAINING)
    executed(view, stream("hello\n"))
    message = page_requests.outputs(view, "train", "", None)
    assert (message["step"], message["attempt"]) == ("train", 1)
    source = view.pipeline.cells[2].source
    (cell,) = message["cells"]
    assert (cell["source"], cell["outputs"]) == (source, [stream("hello\n")])
    assert cell["location"] == {
        "cell": 2,
        "id": view.pipeline.cells[2].id,
        "execution_count": None,
        "line": None,
        "text": source.split("\n")[0],
    }


def test_outputs_of_an_instance_are_its_own() -> None:
    _, view = view_of(*LOADED, *TRAINING)
    view.state.steps["train", "3"] = StepState("train", "3", attempts=1)
    path = view.folder.attempt(view.pipeline.steps["train"].id, 1, index="3").executed
    path.parent.mkdir(parents=True)
    cell = {"metadata": {"kfnb": {"cell": 2}}, "outputs": [stream("third\n")], "source": "…"}
    path.write_text(json.dumps({"cells": [cell]}))
    message = page_requests.outputs(view, "train", "3", None)
    assert (message["step"], message["index"], message["attempt"]) == ("train", "3", 1)
    assert [c["outputs"] for c in message["cells"]] == [[stream("third\n")]]
    assert page_requests.outputs(view, "train", "", None)["cells"] == []
    assert page_requests.notebook(view, "train", "3", None)["index"] == "3"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cells": [{}]}', None])
def test_a_damaged_notebook_has_no_outputs(damage: str | None) -> None:
    _, view = view_of(*LOADED, *TRAINING)
    if damage is not None:
        executed(view)
        view.attempt("train").executed.write_text(damage)
    assert page_requests.outputs(view, "train", "", None)["cells"] == []


@pytest.mark.parametrize("cell", [-1, 99, "2", None])
def test_an_unknown_cell_is_left_out(cell: object) -> None:
    _, view = view_of(*LOADED, *TRAINING)
    executed(view, stream("x"), cell=cell)
    assert page_requests.outputs(view, "train", "", None)["cells"] == []


def test_large_outputs_are_shortened_with_a_note() -> None:
    _, view = view_of(*LOADED, *TRAINING)
    image = {"image/png": "i" * (page_requests.MAX_IMAGE + 1), "text/plain": "<Figure>"}
    page = {"text/html": "<p>" * page_requests.MAX_TEXT, "text/plain": "DataFrame"}
    executed(
        view,
        stream("x" * (page_requests.MAX_TEXT + 5)),
        {"output_type": "display_data", "metadata": {}, "data": image},
        {"output_type": "execute_result", "metadata": {}, "data": page},
        {
            "output_type": "error",
            "ename": "E",
            "evalue": "v" * 900_000,
            "traceback": ["t"] * 9_000,
        },
    )
    (cell,) = page_requests.outputs(view, "train", "", None)["cells"]
    text, picture, html, error = cell["outputs"]
    assert text["text"].endswith("[5 more characters: the executed notebook has them]\n")
    assert set(picture["data"]) == {"text/plain"}
    assert "image/png of 8,000,001 characters" in picture["data"]["text/plain"]
    assert "<Figure>" in picture["data"]["text/plain"]
    assert set(html["data"]) == {"text/plain"}
    assert len(error["evalue"]) < 300_000
    assert len(error["traceback"]) == 200


def test_the_total_size_of_outputs_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_requests, "MAX_TOTAL", 1000)
    _, view = view_of(*LOADED, *TRAINING)
    executed(view, *(stream("x" * 400) for _ in range(10)))
    message = page_requests.outputs(view, "train", "", None)
    assert len(json.dumps(message)) < 3000
    assert "not shown: it is too large" in json.dumps(message)


def test_an_executed_notebook_gets_a_portable_file_name() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    with pytest.raises(UsageError, match='Step "train" has no executed notebook: it is running'):
        page_requests.notebook(view, "train", "", None)
    executed(view, stream("hello\n"))
    message = page_requests.notebook(view, "train", "", None)
    assert message["name"] == f"made-train-{run.id}.ipynb"
    assert json.loads(message["text"])["cells"]
    assert (message["step"], message["attempt"]) == ("train", 1)


def test_a_hostile_step_name_does_not_become_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {'../<b>"': "x = 1", "end": "x"}
    run = made_run(sources=sources)
    write(run, ("AttemptStarted", '../<b>"', {}, 1))
    view = RunView(run)
    view.update()
    path = view.attempt('../<b>"').executed
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    name = page_requests.notebook(view, '../<b>"', "", None)["name"]
    assert name == f"made-b-{run.id}.ipynb"
    monkeypatch.setattr(page_requests, "MAX_NOTEBOOK_BYTES", 1)
    with pytest.raises(UsageError, match="too large"):
        page_requests.notebook(view, '../<b>"', "", None)


def test_runs_are_compared() -> None:
    good, bad = made_run(), made_run()
    write(good, *SUCCEEDED)
    write(bad, *FAILED)
    message = page_requests.compare([good.id, bad.id, good.id])
    assert [run["id"] for run in message["runs"]] == [good.id, bad.id]
    first, second = message["runs"]
    assert first["metrics"] == {"loss": 0.25}
    assert first["parameters"] == {"rate": 0.1}
    assert second["steps"]["train"]["status"] == "failed"
    assert first["duration"] is not None
    json.dumps(message, allow_nan=False)


def test_code_that_differs_is_compared_side_by_side() -> None:
    changed = {**SOURCES, "train": SOURCES["train"].replace("1 / 0", "1 / 2")}
    before, after = made_run(), made_run(sources=changed)
    message = page_requests.compare([before.id, after.id])
    assert fits(message, protocol.CompareMessage)
    (difference,) = message["code"]
    assert difference["step"] == "train"
    assert [(line["left"], line["right"], line["kind"]) for line in difference["lines"]] == [
        ("def fit(rows):", "def fit(rows):", "equal"),
        ("    return 1 / 0", "    return 1 / 2", "changed"),
        ("", "", "equal"),
        ("model = fit(rows)", "model = fit(rows)", "equal"),
    ]
    assert page_requests.compare([before.id, before.id])["code"] == []


def test_runs_are_listed_of_one_notebook_or_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_requests, "MAX_RUNS", 2)
    runs = [made_run(tmp_path / name) for name in ("a.ipynb", "b.ipynb", "a.ipynb")]
    write(runs[0], *SUCCEEDED)
    message = page_requests.runs(str(tmp_path / "a.ipynb"))
    assert fits(message, protocol.RunsMessage)
    assert ([run["id"] for run in message["runs"]], message["more"]) == (
        [runs[2].id, runs[0].id],
        0,
    )
    assert message["runs"][1]["metrics"] == {"loss": 0.25}
    message = page_requests.runs(None)
    assert ([run["id"] for run in message["runs"]], message["more"]) == (
        [runs[2].id, runs[1].id],
        1,
    )


def test_comparing_an_unknown_run_is_an_error() -> None:
    with pytest.raises(UsageError, match='There is no run "gone"'):
        page_requests.compare(["gone"])
