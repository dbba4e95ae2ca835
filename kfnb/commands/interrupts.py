"""Ctrl+C while a run is followed: caught between two reads of the journal, and what it means."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from kfnb.commands.terminal import can_draw
from kfnb.watch import Watch

QUESTION = "[d] detach, the run continues · [s] stop · any other key: keep watching "


def ask(interrupts: Interrupts) -> str:
    """Ask whether to ``detach``, ``stop`` or ``keep watching``; another Ctrl+C means stop.

    Without an answer, because the terminal is gone, the result is ``leave``.
    """
    try:
        with interrupts.raising():
            key = _read_key(QUESTION if can_draw(sys.stdout) else QUESTION.replace("·", "|"))
    except KeyboardInterrupt:
        key = "s"
    finally:
        interrupts.take()
    # No key at all means that the terminal is gone, and the run does not end with it.
    choice = {"d": "detach", "": "leave", "s": "stop", "\x03": "stop"}.get(
        key.lower(), "keep watching"
    )
    click.echo(choice)
    return choice


def _read_key(question: str) -> str:
    """Ask for one key; keys typed while the question appears count."""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    # One key without Return; the terminal's settings are restored whatever happens.
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        click.echo(f"\n{question}", nl=False)
        return os.read(terminal, 16).decode("utf-8", "replace")
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


class Interrupts:
    """Counts SIGINT instead of raising KeyboardInterrupt in the middle of reading the journal."""

    def __init__(self) -> None:
        self.seen = False
        """Whether there has been any."""
        self._count = 0
        self._raises = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:  # noqa: PYI034 (Self needs Python 3.11)
        self._before = signal.signal(signal.SIGINT, self._count_one)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def take(self) -> bool:
        """Return whether there was one since the last call."""
        interrupted, self._count = self._count > 0, 0
        return interrupted

    def raising(self) -> Interrupts._Raising:
        """Make interrupts raise KeyboardInterrupt within the context."""
        return Interrupts._Raising(self)

    def wait(self, watch: Watch, seconds: float) -> None:
        """Wait for a change, or until an interrupt."""
        try:
            with self.raising():
                # An interrupt between the last check and here would otherwise wait for the timeout.
                if not self._count:
                    watch.wait(seconds)
        except KeyboardInterrupt:
            self._raises = False

    def _count_one(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a handler's)
        # A handler must not print or lock: the interrupted code may hold the same lock.
        self._count += 1
        self.seen = True
        if self._raises:
            raise KeyboardInterrupt

    class _Raising:
        def __init__(self, owner: Interrupts) -> None:
            self._owner = owner

        def __enter__(self) -> None:
            self._owner._raises = True

        def __exit__(self, *_: object) -> None:
            self._owner._raises = False
