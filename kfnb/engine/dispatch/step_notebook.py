"""The notebook that one step executes, made from the pipeline: pure, no I/O.

Setup, parameters and definitions come first, then the inputs are loaded, then
the step's own cells run, then the outputs are published. Where only some
statements of a cell are needed the rest is blanked, so that a traceback names
the line that the author sees.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from kfnb.json_values import python_literal
from kfnb.masked_parameters import MASK
from kfnb.pipeline import Cell, Definition, Piece, Pipeline, Statement, Step
from kfnb.step.order import INJECTED, MASKED

PARAMETERS = "injected-parameters"


def step_notebook(
    pipeline: Pipeline,
    step: Step,
    *,
    parameters: Mapping[str, Any],
    masked: Collection[str] = (),
    definitions: Sequence[Definition] = (),
    load: str,
    publish: str,
    before: Sequence[Step] = (),
) -> dict[str, Any]:
    """Assemble the step's notebook as plain JSON (nbformat 4.5).

    Parameters
    ----------
    parameters
        Overridden values; only names that the step uses are injected.
    masked
        Those whose values are secrets: the step process assigns them, and the cell only names them.
    definitions
        Definitions beyond the step's own that must be there before inputs are loaded.
    load, publish
        Source of the two injected cells around the step's own.
    before
        Steps that the same kernel has executed: what they replayed is not executed again.
    """
    own = {piece.cell for piece in step.body}
    extra = [piece for d in definitions for piece in d.pieces if piece.cell not in own]
    cells: list[dict[str, Any]] = []
    known = {name for other in before for name in other.parameters}
    new = [name for name in step.parameters if name not in known]
    for piece in _not_executed(merge([*step.prelude, *extra]), before):
        cells.append(_source_cell(pipeline.cells[piece.cell], piece))
        injected = _injected(pipeline, new, parameters=parameters, masked=masked, cell=piece.cell)
        if injected:
            cells.append(injected)
    cells.append(_code_cell("kfnb-inputs", load, tags=(INJECTED,), hidden=True))
    cells.extend(_own_cells(pipeline, step))
    cells.append(_code_cell("kfnb-outputs", publish, tags=(INJECTED,), hidden=True))
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "name": pipeline.kernel,
                "display_name": pipeline.kernel,
                "language": pipeline.language,
            },
            "language_info": {"name": pipeline.language},
            "kfnb": {"pipeline": pipeline.name, "step": step.name},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _not_executed(pieces: Sequence[Piece], before: Sequence[Step]) -> Iterable[Piece]:
    """Yield the pieces without the statements that earlier steps of the kernel have executed."""
    executed = {
        (piece.cell, statement)
        for other in before
        for piece in (*other.prelude, *other.body)
        for statement in piece.statements
    }
    for piece in pieces:
        left = tuple(s for s in piece.statements if (piece.cell, s) not in executed)
        if left == piece.statements:
            yield piece
        elif left:
            yield Piece(piece.cell, piece.role, whole=False, statements=left)


def needed_definitions(
    pipeline: Pipeline, names: Mapping[str, int], *, step: Step
) -> list[Definition]:
    """Find the definitions that values flowing into ``step`` refer to.

    Parameters
    ----------
    names
        Each name with the order of the step that produced the value; the latest
        definition that this step could see is taken. Names that are no
        definitions, or that the step replays anyway, are left out.
    """
    owner = {cell: s.order for s in pipeline.steps.values() for cell in s.cells}
    definitions: list[Definition] = []
    for name, order in sorted(names.items()):
        if name in step.definitions:
            continue
        candidates = [
            d for d in pipeline.definitions if d.name == name and owner.get(d.cell, -1) <= order
        ]
        if candidates:
            definitions.append(max(candidates, key=lambda d: (owner.get(d.cell, -1), d.cell)))
    return definitions


def pieces_of(step: Step, definitions: Iterable[Definition] = ()) -> list[Piece]:
    """List all that the step executes, each cell once: what its cache key is made of."""
    own = {piece.cell for piece in step.body}
    extra = [piece for d in definitions for piece in d.pieces if piece.cell not in own]
    return [*merge([*step.prelude, *extra]), *step.body]


def merge(pieces: Iterable[Piece]) -> list[Piece]:
    """Join the pieces of each cell into one, in notebook order."""
    by_cell: dict[int, Piece] = {}
    for piece in pieces:
        other = by_cell.get(piece.cell)
        if other is None:
            by_cell[piece.cell] = piece
            continue
        statements = {(s.first_line, s.first_column): s for s in other.statements}
        # The same statement may be in both; by its place in the cell it is kept once.
        statements.update({(s.first_line, s.first_column): s for s in piece.statements})
        by_cell[piece.cell] = Piece(
            cell=piece.cell,
            role=other.role if other.whole or not piece.whole else piece.role,
            whole=other.whole or piece.whole,
            statements=tuple(statements[k] for k in sorted(statements)),
        )
    return [by_cell[cell] for cell in sorted(by_cell)]


def blank(code: str, statements: Sequence[Statement]) -> str:
    """Keep ``statements`` of ``code`` and replace the rest by spaces; line numbers stay.

    Two kept statements on one line stay separated by a semicolon, and one that
    has lost what stood before it on its line moves to the line's start.
    """
    lines = code.split("\n")
    masked = [[" "] * len(line) for line in lines]
    last_end: tuple[int, int] | None = None
    for s in sorted(statements, key=lambda s: (s.first_line, s.first_column)):
        if last_end is not None and last_end[0] == s.first_line:
            # `a = 1; b = 2; c = 3` without `b` must not become `a = 1        c = 3`.
            masked[last_end[0] - 1][last_end[1]] = ";"
        for number in range(s.first_line, s.last_line + 1):
            line = lines[number - 1]
            start = s.first_column if number == s.first_line else 0
            stop = s.last_column if number == s.last_line else len(line)
            masked[number - 1][start:stop] = line[start:stop]
        last_end = (s.last_line, s.last_column)
    text = [
        "".join(line).rstrip() if _outside(i, statements) else "".join(line)
        for i, line in enumerate(masked, 1)
    ]
    for s in statements:
        line = text[s.first_line - 1]
        # Where it stood, the statement would be indented, which Python refuses outside of a block.
        if not line[: s.first_column].strip():
            text[s.first_line - 1] = line[s.first_column :]
    return "\n".join(text)


def executable(cell: Cell) -> str:
    """Return what the kernel is given for a whole cell.

    That is the author's source, which IPython transforms itself, except that
    lines which only declare or launch pipelines stay out, as they do in
    ``cell.code``. A cell magic that such a line precedes would no longer be on
    the first line, so there (and where lines do not correspond) the transformed
    code is executed, which is what IPython would make of the source.
    """
    if cell.code is None:
        return cell.source
    if cell.source.startswith("%%") and _body_of_magic(cell.code) == _after_first(cell.source):
        return cell.source
    source, code = cell.source.rstrip("\n").split("\n"), cell.code.rstrip("\n").split("\n")
    following = next((line for line in source[1:] if line.strip()), "")
    hidden_magic = cell.source.lstrip().startswith("%%step") and following.startswith("%%")
    if len(source) != len(code) or hidden_magic:
        return cell.code
    return _without(source, code)


def _body_of_magic(code: str) -> str | None:
    """Return the text that a transformed cell hands to its cell magic."""
    try:
        (statement,) = ast.parse(code).body
        *_, body = statement.value.args  # type: ignore[attr-defined]
        return str(body.value).rstrip("\n")
    except (SyntaxError, ValueError, AttributeError):
        return None


def _after_first(source: str) -> str:
    return source.partition("\n")[2].rstrip("\n")


def _without(source: Sequence[str], code: Sequence[str]) -> str:
    """Leave out the lines of ``source`` that ``code`` holds as a comment or not at all."""
    return "\n".join(
        made if _says(written) and not _says(made) else written
        for written, made in zip(source, code, strict=True)
    )


def _says(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _outside(line: int, statements: Sequence[Statement]) -> bool:
    """Whether the end of ``line`` lies outside of every statement (inside, spaces may count)."""
    return not any(s.first_line <= line < s.last_line for s in statements)


def _own_cells(pipeline: Pipeline, step: Step) -> Iterable[dict[str, Any]]:
    pieces = {piece.cell: piece for piece in step.body}
    for index in sorted({*pieces, *step.notes}):
        cell = pipeline.cells[index]
        if index in pieces:
            yield _source_cell(cell, pieces[index])
        else:
            yield {
                "cell_type": cell.type,
                "id": cell.id,
                "metadata": {"kfnb": {"cell": index}, "tags": list(cell.tags)},
                "source": cell.source,
            }


def _source_cell(cell: Cell, piece: Piece) -> dict[str, Any]:
    tags = list(cell.tags)
    if piece.whole:
        source = executable(cell)
    else:
        source = blank(cell.source if cell.code is None else cell.code, piece.statements)
        tags.append(INJECTED)
    kfnb: dict[str, Any] = {"cell": cell.index, "role": piece.role}
    if cell.execution_count is not None:
        kfnb["execution_count"] = cell.execution_count  # a failure quotes it
    return _code_cell(cell.id, source, tags=tags, kfnb=kfnb)


def _injected(
    pipeline: Pipeline,
    used: Collection[str],
    *,
    parameters: Mapping[str, Any],
    masked: Collection[str],
    cell: int,
) -> dict[str, Any] | None:
    """Override the parameters declared in ``cell``, as papermill writes it."""
    names = [
        p.name
        for p in pipeline.parameters
        if p.cell == cell and p.name in parameters and p.name in used
    ]
    if not names:
        return None
    hidden = [name for name in names if name in masked]
    lines = [
        f"# {name} = {MASK}" if name in hidden else f"{name} = {python_literal(parameters[name])}"
        for name in names
    ]
    return _code_cell(
        f"kfnb-parameters-{cell}",
        "\n".join(["# Parameters", *lines]) + "\n",
        tags=(PARAMETERS, INJECTED),
        kfnb={MASKED: hidden} if hidden else None,
    )


def _code_cell(
    cell_id: str,
    source: str,
    *,
    tags: Iterable[str],
    kfnb: Mapping[str, Any] | None = None,
    hidden: bool = False,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": list(tags)}
    if kfnb:
        metadata["kfnb"] = dict(kfnb)
    if hidden:
        metadata["jupyter"] = {"source_hidden": True}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": metadata,
        "outputs": [],
        "source": source,
    }
