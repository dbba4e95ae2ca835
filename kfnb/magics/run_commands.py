"""``%pipeline run``, ``resume`` and ``stop``: begin, go on, end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.run_options import (
    create_run,
    limit_options,
    new_run_options,
    settings_of,
    split_pairs,
)
from kfnb.commands.stop import stop_options, stop_run
from kfnb.commands.terminal import is_terminal
from kfnb.magics.arguments import RunName, notebook_option, with_options, with_session
from kfnb.magics.errors import PipelineError
from kfnb.magics.line import parameter_value
from kfnb.magics.session import Session

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.pipeline import Pipeline

_MOST = 3

_wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    help="Wait for the end of the run [default], or leave the kernel free meanwhile.",
)


@click.command(
    epilog="""\b
Examples:
  %pipeline run
  %pipeline run -p lr=0.1 -p layers={layers} --no-wait
  %pipeline run --from train      # train and what depends on it, anew
  %pipeline run --only train      # train alone, with what came before it last time

\b
{layers} stands for the variable layers of this kernel. Interrupting the kernel while it
waits ends the waiting, not the run: %pipeline stop ends that."""
)
@with_options([*new_run_options(), *limit_options()])
@_wait_option
@notebook_option
@with_session
def run(
    session: Session,
    notebook: str | None,
    wait: bool,
    pairs: tuple[str, ...],
    files: tuple[str, ...],
    **said: Any,
) -> None:
    """Run this notebook, as it is saved, as a pipeline, and show how it goes."""
    from kfnb.api.run_view import RunView
    from kfnb.magics.report import show_problems
    from kfnb.runners import start_driver

    pipeline = session.read(notebook)
    show_problems(session, pipeline)
    if pipeline.errors:
        raise PipelineError("The notebook has errors, so nothing was started.")
    given = split_pairs(pairs)
    folder = create_run(pipeline, files, lambda: _parameters(pipeline, given, session), **said)
    session.launched.append(folder)
    _shown(session, lambda: RunView(folder, driver=start_driver(folder)), wait=wait)


@click.command(
    epilog="""\b
Examples:
  %pipeline resume                # the latest run of this notebook
  %pipeline resume --retries 2 --no-wait"""
)
@click.argument("name", type=RunName(), required=False, metavar="[RUN]")
@with_options(limit_options())
@_wait_option
@notebook_option
@with_session
def resume(
    session: Session, name: str | None, notebook: str | None, wait: bool, **limits: Any
) -> None:
    """Go on with RUN (default: the latest of this notebook); steps that are done stay done."""
    from kfnb.api.run_settings import changed_settings
    from kfnb.api.run_view import RunView

    folder = session.run(name, notebook)
    settings = changed_settings(**settings_of(limits))
    view = RunView(folder)
    view.update()
    if view.state.status == "succeeded":
        session.note(f"Run {folder.id} has succeeded already: nothing is left to do.")
        return

    def begin() -> RunView:
        view.resume(settings)
        return view

    _shown(session, begin, wait=wait)


@click.command()
@click.argument("name", type=RunName(), required=False, metavar="[RUN]")
@with_options(stop_options())
@notebook_option
@with_session
def stop(session: Session, name: str | None, notebook: str | None, no_wait: bool) -> None:
    """Stop RUN (default: the latest of this notebook). What is done stays done."""
    stop_run(session.run(name, notebook), no_wait=no_wait)


def _parameters(pipeline: Pipeline, given: dict[str, str], session: Session) -> dict[str, Any]:
    """Read ``-p`` values: text as the command line does, variables as they are."""
    from kfnb.api.parameters import from_text, from_values

    texts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, text in given.items():
        as_it_is, value = parameter_value(text, session.variables)
        (values if as_it_is else texts)[name] = value
    return {**from_text(pipeline, texts), **from_values(pipeline, values)}


def _shown(session: Session, begin: Callable[[], RunView], *, wait: bool) -> None:
    """Begin a run and show it: a view where there is a page, else lines as they come.

    Raises
    ------
    PipelineError
        If it was waited for and did not succeed, or the waiting was interrupted.
    """
    view = begin()
    try:
        ended = _watched(session, view, wait=wait)
    except KeyboardInterrupt:
        ended = False
    if wait and not ended and session.in_notebook:  # "Run All" is to end here too
        raise PipelineError(f"Not waiting any more: {_goes_on(view)}")
    view.update()
    if ended and view.state.status != "succeeded":
        raise PipelineError(_end_of(view))


def _watched(session: Session, view: RunView, *, wait: bool) -> bool:
    """Show a run, until it has ended if that is wanted; whether it was waited for so long."""
    from kfnb.api.run_handle import Run

    run = Run(view.folder)
    shown = session.view(run) if session.has_page or not wait else None
    if shown is not None:
        session.display(shown)
    elif not wait:
        session.note(_goes_on(view))
    if not wait:
        return False
    if shown is not None or threading.current_thread() is not threading.main_thread():
        _waited(view)
        return True
    ended = _followed(session, view)
    picture = session.view(run) if ended else None
    if picture is not None:
        session.display(picture)
    return ended


def _waited(view: RunView) -> None:
    """Wait for the end of a run, and say how it ended: some pages show no views."""
    from kfnb.api.run_handle import Run
    from kfnb.api.use_cases.run_summary import metrics_line, summary_line

    Run(view.folder).wait()
    view.update()
    print("\n".join(line for line in (metrics_line(view), summary_line(view)) if line))


def _followed(session: Session, view: RunView) -> bool:
    """Print what happens until the run has ended; whether it has."""
    from kfnb.commands.following import PlainScreen, follow

    asks = not session.in_notebook and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    follow(lambda: view, PlainScreen(), interrupted="ask" if asks else "detach")
    _, course = view.look()
    return course == "ended"


def _goes_on(view: RunView) -> str:
    run = view.folder.id
    return f"run {run} goes on; %pipeline status shows how, %pipeline stop ends it."


def _end_of(view: RunView) -> str:
    """Say that a run did not succeed, why, and what a person types next."""
    from kfnb.api.use_cases.run_summary import brief, sentence

    run, state = view.folder.id, view.state
    if state.status == "cancelled":
        return f"Run {run} was stopped. %pipeline resume goes on."
    failed = [step for step in state.steps.values() if step.status == "failed"]
    lines = [f"Run {run} failed."]
    lines += [f'step "{s.name}": {brief(s.failure or {}, s.name)}' for s in failed[:_MOST]]
    lines += [f"and {len(failed) - _MOST} more steps"] if len(failed) > _MOST else []
    if failed:
        lines.append(f"%pipeline debug {failed[0].name} brings its inputs into this kernel.")
    elif state.error:
        lines.append(sentence(state.error))
    return "\n".join(lines)
