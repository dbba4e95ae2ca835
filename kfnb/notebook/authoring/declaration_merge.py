"""The three doors of a cell joined into one claim: magic over metadata over tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kfnb.notebook.authoring import kale, magic, metadata, tags
from kfnb.notebook.authoring.declarations import Claim
from kfnb.notebook.authoring.options import Entry, said, shown
from kfnb.notebook.diagnostics import make
from kfnb.pipeline import Cell, Diagnostic


def joined_claim(cell: Cell, cell_metadata: Mapping[str, Any], found: list[Diagnostic]) -> Claim:
    """Join what tag, metadata and magic say of a cell; ``found`` takes what is wrong with it."""
    claim = Claim()
    lower = ""
    for door, other in _doors(cell, cell_metadata):
        found += [make(*problem, cell=cell.index) for problem in other.problems]
        claim = _join(claim, other, doors=(lower, door), cell=cell.index, found=found)
        lower = f"{lower} and {door}" if lower else door
    if cell.type != "code":
        return claim
    line = magic.misplaced(cell.source)
    # In a text (a docstring, a %%writefile) the line means nothing.
    if line is not None and (_is_code(cell, line) or magic.below_a_magic(cell.source)):
        found.append(
            make(
                "KFNB-E219",
                "a %%step line declares a step only on top of its cell",
                "Move it to the first line, above other magics.",
                cell=cell.index,
                line=line,
            )
        )
    notebook = kale.referenced_notebook(cell.tags, cell_metadata)
    if notebook is not None:
        found.append(
            make(
                "KFNB-E210",
                f'this cell stands for the notebook "{notebook}", which does not run as a step',
                "Tag the cell skip, or put that notebook's cells here.",
                cell=cell.index,
            )
        )
    return claim


def _doors(cell: Cell, cell_metadata: Mapping[str, Any]) -> Iterator[tuple[str, Claim]]:
    yield "the tags", tags.claim_of(cell.tags)
    own = metadata.claim_of(cell_metadata)
    if own is not None:
        yield "metadata.kfnb", own
    line = magic.claim_of(cell.source) if cell.type == "code" else None
    if line is not None:
        yield "the %%step line", line


def _is_code(cell: Cell, line: int) -> bool:
    """Tell whether IPython takes a line for a magic, and not for part of a text."""
    lines = (cell.source if cell.code is None else cell.code).split("\n")
    made = lines[line - 1].lstrip() if line <= len(lines) else ""
    return "run_line_magic('%step'" in made or made.startswith("# %%step")


def _join(
    low: Claim, high: Claim, *, doors: tuple[str, str], cell: int, found: list[Diagnostic]
) -> Claim:
    def disagree(lower: str, higher: str) -> None:
        found.append(
            make(
                "KFNB-W211",
                f"{doors[1]} of this cell: {higher}; {doors[0]}: {lower}",
                f"{doors[1][0].upper()}{doors[1][1:]} counts. Keep one of the two.",
                cell=cell,
            )
        )

    # A cell that is skipped stays out whichever door says so: that is for a while, and
    # its step is still said.
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
            disagree(f"{said(entry)} {shown(one)}", f"{said(entry)} {shown(two)}")
    options: dict[Entry, Any] = {**low.options, **high.options}
    return Claim(
        role=role,
        step=(high.step or low.step) if role in ("step", "skip") else None,
        after=high.after or low.after,
        changes=high.changes or low.changes,
        on_exit=low.on_exit or high.on_exit,
        options=options,
        kale=low.kale or high.kale,
    )


def _named(claim: Claim) -> str:
    return f'step "{claim.step}"' if claim.step else f"{claim.role}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
