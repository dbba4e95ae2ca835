"""An attempt's files, read as they grow."""

from __future__ import annotations

import base64
import json

import pytest

from kfnb.step.attempt_tail import LINE, PIECE, AttemptTail


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
def test_the_pieces_of_a_log_add_up_to_its_bytes(tmp_path, data):
    (tmp_path / "log.txt").write_bytes(data)
    reports = AttemptTail(tmp_path)
    lines = []
    while taken := reports.read(10_000):
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
    reports = AttemptTail(tmp_path)
    assert reports.read(100) == []
    (tmp_path / "log.txt").write_text("text\n")
    events = [{"n": 1, "type": "CellOutput"}, {"n": 2, "type": "Result", "data": {"ok": True}}]
    lines = [json.dumps(event).encode() for event in events]
    (tmp_path / "events.jsonl").write_bytes(lines[0] + b'\n{"n": 9, "ty\n' + lines[1][:10])
    assert [json.loads(line).get("kind", "event") for line in reports.read(10_000)] == [
        "log",
        "event",
    ]
    assert reports.result is None
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(lines[1][10:] + b"\n")
    assert reports.read(10_000) == []
    assert reports.result == events[1]
    assert reports.last == 2
