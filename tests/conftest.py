"""Fixtures that every test may use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk

try:
    import hypothesis
except ImportError:  # the environment of the browser tests has no property tests
    pass
else:
    # Hypothesis measures how long examples take; on a busy machine a good test would fail.
    hypothesis.settings.register_profile(
        "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("any-machine")

# Each test has a KFNB_HOME and so a supervisor of its own, which must not stay for ten minutes.
os.environ.setdefault("KFNB_SUPERVISOR_IDLE", "5")

pytest_plugins = ("tests.cluster.fixtures",)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder with a short path, because that of a socket may have about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder to put notebooks in, and KFNB_HOME beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Desk(folder, tmp_path / "home")
