"""Fixtures for the tests of what pages are sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.live import bundle

ENGINE = b"export function render() {}\n"
LAYOUT = b"export function graphviz() {}\n"
LOADER = "export default {render() {}};\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a KFNB_HOME of its own."""
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KFNB_STEP", raising=False)
    return tmp_path / "home"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand-ins for the browser's files, so that the tests do not need node."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "engine.js").write_bytes(ENGINE)
    (folder / "layout.js").write_bytes(LAYOUT)
    (folder / "loader.js").write_text(LOADER)
    yield from _static(folder, monkeypatch)


@pytest.fixture
def not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation that was made without node."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "missing.txt").write_text("The live views were not built: node was not found.\n")
    yield from _static(folder, monkeypatch)


def _static(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(bundle, "STATIC", folder)
    cached = (
        bundle.loader,
        bundle.engine,
        bundle.layout,
        bundle.engine_hash,
        bundle.build_problem,
    )
    for function in cached:
        function.cache_clear()
    yield folder
    for function in cached:
        function.cache_clear()
