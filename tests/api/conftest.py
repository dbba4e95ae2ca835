"""What the tests of the Python interface share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of kfnb's for this test alone."""
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KFNB_STEP", raising=False)
    return tmp_path / "home"
