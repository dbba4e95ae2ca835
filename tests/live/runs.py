"""Runs with scripted journals."""

from __future__ import annotations

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
