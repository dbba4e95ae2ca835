"""Cleaning removes what nothing needs, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kfnb.home import RunFolder, runs_folder, store_folder
from kfnb.store import Bundle, Manifest, Output, Store, locks, manifest_key, open_store
from kfnb.store.cache import CacheIndex, Entry
from kfnb.store.clean import clean

DAY = 86400.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))


def store() -> Store:
    return open_store(store_folder())


def make_run(run_id: str, *, age: float, value: bytes) -> tuple[RunFolder, str]:
    """A finished run of one step; its folder and the blob of its value."""
    run = RunFolder(runs_folder() / run_id)
    run.path.mkdir(parents=True)
    run.run.write_text("{}")
    run.journal.write_text('{"type":"RunFinished"}\n')
    blob = store().add_bytes(value)
    manifest = Manifest(
        run=run_id,
        step="a",
        attempt=1,
        started=0,
        finished=1,
        outputs={"x": Output(bundle="x")},
        bundles={"x": Bundle(blobs=(blob,), names=("x",))},
    )
    store().create(manifest_key(run_id, "a"), manifest.to_json())
    then = time.time() - age
    for path in (run.run, run.path, store().blob(blob)):
        os.utime(path, (then, then))
    return run, blob


def enter(run_id: str, *, age: float = 0.0) -> None:
    entry = Entry(base="ab" * 16, run=run_id, step="a", created=1.0, key={}, asked={})
    CacheIndex(store()).record(entry, manifest=manifest_key(run_id, "a"))
    then = time.time() - age
    for path in (store_folder() / "cache" / "entries").glob("*/*/*.json"):
        os.utime(path, (then, then))


def test_without_limits_only_what_nothing_refers_to_goes() -> None:
    run, blob = make_run("r1", age=9 * DAY, value=b"1")
    loose = store().add_bytes(b"loose")
    os.utime(store().blob(loose), (1, 1))
    cleaned = clean()
    assert (cleaned.runs, cleaned.blobs, cleaned.bytes) == ((), 1, 5)
    assert run.path.exists()
    assert store().has(blob)
    assert not store().has(loose)


def test_the_newest_runs_are_kept() -> None:
    made = [make_run(f"r{n}", age=DAY, value=str(n).encode()) for n in range(4)]
    assert clean(keep=2).runs == ("r1", "r0")
    assert [run.path.exists() for run, _ in made] == [False, False, True, True]
    assert [store().has(blob) for _, blob in made] == [False, False, True, True]
    assert store().get(manifest_key("r0", "a")) is None


def test_an_age_without_a_count_removes_what_is_older() -> None:
    make_run("r0", age=9 * DAY, value=b"0")
    make_run("r1", age=DAY, value=b"1")
    assert clean(older_than=7 * DAY).runs == ("r0",)


def test_with_both_limits_a_run_goes_only_if_both_say_so() -> None:
    make_run("r0", age=9 * DAY, value=b"0")
    make_run("r1", age=9 * DAY, value=b"1")
    assert clean(keep=1, older_than=7 * DAY).runs == ("r0",)


def test_a_dry_run_removes_nothing_and_says_the_same() -> None:
    run, blob = make_run("r0", age=9 * DAY, value=b"0")
    said = clean(keep=0, dry_run=True)
    assert run.path.exists()
    assert store().has(blob)
    assert clean(keep=0) == said
    assert not store().has(blob)


def test_a_run_that_executes_is_not_touched_nor_anything_younger() -> None:
    run, _ = make_run("r0", age=9 * DAY, value=b"0")
    loose = store().add_bytes(b"on its way")
    held = time.time() - 8 * DAY
    os.utime(store().blob(loose), (held, held))
    lock = locks.acquire(run.driver_lock)
    assert lock is not None
    try:
        assert clean(keep=0).runs == ()
        assert store().has(loose)
    finally:
        os.close(lock)
    assert clean(keep=0).runs == ("r0",)
    assert not store().has(loose)


def test_a_file_of_another_program_in_the_store_does_no_harm() -> None:
    _, blob = make_run("r1", age=2 * DAY, value=b"x")
    stray = store().root / "blobs" / ".DS_Store"
    stray.write_bytes(b"")
    assert clean(older_than=DAY).blobs == 1
    assert stray.exists()
    assert not store().has(blob)


def test_a_fresh_blob_stays() -> None:
    loose = store().add_bytes(b"just now")
    assert clean(keep=0).blobs == 0
    assert store().has(loose)


def test_cached_results_outlive_their_run_until_they_are_old_and_unused() -> None:
    _, blob = make_run("r0", age=9 * DAY, value=b"0")
    enter("r0", age=DAY)
    assert clean(keep=0, older_than=7 * DAY).runs == ("r0",)
    assert store().has(blob)
    assert len(CacheIndex(store()).entries("ab" * 16)) == 1
    enter_age = time.time() - 8 * DAY
    for path in (store_folder() / "cache" / "entries").glob("*/*/*.json"):
        os.utime(path, (enter_age, enter_age))
    assert clean(older_than=7 * DAY).entries == 1
    assert not store().has(blob)
    assert CacheIndex(store()).entries("ab" * 16) == []


def test_a_result_that_is_taken_into_use_survives_a_sweep_at_the_same_time() -> None:
    make_run("r0", age=9 * DAY, value=b"0")
    enter("r0", age=9 * DAY)
    index = CacheIndex(store())
    (entry,) = index.entries("ab" * 16)
    blob = Manifest.from_json(store().get(entry.manifest_key) or b"").blobs()
    new = RunFolder(runs_folder() / "r1")
    new.path.mkdir()
    assert index.adopt(entry, manifest=manifest_key("r1", "a"), blobs=blob)
    clean(keep=1, older_than=7 * DAY)
    assert all(store().has(name) for name in blob)
    assert store().get(manifest_key("r1", "a")) is not None


def test_manifests_of_a_run_that_somebody_deleted_by_hand_go() -> None:
    import shutil

    run, blob = make_run("r0", age=9 * DAY, value=b"0")
    shutil.rmtree(run.path)
    os.utime(store_folder() / "manifests" / "r0", (1, 1))
    clean()
    assert store().get(manifest_key("r0", "a")) is None
    assert not store().has(blob)


def test_unfinished_files_of_killed_drivers_are_removed(tmp_path: Path) -> None:
    run, _ = make_run("r1", age=DAY, value=b"one")
    run.run.write_text(json.dumps({"notebook": str(tmp_path / "train.ipynb")}))
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    leftover = tmp_path / f".f3.dat.{ended.stdout.decode().strip()}-0123abcd.kfnb"
    leftover.write_text("half")
    clean(dry_run=True)
    assert leftover.exists()
    clean()
    assert not leftover.exists()
