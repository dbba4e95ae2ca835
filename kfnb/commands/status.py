"""The status of a run, and a list of runs, as lines of text."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.target_options import on_option, store_options
from kfnb.commands.terminal import colour, echo_json, glyph
from kfnb.durations import describe_duration
from kfnb.json_values import json_with_text

if TYPE_CHECKING:
    from kfnb.api.run_handle import Run
    from kfnb.api.run_view import RunView
    from kfnb.api.use_cases.run_list import ListedRun
    from kfnb.engine.core.state import StepState


_STATUSES = ("pending", "running", "succeeded", "failed", "cancelled", "unreadable")


def list_options() -> list[click.Parameter]:
    """Make the options of ``runs``."""
    return [
        click.Option(
            ["-n", "--limit"],
            type=click.IntRange(min=1),
            default=20,
            help="List at most this many runs [20].",
        ),
        click.Option(
            ["--status"], type=click.Choice(_STATUSES), help="List only runs with this status."
        ),
        click.Option(
            ["--sort"],
            metavar="KEY",
            help="Sort by started [default], took, status, or a parameter or metric.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the runs as JSON."),
        on_option("First fetch the runs of this target's store."),
        *store_options(),
    ]


def print_runs(
    runs: Sequence[Run],
    *,
    limit: int,
    as_json: bool,
    status: str | None = None,
    sort: str | None = None,
    driven_remotely: Collection[str] = (),
) -> None:
    """Print a line for each run: when it started, its name, what differs, and its metrics.

    Parameters
    ----------
    status
        List only runs with this status.
    sort
        See :func:`kfnb.api.use_cases.run_list.ordered`.
    driven_remotely
        Ids of runs whose driver is alive on another machine.
    """
    from kfnb.api.use_cases import run_list

    # Only as many runs as are shown are read: each needs its whole journal to be read.
    fitting = (one for one in map(run_list.listed, runs) if status in (None, one.status))
    entries = list(islice(fitting, limit))
    if sort is not None and entries:
        entries = run_list.ordered(entries, sort)
    if as_json:
        echo_json([_plain(entry) for entry in entries])
        return
    if not runs:
        click.echo("there are no runs yet; start one with: kfnb run NOTEBOOK", err=True)
    parameters = run_list.differing_parameters(entries)
    metrics = run_list.main_metrics(entries)
    width = max((len(entry.id) for entry in entries), default=0)
    for entry in entries:
        # A driver on another machine cannot be seen from here, except through the store.
        is_lost = entry.driver.startswith("lost") and entry.id not in driven_remotely
        shown = "lost" if is_lost else entry.status
        mark = "failed" if shown == "lost" else shown
        word = colour(f"{glyph(mark, sys.stdout)} {shown:<9}", mark)
        took = describe_duration(entry.duration)
        when = _moment(entry.created)
        about = _about(entry, parameters, metrics)
        click.echo(f"{entry.id:<{width}}  {word}  {when:>16}  {took:>11}  {about}")
    if status is None and len(runs) > limit:
        click.echo(f"({len(runs) - limit} older runs; -n shows more)", err=True)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def _about(entry: ListedRun, parameters: Sequence[str], metrics: Sequence[str]) -> str:
    """Name a run and its notebook, with the parameters that differ and the main metrics."""
    from kfnb.api.use_cases.formats import number
    from kfnb.draw import shortened, visible

    named = f'"{entry.title}"  ' if entry.title else ""
    values = [f"{n}={entry.parameters[n]!r}" for n in parameters if n in entry.parameters]
    values += [f"{n}={number(entry.metrics[n])}" for n in metrics if n in entry.metrics]
    listed = "  ".join(shortened(visible(value), 40) for value in values)
    title = shortened(visible(f"{named}{entry.notebook or entry.name}"), 200)
    return f"{title}  {listed}".rstrip()


def _plain(entry: ListedRun) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "notebook": entry.notebook or None,
        "created": entry.created,
        "status": entry.status,
        "driver": entry.driver,
        "duration": entry.duration,
        "parameters": json_with_text(dict(entry.parameters)),
        "metrics": json_with_text(dict(entry.metrics)),
    }


def print_status(view: RunView) -> None:
    """Print a line for each step of a run, its metrics, failures and summary."""
    from kfnb.api.use_cases.run_summary import failures, metrics_line, summary_line
    from kfnb.draw import visible
    from kfnb.runners.launch import empty_journal

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
    if driver.startswith("lost") and view.state.created is None:
        click.echo(empty_journal(view.folder))
    elif driver.startswith("lost"):
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
