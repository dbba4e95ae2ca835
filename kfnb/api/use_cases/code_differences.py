"""Where the code of two runs differs, side by side."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kfnb.pipeline import Pipeline

CONTEXT = 2
"""Equal lines that are shown before and after a difference."""
OTHER_CODE = ""
"""Stands for a step where code belongs to none: imports, definitions, parameters."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of both sides. A side is None where it has no such line.

    ``kind`` is ``equal``, ``changed``, or ``gap`` for equal lines that are left out (on no side).
    """

    left: str | None
    right: str | None
    kind: Literal["equal", "changed", "gap"]


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """How the code of one step differs; ``step`` is :data:`OTHER_CODE` for other code."""

    step: str
    lines: tuple[Line, ...]


def code_differences(left: Pipeline, right: Pipeline) -> list[CodeDifference]:
    """Return the steps whose code differs, in the order of the notebooks."""
    before, after = _code_by_step(left), _code_by_step(right)
    return [
        CodeDifference(step, tuple(aligned(before.get(step, []), after.get(step, []))))
        for step in dict.fromkeys([*before, *after])
        if before.get(step) != after.get(step)
    ]


def aligned(left: Sequence[str], right: Sequence[str]) -> Iterator[Line]:
    """Yield two texts line by line, equal lines beside each other."""
    # autojunk would ignore lines that are frequent in a long text, such as empty ones.
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    end = 0, 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        _, left_begin, _, right_begin, _ = group[0]
        if (left_begin, right_begin) != end:
            yield Line(None, None, "gap")
        for tag, i, j, k, m in group:
            for n in range(max(j - i, m - k)):
                yield Line(
                    left[i + n] if i + n < j else None,
                    right[k + n] if k + n < m else None,
                    "equal" if tag == "equal" else "changed",
                )
            end = j, m
    if end != (len(left), len(right)):
        yield Line(None, None, "gap")


def _code_by_step(pipeline: Pipeline) -> dict[str, list[str]]:
    owners = {n: step.name for step in pipeline.steps.values() for n in step.cells}
    code: dict[str, list[str]] = {}
    for cell in pipeline.cells:
        if cell.type == "code":
            code.setdefault(owners.get(cell.index, OTHER_CODE), []).extend(cell.source.splitlines())
    return code
