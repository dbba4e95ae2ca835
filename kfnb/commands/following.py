"""Follow a run's journal on a screen until the run ends or a person leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Literal, Protocol

import click

from kfnb.api.run_view import RunView, lost
from kfnb.api.use_cases.event_lines import event_lines
from kfnb.api.use_cases.run_summary import failures, metrics_line, summary_line
from kfnb.commands.interrupts import Interrupts, ask
from kfnb.commands.terminal import INTERRUPTED, silence_closed_pipe
from kfnb.engine.core.events import Event
from kfnb.runners import request_stop
from kfnb.watch import Watch

CHECK_INTERVAL = 1.0
"""Seconds after which a silent run is checked: its driver may have died."""

_INFRASTRUCTURE = frozenset({"infrastructure", "disk"})


class Screen(Protocol):
    """Shows a run while it executes."""

    pause: float

    def show(self, view: RunView, events: Iterable[Event]) -> None:
        """Show new events; called again after ``pause`` seconds at the latest."""

    def hold(self) -> None:
        """Leave the terminal alone for a question."""

    def note(self, text: str) -> None:
        """Show a sentence that is not about an event."""

    def close(self, view: RunView) -> None:
        """Show the final state and the end of the run."""


class PlainScreen:
    """Prints one line for each event of interest; scripts may rely on the wording."""

    pause = 3600.0

    def show(self, view: RunView, events: Iterable[Event]) -> None:
        """Print a line for each new event."""
        lines = [line for event in events for line in event_lines(view, event)]
        if lines:
            click.echo("\n".join(lines))

    def hold(self) -> None:
        """Do nothing: lines stay as they are."""

    def note(self, text: str) -> None:
        """Print a line."""
        click.echo(text)

    def close(self, view: RunView) -> None:
        """Print metrics, failures and the summary."""
        closing = [*failures(view), summary_line(view)]
        metrics = metrics_line(view)
        click.echo("\n".join([*([metrics] if metrics else []), *closing]))


Interrupted = Literal["ask", "stop", "detach"]
"""What Ctrl+C does: ask a person, stop the run, or only stop watching it."""


def follow(begin: Callable[[], RunView], screen: Screen, *, interrupted: Interrupted) -> int:
    """Show a run until it has ended.

    Parameters
    ----------
    begin
        Starts the run's driver. Interrupts are caught before it is called.
    interrupted
        What an interrupt does.

    Returns
    -------
    int
        The exit code of a command that does this.

    Raises
    ------
    InfrastructureError
        If the run's driver is gone, or the run's folder was deleted.
    """
    # Caught before the driver starts, so that an early Ctrl+C cannot leave a run that nobody
    # follows.
    with Interrupts() as interrupts:
        view = begin()
        try:
            with Watch([view.folder.path]) as watch:
                return _follow(view, screen, watch, interrupts, interrupted=interrupted)
        except BrokenPipeError:
            # The reader of our output is gone. The run continues, so its result is not known.
            if interrupted == "stop" and interrupts.seen:
                _stop_without_reader(view, requested=not interrupts.take())
            return silence_closed_pipe(INTERRUPTED)
        finally:
            with contextlib.suppress(OSError):
                screen.hold()


def _follow(
    view: RunView,
    screen: Screen,
    watch: Watch,
    interrupts: Interrupts,
    *,
    interrupted: Interrupted,
) -> int:
    stopping = False
    while True:
        if interrupts.take():
            # A second Ctrl+C means that stopping takes too long for the person.
            choice: str = "leave" if stopping or interrupted == "detach" else interrupted
            if choice == "ask":
                screen.hold()
                choice = ask(interrupts)
            if choice in ("detach", "leave"):
                screen.hold()
                screen.note((still_stopping if stopping else continues)(view.folder.id))
                # A person who chose to detach got what they asked for.
                return 0 if choice == "detach" else INTERRUPTED
            if choice == "stop":
                stopping = _stop(view, screen)
        # Once more after each wait, because the last events may come with the end of the run.
        events, course = view.look()
        screen.show(view, events)
        if course == "ended":
            screen.close(view)
            return exit_code(view, interrupted=stopping and interrupted == "stop")
        if course == "lost":
            raise lost(view)
        interrupts.wait(watch, min(CHECK_INTERVAL, screen.pause))


def exit_code(view: RunView, *, interrupted: bool = False) -> int:
    """Return the exit code for the status of a run that has ended."""
    status = view.state.status
    if status == "succeeded":
        return 0
    # As shells report a command that SIGINT ended, although the run itself was cancelled in order.
    if interrupted:
        return INTERRUPTED
    if status == "cancelled":
        return 3
    # Scripts may retry an infrastructure failure, but not an error in the notebook.
    failed = [s for s in view.state.steps.values() if s.status == "failed" and s.failure]
    kinds = {s.failure.kind for s in failed if s.failure}
    return 4 if kinds and kinds <= _INFRASTRUCTURE else 1


def _stop(view: RunView, screen: Screen) -> bool:
    if view.state.ended:
        return True
    request_stop(view.folder, by="Ctrl+C")
    screen.note("stopping the run; finished steps keep their results (Ctrl+C again: stop watching)")
    return True


def _stop_without_reader(view: RunView, *, requested: bool) -> None:
    """Stop a run after Ctrl+C, which has ended the program that read our output too."""
    if view.state.ended:
        return
    if not requested:
        request_stop(view.folder, by="Ctrl+C")
    run = view.folder.id
    with contextlib.suppress(OSError):  # stderr may be the same closed pipe
        click.echo(f"run {run} was asked to stop; kfnb status {run} shows whether it has", err=True)


def still_stopping(run: str) -> str:
    """Return a sentence for a person who does not wait until a run has stopped."""
    return f"run {run} is still stopping; kfnb status {run} shows whether it has stopped"


def continues(run: str) -> str:
    """Return a sentence for a person who leaves a run: it continues, and how to come back."""
    return f"run {run} continues; kfnb status {run} shows its progress, kfnb stop {run} stops it"
