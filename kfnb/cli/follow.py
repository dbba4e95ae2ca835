"""Follow a run's journal on a screen until it ends, whoever interrupts meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Literal, Protocol

import click

from kfnb.api.run_view import RunView, lost
from kfnb.cli.common import INTERRUPTED, can_draw, is_terminal, reader_left
from kfnb.engine.core.events import Event
from kfnb.runners import request_stop
from kfnb.watch import Watch

LOOK = 1.0
"""Seconds between two looks although nothing was heard: is the driver still there?"""

_OURS = frozenset({"infrastructure", "disk"})


class Screen(Protocol):
    """Shows a run while it goes on."""

    pause: float

    def show(self, view: RunView, events: Iterable[Event]) -> None:
        """Show what is new; called again after ``pause`` seconds at the latest."""

    def hold(self) -> None:
        """Leave the terminal alone for a question."""

    def note(self, text: str) -> None:
        """Tell a person something that is no event."""

    def close(self, view: RunView) -> None:
        """Show what is to stay, and the end of the run."""


def screen_for(*, as_json: bool) -> Screen:
    """Choose the screen: JSON if asked for, a live table in a terminal, else plain lines."""
    if as_json:
        from kfnb.cli.plain_output import JsonScreen

        return JsonScreen()
    if is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb":
        from kfnb.cli.live_table import LiveScreen

        return LiveScreen(ascii_only=not can_draw(sys.stdout))
    from kfnb.cli.plain_output import PlainScreen

    return PlainScreen()


Interrupted = Literal["ask", "stop", "detach"]
"""What an interrupt means: a question to a person, the end of the run, or of watching it."""


def follow(begin: Callable[[], RunView], screen: Screen, *, interrupted: Interrupted) -> int:
    """Show a run until it has ended; the exit code.

    Parameters
    ----------
    begin
        Starts the driver: from then on an interrupt is meant for the run.
    interrupted
        What an interrupt means.

    Raises
    ------
    InfrastructureError
        If the run's driver is gone, or the run's folder was deleted.
    """
    with Interrupts() as interrupts:
        view = begin()
        try:
            with Watch([view.folder.path]) as watch:
                return _follow(view, screen, watch, interrupts, interrupted=interrupted)
        except BrokenPipeError:
            # Nobody reads any more; the run goes on, and the caller learns that we do not know.
            return reader_left(INTERRUPTED)
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
            choice: str = "leave" if stopping or interrupted == "detach" else interrupted
            if choice == "ask":
                screen.hold()
                choice = ask(interrupts)
            if choice in ("detach", "leave"):
                screen.hold()
                screen.note(_detached(view.folder.id))
                # Who chose to detach has what was asked for; all else was broken off.
                return 0 if choice == "detach" else INTERRUPTED
            if choice == "stop":
                stopping = _stop(view, screen)
        events, course = view.look()
        screen.show(view, events)
        if course == "ended":
            screen.close(view)
            return exit_code(view, interrupted=stopping and interrupted == "stop")
        if course == "lost":
            raise lost(view)
        interrupts.wait(watch, min(LOOK, screen.pause))


def exit_code(view: RunView, *, interrupted: bool = False) -> int:
    """Return what the end of a run means to a caller."""
    status = view.state.status
    if status == "succeeded":
        return 0
    if interrupted:
        return INTERRUPTED
    if status == "cancelled":
        return 3
    failed = [s for s in view.state.steps.values() if s.status == "failed" and s.failure]
    kinds = {(s.failure or {}).get("class") for s in failed}
    return 4 if kinds and kinds <= _OURS else 1


def ask(interrupts: Interrupts) -> str:
    """Ask a person whether to ``detach``, ``stop`` or ``go on``; another Ctrl+C means stop.

    The answer is ``leave`` where nobody is there to give one.
    """
    try:
        with interrupts.raising():
            key = _key("d detaches (the run goes on), s stops it, any other key goes on watching: ")
    except KeyboardInterrupt:
        key = "s"
    finally:
        interrupts.take()
    # No key at all: the terminal is gone, and the run does not belong to it.
    choice = {"d": "detach", "": "leave", "s": "stop", "\x03": "stop"}.get(key.lower(), "go on")
    click.echo(choice)
    return choice


def _key(question: str) -> str:
    """Ask for one key; what is typed while the question appears counts."""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        click.echo(f"\n{question}", nl=False)
        return os.read(terminal, 16).decode("utf-8", "replace")
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


class Interrupts:
    """Counts SIGINT instead of raising in the middle of reading the journal."""

    def __init__(self) -> None:
        self._count = 0
        self._raises = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:  # noqa: PYI034 (Self needs Python 3.11)
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def take(self) -> bool:
        """Tell whether there was one since the last call."""
        found, self._count = self._count > 0, 0
        return found

    def raising(self) -> Interrupts._Raising:
        """Let an interrupt raise KeyboardInterrupt for a while."""
        return Interrupts._Raising(self)

    def wait(self, watch: Watch, seconds: float) -> None:
        """Wait for a change; an interrupt ends that."""
        try:
            with self.raising():
                if not self._count:
                    watch.wait(seconds)
        except KeyboardInterrupt:
            self._raises = False

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a handler's)
        self._count += 1
        if self._raises:
            raise KeyboardInterrupt

    class _Raising:
        def __init__(self, owner: Interrupts) -> None:
            self._owner = owner

        def __enter__(self) -> None:
            self._owner._raises = True

        def __exit__(self, *_: object) -> None:
            self._owner._raises = False


def _stop(view: RunView, screen: Screen) -> bool:
    if view.state.ended:
        return True
    request_stop(view.folder, by="Ctrl+C")
    screen.note("stopping the run; what is done stays done")
    return True


def _detached(run: str) -> str:
    return f"run {run} goes on; kfnb status {run} tells how, kfnb stop {run} ends it"
