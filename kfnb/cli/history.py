"""``kfnb runs``, ``status`` and ``notebook``: what has run, and what came of it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from kfnb.cli.arguments import NotebookPath, RunName, StepName
from kfnb.cli.common import colour, echo_json, glyph
from kfnb.cli.target_options import with_store
from kfnb.durations import describe_duration
from kfnb.runners.target import LOCAL, target_names

if TYPE_CHECKING:
    from kfnb.api.run_handle import Run


@click.command(
    epilog="""\b
Examples:
  kfnb runs
  kfnb runs train.ipynb -n 5
  kfnb runs --on kubernetes --store s3://bucket/kfnb   # what other machines began, too"""
)
@click.argument("notebook", type=NotebookPath(), required=False)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, help="At most so many [20].")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.option(
    "--on",
    "target",
    type=click.Choice(target_names()),
    default=LOCAL,
    help="Bring the runs of this target's store here first.",
)
@with_store
def runs(
    notebook: str | None, limit: int, as_json: bool, target: str, **options: str | None
) -> int:
    """List runs (of NOTEBOOK), newest first."""
    from kfnb.api.run_handle import runs as all_runs
    from kfnb.api.sync import bring
    from kfnb.draw import shortened, visible

    elsewhere = bring(target, options)
    found = all_runs(notebook)
    lines = [_line(run) for run in found[:limit]]
    if as_json:
        echo_json(lines)
        return 0
    if not found:
        click.echo("no runs yet; kfnb run NOTEBOOK starts one", err=True)
    width = max((len(str(line["id"])) for line in lines), default=0)
    for line in lines:
        lost = str(line["driver"]).startswith("lost") and line["id"] not in elsewhere
        status = "lost" if lost else str(line["status"])
        mark = "failed" if status == "lost" else status
        word = colour(f"{glyph(mark, sys.stdout)} {status:<9}", mark)
        said = shortened(visible(str(line["notebook"] or line["name"])), 200)
        took = describe_duration(line["duration"])
        click.echo(f"{line['id']:<{width}}  {word}  {took:>11}  {said}")
    if len(found) > limit:
        click.echo(f"({len(found) - limit} older ones; -n shows more)", err=True)
    return 0


@click.command(
    epilog="""\b
Examples:
  kfnb status                  # the latest run
  kfnb status train.ipynb      # the latest run of this notebook
  kfnb status 20261123-0512 --json | jq .metrics"""
)
@click.argument("run", type=RunName(), default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
def status(run: str, as_json: bool) -> int:
    """Say how RUN (default: the latest) is going, or how it went."""
    from kfnb.api import json_output
    from kfnb.api.run_handle import open_run
    from kfnb.api.run_lookup import find_run
    from kfnb.api.run_view import RunView
    from kfnb.api.sync import refreshed

    if as_json:
        echo_json(json_output.status(open_run(run)))
        return 0
    from kfnb.cli.run_summary import end_of, failures, metrics_line
    from kfnb.draw import visible

    view = RunView(refreshed(find_run(run)))
    view.update()
    driver = view.driver()
    names = {name: visible(name) for name, _ in view.state.steps}
    width = min(40, max(map(len, names.values()), default=0))
    for step in view.state.steps.values():
        word = colour(f"{glyph(step.status, sys.stdout)} {step.status:<9}", step.status)
        took = describe_duration(step.duration) if step.status in ("succeeded", "failed") else ""
        if step.status == "running":
            took = describe_duration(time.time() - step.started) if step.started else ""
        held = step.held if step.status == "running" else ""
        why = visible(held or step.reason or step.why or "")
        cells = ""
        if step.status == "running" and step.cells_total:
            cells = f"{step.cells_done}/{step.cells_total} cells  "
        click.echo(f"{word}  {names[step.name]:<{width}}  {took:>11}  {cells}{why}".rstrip())
    metrics = metrics_line(view)
    for line in [metrics] if metrics else []:
        click.echo(line)
    for line in failures(view):
        click.echo(line)
    click.echo(end_of(view))
    if driver.startswith("lost"):
        click.echo(f"its driver is {driver}; kfnb resume {view.folder.id} goes on")
    return 0


@click.command(
    epilog="""\b
Examples:
  jupyter lab $(kfnb notebook latest train)
  kfnb notebook latest train --copy train-executed.ipynb"""
)
@click.argument("run", type=RunName())
@click.argument("step", type=StepName(), required=False)
@click.option("--copy", "copy_to", type=click.Path(), help="Copy it there, and print that path.")
def notebook(run: str, step: str | None, copy_to: str | None) -> int:
    """Print the path of the executed notebook of a STEP of RUN (its last attempt)."""
    from kfnb.api.run_handle import open_run

    path = open_run(run).notebook(step)
    if copy_to is not None:
        import shutil

        from kfnb.errors import InfrastructureError

        try:
            click.echo(shutil.copy(path, copy_to))
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise InfrastructureError(f"Cannot write {copy_to}: {said}.") from error
        return 0
    click.echo(str(path))
    return 0


def _line(run: Run) -> dict[str, Any]:
    from kfnb.errors import InfrastructureError

    facts = {
        "id": run.id,
        "name": run.name,
        "notebook": str(run.path) if run.path else None,
        "created": run.created,
    }
    try:
        return {**facts, "status": run.status, "driver": run.driver, "duration": run.duration}
    except InfrastructureError:  # damaged: one of them must not hide the others
        return {**facts, "status": "unreadable", "driver": "ended", "duration": None}
