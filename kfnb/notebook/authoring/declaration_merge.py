"""Merge what tags, metadata and magic declare about a cell: magic over metadata over tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kfnb.notebook.authoring import kale, magic, metadata, tags
from kfnb.notebook.authoring.declarations import Declaration
from kfnb.notebook.authoring.options import Entry, entry_name, entry_value
from kfnb.notebook.diagnostics import make
from kfnb.pipeline import Cell, Diagnostic


def merged_declaration(
    cell: Cell, cell_metadata: Mapping[str, Any], diagnostics: list[Diagnostic]
) -> Declaration:
    """Merge what is declared about a cell, and add what is wrong with it to ``diagnostics``."""
    declaration = Declaration()
    lower = ""
    for source, other in _sources(cell, cell_metadata):
        diagnostics += [make(*problem, cell=cell.index) for problem in other.problems]
        declaration = _join(
            declaration, other, sources=(lower, source), cell=cell.index, diagnostics=diagnostics
        )
        lower = f"{lower} and {source}" if lower else source
    # A markdown cell may write about %%step.
    if cell.type != "code":
        return declaration
    line = magic.misplaced(cell.source)
    # In a docstring or below %%writefile the line is only text.
    if line is not None and (_is_code(cell, line) or magic.below_a_magic(cell.source)):
        diagnostics.append(
            make(
                "KFNB-E219",
                "this %%step line is not the first line of its cell, so it declares no step",
                "Move it to the top of the cell, above other magics.",
                cell=cell.index,
                line=line,
            )
        )
    notebook = kale.referenced_notebook(cell.tags, cell_metadata)
    if notebook is not None:
        diagnostics.append(
            make(
                "KFNB-E210",
                f'this cell\'s metadata names the notebook "{notebook}" as the step, and kfnb '
                "cannot run a notebook as a step",
                "Tag the cell skip, or copy the cells of that notebook into this one.",
                cell=cell.index,
            )
        )
    return declaration


def _sources(cell: Cell, cell_metadata: Mapping[str, Any]) -> Iterator[tuple[str, Declaration]]:
    yield "the tags", tags.cell_declaration(cell.tags)
    own = metadata.cell_declaration(cell_metadata)
    if own is not None:
        yield "metadata.kfnb", own
    line = magic.cell_declaration(cell.source) if cell.type == "code" else None
    if line is not None:
        yield "the %%step line", line


def _is_code(cell: Cell, line: int) -> bool:
    """Return whether IPython sees a magic in a line, and not part of a string."""
    lines = (cell.source if cell.code is None else cell.code).split("\n")
    made = lines[line - 1].lstrip() if line <= len(lines) else ""
    return "run_line_magic('%step'" in made or made.startswith("# %%step")


def _join(
    low: Declaration,
    high: Declaration,
    *,
    sources: tuple[str, str],
    cell: int,
    diagnostics: list[Diagnostic],
) -> Declaration:
    def disagree(lower: str, higher: str) -> None:
        diagnostics.append(
            make(
                "KFNB-W211",
                f"{sources[1]} of this cell: {higher}; {sources[0]}: {lower}",
                f"{sources[1][0].upper()}{sources[1][1:]} is used. Keep only one of them.",
                cell=cell,
            )
        )

    # Skipping wins from any source, because it is temporary; the cell keeps its step.
    roles = {low.role, high.role}
    role = "skip" if "skip" in roles else high.role or low.role
    both = low.role and high.role and role != "skip"
    if both and (low.role, low.step) != (high.role, high.step):
        disagree(_named(low), _named(high))
    for what in ("after", "changes"):
        one, two = getattr(low, what), getattr(high, what)
        if one and two and set(one) != set(two):
            disagree(f"{what} {_listed(one)}", f"{what} {_listed(two)}")
    for entry in low.options.keys() & high.options.keys():
        one, two = low.options[entry], high.options[entry]
        if one != two:
            disagree(
                f"{entry_name(entry)} {entry_value(one)}", f"{entry_name(entry)} {entry_value(two)}"
            )
    options: dict[Entry, Any] = {**low.options, **high.options}
    return Declaration(
        role=role,
        step=(high.step or low.step) if role in ("step", "skip") else None,
        after=high.after or low.after,
        changes=high.changes or low.changes,
        on_exit=low.on_exit or high.on_exit,
        options=options,
        kale=low.kale or high.kale,
    )


def _named(declaration: Declaration) -> str:
    return f'step "{declaration.step}"' if declaration.step else f"{declaration.role}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
