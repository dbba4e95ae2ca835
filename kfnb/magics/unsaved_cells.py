"""Whether what was executed is what is saved: as far as a kernel can know.

A kernel sees the text of the cells that were executed, not what stands in the editor. So
a change is noticed once its cell has been executed, and one that was never executed is not.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfnb.pipeline import Cell


@dataclass(frozen=True, slots=True)
class Executed:
    """A cell as it was executed: its text, its id where the front end tells, when."""

    text: str
    cell: str | None
    time: float


def unsaved(executed: Iterable[Executed], cells: Sequence[Cell], path: Path) -> str | None:
    """Say what was executed since the notebook was saved and is not in it; None if nothing is.

    Parameters
    ----------
    executed
        Oldest first; the last one is the cell that asks.
    cells
        Of the saved notebook.
    """
    try:
        saved = path.stat().st_mtime
    except OSError:
        return None
    executed = list(executed)
    texts = {_plain(cell.source) for cell in cells}
    at = {cell.id: cell for cell in cells}
    last: dict[str, Executed] = {}
    for one in executed:
        last[one.cell or one.text] = one
    # Some front ends have ids of their own; then a cell is known by its text.
    ids_of_the_file = not at.keys().isdisjoint(last)
    changed: list[int] = []
    new = 0
    asking = False
    for one in last.values():
        if one.time <= saved or not one.text.strip():
            continue
        cell = at.get(one.cell or "")
        if cell is not None:
            saved_so = _plain(one.text) == _plain(cell.source)
        else:
            saved_so = _plain(one.text) in texts and not (one.cell and ids_of_the_file)
        if saved_so:
            continue
        if one is executed[-1]:
            asking = True
        elif cell is not None:
            changed.append(cell.index)
        else:
            new += 1
    when = f"{path.name} (saved at {time.strftime('%H:%M:%S', time.localtime(saved))})"
    if changed or new:
        counted = [f"cell {n}" for n in sorted(changed)]
        counted += [f"{new} new cell{'' if new == 1 else 's'}"] if new else []
        return (
            f"Not saved: {', '.join(counted)} as executed here, not in {when}. "
            "What is saved counts: save the notebook, and ask again."
        )
    if asking:
        return (
            f"This cell is not saved in {when}; what else was changed since then is not saved "
            "either. What is saved counts."
        )
    return None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
