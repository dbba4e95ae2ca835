"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk import Desk

pytest_plugins = ("tests.cluster.fixtures",)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder to put notebooks in, and KFNB_HOME beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Desk(folder, tmp_path / "home")
