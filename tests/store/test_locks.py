"""Locks that somebody else holds: waited for a moment, and then the holder is named."""

from __future__ import annotations

import contextlib
import errno
import fcntl
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


def test_a_file_system_whose_locks_always_succeed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kfnb.store.locks.fcntl.flock", lambda *_: None)
    with pytest.raises(InfrastructureError, match="gives one lock to two processes"):
        open_store(tmp_path / "store")
    assert not list((tmp_path / "store/staging").iterdir())


def test_locks_that_only_refuse_other_processes_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, where the locks of one process do not conflict."""
    real = fcntl.flock

    def flock(fd: int, operation: int) -> None:
        if operation != fcntl.LOCK_UN:
            with contextlib.suppress(BlockingIOError):
                real(fd, operation)

    monkeypatch.setattr("kfnb.store.locks.fcntl.flock", flock)
    open_store(tmp_path / "store")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOLCK, "the file system has no locks to give. Set KFNB_HOME"),
        (errno.ESTALE, "the network file system lost the file"),
        (errno.EDQUOT, "your disk quota is used up"),
        (errno.EIO, "the disk reports an input/output error"),
    ],
)
def test_a_lock_that_the_system_refuses_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr("kfnb.store.locks.fcntl.flock", flock)
    with pytest.raises(InfrastructureError, match=sentence):
        open_store(tmp_path / "store")
