"""Runs with scripted journals, and waiting for what follows from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kfnb.api.run_view import RunView
from kfnb.home import RunFolder
from tests.cli.scripted import made_run, write


def run_of(*events: Any) -> RunFolder:
    """Make a run whose journal has these events."""
    run = made_run()
    write(run, *events)
    return run


def view_of(*events: Any) -> tuple[RunFolder, RunView]:
    """Make such a run, and read its journal."""
    run = run_of(*events)
    view = RunView(run)
    view.update()
    return run, view


def wait_until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
