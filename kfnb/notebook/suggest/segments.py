"""Divide cells into contiguous segments by dynamic programming."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass

from kfnb.notebook.suggest.cell_facts import CellFacts, NotebookFacts

_LONG_SECONDS = 5.0
_LONG_LINES = 60
_MOST_CELLS = 80
"""Segments are at most this long, unless cells may not be separated."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The gap above a cell.

    Parameters
    ----------
    names
        The values that would flow across it.
    why_not
        Why no step may begin there; empty if one may.
    cost
        How bad it is to begin a step there; negative if it is good.
    """

    cell: int
    names: tuple[str, ...]
    why_not: str
    cost: float


def boundaries(facts: NotebookFacts) -> list[Boundary]:
    """Judge the gap above each cell except the first."""
    crossing = _crossing(facts.work)
    return [_boundary(number, facts, crossing[number]) for number in range(1, len(facts.work))]


def segments(facts: NotebookFacts, gaps: Sequence[Boundary]) -> list[tuple[int, int]]:
    """Return the best division: first and last position (inclusive) of each segment."""
    count = len(facts.work)
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, count + 1):
        choice = (math.inf, 0)
        for begin in range(end - 1, -1, -1):
            cut = 0.0
            if begin:
                gap = gaps[begin - 1]
                if gap.why_not:
                    continue
                cut = gap.cost
            cost = best[begin][0] + cut + _segment_cost(facts.work[begin:end])
            if cost < choice[0]:
                choice = (cost, begin)
            if end - begin > _MOST_CELLS and choice[0] < math.inf:
                break
        best.append(choice)
    division: list[tuple[int, int]] = []
    end = count
    while end:
        begin = best[end][1]
        division.append((begin, end - 1))
        end = begin
    return division[::-1]


def _crossing(work: Sequence[CellFacts]) -> list[dict[str, int]]:
    """Give for each position the values that flow across the gap above it, and who makes them."""
    position = {cell.index: number for number, cell in enumerate(work)}
    crossing: list[dict[str, int]] = [{} for _ in work]
    for number, cell in enumerate(work):
        for name, maker in cell.reads.items():
            for gap in range(position[maker] + 1, number + 1):
                crossing[gap][name] = position[maker]
    return crossing


def _boundary(number: int, facts: NotebookFacts, crossing: dict[str, int]) -> Boundary:
    cell, before = facts.work[number], facts.work[number - 1]
    names = tuple(sorted(crossing))
    return Boundary(
        cell=cell.index,
        names=names,
        why_not=_why_not(number, facts, crossing),
        cost=_cost(cell, before, len(names)),
    )


def _why_not(number: int, facts: NotebookFacts, crossing: dict[str, int]) -> str:
    work = facts.work
    for name, maker in sorted(crossing.items()):
        what = work[maker].unsaveable.get(name)
        if what is not None:
            return f"{name} is {what}, which cannot be saved"
    for first, second, state in facts.tied:
        if first < work[number].index <= second:
            return f"the cells on both sides share {state}"
    if work[number].shows and not work[number].heading:
        made = [position for position in crossing.values() if crossing]
        shown = set(work[number].reads.values())
        begin = number - 1
        while begin and work[begin].shows:
            begin -= 1
        if made and work[begin].index in shown:
            return "the cell only shows what the cell above it makes"
    return ""


def _cost(cell: CellFacts, before: CellFacts, names: int) -> float:
    cost = min(1.5, 0.25 * names)
    if cell.heading:
        cost -= 2.5
    elif cell.shows:
        cost += 2.0
    if before.index not in cell.reads.values() and not before.shows:
        cost -= 0.6  # the two sides could execute side by side
    if any(cell.index == maker for maker in cell.after_files):
        cost += 0.5
    if _fits(cell):
        cost -= 0.5  # models are compared, so a step that fits one is changed more often
    for long in (cell, before):
        if (long.seconds or 0.0) >= _LONG_SECONDS:
            cost -= (
                1.6  # what takes long should be division in the cache after another cell changed
            )
    return cost


def _fits(cell: CellFacts) -> bool:
    return any(
        isinstance(node.func, ast.Attribute) and node.func.attr in ("fit", "train", "fit_predict")
        for node in cell.parsed.nodes_of(ast.Call)
    )


def _segment_cost(cells: Sequence[CellFacts]) -> float:
    size = sum(0.3 if cell.shows else 1.0 for cell in cells)
    lines = sum(cell.lines for cell in cells)
    long = sum(1 for cell in cells if (cell.seconds or 0.0) >= _LONG_SECONDS)
    cost = 1.0 + 0.4 * math.pow(max(0.0, size - 1.0), 1.5)
    cost += max(0, lines - _LONG_LINES) / _LONG_LINES
    cost += 0.5 * max(0, long - 1)
    if size <= 1.0 and lines < 4 and not cells[0].heading and not long:
        cost += 0.8  # hardly worth a process
    return cost
