"""Read the ``%%step`` line of a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kfnb.notebook.authoring.declarations import Declaration, Problem, changed_names
from kfnb.notebook.authoring.options import Entry, option
from kfnb.notebook.diagnostics import make
from kfnb.notebook.suggestions import nearest
from kfnb.notebook.transform import step_line
from kfnb.pipeline import Cell, Diagnostic


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the ``%%step`` line; ``metavar`` is None for one that takes no value."""

    name: str
    metavar: str | None
    help: str


FLAGS = (
    Flag("--after", "A,B", "Execute after these steps, even if no value flows from them."),
    Flag("--changes", "X,Y", "Values that the step changes although its source does not show it."),
    Flag("--image", "IMAGE", "Container image, as in python:3.12-slim."),
    Flag("--cpu", "CPU", "Cores, as in 500m or 2."),
    Flag("--memory", "MEMORY", "Memory, as in 512Mi or 4Gi."),
    Flag("--gpu", "N", "GPUs."),
    Flag("--limit", "RESOURCE:N", "Limit of another resource, as in amd.com/gpu:1."),
    Flag("--retries", "N", "How often the step is retried after a failure."),
    Flag("--timeout", "TIME", "How long the step may take, as in 90 (seconds), 30m or 2h."),
    Flag("--env", "NAME:VALUE", "An environment variable."),
    Flag("--secret", "NAME:KEY:ENV", "An environment variable from a Kubernetes Secret."),
    Flag("--label", "NAME:VALUE", "A label of the step's pod."),
    Flag("--annotation", "NAME:VALUE", "An annotation of the step's pod."),
    Flag("--cache", None, "Use the result of an earlier run if nothing changed [default]."),
    Flag("--no-cache", None, "Execute the step in every run."),
    Flag(
        "--once",
        None,
        "The step has external effects: start it after all earlier steps succeeded, and do not "
        "retry it.",
    ),
    Flag("--on-exit", None, "Execute the step last, even if other steps failed."),
)
"""All flags of the line; help and completion are made of them."""

USAGE = (
    "%%step NAME [--after A,B] [--changes X] [--image I] [--cpu C] [--memory M] [--gpu G] "
    "[--retries N] [--timeout 30m] [--cache | --no-cache] [--once]"
)
_TEXTS = frozenset(("writefile", "file", "html", "markdown", "latex", "svg", "javascript", "js"))
"""Cell magics whose body is text, so that a ``%%step`` line in it may be text too."""
_LOADS_EXTENSION = re.compile(
    r"^\s*(%(re)?load_ext\s+kfnb\b|[^#\n]*load_(ext|extension)\b\W.*\bkfnb\b)", re.MULTILINE
)
_FLAGS = frozenset(flag.name for flag in FLAGS if flag.metavar is None)
_TAKES = {flag.name: flag.name[2:] for flag in FLAGS if flag.metavar is not None}


def cell_declaration(source: str) -> Declaration | None:
    """Read the ``%%step`` line of a cell; None where there is none. Never raises.

    Words without dashes are the step's name, so it needs no quotes: ``%%step load data``.
    """
    line = step_line(source)
    if line is None:
        return None
    words = split_words(line[len("%%step") :])
    names: list[str] = []
    lists: dict[str, list[str]] = {"after": [], "changes": []}
    options: dict[Entry, Any] = {}
    flags: set[str] = set()
    wrong: list[str] = []
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            names.append(word)
            continue
        if flag in _FLAGS and not equals:
            flags.add(flag)
            continue
        if flag not in _TAKES:
            near = nearest(flag, (*_TAKES, *_FLAGS))
            wrong.append(f'"{flag}" is not known' + (f' (is it "{near}"?)' if near else ""))
            # The next word is probably the value of the unknown flag, and not part of the step's
            # name.
            if names and not equals and words and not words[0].startswith("--"):
                words.pop(0)
            continue
        if not equals:
            if not words or words[0].startswith("--"):
                # The next word is another flag, so the value was forgotten.
                wrong.append(f"{flag} takes a value")
                continue
            value = words.pop(0)
        try:
            _take(_TAKES[flag], value.strip(), lists=lists, options=options)
        except ValueError as error:
            wrong.append(f'{flag} {error}, not "{value}"')
    for flag in flags & {"--cache", "--no-cache"}:
        options["cache", ""] = flag == "--cache"
    if "--once" in flags:
        options["once", ""] = True
    if {"--cache", "--no-cache"} <= flags:
        wrong.append("--cache and --no-cache exclude each other")
    name = " ".join(names).strip()
    if not name:
        wrong.append("the step's name is missing")
    return Declaration(
        role="step" if name else None,
        step=name or None,
        after=tuple(dict.fromkeys(lists["after"])),
        changes=tuple(dict.fromkeys(lists["changes"])),
        on_exit="--on-exit" in flags,
        options=options,
        problems=tuple(
            Problem("KFNB-E207", f"the %%step line cannot be understood: {w}", f"Write {USAGE}.")
            for w in wrong
        ),
    )


def misplaced(source: str) -> int | None:
    """Find a ``%%step`` line (from 1) below the first line of its cell, where it has no effect."""
    if "%%step" not in source:
        return None
    lines = source.split("\n")
    # IPython ignores blank lines above a cell magic.
    top = next((n for n, line in enumerate(lines) if line.strip()), 0)
    for number, line in enumerate(lines[top + 1 :], top + 2):
        if line.strip().split(" ")[0] == "%%step":
            return number
    return None


def below_a_magic(source: str) -> int | None:
    """Find a ``%%step`` line (from 1) right below other cell magics."""
    for number, line in enumerate(source.split("\n"), 1):
        if not line.strip():
            continue
        word = line.split()[0]
        if word == "%%step":
            return number if step_line(source) is None else None
        if not word.startswith("%%") or word[2:] in _TEXTS:
            return None
    return None


def extension_not_loaded(cells: Iterable[Cell]) -> Iterator[Diagnostic]:
    """Report the first ``%%step`` line that IPython would not know if a person runs all cells."""
    for cell in cells:
        if cell.type != "code":
            continue
        if _LOADS_EXTENSION.search(cell.source) is not None:
            return
        line = step_line(cell.source)
        if line is not None:
            yield make(
                "KFNB-W220",
                "%%step is used before %load_ext kfnb, so running the notebook in Jupyter fails",
                "Put %load_ext kfnb into a cell above.",
                cell=cell.index,
                line=1 + cell.source[: cell.source.index(line)].count("\n"),
            )
            return


def split_words(text: str) -> list[str]:
    """Split a magic's line as a shell does; backslashes and unclosed quotes stay."""
    import shlex

    lexer = shlex.shlex(text, posix=True)
    # Names of steps may contain "#", and values may contain backslashes.
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        # A quote that is not closed, as in "don't", is a part of a name.
        return text.split()


def _take(key: str, value: str, *, lists: dict[str, list[str]], options: dict[Entry, Any]) -> None:
    if not value:
        raise ValueError("takes a value")
    if key == "changes":
        lists[key] += changed_names(value)
    elif key == "after":
        lists[key].append(value)
    else:
        entry, given = option(key, value)
        # To give the same value twice is harmless.
        if options.setdefault(entry, given) != given:
            raise ValueError("is given twice with different values")
