"""A group of commands that imports a command when it is called."""
# ruff: noqa: ARG002 (the signatures are click's)

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click


class LazyGroup(click.Group):
    """A group that knows its commands by name, so that its help imports none of them."""

    table: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """For each command its module, which has a command of that name, and a line of help.

    The order is that in which a new user needs the commands.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.table:
            return None
        command = getattr(importlib.import_module(self.table[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
