"""Writing to a terminal or a pipe: marks and colours of statuses, JSON, diagnostics."""

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
    """Whether the stream is a terminal."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


def can_draw(stream: TextIO) -> bool:
    """Whether the stream's encoding has the lines and marks that we use."""
    try:
        # Some terminals on Windows and minimal containers have an encoding without these
        # characters.
        "▶✓≡✗■│…·–".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def glyph(status: str, stream: TextIO) -> str:
    """Return the mark of a status, in ASCII if the stream's encoding has nothing else."""
    marks = GLYPHS if can_draw(stream) else ASCII_GLYPHS
    return marks.get(status, "?")


def colour(text: str, status: str) -> str:
    """Colour a text by its status, in a terminal only and not if NO_COLOR is set."""
    # https://no-color.org: any value but the empty one.
    if os.environ.get("NO_COLOR") or not is_terminal(sys.stdout):
        return text
    return click.style(text, fg=COLOURS.get(status))


def echo_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a JSON value."""
    click.echo(json.dumps(value, indent=indent, ensure_ascii=not can_draw(sys.stdout)))


def echo_diagnostics(diagnostics: Iterable[Diagnostic], *, err: bool) -> None:
    """Print diagnostics, errors first, each on its own line."""
    from kfnb.draw import visible

    for diagnostic in sorted(diagnostics, key=lambda d: d.severity != "error"):
        click.echo(f"{diagnostic.severity}: {visible(str(diagnostic))}", err=err)


def call_error(error: click.ClickException) -> str:
    """Return what is wrong with a call, and which command explains it."""
    message = error.format_message().rstrip(".")
    # click ends its suggestions with a question mark.
    message += "" if message.endswith("?") else "."
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message} See {context.command_path} --help."


def silence_closed_pipe(code: int) -> int:
    """Discard the rest of our output after its reader has closed the pipe; return ``code``."""
    # Python flushes stdout once more at its end, which would print a second error.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
