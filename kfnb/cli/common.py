"""What several commands need: marks and colours of states, durations, JSON, diagnostics."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfnb.pipeline import Diagnostic

INTERRUPTED = 130

GLYPHS = {
    "pending": "·",
    "running": "▶",
    "succeeded": "✓",
    "cached": "≡",
    "failed": "✗",
    "skipped": "–",
    "cancelled": "■",
}
ASCII_GLYPHS = {
    "pending": ".",
    "running": ">",
    "succeeded": "+",
    "cached": "=",
    "failed": "x",
    "skipped": "-",
    "cancelled": "#",
}
COLOURS = {
    "pending": "bright_black",
    "running": "blue",
    "succeeded": "green",
    "cached": "green",
    "failed": "red",
    "skipped": "bright_black",
    "cancelled": "yellow",
}


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


def can_draw(stream: TextIO) -> bool:
    """Whether the stream's encoding has the strokes and marks that we use."""
    try:
        "▶✓≡✗■│…·–".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def glyph(status: str, stream: TextIO) -> str:
    """Return the mark of a status, in ASCII where nothing else can be shown."""
    marks = GLYPHS if can_draw(stream) else ASCII_GLYPHS
    return marks.get(status, "?")


def colour(text: str, status: str) -> str:
    """Colour a text as its status where a person looks at it and NO_COLOR does not forbid it."""
    if os.environ.get("NO_COLOR") or not is_terminal(sys.stdout):
        return text
    return click.style(text, fg=COLOURS.get(status))


def echo_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a JSON value."""
    click.echo(json.dumps(value, indent=indent, ensure_ascii=not can_draw(sys.stdout)))


def echo_diagnostics(diagnostics: Iterable[Diagnostic], *, err: bool) -> None:
    """Print diagnostics, errors first, each on its own line."""
    from kfnb.draw import visible

    for found in sorted(diagnostics, key=lambda d: d.severity != "error"):
        click.echo(f"{found.severity}: {visible(str(found))}", err=err)


def number(value: Any) -> str:
    """Write a metric's value with the digits that matter.

    >>> number(0.123456789), number(3), number(2.0), number("nan")
    ('0.123457', '3', '2', 'nan')
    """
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def call_error(error: click.ClickException) -> str:
    """Say what is wrong with a call, and where it is explained."""
    said = error.format_message().rstrip(".")
    said += "" if said.endswith("?") else "."
    context = getattr(error, "ctx", None)
    return said if context is None else f"{said} {context.command_path} --help explains."


def reader_left(code: int) -> int:
    """Be quiet when whoever read our output has gone (``kfnb runs | head -1``); ``code``."""
    # Python flushes stdout once more at its end, and would complain there.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
