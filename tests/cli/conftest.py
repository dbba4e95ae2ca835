"""What the command line's tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kfnb.cli.main import cli


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of kfnb's for this test alone."""
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KFNB_STEP", raising=False)
    return tmp_path / "home"


@pytest.fixture
def kfnb() -> Callable[..., Result]:
    """Call a command in this process."""

    def call(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, list(map(str, words)), prog_name="kfnb")

    return call
