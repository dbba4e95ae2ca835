"""Propose steps for an untagged notebook, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kfnb.errors import UsageError
from kfnb.notebook.authoring import kale
from kfnb.notebook.authoring.declaration_merge import merged_declaration
from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.document import Document
from kfnb.notebook.flow.infer import infer
from kfnb.notebook.parsed_cell import keeping_trees
from kfnb.notebook.suggest.cell_facts import CellFacts, NotebookFacts, notebook_facts, retagged
from kfnb.notebook.suggest.naming import step_name
from kfnb.notebook.suggest.segments import Boundary, boundaries, segments
from kfnb.pipeline import Diagnostic

_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class ProposedStep:
    """A step as proposed: its code cells by index, and why it begins where it does."""

    name: str
    cells: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A division of a notebook into steps.

    Parameters
    ----------
    boundaries
        The gaps at which steps could begin, in the notebook's order, with what would flow there.
    """

    steps: tuple[ProposedStep, ...]
    setup: tuple[int, ...]
    parameters: tuple[int, ...]
    boundaries: tuple[Boundary, ...]

    @property
    def tags(self) -> dict[int, str]:
        """The tag of each code cell; cells without a tag belong to the step above them."""
        tags = dict.fromkeys(self.setup, "setup") | dict.fromkeys(self.parameters, "parameters")
        return tags | {cell: f"step:{step.name}" for step in self.steps for cell in step.cells}


def suggest(document: Document) -> Proposal:
    """Propose steps for a notebook that declares none.

    Raises
    ------
    UsageError
        If the notebook has tags, is not written in Python, or has no code to divide.
    """
    if document.language != "python":
        raise UsageError(
            f"Steps can be suggested for notebooks in Python only, and this one is in "
            f"{document.language}. Tag its cells step:NAME."
        )
    if is_tagged(document):
        raise UsageError(
            "This notebook declares steps already. Remove its tags to have others suggested."
        )
    with keeping_trees():
        facts = notebook_facts(document)
        if not facts.work:
            raise UsageError("This notebook has no code that could become a step.")
        gaps = boundaries(facts)
        division = _without_errors(document, facts, segments(facts, gaps))
    return Proposal(
        steps=tuple(_steps(facts, gaps, division)),
        setup=facts.setup,
        parameters=facts.parameters,
        boundaries=tuple(gaps),
    )


def is_tagged(document: Document) -> bool:
    """Return whether any cell declares a step or a role."""
    ignored: list[Diagnostic] = []
    declared = [
        merged_declaration(cell, metadata, ignored)
        for cell, metadata in zip(document.cells, document.cell_metadata, strict=True)
    ]
    return kale.is_kale(document.metadata) or any(one.role or one.on_exit for one in declared)


def _without_errors(
    document: Document, facts: NotebookFacts, division: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Join a step to the one above it as long as reading finds an error that is new."""
    whole = {d.code for d in _read(document, facts, [(0, len(facts.work) - 1)])}
    while len(division) > 1:
        problems = [d for d in _read(document, facts, division) if d.code not in whole]
        at = _position(problems, facts, division)
        if at is None:
            return division
        division = [
            *division[: at - 1],
            (division[at - 1][0], division[at][1]),
            *division[at + 1 :],
        ]
    return division


def _read(
    document: Document, facts: NotebookFacts, division: Sequence[tuple[int, int]]
) -> list[Diagnostic]:
    tags = dict.fromkeys(facts.setup, "setup") | dict.fromkeys(facts.parameters, "parameters")
    tags |= dict.fromkeys(facts.skipped, "skip")
    for number, (first, last) in enumerate(division):
        for cell in facts.work[first : last + 1]:
            tags[cell.index] = f"step:{number}"
    pipeline = infer(declare(retagged(document, tags)))
    return [d for d in pipeline.diagnostics if d.severity == "error" or d.code[5:8] == "W41"]


def _position(
    problems: Sequence[Diagnostic], facts: NotebookFacts, division: Sequence[tuple[int, int]]
) -> int | None:
    """Return which segment to join to the one above it."""
    for problem in problems:
        for number, (first, last) in enumerate(division):
            cells = [cell.index for cell in facts.work[first : last + 1]]
            if problem.step == str(number) or problem.cell in cells:
                return max(1, number)
    return 1 if problems else None


def _steps(
    facts: NotebookFacts, gaps: Sequence[Boundary], division: Sequence[tuple[int, int]]
) -> list[ProposedStep]:
    names: set[str] = set()
    steps: list[ProposedStep] = []
    for first, last in division:
        cells = facts.work[first : last + 1]
        name = step_name(cells, _needed(facts, last), names)
        names.add(name)
        gap = gaps[first - 1] if first else None
        indices = tuple(cell.index for cell in cells)
        steps.append(ProposedStep(name, indices, _reason(cells, gap)))
    return steps


def _needed(facts: NotebookFacts, last: int) -> list[str]:
    """Return the values that are read below a position, those made last at the end."""
    here = {cell.index for cell in facts.work[: last + 1]}
    read = [(maker, n) for c in facts.work[last + 1 :] for n, maker in c.reads.items()]
    return [name for maker, name in sorted(read) if maker in here]


def _reason(cells: Sequence[CellFacts], gap: Boundary | None) -> str:
    parts: list[str] = []
    if cells[0].heading:
        parts.append(f'It begins at the heading "{cells[0].heading}".')
    if gap is None:
        if not parts:
            parts.append("It is the first code that does more than define.")
    elif not gap.names:
        parts.append("It needs nothing from the code above.")
    else:
        shown = ", ".join(gap.names[:_MOST_NAMES])
        more = len(gap.names) - _MOST_NAMES
        flows = "flows" if len(gap.names) == 1 else "flow"
        parts.append(f"{shown}{f' and {more} more' if more > 0 else ''} {flows} across its start.")
    longest = max((cell.seconds or 0.0 for cell in cells), default=0.0)
    if longest >= 5:
        parts.append(f"One of its cells took {longest:.0f} s, which the cache can save.")
    return " ".join(parts)
