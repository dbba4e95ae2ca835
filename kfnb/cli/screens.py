"""Screens of the command line: JSON lines, and which screen suits the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import click

from kfnb.api.run_view import RunView
from kfnb.commands.following import PlainScreen, Screen
from kfnb.commands.terminal import can_draw, is_terminal
from kfnb.engine.core.events import Event


def screen_for(*, as_json: bool) -> Screen:
    """Choose the screen: JSON if asked for, a live table in a terminal, else plain lines."""
    if as_json:
        return JsonScreen()
    if is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb":
        from kfnb.cli.live_table import LiveScreen

        return LiveScreen(ascii_only=not can_draw(sys.stdout))
    return PlainScreen()


class JsonScreen:
    """Prints each event of the journal as one line of JSON, and nothing else on stdout."""

    pause = 3600.0

    def show(self, view: RunView, events: Iterable[Event]) -> None:  # noqa: ARG002 (Screen's)
        """Print the events."""
        lines = [event.to_line().decode() + "\n" for event in events]
        if lines:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()

    def hold(self) -> None:
        """Do nothing: there is no terminal."""

    def note(self, text: str) -> None:
        """Print a line on stderr."""
        click.echo(text, err=True)

    def close(self, view: RunView) -> None:
        """Do nothing: the last event describes the end."""
