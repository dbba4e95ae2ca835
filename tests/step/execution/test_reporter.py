"""From what the client sees to events and log text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kfnb.step.event_log import EventLog, TextLog
from kfnb.step.execution.reporter import EventReporter, coloured


def test_printed_text_is_collected_and_keeps_its_order(tmp_path: Path) -> None:
    events, log = EventLog(tmp_path / "events.jsonl"), TextLog(tmp_path / "log.txt")
    reporter = EventReporter(events, log)
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {"kfnb": {"cell": 4}}}
    other = {"cell_type": "code", "metadata": {"kfnb": {"cell": 2}}}
    reporter.expect([{"cell_type": "code", "metadata": {}}, other, cell])
    reporter.cell_started(cell)
    assert reporter.printed(cell, "stdout", "a")
    assert not reporter.printed(cell, "stdout", "b\r")
    assert reporter.printed(cell, "stderr", "c")
    reporter.displayed(cell, {"output_type": "execute_result", "data": {"text/plain": "42"}})
    reporter.displayed(cell, {"output_type": "display_data", "data": {"image/png": "…"}})
    error = {"output_type": "error", "traceback": ["\x1b[31mKeyError\x1b[0m"]}
    reporter.displayed(cell, error)
    reporter.printed(cell, "stdout", "x" * (300 << 10))
    reporter.cell_finished(cell, ok=False)
    events.close()
    log.close()
    data = (tmp_path / "log.txt").read_bytes()
    assert data.startswith(b"ab\rc\n42\n\x1b[31mKeyError\x1b[0m\nxxx")
    found = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert found[0]["data"] == {"cell": 4, "position": 2, "total": 2}
    outputs = [e["data"] for e in found if e["type"] == "CellOutput"]
    shown = [(o["kind"], o["name"], o["mime"]) for o in outputs]
    assert shown == [
        ("stream", "stdout", []),
        ("stream", "stderr", []),
        ("result", None, ["text/plain"]),
        ("display", None, ["image/png"]),
        ("error", None, []),
        ("stream", "stdout", []),
    ]
    assert "".join(data[o["offset"] : o["offset"] + o["length"]].decode() for o in outputs) == (
        data.decode()
    )
    assert found[-1]["data"]["ok"] is False


def test_of_a_traceback_colours_are_kept_and_nothing_else_that_a_terminal_obeys() -> None:
    said = "\x1b[31mOops\x1b[0m\x1b[2J\x1b]0;title\x07: \x1b[1;32mx\x1b[0m"
    error = {"output_type": "error", "traceback": ["\x1b[0;31m---\x1b[0m", said]}
    assert coloured(error) == ("\x1b[0;31m---\x1b[0m\n\x1b[31mOops\x1b[0m: \x1b[1;32mx\x1b[0m")
