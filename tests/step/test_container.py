"""The parts of a step's container that need neither a cluster nor a kernel."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time

import pytest

from kfnb.errors import InfrastructureError
from kfnb.step.attempt_tail import LINE, PIECE, Reports
from kfnb.step.execution.failures import process_lost
from kfnb.step.order import MadeWith, StepOrder
from kfnb.step.pod.pip_install import install, install_lines, paths_of
from kfnb.step.pod.pod_environment import memory_kills
from kfnb.step.pod.retry import Patience
from kfnb.step.pod.sigterm import AskedToEnd, Ending
from kfnb.step.version_check import differences
from kfnb.store.remote import Refused

ORDER = StepOrder(
    run="r", step="train", step_id="train", attempt=1, notebook="n", folder="f", workdir="w",
    store="s", memory=200 << 20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n"),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
    ],
)
def test_kills_for_memory_are_counted_under_both_kinds_of_cgroups(tmp_path, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert memory_kills(tmp_path) == 3


def test_where_nothing_counts_kills_there_are_none(tmp_path):
    assert memory_kills(tmp_path) == 0


@pytest.mark.parametrize(
    ("code", "out_of_memory", "asked", "kind", "words"),
    [
        (-9, True, False, "memory", "200Mi"),
        (-9, False, True, "cancelled", "cancelled"),
        (-11, False, False, "infrastructure", "by SIGSEGV"),
        (7, False, False, "infrastructure", "exit code 7"),
    ],
)
def test_a_process_that_left_no_record_is_explained(code, out_of_memory, asked, kind, words):
    found = process_lost(ORDER, code, said="said", out_of_memory=out_of_memory, asked=asked)
    assert found.kind == kind
    assert words in found.summary
    assert found.traceback == "said"


def test_versions_differ_in_their_first_two_numbers():
    made = {
        "load": MadeWith("3.11.2", {"pandas": "2.1.0", "numpy": "1.26.4", "gone": "1.0"}),
        "other": MadeWith("3.10.9", {"numpy": "1.26.0"}),
        "unknown": MadeWith(),
    }
    here = {"pandas": "2.2.3", "numpy": "1.26.1"}.get
    found = differences(made, python="3.11.9", installed=here)
    assert [f.code for f in found] == ["KFNB-W703", "KFNB-W702"]
    assert "pandas 2.1.0 (here 2.2.3), gone 1.0 (not installed here)" in found[0].message
    assert "numpy" not in found[0].message
    assert 'step "other" were made with Python 3.10.9, this step has 3.11.9' in found[1].message
    assert all(f.severity == "warning" and f.remedy for f in found)


def test_lines_that_install_are_found_and_those_made_at_run_time_are_left(tmp_path):
    source = (
        "%pip install -q 'a>1' b  # why\n!pip3 install c\n!python -m pip install d\n"
        "%pip install {name}\n%pip install $name\n%pip list\nx = 'pip install e'\n%pip install 'f"
    )
    cells = [
        {"cell_type": "code", "source": source.splitlines(keepends=True)},
        {"cell_type": "markdown", "source": "%pip install g"},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    assert install_lines(tmp_path / "n.ipynb") == [["-q", "a>1", "b"], ["c"], ["d"]]


def test_what_pip_lines_name_of_a_folder():
    line = ["-r", "r.txt", "--constraint=c.txt", "a[x]>2", "./b[y]", "https://x/y.whl", "d.whl"]
    assert paths_of(line) == ["r.txt", "c.txt", "./b", "d.whl"]


def test_what_pip_says_where_it_fails_is_handed_back(tmp_path):
    said = install(
        [["--no-index", "no-such-package-here"]],
        site=tmp_path / "site",
        workdir=tmp_path,
        environment=os.environ,
    )
    assert "pip install --no-index no-such-package-here" in said
    assert "No matching distribution" in said


def test_a_store_that_is_away_is_asked_again_one_that_refuses_is_not():
    answers = [InfrastructureError("away"), InfrastructureError("away"), None]

    def act():
        error = answers.pop(0)
        if error is not None:
            raise error
        return "here"

    assert Patience(60)(act) == "here"
    answers[:] = [Refused("no"), None]
    with pytest.raises(Refused):
        Patience(60)(act)
    answers[:] = [InfrastructureError("away"), None]
    with pytest.raises(InfrastructureError):
        Patience(0)(act)


def test_who_waits_for_a_store_says_why_once_and_what_else_holds_it_up_later(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("kfnb.step.pod.retry.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(
        "kfnb.step.pod.retry.time.sleep", lambda s: clock.__setitem__(0, clock[0] + s)
    )
    said = []

    def act():
        if clock[0] > 100:
            return "here"
        raise InfrastructureError("away" if clock[0] < 30 else "full")

    assert Patience(300, say=lambda why: said.append((why, clock[0])))(act) == "here"
    (first, at), (second, then), *again = said
    assert (first, at, second) == ("away", 0, "full")
    assert 30 <= then < 40
    assert [why for why, _ in again] == ["full"]
    assert again[0][1] - then >= 60


def test_who_is_asked_to_end_has_no_patience_any_more():
    patience = Patience(3600)
    threading.Timer(0.3, lambda: patience.end_by(time.monotonic())).start()

    def act():
        raise InfrastructureError("away")

    with pytest.raises(InfrastructureError):
        patience(act)


def test_being_asked_to_end_is_an_exception_only_while_nothing_executes():
    ending = Ending(Patience(1))
    with ending.handled():
        with pytest.raises(AskedToEnd), ending.by_exception():
            signal.raise_signal(signal.SIGTERM)
        assert ending.asked
        signal.raise_signal(signal.SIGTERM)  # what is being taken away is taken away
        with pytest.raises(AskedToEnd), ending.by_exception():
            pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain\n" * 3000,
        "ä€🚀".encode() * 3000,
        bytes(range(256)) * 50,
        b"\x00\x1b\x1e\r" * 5000,
        b"no newline at its end",
        "ä".encode()[:1],
    ],
)
def test_a_log_is_told_in_pieces_that_make_up_its_bytes(tmp_path, data):
    (tmp_path / "log.txt").write_bytes(data)
    reports = Reports(tmp_path)
    lines = []
    while taken := reports.take(10_000):
        lines += taken
    found = b""
    for line in lines:
        assert len(line) <= LINE
        assert b"\n" not in line
        piece = json.loads(line)
        assert piece["from"] == len(found)
        found += base64.b64decode(piece["base64"]) if "base64" in piece else piece["text"].encode()
        assert len(found) - piece["from"] <= PIECE
    assert found == data


def test_events_come_after_the_text_that_they_speak_of_and_the_result_last(tmp_path):
    reports = Reports(tmp_path)
    assert reports.take(100) == []
    (tmp_path / "log.txt").write_text("text\n")
    events = [{"n": 1, "type": "CellOutput"}, {"n": 2, "type": "Result", "data": {"ok": True}}]
    lines = [json.dumps(event).encode() for event in events]
    (tmp_path / "events.jsonl").write_bytes(lines[0] + b'\n{"n": 9, "ty\n' + lines[1][:10])
    assert [json.loads(line).get("kind", "event") for line in reports.take(10_000)] == [
        "log",
        "event",
    ]
    assert reports.result is None
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(lines[1][10:] + b"\n")
    assert reports.take(10_000) == []
    assert reports.result == events[1]
    assert reports.last == 2
