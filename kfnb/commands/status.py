"""The status of a run, and a list of runs, as lines of text."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.target_options import on_option, store_options
from kfnb.commands.terminal import colour, echo_json, glyph
from kfnb.durations import describe_duration

if TYPE_CHECKING:
    from kfnb.api.run_handle import Run
    from kfnb.api.run_view import RunView
    from kfnb.engine.core.state import StepState


def list_options() -> list[click.Parameter]:
    """Make the options of ``runs``."""
    return [
        click.Option(
            ["-n", "--limit"],
            type=click.IntRange(min=1),
            default=20,
            help="List at most this many runs [20].",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the runs as JSON."),
        on_option("First fetch the runs of this target's store."),
        *store_options(),
    ]


def print_runs(
    runs: Sequence[Run], *, limit: int, as_json: bool, driven_remotely: Collection[str] = ()
) -> None:
    """Print a line for each run.

    Parameters
    ----------
    driven_remotely
        Ids of runs whose driver is alive on another machine.
    """
    from kfnb.draw import shortened, visible

    # Only the runs to be shown: each needs its journal to be read.
    entries = [_entry(run) for run in runs[:limit]]
    if as_json:
        echo_json(entries)
        return
    if not runs:
        click.echo("there are no runs yet; start one with: kfnb run NOTEBOOK", err=True)
    width = max((len(str(entry["id"])) for entry in entries), default=0)
    for entry in entries:
        # A driver on another machine cannot be seen from here, except through the store.
        is_lost = str(entry["driver"]).startswith("lost") and entry["id"] not in driven_remotely
        status = "lost" if is_lost else str(entry["status"])
        mark = "failed" if status == "lost" else status
        word = colour(f"{glyph(mark, sys.stdout)} {status:<9}", mark)
        title = shortened(visible(str(entry["notebook"] or entry["name"])), 200)
        click.echo(
            f"{entry['id']:<{width}}  {word}  {describe_duration(entry['duration']):>11}  {title}"
        )
    if len(runs) > limit:
        click.echo(f"({len(runs) - limit} older runs; -n shows more)", err=True)


def print_status(view: RunView) -> None:
    """Print a line for each step of a run, its metrics, failures and summary."""
    from kfnb.api.use_cases.run_summary import failures, metrics_line, summary_line
    from kfnb.draw import visible

    view.update()
    driver = view.driver()
    names = {name: visible(name) for name, _ in view.state.steps}
    width = min(40, max(map(len, names.values()), default=0))
    for step in view.state.steps.values():
        click.echo(_step_line(step, f"{names[step.name]:<{width}}"))
    metrics = metrics_line(view)
    for line in [metrics] if metrics else []:
        click.echo(line)
    for line in failures(view):
        click.echo(line)
    click.echo(summary_line(view))
    if driver.startswith("lost"):
        click.echo(f"the driver is {driver}; continue with: kfnb resume {view.folder.id}")


def _step_line(step: StepState, name: str) -> str:
    from kfnb.draw import visible

    word = colour(f"{glyph(step.status, sys.stdout)} {step.status:<9}", step.status)
    took = describe_duration(step.duration) if step.status in ("succeeded", "failed") else ""
    cells = held = ""
    if step.status == "running":
        took = describe_duration(time.time() - step.started) if step.started else ""
        held = step.held or ""
        cells = f"{step.cells_done}/{step.cells_total} cells  " if step.cells_total else ""
    reason = visible(held or step.reason or step.why or "")
    return f"{word}  {name}  {took:>11}  {cells}{reason}".rstrip()


def _entry(run: Run) -> dict[str, Any]:
    from kfnb.errors import InfrastructureError

    facts = {
        "id": run.id,
        "name": run.name,
        "notebook": str(run.path) if run.path else None,
        "created": run.created,
    }
    try:
        return {**facts, "status": run.status, "driver": run.driver, "duration": run.duration}
    except InfrastructureError:  # a damaged run must not hide the others
        return {**facts, "status": "unreadable", "driver": "ended", "duration": None}
