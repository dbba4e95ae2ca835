"""Fixtures for the tests of the views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import built, home, not_built
from tests.widgets.kernel import Kernel, kernel

__all__ = ["built", "home", "not_built"]


@pytest.fixture
def jupyter(tmp_path: Path, home: Path) -> Iterator[Kernel]:
    """Start a kernel and play the page that talks to it."""
    with kernel(tmp_path) as started:
        yield started
