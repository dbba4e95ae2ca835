"""``kfnb run``, ``resume`` and ``stop``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.arguments import NotebookPath, RunName, run_or_latest
from kfnb.commands.run_options import (
    create_run,
    limit_options,
    masked_option,
    new_run_options,
    parameters_of,
    settings_of,
    split_pairs,
)
from kfnb.commands.stop import stop_options, stop_run
from kfnb.commands.terminal import echo_diagnostics, is_terminal
from kfnb.masked_parameters import hide_arguments
from kfnb.runners.amounts import count

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.engine.core.events import Event

_DETACH = click.Option(
    ["--detach"], is_flag=True, help="Return at once; the run continues in the background."
)
_JSON = click.Option(
    ["--json", "as_json"], is_flag=True, help="Print the run's events as JSON, one per line."
)
_DRY_RUN = click.Option(
    ["--dry-run"], is_flag=True, help="Kubernetes: only print the objects that would be created."
)
_OUTPUT = click.Option(
    ["-o", "--output"],
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    help="The format of --dry-run [default: yaml].",
)


@click.command(
    params=[
        click.Argument(["notebook"], type=NotebookPath()),
        *new_run_options(),
        *limit_options(),
        _DETACH,
        _JSON,
        _DRY_RUN,
        _OUTPUT,
    ],
    epilog="""\b
Examples:
  kfnb run train.ipynb
  kfnb run train.ipynb -p lr=0.1 -p layers='[64, 32]'
  kfnb run train.ipynb -f params.yaml --parallel 4 --retries 2 --timeout 30m
  kfnb run train.ipynb --from train        # train and what depends on it, again
  kfnb run train.ipynb --only train        # only train, with inputs from the latest run
  kfnb run train.ipynb --detach; kfnb logs latest -f
  kfnb run train.ipynb --on kubernetes --dry-run -o yaml

In a terminal, Ctrl+C asks whether to detach or to stop; in a pipe it stops the run.""",
)
def run(
    notebook: str,
    pairs: tuple[str, ...],
    files: tuple[str, ...],
    detach: bool,
    as_json: bool,
    dry_run: bool,
    output: str,
    **given: Any,
) -> int:
    """Run NOTEBOOK as a pipeline, and show its progress."""
    from kfnb.api.launch import read, refuse_inside_a_step
    from kfnb.api.parameters import from_text

    hide_arguments(pairs, mask=given["mask"], no_mask=given["no_mask"])
    # A step that started its own pipeline would never end.
    refuse_inside_a_step()
    pipeline = read(notebook)
    # Hints are for `kfnb check`: here they would hide the progress.
    echo_diagnostics([d for d in pipeline.diagnostics if d.severity == "warning"], err=True)
    if pipeline.errors:
        number = count(len(pipeline.errors), "error")
        click.echo(f"kfnb: nothing was started, because of {number}:", err=True)
        echo_diagnostics(pipeline.errors, err=True)
        return 2

    def read_pairs() -> dict[str, Any]:
        return from_text(pipeline.parameters, split_pairs(pairs))

    # Parameters are checked here too, so that an error shows before anything is printed.
    if dry_run:
        from kfnb.cli.dry_run import print_objects

        print_objects(pipeline, parameters_of(pipeline, files, read_pairs), output=output, **given)
        return 0
    # The folder first: the driver is a separate process that reads everything from it.
    folder = create_run(pipeline, files, read_pairs, **given)
    from kfnb.api.run_view import RunView
    from kfnb.runners import start_driver

    return _show_progress(
        lambda: RunView(folder, driver=start_driver(folder)), detach=detach, as_json=as_json
    )


@click.command(
    params=[
        click.Argument(["run"], type=RunName(), default="latest"),
        masked_option(),
        *limit_options(),
        _DETACH,
        _JSON,
    ],
    epilog="""\b
Examples:
  kfnb resume                       # the latest run
  kfnb resume 20261123-0512 --retries 2
  kfnb resume train.ipynb --detach

The run continues with the notebook as it was when the run started. To include later edits, use
kfnb run: it takes every step that did not change from the cache.""",
)
def resume(run: str, pairs: tuple[str, ...], detach: bool, as_json: bool, **limits: Any) -> int:
    """Continue RUN (default: the latest); steps that succeeded are not executed again."""
    from kfnb.api.launch import refuse_inside_a_step
    from kfnb.api.parameters import from_text
    from kfnb.api.run_lookup import find_current
    from kfnb.api.run_settings import changed_settings
    from kfnb.api.run_view import RunView
    from kfnb.api.use_cases.notebook_changes import SENTENCE, has_changed

    refuse_inside_a_step()
    hide_arguments(pairs, all_pairs=True)
    folder = find_current(run)
    view = RunView(folder)
    events = view.update()
    if as_json:
        _echo_events(events)
    # No error: scripts may call resume without knowing how the run ended.
    if view.state.status == "succeeded":
        if not as_json:
            click.echo(f"run {folder.id} has already succeeded: there is nothing left to do")
        return 0
    settings = changed_settings(**settings_of(limits))
    masked = from_text(view.pipeline.parameters, split_pairs(pairs))

    def begin() -> RunView:
        view.resume(settings, masked=masked)
        # People expect their edits to count, and they do not.
        if has_changed(view):
            click.echo(SENTENCE, err=True)
        return view

    return _show_progress(begin, detach=detach, as_json=as_json)


@click.command(
    params=[click.Argument(["run"], type=RunName(), required=False), *stop_options()],
    epilog="""\b
Examples:
  kfnb stop                     # the latest run
  kfnb stop train.ipynb --no-wait""",
)
def stop(run: str | None, no_wait: bool) -> int:
    """Stop RUN (default: the latest). Results of finished steps are kept; kfnb resume continues."""
    from kfnb.api.run_lookup import find_run

    stop_run(find_run(run_or_latest(run)), no_wait=no_wait)
    return 0


def _show_progress(begin: Callable[[], RunView], *, detach: bool, as_json: bool) -> int:
    from kfnb.cli.screens import screen_for
    from kfnb.commands.following import continues, follow

    if detach:
        view = begin()
        events = view.update()
        if as_json:
            _echo_events(events)
        else:
            from kfnb.api.use_cases.event_lines import warning_line
            from kfnb.engine.core.event_types import Warning as WarningData

            for event in events:
                if isinstance(event.data, WarningData):
                    click.echo(warning_line(event, event.data), err=True)
            click.echo(continues(view.folder.id))
        return 0
    screen = screen_for(as_json=as_json)
    # A question in a pipe would wait for ever.
    can_ask = not as_json and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    return follow(begin, screen, interrupted="ask" if can_ask else "stop")


def _echo_events(events: Iterable[Event]) -> None:
    for event in events:
        click.echo(event.to_line().decode())
