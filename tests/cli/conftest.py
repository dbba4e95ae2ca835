"""What the command line's tests share."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
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

    # Before click 8.2 the two streams are one unless told otherwise.
    apart = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}

    def call(*words: str | Path) -> Result:
        return CliRunner(**apart).invoke(cli, list(map(str, words)), prog_name="kfnb")

    return call
