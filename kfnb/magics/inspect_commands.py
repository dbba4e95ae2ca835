"""``%pipeline show``, ``check``, ``status``, ``logs``, ``runs`` and ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kfnb.cli import history, reading
from kfnb.cli import logs as printing
from kfnb.magics.arguments import (
    RunName,
    notebook_option,
    options_of,
    pass_session,
    run_option,
    step_argument,
)
from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session

LARGEST_LOG = 256 * 1024
"""Of a longer log, a notebook's output shows only the end. In bytes."""


@click.command(
    epilog="""\b
Examples:
  %pipeline show
  %pipeline show --run latest     # with the statuses of that run"""
)
@options_of(reading.show, without=["notebook", "run_name"])
@run_option
@notebook_option
@pass_session
def show(session: Session, notebook: str | None, run: str | None, **forms: Any) -> None:
    """Draw the pipeline of this notebook, with the reason for each edge."""
    from kfnb import draw
    from kfnb.magics.report import show_problems

    if any(forms.values()):
        path = str(session.locate(notebook).path)
        assert reading.show.callback is not None
        reading.show.callback(notebook=path, run_name=run, **forms)
        return
    if run is not None:
        _show_run(session, run, notebook)
        return
    pipeline = session.read(notebook)
    view = session.view(pipeline)
    if view is not None:
        session.display(view)
    else:
        print(draw.text(pipeline))
    show_problems(session, pipeline)


@click.command(
    epilog="""\b
Examples:
  %pipeline check
  %pipeline check --verify        # executes the notebook in both ways and compares"""
)
@options_of(reading.check, without=["notebook", "as_json"])
@notebook_option
@pass_session
def check(session: Session, notebook: str | None, verify: bool, target: str) -> None:
    """List everything that is wrong with this notebook, with cell, line and remedy."""
    from kfnb.api.launch import target_findings
    from kfnb.magics.report import show_diagnostics, summary

    pipeline = session.read(notebook)
    diagnostics = pipeline.diagnostics
    verified_counts = ""
    if verify:
        from kfnb.verify import verify as verified

        report = verified(str(pipeline.path))
        diagnostics = report.diagnostics
        if report.linear is not None:
            verified_counts = f"; {report.cells} cells and {report.values} values are equal"
    diagnostics = (*diagnostics, *target_findings(pipeline, target))
    name = Path(pipeline.path or pipeline.name).name
    head = f"{name}: {summary(diagnostics)}{verified_counts}"
    show_diagnostics(session, pipeline, diagnostics, head=head)


@click.command(
    epilog="""\b
Examples:
  %pipeline status                # the latest run of this notebook
  %pipeline status 20261123-0512"""
)
@click.argument("run", type=RunName(), required=False)
@notebook_option
@pass_session
def status(session: Session, run: str | None, notebook: str | None) -> None:
    """Show the status of RUN (default: the latest of this notebook)."""
    if session.has_page:
        _show_run(session, run, notebook, tab="table")
        return
    assert history.status.callback is not None
    history.status.callback(run=session.run(run, notebook).id, as_json=False)


@click.command(
    epilog="""\b
Examples:
  %pipeline logs train
  %pipeline logs train -f         # follow the log until the step has ended"""
)
@step_argument(required=False)
@options_of(printing.logs, without=["run", "step"])
@run_option
@notebook_option
@pass_session
def logs(
    session: Session,
    words: tuple[str, ...],
    run: str | None,
    notebook: str | None,
    follow: bool,
    attempt: int | None,
) -> None:
    """Print the log of STEP, or of every step, of a run."""
    from kfnb.api.launch import no_step
    from kfnb.api.run_view import RunView

    view = RunView(session.run(run, notebook))
    step = " ".join(words) or None
    if step is not None and step not in view.pipeline.steps:
        raise PipelineError(no_step(view.pipeline, step))
    if follow or not session.in_notebook:
        assert printing.logs.callback is not None
        printing.logs.callback(run=view.folder.id, step=step, follow=follow, attempt=attempt)
        return
    view.update()
    if not printing.print_logs(view, step, attempt, most=LARGEST_LOG):
        which = f'Step "{step}"' if step is not None else "The run"
        state = view.state.steps[step, ""].status if step is not None else view.state.status
        session.note(f"{which} has printed nothing; it is {state}.")


@click.command()
@options_of(history.runs, without=["notebook", "as_json"])
@click.option("--all", "every", is_flag=True, help="Runs of all notebooks.")
@notebook_option
@pass_session
def runs(
    session: Session,
    limit: int,
    every: bool,
    notebook: str | None,
    target: str,
    **options: str | None,
) -> None:
    """List the runs of this notebook, newest first."""
    from kfnb.api.sync import bring

    bring(target, options)
    path = None if every else str(session.locate(notebook).path)
    if path is not None and not session.runs(notebook, most=1):
        session.note("This notebook has no runs yet. Start one: %pipeline run")
        return
    assert history.runs.callback is not None
    history.runs.callback(notebook=path, limit=limit, as_json=False, target="local")


@click.command(
    epilog="""\b
Examples:
  %pipeline compare               # the two latest runs of this notebook
  %pipeline compare latest 20261123-0512"""
)
@click.argument("names", type=RunName(), nargs=-1, metavar="RUN...")
@notebook_option
@pass_session
def compare(session: Session, names: tuple[str, ...], notebook: str | None) -> None:
    """Compare runs: parameters, metrics, steps; differences are marked."""
    from kfnb.api.run_handle import Run
    from kfnb.api.run_lookup import find_run
    from kfnb.magics.comparison import table

    if len(names) == 1:
        raise PipelineError("compare needs two or more runs; list them with %pipeline runs.")
    folders = [find_run(name) for name in names] or session.runs(notebook, most=2)
    if len(folders) < 2:
        raise PipelineError("Nothing to compare: this notebook has fewer than two runs.")
    found = list({folder.id: Run(folder) for folder in folders}.values())
    if len(found) < 2:
        raise PipelineError(f"These are the same run: {found[0].id}.")
    ids = [run.id for run in found]
    view = session.view(found[0], compare=ids, tab="compare") if session.has_page else None
    if view is not None:
        session.display(view)
    else:
        print(table(found))


def _show_run(session: Session, name: str | None, notebook: str | None, **options: Any) -> None:
    from kfnb.api.run_handle import Run

    run = Run(session.run(name, notebook))
    view = session.view(run, **options)
    if view is not None:
        session.display(view)
        return
    assert history.status.callback is not None
    history.status.callback(run=run.id, as_json=False)
