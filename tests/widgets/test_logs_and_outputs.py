"""Logs in pieces, outputs in sizes that a page can show, runs side by side."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from kfnb.api.run_view import RunView
from kfnb.errors import UsageError
from kfnb.home import RunFolder
from kfnb.live import log_tail, page_requests
from kfnb.live.log_tail import Tail
from tests.cli.scripted import FAILED, LOADED, SUCCEEDED, TRAINING, log, made_run, write

AGAIN = [
    ("AttemptFailed", "train", {"class": "user", "summary": "no"}, 1),
    ("AttemptStarted", "train", {}, 2),
]


def viewed(*events: tuple[Any, ...]) -> tuple[RunFolder, RunView]:
    run = made_run()
    write(run, *events)
    view = RunView(run)
    view.update()
    return run, view


def everything(tailed: Tail, view: RunView) -> str:
    text = ""
    while (piece := tailed.read(view)) is not None:
        text = piece["text"] if piece["reset"] else text + piece["text"]
        if piece["to"] == piece["total"]:
            return text
    return text


def test_what_comes_later_is_sent_and_nothing_twice() -> None:
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "one\n")
    tailed = Tail("train")
    first = tailed.read(view)
    assert first is not None
    assert (first["step"], first["attempt"], first["text"]) == ("n1", 1, "one\n")
    assert (first["from"], first["to"], first["total"], first["reset"]) == (0, 4, 4, True)
    assert tailed.read(view) is None
    log(run, "train", "one\ntwo\n")
    second = tailed.read(view)
    assert second is not None
    assert (second["text"], second["reset"]) == ("two\n", False)
    assert (second["from"], second["to"]) == (4, 8)


def test_a_step_that_printed_nothing_is_answered_too() -> None:
    _, view = viewed(*LOADED)
    tailed = Tail("report")
    piece = tailed.read(view)
    assert piece is not None
    assert (piece["text"], piece["total"], piece["attempts"]) == ("", 0, [])
    assert tailed.read(view) is None


def test_a_reader_that_has_some_gets_the_rest() -> None:
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "one\ntwo\n")
    piece = Tail("train", begin=4).read(view)
    assert piece is not None
    assert (piece["text"], piece["reset"]) == ("two\n", False)


def test_a_new_attempt_begins_anew_unless_one_was_asked_for() -> None:
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "first\n")
    latest, fixed = Tail("train"), Tail("train", attempt=1)
    latest.read(view)
    fixed.read(view)
    write(run, *AGAIN)
    view.update()
    log(run, "train", "second\n", attempt=2)
    piece = latest.read(view)
    assert piece is not None
    assert (piece["attempt"], piece["text"], piece["reset"]) == (2, "second\n", True)
    assert piece["attempts"] == [1, 2]
    assert fixed.read(view) is None


def test_a_log_in_pieces_has_every_character_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "PIECE", 7)
    run, view = viewed(*LOADED, *TRAINING)
    text = "".join(random.Random(1).choice("a€\n🎲ü") for _ in range(300))
    log(run, "train", text)
    assert everything(Tail("train"), view) == text


def test_a_character_that_is_half_written_waits_for_its_rest() -> None:
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "")
    path = view.attempt("train").log
    path.write_bytes("a€".encode()[:-1])
    tailed = Tail("train")
    piece = tailed.read(view)
    assert piece is not None
    assert piece["text"] == "a"
    path.write_bytes("a€".encode())
    piece = tailed.read(view)
    assert piece is not None
    assert piece["text"] == "€"


def test_bytes_that_are_no_text_do_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "PIECE", 4)
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "")
    view.attempt("train").log.write_bytes(b"ok\n" + b"\xff\x80" * 20 + b"\nend\n")
    assert everything(Tail("train"), view).endswith("\nend\n")


def test_of_a_very_long_log_the_end_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "MOST", 100)
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "".join(f"line {n}\n" for n in range(1000)))
    tailed = Tail("train")
    piece = tailed.read(view)
    assert piece is not None
    assert piece["reset"]
    assert piece["from"] > 0
    assert piece["text"].startswith("line 9")
    assert piece["text"].endswith("line 999\n")


def test_a_log_that_became_shorter_is_read_anew() -> None:
    run, view = viewed(*LOADED, *TRAINING)
    log(run, "train", "a long text\n")
    tailed = Tail("train")
    tailed.read(view)
    log(run, "train", "short\n")
    piece = tailed.read(view)
    assert piece is not None
    assert (piece["text"], piece["reset"]) == ("short\n", True)


# Outputs


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


def test_outputs_stand_at_the_cells_of_the_author() -> None:
    _, view = viewed(*LOADED, *TRAINING)
    executed(view, stream("hello\n"))
    told = page_requests.outputs(view, "train", None)
    assert (told["step"], told["attempt"]) == ("n1", 1)
    assert told["cells"] == [
        {"cell": 2, "source": view.pipeline.cells[2].source, "outputs": [stream("hello\n")]}
    ]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cells": [{}]}', None])
def test_a_notebook_that_is_not_whole_has_no_outputs(damage: str | None) -> None:
    _, view = viewed(*LOADED, *TRAINING)
    if damage is not None:
        executed(view)
        view.attempt("train").executed.write_text(damage)
    assert page_requests.outputs(view, "train", None)["cells"] == []


@pytest.mark.parametrize("cell", [-1, 99, "2", None])
def test_a_cell_that_the_notebook_does_not_have_is_left_out(cell: object) -> None:
    _, view = viewed(*LOADED, *TRAINING)
    executed(view, stream("x"), cell=cell)
    assert page_requests.outputs(view, "train", None)["cells"] == []


def test_large_outputs_are_cut_with_a_note() -> None:
    _, view = viewed(*LOADED, *TRAINING)
    image = {"image/png": "i" * (page_requests.MOST_IMAGE + 1), "text/plain": "<Figure>"}
    page = {"text/html": "<p>" * page_requests.MOST_TEXT, "text/plain": "DataFrame"}
    executed(
        view,
        stream("x" * (page_requests.MOST_TEXT + 5)),
        {"output_type": "display_data", "metadata": {}, "data": image},
        {"output_type": "execute_result", "metadata": {}, "data": page},
        {
            "output_type": "error",
            "ename": "E",
            "evalue": "v" * 900_000,
            "traceback": ["t"] * 9_000,
        },
    )
    (cell,) = page_requests.outputs(view, "train", None)["cells"]
    text, picture, html, error = cell["outputs"]
    assert text["text"].endswith("[5 more characters: the executed notebook has them]\n")
    assert set(picture["data"]) == {"text/plain"}
    assert "image/png of 8,000,001 characters" in picture["data"]["text/plain"]
    assert "<Figure>" in picture["data"]["text/plain"]
    assert set(html["data"]) == {"text/plain"}
    assert len(error["evalue"]) < 300_000
    assert len(error["traceback"]) == 200


def test_all_outputs_together_are_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_requests, "MOST_IN_ALL", 1000)
    _, view = viewed(*LOADED, *TRAINING)
    executed(view, *(stream("x" * 400) for _ in range(10)))
    told = page_requests.outputs(view, "train", None)
    assert len(json.dumps(told)) < 3000
    assert "left out" in json.dumps(told)


def test_an_executed_notebook_is_sent_under_a_name_that_any_system_takes() -> None:
    run, view = viewed(*LOADED, *TRAINING)
    with pytest.raises(UsageError, match='no executed notebook of step "train" yet: it is running'):
        page_requests.notebook(view, "train", None)
    executed(view, stream("hello\n"))
    told = page_requests.notebook(view, "train", None)
    assert told["name"] == f"made-train-{run.id}.ipynb"
    assert json.loads(told["text"])["cells"]
    assert (told["step"], told["attempt"]) == ("n1", 1)


def test_a_hostile_name_of_a_step_is_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {'../<b>"': "x = 1", "end": "x"}
    run = made_run(sources=sources)
    write(run, ("AttemptStarted", '../<b>"', {}, 1))
    view = RunView(run)
    view.update()
    path = view.attempt('../<b>"').executed
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    name = page_requests.notebook(view, '../<b>"', None)["name"]
    assert name == f"made-b-{run.id}.ipynb"
    monkeypatch.setattr(page_requests, "MOST_NOTEBOOK", 1)
    with pytest.raises(UsageError, match="too large"):
        page_requests.notebook(view, '../<b>"', None)


# Comparison


def test_runs_stand_side_by_side() -> None:
    good, bad = made_run(), made_run()
    write(good, *SUCCEEDED)
    write(bad, *FAILED)
    told = page_requests.compare([good.id, bad.id, good.id])
    assert [run["id"] for run in told["runs"]] == [good.id, bad.id]
    first, second = told["runs"]
    assert first["metrics"] == {"loss": 0.25}
    assert first["parameters"] == {"rate": 0.1}
    assert second["steps"]["train"]["status"] == "failed"
    assert first["duration"] is not None
    json.dumps(told, allow_nan=False)


def test_a_run_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match='There is no run "gone"'):
        page_requests.compare(["gone"])
