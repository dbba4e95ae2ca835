"""The ``%%step`` line on top of a cell, as a claim."""

from __future__ import annotations

from typing import Any

from kfnb.notebook.claims import Claim, Problem, changed_names
from kfnb.notebook.nearest import nearest
from kfnb.notebook.options import KEYS, Entry, option
from kfnb.notebook.transform import step_line

USAGE = (
    "%%step NAME [--after A,B] [--changes X] [--image I] [--cpu C] [--memory M] [--gpu G] "
    "[--retries N] [--timeout 30m] [--cache | --no-cache]"
)
_FLAGS = frozenset(("--cache", "--no-cache", "--on-exit"))
_TAKES = {f"--{key}": key for key in ("after", "changes", *KEYS) if key != "cache"}


def claim_of(source: str) -> Claim | None:
    """Read the ``%%step`` line of a cell; None where there is none. Never raises.

    Words without dashes are the step's name, so it needs no quotes: ``%%step load data``.
    """
    line = step_line(source)
    if line is None:
        return None
    words = _words(line[len("%%step") :])
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
            if names and not equals and words and not words[0].startswith("--"):
                words.pop(0)
            continue
        if not equals:
            if not words or words[0].startswith("--"):
                wrong.append(f"{flag} takes a value")
                continue
            value = words.pop(0)
        try:
            _take(_TAKES[flag], value.strip(), lists=lists, options=options)
        except ValueError as error:
            wrong.append(f'{flag} {error}, not "{value}"')
    for flag in flags & {"--cache", "--no-cache"}:
        options["cache", ""] = flag == "--cache"
    if {"--cache", "--no-cache"} <= flags:
        wrong.append("--cache and --no-cache exclude each other")
    name = " ".join(names).strip()
    if not name:
        wrong.append("it names no step")
    return Claim(
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
    """Find a ``%%step`` line (from 1) that is not on top of its cell, where it means nothing."""
    if "%%step" not in source:
        return None
    lines = source.split("\n")
    top = next((n for n, line in enumerate(lines) if line.strip()), 0)
    for number, line in enumerate(lines[top + 1 :], top + 2):
        if line.strip().split(" ")[0] == "%%step":
            return number
    return None


def _words(text: str) -> list[str]:
    """Split as a shell does, but keep backslashes, and apostrophes that quote nothing."""
    import shlex

    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError:
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
        if options.setdefault(entry, given) != given:
            raise ValueError("is there twice with two values")
