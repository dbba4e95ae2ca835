"""``kfnb run``, ``resume`` and ``stop``: begin, go on, end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from kfnb.cli.arguments import Duration, NotebookPath, RunName, StepName
from kfnb.cli.common import echo_diagnostics, is_terminal
from kfnb.cli.target_options import target_options, with_target
from kfnb.runners.target import LOCAL, target_names

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.engine.core.events import Event
    from kfnb.home import RunFolder
    from kfnb.pipeline import Pipeline

_limits = [
    click.option(
        "--parallel",
        type=click.IntRange(min=1),
        metavar="N",
        help="Steps that may execute at once [default: the cores of this machine].",
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        metavar="N",
        help="How often a failing step is tried again, unless it says so itself.",
    ),
    click.option(
        "--timeout",
        type=Duration(),
        metavar="TIME",
        help="How long a step may take (30m, 2h), unless it says so itself.",
    ),
    click.option(
        "--keep-going/--fail-fast",
        "keep_going",
        default=None,
        help="After a failure, finish what does not depend on it [default], or stop.",
    ),
    click.option(
        "--on-mutation",
        type=click.Choice(["fail", "warn"]),
        help="When a change that nobody could see in the source came too late for a step: "
        "fail [default], or warn and go on.",
    ),
    click.option("--detach", is_flag=True, help="Return at once; the run goes on."),
    click.option("--json", "as_json", is_flag=True, help="Print the journal's events, one a line."),
]


def _with_limits(command: Any) -> Any:
    for option in reversed(_limits):
        command = option(command)
    return command


@click.command(
    epilog="""\b
Examples:
  kfnb run train.ipynb
  kfnb run train.ipynb -p lr=0.1 -p layers='[64, 32]'
  kfnb run train.ipynb -f params.yaml --parallel 4 --retries 2 --timeout 30m
  kfnb run train.ipynb --from train        # train and what depends on it, anew
  kfnb run train.ipynb --only train        # train alone, with what came before it last time
  kfnb run train.ipynb --detach; kfnb logs latest -f
  kfnb run train.ipynb --on kubernetes --dry-run -o yaml

Ctrl+C asks in a terminal whether to detach or to stop; in a pipe it stops the run."""
)
@click.argument("notebook", type=NotebookPath())
@click.option(
    "-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter."
)
@click.option(
    "-f",
    "--parameters-file",
    "files",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Set parameters from a YAML or JSON file; -p wins over it.",
)
@click.option("--name", help="What to call the run [default: the notebook's name].")
@click.option(
    "--from",
    "from_step",
    type=StepName(),
    metavar="STEP",
    help="Execute this step and all that depend on it even if nothing changed.",
)
@click.option(
    "--only",
    "only_step",
    type=StepName(),
    metavar="STEP",
    help="Execute this step alone, with its inputs from the last run that has them.",
)
@click.option("--no-cache", is_flag=True, help="Execute every step, whatever earlier runs left.")
@click.option(
    "--on",
    "target",
    type=click.Choice(target_names()),
    default=LOCAL,
    help="Where the steps execute [default: local].",
)
@with_target
@_with_limits
@click.option(
    "--dry-run", is_flag=True, help="Kubernetes: only print the objects that would be created."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    help="How --dry-run prints them [default: yaml].",
)
def run(
    notebook: str,
    pairs: tuple[str, ...],
    files: tuple[str, ...],
    detach: bool,
    as_json: bool,
    dry_run: bool,
    output: str,
    **said: Any,
) -> int:
    """Run NOTEBOOK as a pipeline, and show how it goes."""
    from kfnb.api.launch import read, refuse_inside_a_step
    from kfnb.api.parameters import from_text

    refuse_inside_a_step()
    pipeline = read(notebook)
    echo_diagnostics(pipeline.diagnostics, err=True)
    if pipeline.errors:
        click.echo("kfnb: the notebook has errors, so nothing was started.", err=True)
        return 2
    if dry_run:
        from kfnb.cli.target_options import echo_objects

        given = given_parameters(pipeline, files, lambda: from_text(pipeline, split_pairs(pairs)))
        echo_objects(pipeline, given, output=output, **said)
        return 0
    folder = created(pipeline, files, lambda: from_text(pipeline, split_pairs(pairs)), **said)
    from kfnb.api.run_view import RunView
    from kfnb.runners import start_driver

    return _follow(
        lambda: RunView(folder, driver=start_driver(folder)), detach=detach, as_json=as_json
    )


def created(
    pipeline: Pipeline,
    files: tuple[str, ...],
    given: Callable[[], dict[str, Any]],
    *,
    from_step: str | None,
    only_step: str | None,
    no_cache: bool,
    **said: Any,
) -> RunFolder:
    """Make the folder of a run as the options of ``run`` say.

    Parameters
    ----------
    given
        Reads the values of parameters that were given one by one: they win over ``files``.
    """
    from kfnb.api.launch import create

    if from_step is not None and only_step is not None:
        context = click.get_current_context()
        raise click.UsageError("--from and --only exclude each other", context)
    options = target_options(said)
    return create(
        pipeline,
        given_parameters(pipeline, files, given),
        from_step=from_step,
        only_step=only_step,
        cache=not no_cache,
        target_options=options,
        **{k: v for k, v in run_settings(said).items() if v is not None},
    )


def given_parameters(
    pipeline: Pipeline, files: tuple[str, ...], given: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Put together the parameters of files and those that were given one by one, which win."""
    from kfnb.api.parameters import from_file

    parameters: dict[str, Any] = {}
    for path in files:
        parameters.update(from_file(pipeline, path))
    return {**parameters, **given()}


@click.command(
    epilog="""\b
Examples:
  kfnb resume                       # the latest run
  kfnb resume 20261123-0512 --retries 2
  kfnb resume train.ipynb --detach

The run goes on with the notebook as it was when the run began. After a change of the
notebook, kfnb run takes every step that did not change from the cache."""
)
@click.argument("run", type=RunName(), default="latest")
@_with_limits
def resume(run: str, detach: bool, as_json: bool, **limits: Any) -> int:
    """Go on with RUN (default: the latest); steps that are done stay done."""
    from kfnb.api.launch import changed_settings, refuse_inside_a_step
    from kfnb.api.run_lookup import find_run
    from kfnb.api.run_view import RunView
    from kfnb.api.sync import refreshed
    from kfnb.cli.notebook_changes import SENTENCE, has_changed

    refuse_inside_a_step()
    folder = refreshed(find_run(run))
    view = RunView(folder)
    events = view.update()
    if as_json:
        _echo_events(events)
    if view.state.status == "succeeded":
        if not as_json:
            click.echo(f"run {folder.id} has succeeded already: nothing is left to do")
        return 0
    settings = changed_settings(**run_settings(limits))

    def begin() -> RunView:
        view.resume(settings)
        if has_changed(view):
            click.echo(SENTENCE, err=True)
        return view

    return _follow(begin, detach=detach, as_json=as_json)


@click.command(
    epilog="""\b
Examples:
  kfnb stop latest
  kfnb stop train.ipynb --no-wait"""
)
@click.argument("run", type=RunName())
@click.option("--no-wait", is_flag=True, help="Only ask; do not wait until it has stopped.")
def stop(run: str, no_wait: bool) -> int:
    """Stop RUN. What is done stays done, and kfnb resume goes on."""
    from kfnb.api.run_handle import Run
    from kfnb.api.run_lookup import find_run
    from kfnb.api.sync import refreshed
    from kfnb.runners import request_stop

    found = Run(refreshed(find_run(run)))
    if found.driver == "ended":
        click.echo(f"run {found.id} has ended already: {found.status}")
        return 0
    request_stop(find_run(run), by="kfnb stop")
    if no_wait:
        click.echo(f"run {found.id} was asked to stop")
        return 0
    click.echo(f"run {found.id} {found.wait()}")
    return 0


def _follow(begin: Callable[[], RunView], *, detach: bool, as_json: bool) -> int:
    from kfnb.cli.follow import follow, screen_for

    if detach:
        view = begin()
        events = view.update()
        if as_json:
            _echo_events(events)
        else:
            from kfnb.cli.plain_output import warning_line

            for event in events:
                if event.type == "Warning":
                    click.echo(warning_line(event), err=True)
            run = view.folder.id
            click.echo(f"run {run} goes on; kfnb status {run} tells how, kfnb stop {run} ends it")
        return 0
    screen = screen_for(as_json=as_json)
    asks = not as_json and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    return follow(begin, screen, interrupted="ask" if asks else "stop")


def _echo_events(events: Iterable[Event]) -> None:
    for event in events:
        click.echo(event.to_line())


def run_settings(limits: dict[str, Any]) -> dict[str, Any]:
    """Return the options of :data:`limits` as the API calls them."""
    keep_going = limits.pop("keep_going")
    on_failure = None if keep_going is None else "finish" if keep_going else "stop"
    return {**limits, "on_failure": on_failure}


def split_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """Split ``name=value`` texts.

    Raises
    ------
    click.UsageError
        If one has no name or no value.
    """
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            from kfnb.runners.parameters import brief

            context = click.get_current_context()
            raise click.UsageError(f"-p wants name=value, not {brief(pair)}", context)
        found[name.strip()] = value
    return found
