from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.engine.core.event_types import (
    AttemptStarted,
    MetricLogged,
    RunCreated,
    StepReady,
    StopRequested,
)
from kfnb.engine.core.settings import Settings
from kfnb.engine.journal import file_journal as module
from kfnb.engine.journal.file_journal import (
    Journal,
    JournalBusy,
    JournalCorrupt,
    JournalReader,
    read_journal,
)
from kfnb.errors import InfrastructureError
from kfnb.store.locks import FileLock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "run-1"
    folder.mkdir()
    return folder / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, "run-1", now=lambda: 5.0) as opened:
        yield opened


def fill(path: Path, count: int) -> bytes:
    with Journal(path, "run-1") as journal:
        for _ in range(count):
            journal.append(StopRequested())
    return path.read_bytes()


def test_events_are_numbered_and_come_back(journal: Journal, path: Path) -> None:
    first = journal.append(RunCreated(settings=Settings(), name="Zürich 🚂"))
    second = journal.append(AttemptStarted(), "a\nb", attempt=1, durable=False)
    assert (first.seq, second.seq, first.time, first.run) == (1, 2, 5.0, "run-1")
    assert read_journal(path) == [first, second]


def test_the_next_writer_continues_where_the_last_ended(path: Path) -> None:
    fill(path, 2)
    with Journal(path, "run-1") as journal:
        assert [e.seq for e in journal.events] == [1, 2]
        assert journal.append(StopRequested()).seq == 3


def test_one_writer_at_a_time(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalBusy, match=f"process {os.getpid()}") as caught:
        Journal(path, "run-1")
    assert caught.value.pid == os.getpid()
    journal.close()
    journal.close()
    Journal(path, "run-1").close()


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from kfnb.engine.journal.file_journal import Journal;"
        f"j = Journal(Path({str(path)!r}), 'run-1'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        lock = FileLock(path.with_name("driver.lock"))
        assert lock.held()
        assert lock.holder() == process.pid
        with pytest.raises(JournalBusy, match=str(process.pid)):
            Journal(path, "run-1")
        process.kill()
        process.wait()
    assert not lock.held()
    Journal(path, "run-1").close()


def test_looking_at_the_lock_does_not_take_it(path: Path) -> None:
    lock = FileLock(path.with_name("driver.lock"))
    assert not lock.held()
    with Journal(path, "run-1"):
        assert lock.held()
    assert not lock.held()


def test_a_torn_last_line_is_dropped_wherever_it_tore(path: Path) -> None:
    whole = fill(path, 3)
    end = len(whole)
    start = whole.rindex(b"\n", 0, end - 1) + 1
    for cut in range(start, end):
        path.write_bytes(whole[:cut])
        assert [e.seq for e in read_journal(path)] == [1, 2], "readers leave it alone"
        assert path.read_bytes() == whole[:cut]
    with Journal(path, "run-1") as journal:
        assert path.read_bytes() == whole[:start], "the writer cuts it off"
        assert journal.append(StopRequested()).seq == 3
    assert [e.seq for e in read_journal(path)] == [1, 2, 3]


def test_a_last_line_whose_beginning_was_lost_is_torn_too(path: Path) -> None:
    whole = fill(path, 2)
    path.write_bytes(whole + b"\0" * 30 + b'a":{}}\n')
    assert len(read_journal(path)) == 2
    with Journal(path, "run-1"):
        assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"\0" * 10, b"[]", b"{}", b"\xff\xfe", b""])
def test_damage_in_the_middle_is_reported_with_its_line(path: Path, damage: bytes) -> None:
    lines = fill(path, 3).splitlines()
    path.write_bytes(b"\n".join([lines[0], damage, lines[2], b""]))
    with pytest.raises(JournalCorrupt, match="line 2") as caught:
        read_journal(path)
    assert caught.value.line == 2
    with pytest.raises(JournalCorrupt):
        Journal(path, "run-1")
    assert not FileLock(path.with_name("driver.lock")).held(), "the lock is given back"


def test_a_missing_event_is_reported(path: Path) -> None:
    lines = fill(path, 3).splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(JournalCorrupt, match="event 2 should be"):
        read_journal(path)


def test_a_reader_follows_while_it_is_written(journal: Journal, path: Path) -> None:
    reader = JournalReader(path)
    assert list(reader.read()) == []
    for seq in (1, 2, 3):
        journal.append(StopRequested())
        assert [e.seq for e in reader.read()] == [seq]
    with path.open("ab") as file:
        file.write(b'{"v":1,"seq"')
    assert list(reader.read()) == []
    assert list(reader.read()) == []


def test_a_reader_that_is_there_first_waits(path: Path) -> None:
    reader = JournalReader(path)
    assert list(reader.read()) == []
    fill(path, 1)
    assert [e.seq for e in reader.read()] == [1]


def test_a_full_disk_leaves_no_half_line_and_can_be_overcome(path: Path) -> None:
    journal = Journal(path, "run-1")
    journal.append(StopRequested())
    whole = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # A limit on file sizes gives what a full disk gives: a short write, then an error.
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, old[1]))
        with pytest.raises(InfrastructureError, match="Cannot write the journal"):
            journal.append(StopRequested())
        assert path.read_bytes() == whole
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert journal.append(StopRequested()).seq == 2
    journal.close()
    assert [e.seq for e in read_journal(path)] == [1, 2]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "quota"), (errno.EIO, "rror")],
)
def test_what_the_disk_says_becomes_a_sentence(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "_sync_data", fail)
    with pytest.raises(InfrastructureError, match=sentence):
        journal.append(StopRequested())
    assert journal.append(StopRequested(), durable=False).seq == 1
    with pytest.raises(InfrastructureError, match=sentence):
        journal.sync()


def test_a_deleted_folder_is_noticed(journal: Journal, path: Path) -> None:
    shutil.rmtree(path.parent)
    with pytest.raises(InfrastructureError, match="folder was deleted"):
        journal.append(StopRequested())


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="Cannot open the journal"):
        Journal(tmp_path / "nowhere" / "journal.jsonl", "r")


def test_what_json_has_no_form_for_is_not_written(journal: Journal, path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        journal.append(MetricLogged(name="loss", value=object()), "a", attempt=1)
    assert path.read_bytes() == b""
    assert journal.append(StopRequested()).seq == 1


def test_surrogates_in_a_name_survive(journal: Journal, path: Path) -> None:
    journal.append(StepReady(inputs={}, why="odd \udcff"), "name\udcff")
    event = read_journal(path)[0]
    assert (event.step, event.data.why) == ("name\udcff", "odd \udcff")
