"""What is known about each cell of an untagged notebook before it is split into steps."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.authoring.implicit_setup import UntaggedCells
from kfnb.notebook.document import Document
from kfnb.notebook.effects.call_facts import Fact
from kfnb.notebook.effects.library_state_facts import facts
from kfnb.notebook.effects.notebook_names import know
from kfnb.notebook.effects.statement_effects import imported_modules
from kfnb.notebook.flow.infer import infer
from kfnb.notebook.groups.unsaveable import unsaveable_names
from kfnb.notebook.parsed_cell import ParsedCell, parse_cells
from kfnb.pipeline import Pipeline, Step

_HEADING = re.compile(r"^\s{0,3}(#{1,2})\s+(.+?)\s*#*\s*$", re.MULTILINE)
_SHOWS = frozenset(
    ("describe", "display", "head", "hist", "imshow", "info", "plot", "print", "show", "tail")
)


@dataclass(frozen=True, slots=True)
class CellFacts:
    """A code cell that does work.

    Parameters
    ----------
    heading
        Of the top two levels, directly above the cell; empty if there is none.
    makes, reads
        Values that later cells need, and the values that it reads with the cells that make them.
    unsaveable
        Names that it binds to values that cannot be saved, each with what they are.
    shows
        Whether it only shows what other cells made.
    seconds
        How long it took when it was last executed, if the notebook says so.
    """

    index: int
    heading: str
    makes: tuple[str, ...]
    reads: Mapping[str, int]
    after_files: tuple[int, ...]
    unsaveable: Mapping[str, str]
    shows: bool
    lines: int
    seconds: float | None
    parsed: ParsedCell


@dataclass(frozen=True, slots=True)
class NotebookFacts:
    """The cells by their roles; ``tied`` are pairs of cells that share state of a library."""

    work: tuple[CellFacts, ...]
    setup: tuple[int, ...]
    parameters: tuple[int, ...]
    skipped: tuple[int, ...]
    tied: tuple[tuple[int, int, str], ...]


def notebook_facts(document: Document) -> NotebookFacts:
    """Read every code cell as a step of its own."""
    parsed = parse_cells(document.cells)
    # Lines that launch pipelines are comments there, and cells with nothing else are skipped.
    launches = set(declare(document).skipped)
    setup, parameters, work = _roles(document, parsed, launches)
    pipeline = _each_cell_a_step(document, setup, parameters, work)
    by_cell = {step.cells[0]: step for step in pipeline.steps.values() if step.cells}
    modules = imported_modules(parsed.values())
    headings = dict(_headings(document, work))
    cells = []
    for index in work:
        step = by_cell[index]
        cells.append(
            CellFacts(
                index=index,
                heading=headings.get(index, ""),
                makes=step.outputs,
                reads={
                    name: pipeline.steps[source].cells[0] for name, source in step.inputs.items()
                },
                after_files=tuple(
                    pipeline.steps[edge.source].cells[0]
                    for edge in pipeline.edges
                    if edge.target == step.name and edge.files
                ),
                unsaveable=unsaveable_names(parsed[index], modules),
                shows=_only_shows(step, parsed[index]),
                lines=sum(1 for line in parsed[index].code.split("\n") if line.strip()),
                seconds=_seconds(document.cell_metadata[index]),
                parsed=parsed[index],
            )
        )
    return NotebookFacts(
        work=tuple(cells),
        setup=setup,
        parameters=parameters,
        skipped=tuple(sorted(launches)),
        tied=tuple(_tied(parsed, work)),
    )


def retagged(document: Document, tags: Mapping[int, str]) -> Document:
    """Return the notebook with these tags, and nothing else declared in its cells."""
    return replace(
        document,
        cells=tuple(
            replace(cell, tags=(tags[cell.index],) if cell.index in tags else ())
            for cell in document.cells
        ),
    )


def _roles(
    document: Document, parsed: Mapping[int, ParsedCell], launches: set[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    untagged = UntaggedCells()
    setup: list[int] = []
    parameters: list[int] = []
    work: list[int] = []
    for cell in document.cells:
        if cell.type != "code" or cell.index in launches or not cell.source.strip():
            continue
        if not work and not parameters and _only_literals(parsed[cell.index]):
            parameters.append(cell.index)
            untagged.made |= _bound(parsed[cell.index])
        elif untagged.only_defines(cell):
            setup.append(cell.index)
        else:
            untagged.executes(cell)
            work.append(cell.index)
    return tuple(setup), tuple(parameters), tuple(work)


def _only_literals(cell: ParsedCell) -> bool:
    any_value = False
    for statement in cell.shallow_body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        value = getattr(statement, "value", None)
        if not isinstance(target, ast.Name) or value is None:
            return False
        try:
            ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return False
        any_value = True
    return any_value and cell.error is None


def _bound(cell: ParsedCell) -> set[str]:
    return {
        node.id
        for node in cell.nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _each_cell_a_step(
    document: Document,
    setup: Sequence[int],
    parameters: Sequence[int],
    work: Sequence[int],
) -> Pipeline:
    tags = dict.fromkeys(setup, "setup") | dict.fromkeys(parameters, "parameters")
    tags |= {index: f"step:{index}" for index in work}
    for cell in document.cells:
        if cell.type == "code":
            tags.setdefault(cell.index, "skip")
    return infer(declare(retagged(document, tags)))


def _headings(document: Document, work: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Give each cell that stands first below a heading that heading's text."""
    headings: list[tuple[int, str]] = []
    counted = 0
    pending = ""
    first_level_one = True
    for cell in document.cells:
        if cell.type == "markdown":
            for match in _HEADING.finditer(cell.source):
                # The first heading of the top level is the notebook's title.
                title = first_level_one and len(match[1]) == 1 and not counted
                first_level_one = first_level_one and len(match[1]) != 1
                counted += 1
                if not title:
                    pending = match[2]
        elif cell.index in work and pending:
            headings.append((cell.index, pending))
            pending = ""
    return iter(headings)


def _only_shows(step: Step, cell: ParsedCell) -> bool:
    if step.outputs or step.writes or step.metrics or cell.error is not None:
        return False
    calls = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in cell.nodes
        if isinstance(node, ast.Call)
    }
    expressions = all(isinstance(one, ast.Expr) for one in cell.shallow_body)
    return bool(cell.shallow_body) and (expressions or not calls.isdisjoint(_SHOWS))


def _seconds(metadata: Mapping[str, Any]) -> float | None:
    """Return how long a cell took, from the times that JupyterLab can record in its metadata."""
    times = metadata.get("execution")
    if not isinstance(times, dict):
        return None
    try:
        begin = datetime.fromisoformat(str(times["iopub.execute_input"]).replace("Z", "+00:00"))
        end = datetime.fromisoformat(str(times["shell.execute_reply"]).replace("Z", "+00:00"))
        return max(0.0, (end - begin).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _tied(parsed: Mapping[int, ParsedCell], work: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """Find pairs of cells of which the second relies on state of a library that the first sets."""
    known = know([one.code for one in parsed.values()])
    by_cell: dict[int, list[Fact]] = {i: list(facts(i, parsed[i].code, known)) for i in work}
    for position, first in enumerate(work):
        for change in by_cell[first]:
            if change.kind != "set":
                continue
            for second in work[position + 1 :]:
                here = [
                    fact
                    for fact in by_cell[second]
                    if fact.area == change.area and fact.key in (change.key, "", "?")
                ]
                if any(fact.kind in ("use", "guess") for fact in here):
                    yield first, second, _state(change)
                if any(fact.kind == "set" and fact.sure for fact in here):
                    break


def _state(fact: Fact) -> str:
    return {
        "random": f"the random generator of {fact.key}",
        "environment": "environment variables",
        "folder": "the working directory",
        "path": "sys.path",
        "module": f"attributes of {fact.key}",
        "option": f"options of {fact.key}",
        "memo": "the cache of a function",
    }.get(fact.area, "IPython's history")
