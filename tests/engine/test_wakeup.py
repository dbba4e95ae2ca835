"""The driver's socket: only folders that are ours are used, and removed."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from kfnb.engine.wakeup import WakeupSocket, wakeup_address
from kfnb.home import RunFolder

PREFIX = "kfnb-wakeup-"


@pytest.fixture
def temporary(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    return short_folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = tmp_path / "run"
    folder.mkdir()
    return RunFolder(folder)


def test_a_run_folder_cannot_have_another_folder_removed(
    run: RunFolder, temporary: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    (precious / "kfnb-wakeup-x").mkdir(parents=True)
    (precious / "kfnb-wakeup-x" / "socket").write_text("a file of the person")
    readable = temporary / f"{PREFIX}open"
    readable.mkdir(mode=0o755)
    readable.chmod(0o755)
    link = temporary / f"{PREFIX}link"
    link.symlink_to(precious / "kfnb-wakeup-x")
    for folder in (precious / "kfnb-wakeup-x", precious, readable, link, Path("/")):
        (run.path / "doorbell").write_bytes(os.fsencode(folder / "socket"))
        assert wakeup_address(run) is None
        driver = WakeupSocket(run)
        assert driver.address is not None
        assert Path(driver.address).parent != folder
        driver.close()
    assert (precious / "kfnb-wakeup-x" / "socket").read_text() == "a file of the person"
    assert readable.exists()


def test_the_next_driver_uses_the_folder_of_the_last_one(run: RunFolder, temporary: Path) -> None:
    first = WakeupSocket(run)
    assert first.socket is not None
    first.socket.close()  # as a killed process
    second = WakeupSocket(run)
    assert second.address == first.address
    second.close()
    assert list(temporary.iterdir()) == []


def test_what_killed_drivers_left_is_removed(
    run: RunFolder, temporary: Path, tmp_path: Path
) -> None:
    dead, alive = temporary / f"{PREFIX}dead", temporary / f"{PREFIX}alive"
    sockets = []
    for folder in (dead, alive):
        folder.mkdir(mode=0o700)
        sockets.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sockets[-1].bind(str(folder / "socket"))
    sockets[0].close()
    starting = temporary / f"{PREFIX}starting"
    starting.mkdir(mode=0o700)
    driver = WakeupSocket(run)
    assert not dead.exists()
    assert alive.exists()
    assert starting.exists()
    driver.close()
    sockets[1].close()
