from __future__ import annotations

import os
from pathlib import Path

import pytest

from kfnb.step.opened_files import report
from kfnb.step.opened_files.report import INCOMPLETE, FileEvent, ReportWriter, read_report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / report.NAME


def test_what_is_written_is_read(path: Path) -> None:
    writer = ReportWriter(path)
    names = [b"/a b", b"/x\\n\ny", b"/\xff", b"/\\\\n", b""]
    for name in names:
        writer.append(7, "open", os.O_RDWR, name)
    writer.close()
    assert list(read_report(path)) == [
        FileEvent(number, 7, "open", os.O_RDWR, name) for number, name in enumerate(names, 1)
    ]
    assert path.read_bytes().count(b"\n") == len(names)


def test_what_was_lost_is_noticed(path: Path) -> None:
    path.write_bytes(b"1 7 open 0 /a\n2 7 op3 7 open 0 /c\n4 7 open 0 /d\n5 7 op")
    events = list(read_report(path))
    assert [e.operation for e in events] == ["open", INCOMPLETE, "open"]
    assert events[-1].path == b"/d"


def test_without_a_folder_there_is_no_report_and_no_error(tmp_path: Path) -> None:
    writer = ReportWriter(tmp_path / "missing" / report.NAME)
    writer.append(7, "open", 0, b"/a")
    writer.close()


def test_a_report_does_not_grow_without_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_LINES", 3)
    writer = ReportWriter(path)
    for _ in range(5):
        writer.append(7, "open", 0, b"/a")
    writer.close()
    assert [e.operation for e in read_report(path)] == ["open", "open", INCOMPLETE]
