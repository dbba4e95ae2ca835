"""A step's log is sent in chunks, completely and once."""

from __future__ import annotations

import doctest
import random

import pytest

from kfnb.api.run_view import RunView
from kfnb.engine.core.state import StepState
from kfnb.live import log_tail
from kfnb.live.log_tail import AllLogsTail, LogTail
from tests.cli.scripted import LOADED, TRAINING, log, write
from tests.live.runs import view_of

AGAIN = [
    ("AttemptFailed", "train", {"class": "user", "summary": "no"}, 1),
    ("AttemptStarted", "train", {}, 2),
]


def everything(tailed: LogTail, view: RunView) -> str:
    text = ""
    while (piece := tailed.read(view)) is not None:
        text = piece["text"] if piece["reset"] else text + piece["text"]
        if piece["to"] == piece["total"]:
            return text
    return text


def test_appended_text_is_sent_once() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "one\n")
    tailed = LogTail("train")
    first = tailed.read(view)
    assert first is not None
    assert (first["step"], first["attempt"], first["text"]) == ("train", 1, "one\n")
    assert (first["from"], first["to"], first["total"], first["reset"]) == (0, 4, 4, True)
    assert tailed.read(view) is None
    log(run, "train", "one\ntwo\n")
    second = tailed.read(view)
    assert second is not None
    assert (second["text"], second["reset"]) == ("two\n", False)
    assert (second["from"], second["to"]) == (4, 8)


def test_the_log_of_an_instance_is_its_own() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "of the step\n")
    view.state.steps["train", "3"] = StepState("train", "3", attempts=1)
    path = run.attempt(view.pipeline.steps["train"].id, 1, index="3").log
    path.parent.mkdir(parents=True)
    path.write_text("of the instance\n")
    piece = LogTail("train", index="3").read(view)
    assert piece is not None
    assert (piece["step"], piece["index"], piece["text"]) == ("train", "3", "of the instance\n")


def test_an_empty_log_is_answered() -> None:
    _, view = view_of(*LOADED)
    tailed = LogTail("report")
    piece = tailed.read(view)
    assert piece is not None
    assert (piece["text"], piece["total"], piece["attempts"]) == ("", 0, [])
    assert tailed.read(view) is None


def test_a_page_that_has_the_beginning_gets_the_rest() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "one\ntwo\n")
    piece = LogTail("train", begin=4).read(view)
    assert piece is not None
    assert (piece["text"], piece["reset"]) == ("two\n", False)


def test_a_new_attempt_replaces_the_log_unless_an_attempt_was_named() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "first\n")
    latest, fixed = LogTail("train"), LogTail("train", attempt=1)
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


def test_a_log_sent_in_chunks_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "CHUNK_BYTES", 7)
    run, view = view_of(*LOADED, *TRAINING)
    text = "".join(random.Random(1).choice("a€\n🎲ü") for _ in range(300))
    log(run, "train", text)
    assert everything(LogTail("train"), view) == text


def test_a_half_written_character_is_sent_when_complete() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "")
    path = view.attempt("train").log
    path.write_bytes("a€".encode()[:-1])
    tailed = LogTail("train")
    piece = tailed.read(view)
    assert piece is not None
    assert piece["text"] == "a"
    path.write_bytes("a€".encode())
    piece = tailed.read(view)
    assert piece is not None
    assert piece["text"] == "€"


def test_invalid_utf8_does_not_stop_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "CHUNK_BYTES", 4)
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "")
    view.attempt("train").log.write_bytes(b"ok\n" + b"\xff\x80" * 20 + b"\nend\n")
    assert everything(LogTail("train"), view).endswith("\nend\n")


def test_only_the_end_of_a_very_long_log_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "MAX_BYTES", 100)
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "".join(f"line {n}\n" for n in range(1000)))
    tailed = LogTail("train")
    piece = tailed.read(view)
    assert piece is not None
    assert piece["reset"]
    assert piece["from"] > 0
    assert piece["text"].startswith("line 9")
    assert piece["text"].endswith("line 999\n")


def test_a_truncated_log_is_sent_again() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "a long text\n")
    tailed = LogTail("train")
    tailed.read(view)
    log(run, "train", "short\n")
    piece = tailed.read(view)
    assert piece is not None
    assert (piece["text"], piece["reset"]) == ("short\n", True)


def test_examples() -> None:
    failed, tried = doctest.testmod(log_tail)
    assert tried
    assert not failed


def test_the_logs_of_all_steps_have_the_name_of_the_step_before_each_line() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "load", "3 rows\nno more")
    log(run, "train", "epoch 1\nepo")
    tailed = AllLogsTail()
    first = tailed.read(view)
    assert first is not None
    # The line of a running step waits until it is complete.
    assert first["text"] == "load | 3 rows\nload | no more\ntrain | epoch 1\n"
    assert (first["step"], first["from"], first["reset"]) == ("", 0, True)
    assert tailed.read(view) is None
    log(run, "train", "epoch 1\nepoch 2\n")
    second = tailed.read(view)
    assert second is not None
    assert (second["text"], second["from"], second["reset"]) == (
        "train | epoch 2\n",
        first["to"],
        False,
    )


def test_a_new_attempt_begins_its_log_anew_among_those_of_all_steps() -> None:
    run, view = view_of(*LOADED, *TRAINING)
    log(run, "train", "first\n")
    tailed = AllLogsTail()
    tailed.read(view)
    write(run, *AGAIN)
    view.update()
    log(run, "train", "second\n", attempt=2)
    piece = tailed.read(view)
    assert piece is not None
    assert piece["text"] == "train | second\n"


def test_a_large_log_among_all_comes_in_pieces_and_without_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_tail, "MAX_BYTES_OF_EACH", 100)
    monkeypatch.setattr(log_tail, "CHUNK_BYTES", 40)
    run, view = view_of(*LOADED, *TRAINING)
    lines = [f"line {n}" for n in range(50)]
    log(run, "train", "\n".join([*lines, ""]))
    tailed, text = AllLogsTail(), ""
    while (piece := tailed.read(view)) is not None:
        text += piece["text"]
    shown = text.splitlines()
    assert "bytes are not shown here" in shown[0]
    assert shown[1:] == [f"train | {line}" for line in lines[-len(shown) + 1 :]]
    assert shown[-1] == "train | line 49"
