"""Locks that somebody else holds: waited for a moment, and then the holder is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.errors import InfrastructureError
from kfnb.store import locks
from kfnb.store.blobs import open_store

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(); input()"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("shared", [True, False])
def test_a_foreign_lock_is_named_instead_of_waited_for(
    holder: subprocess.Popen[str], tmp_path: Path, shared: bool
) -> None:
    path = tmp_path / "lock"
    with (
        pytest.raises(InfrastructureError, match=rf"Process {holder.pid} \(.*\) has locked"),
        locks.held(path, shared=shared, patience=0.1),
    ):
        pass
    holder.communicate("\n")
    with locks.held(path, shared=shared, patience=0.1):
        pass


def test_a_holder_on_another_machine_is_not_known(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "holders", lambda _: [])
    held = locks.held(tmp_path / "lock", shared=True, patience=0.1)
    with pytest.raises(InfrastructureError, match="perhaps on another machine"), held:
        pass


def test_who_holds_a_lock_is_in_proc(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    assert locks.holders(tmp_path / "lock") == [holder.pid]
    assert locks.holders(tmp_path / "missing") == []


def test_a_store_whose_sweep_lock_a_stranger_holds_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "store")
    name = store.add_bytes(b"x")
    command = [sys.executable, "-c", HOLD, str(store.sweep_lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InfrastructureError, match=f"Process {process.pid}"):
            store.keep(name)
        process.kill()
