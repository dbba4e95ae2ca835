"""Execute a pipeline in plain ``exec``, each step with only what was inferred for it.

A stand-in for the engine without its help at run time: values are copied from step
to step (what one step published together keeps its identity), functions see the
globals of the step that loads them.
"""

from __future__ import annotations

import contextlib
import io
import types
from typing import Any

from kfnb.engine.stepbook import blank
from kfnb.pipeline import Piece, Pipeline

Outputs = dict[int, str]


def linear(pipeline: Pipeline, cells: list[int]) -> Outputs:
    """Execute cells from top to bottom in one namespace; gives what each printed."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    return {cell: _execute(_code(pipeline, cell), namespace) for cell in cells}


def stepwise(pipeline: Pipeline) -> Outputs:
    """Execute each step in a namespace of its own."""
    printed: Outputs = {}
    published: dict[str, dict[str, Any]] = {}
    for step in sorted(pipeline.steps.values(), key=lambda s: s.order):
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for piece in step.prelude:
            _execute(_piece(pipeline, piece), namespace)
        for producer in dict.fromkeys(step.inputs.values()):
            names = [n for n, p in step.inputs.items() if p == producer]
            memo: dict[int, Any] = {}
            for name in names:
                assert name in step.inputs
                if name in published[producer]:
                    namespace[name] = _copy(published[producer][name], namespace, memo)
                else:
                    namespace.pop(name, None)
        for piece in step.body:
            printed[piece.cell] = _execute(_piece(pipeline, piece), namespace)
        memo = {}
        published[step.name] = {
            name: _copy(namespace[name], {}, memo) for name in step.outputs if name in namespace
        }
    return printed


def _code(pipeline: Pipeline, cell: int) -> str:
    return pipeline.cells[cell].code or pipeline.cells[cell].source


def _piece(pipeline: Pipeline, piece: Piece) -> str:
    code = _code(pipeline, piece.cell)
    return code if piece.whole else blank(code, piece.statements)


def _execute(code: str, namespace: dict[str, Any]) -> str:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        exec(compile(code, "<cell>", "exec"), namespace)
    return stream.getvalue()


def _copy(value: Any, namespace: dict[str, Any], memo: dict[int, Any]) -> Any:
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, list):
        made: Any = memo.setdefault(id(value), [])
        made.extend(_copy(v, namespace, memo) for v in value)
    elif isinstance(value, dict):
        made = memo.setdefault(id(value), {})
        made.update({k: _copy(v, namespace, memo) for k, v in value.items()})
    elif isinstance(value, tuple):
        made = tuple(_copy(v, namespace, memo) for v in value)
    elif isinstance(value, types.FunctionType):
        cells = tuple(memo.get(id(c)) or types.CellType() for c in value.__closure__ or ())
        made = types.FunctionType(value.__code__, namespace, value.__name__, None, cells)
        memo[id(value)] = made
        made.__defaults__ = _copy(value.__defaults__, namespace, memo)
        made.__dict__.update(_copy(value.__dict__, namespace, memo))
        for old, new in zip(value.__closure__ or (), cells, strict=True):
            if id(old) not in memo:
                memo[id(old)] = new
                with contextlib.suppress(ValueError):
                    new.cell_contents = _copy(old.cell_contents, namespace, memo)
    else:
        made = value
    memo[id(value)] = made
    return made
