"""``%pipeline run``, ``resume`` and ``stop``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.run_options import (
    create_run,
    limit_options,
    masked_option,
    new_run_options,
    settings_of,
    split_pairs,
)
from kfnb.commands.stop import stop_options, stop_run
from kfnb.commands.terminal import is_terminal
from kfnb.magics.arguments import RunName, notebook_option, pass_session, with_options
from kfnb.magics.errors import PipelineError
from kfnb.magics.line import parameter_value
from kfnb.magics.session import Session

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.pipeline import Pipeline

_MAX_FAILURES = 3

_wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    help="Wait until the run has ended [default], or return at once.",
)


@click.command(
    epilog="""\b
Examples:
  %pipeline run
  %pipeline run -p lr=0.1 -p layers={layers} --no-wait
  %pipeline run --from train      # train and the steps that depend on it, without the cache
  %pipeline run --only train      # only train, with the inputs of an earlier run

\b
{layers} stands for the variable layers of this kernel. Interrupting the kernel while it
waits does not stop the run; use %pipeline stop for that."""
)
@with_options([*new_run_options(), *limit_options()])
@_wait_option
@notebook_option
@pass_session
def run(
    session: Session,
    notebook: str | None,
    wait: bool,
    pairs: tuple[str, ...],
    files: tuple[str, ...],
    **options: Any,
) -> None:
    """Run the saved notebook as a pipeline, and show its progress."""
    from kfnb.api.run_view import RunView
    from kfnb.magics.report import refuse, show_problems
    from kfnb.runners import start_driver

    pipeline = session.read(notebook)
    if pipeline.errors:
        raise refuse(session, pipeline)
    show_problems(session, pipeline)
    texts = split_pairs(pairs)
    folder = create_run(pipeline, files, lambda: _parameters(pipeline, texts, session), **options)
    session.launched.append(folder)
    _show_progress(session, lambda: RunView(folder, driver=start_driver(folder)), wait=wait)


@click.command(
    epilog="""\b
Examples:
  %pipeline resume                # the latest run of this notebook
  %pipeline resume --retries 2 --no-wait"""
)
@click.argument("name", type=RunName(), required=False, metavar="[RUN]")
@with_options([masked_option(), *limit_options()])
@_wait_option
@notebook_option
@pass_session
def resume(
    session: Session,
    name: str | None,
    notebook: str | None,
    wait: bool,
    pairs: tuple[str, ...],
    **limits: Any,
) -> None:
    """Resume RUN (default: the latest of this notebook) without repeating finished steps."""
    from kfnb.api.run_settings import changed_settings
    from kfnb.api.run_view import RunView

    folder = session.run(name, notebook)
    settings = changed_settings(**settings_of(limits))
    view = RunView(folder)
    view.update()
    if view.state.status == "succeeded":
        session.note(f"Run {folder.id} has already succeeded; there is nothing to resume.")
        return

    masked = _parameters(view.pipeline, split_pairs(pairs), session)

    def begin() -> RunView:
        view.resume(settings, masked=masked)
        return view

    _show_progress(session, begin, wait=wait)


@click.command()
@click.argument("name", type=RunName(), required=False, metavar="[RUN]")
@with_options(stop_options())
@notebook_option
@pass_session
def stop(session: Session, name: str | None, notebook: str | None, no_wait: bool) -> None:
    """Stop RUN (default: the latest of this notebook). Finished steps keep their results."""
    stop_run(session.run(name, notebook), no_wait=no_wait)


def _parameters(pipeline: Pipeline, given: dict[str, str], session: Session) -> dict[str, Any]:
    """Read ``-p`` values: text as on the command line, variables with their values."""
    from kfnb.api.parameters import from_text, from_values

    texts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, text in given.items():
        as_it_is, value = parameter_value(text, session.variables)
        (values if as_it_is else texts)[name] = value
    return {**from_text(pipeline.parameters, texts), **from_values(pipeline.parameters, values)}


def _show_progress(session: Session, begin: Callable[[], RunView], *, wait: bool) -> None:
    """Begin a run and show it: as a view if there is a page, else as lines.

    Raises
    ------
    PipelineError
        If the run was waited for and did not succeed, or the waiting was interrupted.
    """
    view = begin()
    try:
        ended = _watch(session, view, wait=wait)
    except KeyboardInterrupt:
        ended = False
    if wait and not ended and session.in_notebook:  # so that "Run All" stops here
        raise PipelineError(f"kfnb stopped waiting. {_continues(view)}")
    view.update()
    if ended and view.state.status != "succeeded":
        raise PipelineError(_failure_text(view))


def _watch(session: Session, view: RunView, *, wait: bool) -> bool:
    """Show a run; return whether it was waited for until its end."""
    from kfnb.api.run_handle import Run

    run = Run(view.folder)
    # Without a page a view is only a picture, which is better drawn when the run has ended.
    shown = session.view(run) if session.has_page or not wait else None
    if shown is not None:
        session.display(shown)
    elif not wait:
        session.note(_continues(view))
    if not wait:
        return False
    # The view shows the progress; and only the main thread can catch Ctrl+C.
    if shown is not None or threading.current_thread() is not threading.main_thread():
        _wait(view)
        return True
    ended = _print_events(session, view)
    picture = session.view(run) if ended else None
    if picture is not None:
        session.display(picture)
    return ended


def _wait(view: RunView) -> None:
    """Wait for the end of a run; print its result, because some pages show no views.

    How a run failed is not printed: the error of the cell says it.
    """
    from kfnb.api.run_handle import Run

    Run(view.folder).wait()
    view.update()
    _print_result(view)


def _print_result(view: RunView) -> None:
    from kfnb.api.use_cases.run_summary import metrics_line, summary_line

    summary = summary_line(view) if view.state.status == "succeeded" else None
    for line in (metrics_line(view), summary):
        if line:
            print(line)


def _print_events(session: Session, view: RunView) -> bool:
    """Print events until the run has ended; return whether it has."""
    from kfnb.commands.following import PlainScreen, follow

    class Lines(PlainScreen):
        """Prints events. How the run failed is not printed: the error of the cell says it."""

        def close(self, view: RunView) -> None:
            _print_result(view)

    # In a notebook nobody can press a key, so an interrupt only ends the waiting.
    asks = not session.in_notebook and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    follow(lambda: view, Lines(), interrupted="ask" if asks else "detach")
    _, course = view.look()
    return course == "ended"


def _continues(view: RunView) -> str:
    run = view.folder.id
    return f"Run {run} continues. %pipeline status shows it, %pipeline stop ends it."


def _failure_text(view: RunView) -> str:
    """Say that a run did not succeed, why, and what to type next."""
    from kfnb.api.use_cases.run_summary import brief, sentence

    run, state = view.folder.id, view.state
    if state.status == "cancelled":
        return f"Run {run} was stopped. Continue it with %pipeline resume."
    failed = [step for step in state.steps.values() if step.status == "failed"]
    lines = [f"Run {run} failed."]
    lines += [f'step "{s.name}": {brief(s.failure, s.name)}' for s in failed[:_MAX_FAILURES]]
    if len(failed) > _MAX_FAILURES:
        lines.append(f"and {len(failed) - _MAX_FAILURES} more steps")
    if failed:
        name = failed[0].name
        lines.append(f"Print its log: %pipeline logs {name}")
        lines.append(f"Load its inputs into this kernel: %pipeline debug {name}")
    elif state.error:
        lines.append(sentence(state.error))
    lines.append("After a change, run it again: %pipeline run (unchanged steps are not repeated)")
    return "\n".join(lines)
