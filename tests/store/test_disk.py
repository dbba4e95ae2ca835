"""Copies of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfnb.store import disk
from kfnb.store.blobs import open_store

SIZE = 64 << 20


@pytest.mark.parametrize("data", [{}, {0: b"begin"}, {1 << 20: b"middle", SIZE - 3: b"end"}])
def test_holes_stay_holes(tmp_path: Path, data: dict[int, bytes]) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    with source.open("wb") as file:
        for position, piece in data.items():
            file.seek(position)
            file.write(piece)
        file.truncate(SIZE)
    if source.stat().st_blocks * 512 > SIZE // 2:
        pytest.skip("this file system has no sparse files")
    disk.copy_content(source, target)
    assert target.stat().st_size == SIZE
    assert target.stat().st_blocks <= source.stat().st_blocks + 16
    with target.open("rb") as file:
        for position, piece in data.items():
            file.seek(position)
            assert file.read(len(piece)) == piece
    store = open_store(tmp_path / "store")
    blob = store.fetch(store.add_blob(source, move=False))
    assert blob.stat().st_blocks <= source.stat().st_blocks + 16


def test_an_ordinary_file_is_copied_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(bytes(range(256)) * 5000)
    target.write_bytes(b"x" * 2_000_000)
    disk.copy_content(source, target)
    assert target.read_bytes() == source.read_bytes()
