"""Whether cells that were executed differ from the saved notebook.

A kernel only sees the text of executed cells, not the editor. So a change is noticed after its cell
was executed, and a change that was never executed is not noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfnb.pipeline import Cell

UNSAVED = "You have unsaved changes. kfnb runs the saved file: save, then run again."

# Lines that no step executes, whatever cell they stand in.
_NOT_IN_A_STEP = re.compile(r"\s*(%{1,2}pipeline\b.*|%(re)?load_ext\s+kfnb\b.*|#(?!\s*%%).*)?")


@dataclass(frozen=True, slots=True)
class Executed:
    """An executed cell: its text, its id if the front end sends one, and when it was executed."""

    text: str
    cell: str | None
    time: float


def has_unsaved_changes(executed: Iterable[Executed], cells: Sequence[Cell], path: Path) -> bool:
    """Whether a cell of the pipeline was executed with a text that the file does not have.

    Parameters
    ----------
    executed
        Oldest first.
    cells
        The cells of the saved notebook.
    """
    try:
        saved = path.stat().st_mtime
    except OSError:
        return False
    texts = {_code(cell.source) for cell in cells}
    by_id = {cell.id: cell for cell in cells}
    last: dict[str, Executed] = {}
    for one in executed:
        # Only the last execution of a cell counts.
        last[one.cell or one.text] = one
    # VS Code sends ids that are not in the file; there a cell can only be recognised by its text.
    file_has_these_ids = not by_id.keys().isdisjoint(last)
    for one in last.values():
        code = _code(one.text)
        # What was executed before the last save may have been changed by it.
        if one.time <= saved:
            continue
        cell = by_id.get(one.cell or "")
        if cell is not None:
            if code != _code(cell.source) and "skip" not in cell.tags:
                return True
        elif code and (code not in texts or (one.cell is not None and file_has_these_ids)):
            return True
    return False


def _code(text: str) -> str:
    """Return what a step would execute of a cell, roughly: without comments and launching lines."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line for line in lines if not _NOT_IN_A_STEP.fullmatch(line)).strip()
