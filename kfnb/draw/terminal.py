"""A pipeline as lines of text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kfnb.draw.protocols import (
    EdgeShape,
    GroupShape,
    PipelineShape,
    cells_of,
    groups_of,
    layers,
    reason,
)
from kfnb.draw.text import shortened, visible, width_of


@dataclass(frozen=True, slots=True)
class Line:
    """Characters for lines: Unicode, or ASCII for a terminal without Unicode."""

    begin: str = "──"
    end: str = "──▶"


UNICODE = Line()
ASCII = Line("--", "-->")


def text(pipeline: PipelineShape, *, width: int = 100, line: Line = UNICODE) -> str:
    """Draw a pipeline as lines of text: each step once, below it the edges that lead to it.

    Parameters
    ----------
    width
        Columns of the terminal; reasons that would not fit are shortened.
    line
        :data:`ASCII` for a terminal without Unicode.
    """
    return "\n".join(_lines(pipeline, width, line))


def summary(pipeline: PipelineShape, *, width: int = 100) -> str:
    """Return a pipeline's name, steps and parameters in at most three lines."""
    lines = [_title(pipeline)]
    if pipeline.steps:
        lines.append(f"steps: {', '.join(map(visible, pipeline.steps))}")
    if pipeline.parameters:
        lines.append(_parameters(pipeline))
    return "\n".join(shortened(line, width) for line in lines)


def _title(pipeline: PipelineShape) -> str:
    count = len(pipeline.steps)
    return f"{visible(pipeline.name)}: {count} step{'' if count == 1 else 's'}"


def _parameters(pipeline: PipelineShape) -> str:
    listed = ", ".join(f"{p.name} = {p.expression or repr(p.default)}" for p in pipeline.parameters)
    return f"parameters: {visible(listed)}"


def _lines(pipeline: PipelineShape, width: int, line: Line) -> Iterator[str]:
    yield _title(pipeline)
    if pipeline.parameters:
        yield shortened(_parameters(pipeline), width)
    depths = layers(pipeline)
    groups = list(enumerate(groups_of(pipeline), 1))
    kernels = {name: f"kernel {number}" for number, group in groups for name in group.steps}
    number = len(str(len(depths)))
    into: dict[str, list[EdgeShape]] = {}
    for edge in pipeline.edges:
        into.setdefault(edge.target, []).append(edge)
    for depth, steps in enumerate(depths, 1):
        yield ""
        for n, step in enumerate(steps):
            head = str(depth).rjust(number) if n == 0 else " " * number
            name = shortened(visible(step.name), max(20, width - number - 30))
            exits = ", runs last in any case" if step.name == pipeline.on_exit else ""
            kernel = f", {kernels[step.name]}" if step.name in kernels else ""
            yield f"{head}  {name}  ({cells_of(pipeline, step)}{exits}{kernel})"
            for edge in into.get(step.name, ()):
                yield _edge(edge, " " * (number + 4), width, line)
    for group_number, group in groups:
        yield ""
        yield _group(group, group_number, width)


def _group(group: GroupShape, number: int, width: int) -> str:
    names = ", ".join(map(visible, group.steps))
    return shortened(f"[kernel {number}] {names}: {visible(group.why)}", width)


def _edge(edge: EdgeShape, margin: str, width: int, line: Line) -> str:
    names = [shortened(visible(name), 40) for name in (edge.source, edge.target)]
    # Characters of East Asian scripts take two columns each.
    fixed = width_of(f"{margin}{names[0]} {line.begin}{line.end} {names[1]}")
    why = _fitting(reason(edge), max(20, width - fixed))
    return f"{margin}{names[0]} {line.begin}{why}{line.end} {names[1]}"


def _fitting(why: str, most: int) -> str:
    """Leave out the last of many reasons, and add how many."""
    if len(why) <= most:
        return why
    parts = why.split(", ")
    shown = len(parts)
    while shown > 1 and len(_counted(parts, shown)) > most:
        shown -= 1
    return shortened(_counted(parts, shown), most)


def _counted(parts: list[str], shown: int) -> str:
    left = len(parts) - shown
    return ", ".join(parts[:shown]) + (f", +{left}" if left else "")
