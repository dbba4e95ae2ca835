"""Hashes that are remembered are those of what is on the disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kfnb.store import hash_cache
from kfnb.store.blobs import open_store
from kfnb.store.content import hash_bytes
from kfnb.store.hash_cache import FileHashes


def test_a_change_that_hides_its_time_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hash_cache, "_SETTLED_NS", -time.time_ns())
    hashes = FileHashes(open_store(tmp_path / "store"))
    file = tmp_path / "data"
    file.write_text("first")
    before = file.stat()
    assert hashes.of(file) == hash_bytes(b"first")
    with file.open("r+") as opened:
        opened.write("other")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert hashes.of(file) == hash_bytes(b"other")
