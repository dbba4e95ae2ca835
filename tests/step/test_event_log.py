from __future__ import annotations

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from kfnb.step import event_log
from kfnb.step.event_log import EventLog, TextLog
from tests.waiting import PATIENCE


def test_events_are_numbered_and_there_as_soon_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.append("CellStarted", cell=1, kind="x")
    assert json.loads(path.read_text())["data"] == {"cell": 1, "kind": "x"}
    log.append("Warning", message="a \ud800 surrogate\nand a line")
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["n"], second["n"]) == (1, 2)
    log.close()


def test_events_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    threads = [
        threading.Thread(target=lambda: [log.append("E", text="x" * 500) for _ in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(1, 401))


def test_a_full_disk_is_remembered_and_a_torn_line_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    real = os.write

    def full(fd: int, data: bytes) -> int:
        real(fd, bytes(data)[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    log.append("Lost")
    monkeypatch.setattr(os, "write", real)
    log.append("Kept")
    log.close()
    assert log.error is not None
    assert log.error.errno == 28
    last = (tmp_path / "events.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["type"] == "Kept"


def test_the_doorbell_rings_seldom_but_never_misses_the_last(tmp_path: Path) -> None:
    path = str(tmp_path / "bell")
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.bind(path)
    bell.settimeout(PATIENCE)
    began = time.monotonic()
    log = EventLog(tmp_path / "events.jsonl", wakeup_socket=path)
    for _ in range(200):
        log.append("E")
    for _ in range(2):
        assert bell.recv(1), "the first event, and the last of those that followed"
    time.sleep(3 * event_log.GAP)
    bell.setblocking(False)
    pokes = 2
    while True:
        try:
            bell.recv(1)
        except BlockingIOError:
            break
        pokes += 1
    assert pokes <= 2 + (time.monotonic() - began) / event_log.GAP
    bell.settimeout(PATIENCE)
    log.append("E")
    log.append("last")
    log.close()
    assert bell.recv(1)
    assert bell.recv(1)


@pytest.mark.parametrize("path", ["/nowhere/at/all", "x" * 300])
def test_a_doorbell_that_is_not_there_does_no_harm(tmp_path: Path, path: str) -> None:
    log = EventLog(tmp_path / "events.jsonl", wakeup_socket=path)
    log.append("E")
    log.close()


def test_a_log_is_cut_at_its_limit_but_takes_what_is_important(tmp_path: Path) -> None:
    log = TextLog(tmp_path / "log.txt", limit=1000)
    assert log.write("é" * 10) == (0, 20)
    offset, length = log.write("x" * 5000)
    assert offset == 20
    assert log.write("more") == (20 + length, 0)
    offset, length = log.write("an error\r\n", important=True)
    log.close()
    data = (tmp_path / "log.txt").read_bytes()
    assert data[offset : offset + length] == b"an error\r\n"
    assert data.count(b"ends here") == 1


def test_lone_surrogates_can_be_logged(tmp_path: Path) -> None:
    log = TextLog(tmp_path / "log.txt")
    log.write("a\ud800b")
    log.close()
    assert (tmp_path / "log.txt").read_text() == "a?b"
