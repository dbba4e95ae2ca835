"""Apply IPython's input transformation to the cells that need it.

A cell that parses as Python stays as it is, because importing IPython takes 70 ms. Only cells
with magics, shell lines and help requests need it.
"""

from __future__ import annotations

import re
import warnings
from functools import cache, lru_cache
from typing import Any

from kfnb.notebook.parsed_cell import parse_code

_CELL_MAGIC = re.compile(r"%%(\w[^\s?]*)[^\S\n]*([^\n]*)")
_STEP_LINE = re.compile(r"\A([^\S\n]*\n)*(?P<indent>[^\S\n]*)(?P<line>%%step(?=\s|\Z)[^\n]*)")
_CONTINUED = re.compile(r"\s*([%!]|[\w.,\[\]() ]+=\s*[%!]).*\\$")

PYTHON_BODY = frozenset(
    (
        "time", "timeit", "capture", "prun", "debug", "memit", "mprun", "lprun", "snakeviz",
        "pyinstrument", "scalene",
    )
)  # fmt: skip
"""Cell magics whose body is Python that runs in the notebook's namespace."""


def is_python(source: str) -> bool:
    """Return whether ``source`` parses as it is (with top-level ``await``)."""
    return parse_code(source).error is None


def step_line(source: str) -> str | None:
    """Return the ``%%step`` line that a cell begins with."""
    match = _STEP_LINE.match(source)
    return match["line"] if match else None


def without_step_line(source: str) -> str:
    """Turn a leading ``%%step`` line into a comment, so that line numbers stay.

    It is indented as the code below it, so that IPython removes that indentation.
    """
    match = _STEP_LINE.match(source)
    if match is None:
        return source
    at = match.start("line")
    below = re.match(r"(?:[^\S\n]*\n)*([^\S\n]*)", source[match.end() :])
    indent = below[1] if below and not match["indent"] else ""
    return f"{source[:at]}{indent}# {source[at:]}"


@lru_cache(maxsize=1024)
def transform(source: str) -> str:
    """Return what IPython makes of a cell, with the same line numbers; never raises.

    The body of a cell magic that runs it in the notebook (``%%time`` …) stays Python
    under a call on its first line, so that it can be analysed; other cell magics
    become the one call that IPython makes of them, as do all that stand below a
    ``%%step`` line, because there the kernel executes this text and not the author's.
    """
    shown = without_step_line(source)
    if is_python(shown):
        return shown
    lines = shown.split("\n")
    first = 0
    # IPython drops blank lines before a cell magic; a %%step line counts as one.
    while first < len(lines) and (not lines[first].strip() or (shown != source and first == 0)):
        first += 1
    head, rest = "\n".join(lines[:first]), "\n".join(lines[first:])
    magic = _CELL_MAGIC.match(rest)
    # With a question mark at its end the line asks for help.
    if magic is None or magic[2].rstrip().endswith("?"):
        return _ipython(shown)
    above = head + "\n" if first else ""
    if magic[1] in PYTHON_BODY and shown == source:
        _, newline, body = rest.partition("\n")
        call = f"get_ipython().run_line_magic({magic[1]!r}, {magic[2].rstrip()!r})"
        return above + call + newline + transform(body)
    return above + _ipython(rest)


def _ipython(source: str) -> str:
    """Transform a cell that is not plain Python; return it unchanged if that fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            changed = str(_manager().transform_cell(source))
    except Exception:
        # What IPython's tokenizer raises differs between versions of Python.
        return source
    # IPython ends each cell with a newline.
    if not source.endswith("\n"):
        changed = changed.removesuffix("\n")
    if source.startswith("%%"):
        return changed
    if changed.count("\n") != source.count("\n"):
        return _aligned(source, changed)
    return changed


def _aligned(source: str, changed: str) -> str:
    """Add the lines that IPython dropped: blank ones at the top, and continuations of magics.

    A continuation becomes ``pass``, so that the lines below keep their numbers.
    """
    lines, made = source.split("\n"), changed.split("\n")
    top = 0
    while top < len(lines) and not lines[top].strip():
        top += 1
    result: list[str] = [""] * top
    at = top
    for line in made:
        result.append(line)
        if "get_ipython()" in line and at < len(lines) and _CONTINUED.match(lines[at]):
            indent = line[: len(line) - len(line.lstrip())]
            while at + 1 < len(lines) and lines[at].endswith("\\"):
                result.append(f"{indent}pass")
                at += 1
        at += 1
    aligned = "\n".join(result)
    return aligned if aligned.count("\n") == source.count("\n") else changed


@cache
def _manager() -> Any:
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager()
