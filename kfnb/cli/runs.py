"""``kfnb runs``, ``status``, ``logs`` and ``notebook``: what has run, and the results."""

from __future__ import annotations

import click

from kfnb.commands.arguments import NotebookPath, RunName, StepName, run_or_latest
from kfnb.commands.logs import follow_logs, log_options, print_logs
from kfnb.commands.status import list_options, print_runs, print_status
from kfnb.commands.terminal import echo_json


@click.command(
    params=[
        click.Argument(["notebook"], type=NotebookPath(), required=False),
        *list_options(),
    ],
    epilog="""\b
Examples:
  kfnb runs
  kfnb runs train.ipynb -n 5
  kfnb runs train.ipynb --status succeeded --sort loss
  kfnb runs --on kubernetes --store s3://bucket/kfnb   # also runs of other machines""",
)
def runs(
    notebook: str | None,
    limit: int,
    status: str | None,
    sort: str | None,
    as_json: bool,
    target: str,
    **options: str | None,
) -> int:
    """List runs (of NOTEBOOK), newest first: start, name, parameters that differ, metrics."""
    from kfnb.api.run_handle import runs as all_runs
    from kfnb.api.run_lookup import mirror_runs

    # Runs that other machines started are listed only after their records have been copied here.
    driven_remotely = mirror_runs(target, options)
    print_runs(
        all_runs(notebook),
        limit=limit,
        as_json=as_json,
        status=status,
        sort=sort,
        driven_remotely=driven_remotely,
    )
    return 0


@click.command(
    epilog="""\b
Examples:
  kfnb compare                          # the two latest runs
  kfnb compare train.ipynb              # the two latest runs of this notebook
  kfnb compare 20261123-0512 latest
  kfnb compare latest slow fast         # runs by their names

Rows that differ come first, marked with *. A step that took its result from the cache counts as
one that succeeded. If the code of the first two runs differs, it is shown side by side."""
)
@click.argument("names", type=RunName(), nargs=-1, metavar="[RUN|NOTEBOOK]...")
def compare(names: tuple[str, ...]) -> int:
    """Compare RUNs: parameters, metrics, steps and code."""
    from kfnb.api.run_handle import Run
    from kfnb.api.run_handle import runs as all_runs
    from kfnb.api.run_lookup import find_current
    from kfnb.commands.comparison import print_comparison
    from kfnb.errors import UsageError

    if len(names) == 1 and not names[0].endswith(".ipynb"):
        raise UsageError("Name two or more runs, or a notebook. kfnb runs lists the runs.")
    if len(names) > 1:
        # Two names, such as "latest" and an id, may mean the same run.
        compared = list({run.id: run for run in (Run(find_current(n)) for n in names)}.values())
    else:
        compared = all_runs(names[0] if names else None)[:2][::-1]
    if len(compared) < 2:
        raise UsageError("There is nothing to compare: this is fewer than two runs.")
    print_comparison(compared)
    return 0


@click.command(
    epilog="""\b
Examples:
  kfnb status                  # the latest run
  kfnb status train.ipynb      # the latest run of this notebook
  kfnb status 20261123-0512 --json | jq .metrics"""
)
@click.argument("run", type=RunName(), default="latest")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the run, its steps and its metrics as JSON."
)
def status(run: str, as_json: bool) -> int:
    """Show the status of RUN (default: the latest) and of its steps."""
    from kfnb.api import json_output
    from kfnb.api.run_handle import open_run
    from kfnb.api.run_lookup import find_current
    from kfnb.api.run_view import RunView

    if as_json:
        echo_json(json_output.status(open_run(run)))
    else:
        print_status(RunView(find_current(run)))
    return 0


@click.command(
    params=[
        click.Argument(["run"], type=RunName(), required=False),
        click.Argument(["step"], type=StepName(), required=False),
        *log_options(),
    ],
    epilog="""\b
Examples:
  kfnb logs                     # all steps of the latest run, one after the other
  kfnb logs latest train        # one step, exactly as it printed
  kfnb logs latest -f           # as it comes, until the run has ended""",
)
def logs(run: str | None, step: str | None, follow: bool, attempt: int | None, raw: bool) -> int:
    """Print what STEP (or every step) of RUN (default: the latest) printed."""
    from kfnb.api.run_lookup import find_current
    from kfnb.api.run_view import RunView
    from kfnb.api.step_lookup import no_such_step
    from kfnb.errors import UsageError

    view = RunView(find_current(run_or_latest(run)))
    # Before the log is followed, which would otherwise wait for a step that never comes.
    if step is not None and step not in view.pipeline.steps:
        raise UsageError(no_such_step(view.pipeline.steps, step))
    if follow:
        return follow_logs(view, step, raw=raw)
    view.update()
    print_logs(view, step, attempt, raw=raw)
    return 0


@click.command(
    epilog="""\b
Examples:
  jupyter lab $(kfnb notebook latest train)
  kfnb notebook latest train --copy train-executed.ipynb"""
)
@click.argument("run", type=RunName(), required=False)
@click.argument("step", type=StepName(), required=False)
@click.option(
    "--copy",
    "copy_to",
    type=click.Path(),
    help="Copy the notebook to this path, and print that path.",
)
def notebook(run: str | None, step: str | None, copy_to: str | None) -> int:
    """Print the path of the executed notebook of a STEP of RUN (default: the latest)."""
    from kfnb.api.run_handle import open_run

    path = open_run(run_or_latest(run)).notebook(step)
    if copy_to is not None:
        import shutil

        from kfnb.errors import InfrastructureError

        try:
            click.echo(shutil.copy(path, copy_to))
        except OSError as error:
            # Only the path that you gave can be the cause: the notebook has just been found.
            reason = (error.strerror or str(error)).lower()
            raise InfrastructureError(f"Cannot write {copy_to}: {reason}.") from error
        return 0
    click.echo(str(path))
    return 0
