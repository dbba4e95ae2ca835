"""Values are whole or absent, and a record is created once."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.errors import InfrastructureError
from kfnb.store import Store, blobs, hash_bytes, hash_file, open_store
from kfnb.store.hash_cache import FileHashes


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


def test_a_blob_moves_in_under_the_hash_of_its_content(store: Store) -> None:
    file = store.staging() / "value"
    file.write_bytes(b"abc")
    name = store.add_blob(file)
    assert name == hash_bytes(b"abc") == hash_file(store.blob(name))
    assert not file.exists()
    assert store.has(name)
    assert store.blob(name).read_bytes() == b"abc"


def test_equal_content_is_kept_once_and_a_copied_file_stays(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(b"1,2")
    first = store.add_blob(file, move=False)
    assert store.add_blob(file, move=False) == first == store.add_bytes(b"1,2")
    assert file.read_bytes() == b"1,2"
    assert len(list((store.root / "blobs").glob("*/*"))) == 1


def test_a_blob_of_the_wrong_size_is_not_there_and_is_replaced(store: Store) -> None:
    name = store.add_bytes(b"whole")
    store.blob(name).chmod(0o600)
    store.blob(name).write_bytes(b"wh")
    assert not store.has(name)
    assert store.add_bytes(b"whole") == name
    assert store.blob(name).read_bytes() == b"whole"


def test_a_record_is_created_once(store: Store) -> None:
    assert store.create("manifests/r/a.json", b"1")
    assert not store.create("manifests/r/a.json", b"2")
    assert store.get("manifests/r/a.json") == b"1"
    store.put("manifests/r/a.json", b"3")
    assert store.get("manifests/r/a.json") == b"3"
    assert store.list("manifests") == ["manifests/r/a.json"]
    store.delete("manifests/r/a.json")
    store.delete("manifests/r/a.json")
    assert store.get("manifests/r/a.json") is None
    assert list((store.root / "staging").iterdir()) == []


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/x", "a//b", "a\\b", "", "a/\0"])
def test_a_key_cannot_lead_out_of_the_store(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.create(key, b"")


@pytest.mark.parametrize("name", ["../x", "", "zz", "/etc/passwd"])
def test_only_a_hash_is_a_blobs_name(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a blob"):
        store.blob(name)


def _race(root: Path, keys: int, who: int, results: multiprocessing.Queue[list[int]]) -> None:
    store = open_store(root)
    data = str(who).encode() * 50_000
    results.put([n for n in range(keys) if store.create(f"manifests/r/{n}.json", data)])


def test_of_processes_that_create_one_record_exactly_one_succeeds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[list[int]] = context.Queue()
    racers = [
        context.Process(target=_race, args=(tmp_path / "store", 30, who, results))
        for who in range(4)
    ]
    for racer in racers:
        racer.start()
    won = [n for _ in racers for n in results.get(timeout=60)]
    for racer in racers:
        racer.join()
    assert sorted(won) == list(range(30))
    store = open_store(tmp_path / "store")
    for key in store.list("manifests/r"):
        data = store.get(key) or b""
        assert len(data) == 50_000
        assert len(set(data)) == 1


LIMITED = """
import resource, signal, sys
from pathlib import Path
from kfnb.errors import InfrastructureError
from kfnb.store import open_store
store = open_store(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for act in (lambda: store.add_bytes(b"x" * 5000),
            lambda: store.create("manifests/r/a.json", b"x" * 5000),
            lambda: store.put("cache/x", b"x" * 5000)):
    try:
        act()
    except InfrastructureError as error:
        print(error)
"""


def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path: Path) -> None:
    root = tmp_path / "store"
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(root)], capture_output=True, text=True, check=True
    ).stdout
    assert said.count("size limit of this process") == 3
    left = [p for p in root.rglob("*") if p.is_file()]
    assert left == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EROFS, "read-only"),
    ],
)
def test_a_disk_that_refuses_is_a_sentence_and_leaves_no_file(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(InfrastructureError, match=words):
        store.create("manifests/r/a.json", b"1")
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_keeps_what_was_whole(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = open_store(disk / "store")
        name = store.add_bytes(b"first")
        with pytest.raises(InfrastructureError, match="disk is full"):
            store.add_bytes(b"x" * 1_000_000)
        assert store.has(name)
        assert not store.has(hash_bytes(b"x" * 1_000_000))
        assert store.add_bytes(b"second")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InfrastructureError, match="KFNB_HOME"):
        open_store(tmp_path / "store")


def test_a_file_system_that_creates_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: str, target: str) -> None:
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(blobs.os, "link", link)
    with pytest.raises(InfrastructureError, match="allows two processes to create the same file"):
        open_store(tmp_path / "store")


def test_a_file_system_without_links_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(blobs.os, "link", link)
    with pytest.raises(InfrastructureError, match="without hard links"):
        open_store(tmp_path / "store")


def test_a_folder_that_vanishes_is_a_sentence(store: Store) -> None:
    import shutil

    shutil.rmtree(store.root)
    with pytest.raises(InfrastructureError, match="its folder was deleted"):
        store.add_bytes(b"1")


def test_file_hashes_notice_every_change(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "data" / "x.csv"
    file.parent.mkdir()
    hashes = FileHashes(store)
    assert hashes.of(file) is None
    file.write_bytes(b"1")
    os.utime(file, (1, 1))
    first, folder = hashes.of(file), hashes.of(file.parent)
    assert first == hash_bytes(b"1")
    hashes.save()
    file.write_bytes(b"2")  # same size, and a time that is not the one that was noted
    again = FileHashes(store)
    assert again.of(file) == hash_bytes(b"2")
    assert again.of(file.parent) != folder


def test_a_file_that_was_only_just_written_is_read_again(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"1")
    hashes = FileHashes(store)
    stamp = file.stat()
    assert hashes.of(file) == hash_bytes(b"1")
    file.write_bytes(b"2")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert hashes.of(file) == hash_bytes(b"2")
