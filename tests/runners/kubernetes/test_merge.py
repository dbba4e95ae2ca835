"""Lines of a step that come by two ways, cut and doubled, are laid down once and in order."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.home import AttemptFolder
from kfnb.runners.kubernetes.logs.report_merge import ReportMerger


def event(n):
    return {"n": n, "time": 0.5, "type": "CellOutput", "data": {"which": n}}


def text(start, said):
    return {"kind": "log", "from": start, "text": said}


def laid(folder):
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    return [e["data"]["which"] for e in events], [e["n"] for e in events], folder.log.read_bytes()


@pytest.fixture
def folder(tmp_path):
    return AttemptFolder(tmp_path / "1")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_each_line_once_and_in_order_whatever_the_order_of_arrival(tmp_path_factory, data):
    folder = AttemptFolder(tmp_path_factory.mktemp("a") / "1")
    said = data.draw(st.binary(max_size=40))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(said)), max_size=6)) | {0, len(said)})
    pieces = [
        {"kind": "log", "from": a, "base64": base64.b64encode(said[a:b]).decode()}
        for a, b in itertools.pairwise(cuts)
    ]
    lines = [event(n) for n in range(1, 8)] + pieces
    twice = data.draw(st.permutations(lines + lines))
    merger = ReportMerger(folder)
    for line in twice:
        merger.take("pod", line)
    assert not merger.has_gap
    numbers, _, log = laid(folder)
    assert numbers == list(range(1, 8))
    assert log == said


def test_what_comes_too_early_waits(folder):
    merger = ReportMerger(folder)
    merger.take("pod", event(2))
    merger.take("pod", text(3, "def"))
    assert laid(folder) == ([], [], b"")
    assert merger.has_gap
    merger.take("pod", event(1))
    merger.take("pod", text(0, "abc"))
    assert laid(folder) == ([1, 2], [1, 2], b"abcdef")
    assert not merger.has_gap


def test_what_never_comes_is_marked(folder):
    merger = ReportMerger(folder)
    merger.take("pod", event(1))
    merger.take("pod", event(4))
    merger.take("pod", text(100, "after\n"))
    merger.settle()
    numbers, _, log = laid(folder)
    assert numbers == [1, 4]
    assert b"100 bytes of this log were lost" in log
    assert len(log) == 106
    assert (merger.lost_events, merger.lost_bytes) == (2, 100)


def test_a_second_pod_goes_on_after_the_first(folder):
    merger = ReportMerger(folder)
    merger.take("one", event(1))
    merger.take("one", event(2))
    merger.take("one", text(0, "first\n"))
    merger.take("two", event(1))
    merger.take("two", text(0, "second\n"))
    merger.take("one", event(3))
    merger.take("two", event(2))
    assert laid(folder) == ([1, 2, 1, 2], [1, 2, 3, 4], b"first\nsecond\n")


def test_pieces_that_overlap_are_no_more_than_they_say(folder):
    merger = ReportMerger(folder)
    merger.take("pod", text(0, "abcd"))
    merger.take("pod", text(2, "cdef"))
    merger.take("pod", text(1, "bc"))
    assert folder.log.read_bytes() == b"abcdef"
