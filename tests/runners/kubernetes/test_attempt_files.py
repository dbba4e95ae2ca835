"""Batches of reports become the files of an attempt, each line once and in order."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.home import AttemptFolder
from kfnb.runners.kubernetes.logs.attempt_files import AttemptFiles


def event(n):
    return {"n": n, "time": 0.5, "type": "CellOutput", "data": {"which": n}}


def text(start, said):
    return {"kind": "log", "from": start, "text": said}


def batch(*lines):
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def written(folder):
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    return [e["data"]["which"] for e in events], [e["n"] for e in events], folder.log.read_bytes()


@pytest.fixture
def folder(tmp_path):
    return AttemptFolder(tmp_path / "1")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_however_lines_are_cut_into_batches_each_is_written_once(tmp_path_factory, data):
    folder = AttemptFolder(tmp_path_factory.mktemp("a") / "1")
    log = data.draw(st.binary(max_size=40))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(log)), max_size=6)) | {0, len(log)})
    pieces = [
        {"kind": "log", "from": a, "base64": base64.b64encode(log[a:b]).decode()}
        for a, b in itertools.pairwise(cuts)
    ]
    lines = [*pieces, *(event(n) for n in range(1, 8))]
    ends = sorted(data.draw(st.sets(st.integers(0, len(lines)), max_size=4)) | {0, len(lines)})
    files = AttemptFiles(folder)
    for begin, end in itertools.pairwise(ends):
        files.add("pod", batch(*lines[begin:end]))
        if data.draw(st.booleans()):  # a batch that was read twice
            files.add("pod", batch(*lines[begin:end]))
    assert written(folder) == (list(range(1, 8)), list(range(1, 8)), log)


def test_a_second_pod_continues_after_the_first(folder):
    files = AttemptFiles(folder)
    files.add("one", batch(event(1), event(2), text(0, "first\n")))
    files.add("two", batch(event(1), text(0, "second\n")))
    files.add("one", batch(event(3)))
    files.add("two", batch(event(2)))
    assert written(folder) == ([1, 2, 1, 2], [1, 2, 3, 4], b"first\nsecond\n")


def test_text_that_is_missing_is_marked_and_keeps_its_length(folder):
    AttemptFiles(folder).add("pod", batch(text(100, "after\n"), event(1)))
    numbers, _, log = written(folder)
    assert numbers == [1]
    assert b"100 bytes of this log were lost" in log
    assert len(log) == 106


def test_a_line_that_cannot_be_read_loses_nothing_else(folder):
    AttemptFiles(folder).add("pod", batch(event(1)) + b'{"n":2,"ty\n' + batch(event(3)))
    assert written(folder)[0] == [1, 3]


def test_files_of_an_earlier_driver_are_replaced(folder):
    AttemptFiles(folder).add("pod", batch(text(0, "early\n"), event(1)))
    AttemptFiles(folder).add("pod", batch(text(0, "early\n"), event(1)))
    assert written(folder) == ([1], [1], b"early\n")
