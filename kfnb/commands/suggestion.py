"""Printing how a notebook could be split into steps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kfnb.commands.terminal import echo_json
from kfnb.runners.amounts import count

if TYPE_CHECKING:
    from kfnb.notebook.document import Document
    from kfnb.notebook.suggest.proposal import Proposal

_WIDTH = 96


def suggest_options() -> list[click.Parameter]:
    """Make the options of ``suggest``."""
    return [click.Option(["--json", "as_json"], is_flag=True, help="Print the proposal as JSON.")]


def print_suggestion(path: str, *, as_json: bool) -> None:
    """Propose steps for the notebook of this file, and print them with their reasons.

    Raises
    ------
    NotebookError
        If the file is no notebook.
    UsageError
        If no steps can be suggested for it.
    """
    from kfnb.api import json_output
    from kfnb.notebook.document import load
    from kfnb.notebook.suggest.proposal import suggest

    document = load(path)
    proposal = suggest(document)
    if as_json:
        echo_json(json_output.suggest(proposal, document.cells))
        return
    click.echo(f"{path}: {count(len(proposal.steps), 'step')} suggested; nothing was written")
    for line in _lines(document, proposal):
        click.echo(line)


def _lines(document: Document, proposal: Proposal) -> list[str]:
    lines: list[str] = []
    roles = (
        ("parameters", proposal.parameters, "Its values can be set for each run."),
        ("setup", proposal.setup, "It only imports and defines, so every step has it."),
    )
    for tag, cells, reason in roles:
        if cells:
            lines += _entry(document, tag, cells, reason)
    for step in proposal.steps:
        lines += _entry(document, f"step:{step.name}", step.cells, step.reason)
    return lines


def _entry(document: Document, tag: str, cells: Sequence[int], reason: str) -> list[str]:
    shown = [document.cells[index].location() for index in cells]
    where = shown[0] if len(shown) == 1 else f"{shown[0]} and {count(len(shown) - 1, 'more cell')}"
    text = textwrap.wrap(reason, _WIDTH - 4)
    return ["", tag, f"    {where}", *(f"    {line}" for line in text)]
