"""``%pipeline show``, ``check``, ``suggest``, ``status``, ``logs``, ``runs`` and ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.logs import follow_logs, log_options, print_logs
from kfnb.commands.notebooks import (
    check_notebook,
    check_options,
    counted,
    print_pipeline,
    show_options,
)
from kfnb.commands.status import list_options, print_runs, print_status
from kfnb.commands.suggestion import print_suggestion, suggest_options
from kfnb.magics.arguments import (
    RunName,
    notebook_option,
    pass_session,
    run_option,
    step_argument,
    with_options,
)
from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.home import RunFolder

LARGEST_LOG = 256 * 1024
"""Of a longer log, a notebook's output shows only the end. In bytes."""


@click.command(
    epilog="""\b
Examples:
  %pipeline show
  %pipeline show --run latest     # with the statuses of that run"""
)
@with_options(show_options())
@run_option
@notebook_option
@pass_session
def show(session: Session, notebook: str | None, run: str | None, **forms: Any) -> None:
    """Draw the pipeline of this notebook, with the reason for each edge."""
    from kfnb import draw
    from kfnb.api.launch import read
    from kfnb.magics.report import show_problems

    # With --dot, --svg or --json a person wants the text, not a view.
    if any(forms.values()):
        print_pipeline(read(session.locate(notebook).path), run_name=run, **forms)
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
@with_options(check_options(), without=["as_json"])
@notebook_option
@pass_session
def check(session: Session, notebook: str | None, verify: bool, target: str) -> None:
    """List everything that is wrong with this notebook, with cell, line and remedy."""
    from kfnb.magics.report import show_diagnostics

    pipeline = session.read(notebook)
    report = check_notebook(pipeline, verify=verify, target=target)
    name = Path(pipeline.path or pipeline.name).name
    verified = f"; {report.verified}" if report.verified else ""
    head = f"{name}: {counted(report.diagnostics)}{verified}"
    show_diagnostics(session, pipeline, report.diagnostics, head=head)


@click.command(
    epilog="""\b
Examples:
  %pipeline suggest"""
)
@with_options(suggest_options())
@notebook_option
@pass_session
def suggest(session: Session, notebook: str | None, as_json: bool) -> None:
    """Suggest how to split this notebook, which has no tags, into steps."""
    print_suggestion(str(session.locate(notebook).path), as_json=as_json)


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
    print_status(_view_of(session.run(run, notebook)))


@click.command(
    epilog="""\b
Examples:
  %pipeline logs train
  %pipeline logs train -f         # follow the log until the step has ended"""
)
@step_argument(required=False)
@with_options(log_options())
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
    raw: bool,
) -> None:
    """Print the log of STEP, or of every step, of a run."""
    from kfnb.api.run_view import RunView
    from kfnb.api.step_lookup import no_such_step

    view = RunView(session.run(run, notebook))
    step = " ".join(words) or None
    if step is not None and step not in view.pipeline.steps:
        raise PipelineError(no_such_step(view.pipeline.steps, step))
    if follow:
        follow_logs(_view_of(view.folder), step, raw=raw)
        return
    view.update()
    # Output is saved in the notebook, which a huge log would make slow to open.
    most = LARGEST_LOG if session.in_notebook else None
    if not print_logs(view, step, attempt, raw=raw, most=most):
        which = f'Step "{step}"' if step is not None else "The run"
        state = view.state.steps[step, ""].status if step is not None else view.state.status
        session.note(f"{which} has printed nothing; it is {state}.")


@click.command()
@with_options(list_options(), without=["as_json"])
@click.option("--all", "every", is_flag=True, help="Runs of all notebooks.")
@notebook_option
@pass_session
def runs(
    session: Session,
    limit: int,
    status: str | None,
    sort: str | None,
    every: bool,
    notebook: str | None,
    target: str,
    **options: str | None,
) -> None:
    """List the runs of this notebook, newest first."""
    from kfnb.api.run_handle import runs as all_runs
    from kfnb.api.run_lookup import mirror_runs

    driven_remotely = mirror_runs(target, options)
    path = None if every else str(session.locate(notebook).path)
    # An empty table would not say what to do next.
    if path is not None and not session.runs(notebook, most=1):
        session.note("This notebook has no runs yet. Start one: %pipeline run")
        return
    print_runs(
        all_runs(path),
        limit=limit,
        as_json=False,
        status=status,
        sort=sort,
        driven_remotely=driven_remotely,
    )


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
    from kfnb.commands.comparison import print_comparison

    if len(names) == 1:
        raise PipelineError("compare needs two or more runs; list them with %pipeline runs.")
    folders = [find_run(name) for name in names] or session.runs(notebook, most=2)
    if len(folders) < 2:
        raise PipelineError("Nothing to compare: this notebook has fewer than two runs.")
    # Two names, such as "latest" and an id, may mean the same run.
    runs = list({folder.id: Run(folder) for folder in folders}.values())
    if len(runs) < 2:
        raise PipelineError(f"These are the same run: {runs[0].id}.")
    ids = [run.id for run in runs]
    view = session.view(runs[0], compare=ids, tab="compare") if session.has_page else None
    if view is not None:
        session.display(view)
    else:
        print_comparison(runs)


def _show_run(session: Session, name: str | None, notebook: str | None, **options: Any) -> None:
    from kfnb.api.run_handle import Run

    folder = session.run(name, notebook)
    view = session.view(Run(folder), **options)
    if view is not None:
        session.display(view)
        return
    print_status(_view_of(folder))


def _view_of(folder: RunFolder) -> RunView:
    """Open a run that may be driven from another machine."""
    from kfnb.api.run_lookup import refresh
    from kfnb.api.run_view import RunView

    return RunView(refresh(folder))
