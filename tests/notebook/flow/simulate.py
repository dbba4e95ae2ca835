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

from kfnb.engine.dispatch.step_notebook import blank, merge, needed_definitions
from kfnb.pipeline import Piece, Pipeline, Step, additions_name
from kfnb.step.collecting import Collector, additions, merged

Outputs = dict[int, str]


def linear(pipeline: Pipeline, cells: list[int]) -> Outputs:
    """Execute cells from top to bottom in one namespace; gives what each printed."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    return {cell: _execute(_code(pipeline, cell), namespace) for cell in cells}


def stepwise(pipeline: Pipeline) -> Outputs:
    """Execute each step in a namespace of its own."""
    printed: Outputs = {}
    left: dict[str, dict[str, Any]] = {}
    orders = {s.name: s.order for s in pipeline.steps.values()}
    for step in sorted(pipeline.steps.values(), key=lambda s: s.order):
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for piece in _prelude(pipeline, step, left, orders):
            _execute(_piece(pipeline, piece), namespace)
        given: dict[str, Any] = {}
        for producer in dict.fromkeys(step.sources.values()):
            copy = _Copy(namespace, pipeline.steps[producer].definitions)
            for name in [n for n, p in step.sources.items() if p == producer]:
                assert name in pipeline.steps[producer].published
                if name in left[producer]:
                    given[name] = namespace[name] = copy.of(left[producer][name])
                else:
                    namespace.pop(name, None)
        for name, collection in step.collects.items():
            added = [given[additions_name(name, adder)] for adder in collection.adders]
            namespace[name] = merged(namespace[name], added)
        collectors = {n: Collector(n, namespace[n], a.form) for n, a in step.adds.items()}
        namespace.update(collectors)
        for piece in step.body:
            printed[piece.cell] = _execute(_piece(pipeline, piece), namespace)
        for name, collector in collectors.items():
            assert namespace[name] is collector
            namespace[additions_name(name, step.name)] = additions(collector)
        left[step.name] = namespace
    return printed


def _prelude(
    pipeline: Pipeline, step: Step, left: dict[str, dict[str, Any]], orders: dict[str, int]
) -> list[Piece]:
    """What the step replays, with the definitions that its inputs refer to."""
    names: dict[str, int] = {}
    for name, producer in step.sources.items():
        referred: set[str] = set()
        copy = _Copy({}, pipeline.steps[producer].definitions, referred=referred)
        if name in left[producer]:
            copy.of(left[producer][name])
        names.update(dict.fromkeys(referred, orders[producer]))
    extra = needed_definitions(pipeline, names, step=step)
    own = {piece.cell for piece in step.body}
    return merge([*step.prelude, *(p for d in extra for p in d.pieces if p.cell not in own)])


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


class _Copy:
    """Copies values into another namespace, definitions by reference and the rest by value."""

    def __init__(
        self,
        namespace: dict[str, Any],
        definitions: tuple[str, ...],
        referred: set[str] | None = None,
    ) -> None:
        self.namespace = namespace
        self.definitions = definitions
        self.referred = referred
        self.memo: dict[int, Any] = {}
        self.kept: list[Any] = []

    def of(self, value: Any) -> Any:
        if id(value) in self.memo:
            return self.memo[id(value)]
        self.kept.append(value)
        if getattr(value, "__module__", None) == "__main__" and isinstance(
            value, (type, types.FunctionType)
        ):
            name = value.__qualname__
            if name in self.definitions:
                if self.referred is not None:
                    self.referred.add(name)
                return self.memo.setdefault(id(value), self.namespace.get(name, value))
        if isinstance(value, list):
            made: Any = self.memo.setdefault(id(value), [])
            made.extend(self.of(v) for v in value)
        elif isinstance(value, dict):
            made = self.memo.setdefault(id(value), {})
            made.update({k: self.of(v) for k, v in value.items()})
        elif isinstance(value, tuple):
            made = tuple(self.of(v) for v in value)
        elif isinstance(value, types.MethodType):
            made = types.MethodType(self.of(value.__func__), self.of(value.__self__))
        elif isinstance(value, types.FunctionType):
            made = self._function(value)
        elif isinstance(value, type) and value.__module__ == "__main__":
            made = self._class(value)
        elif type(value).__module__ == "__main__":
            kind = self.of(type(value))
            made = self.memo.setdefault(id(value), kind.__new__(kind))
            made.__dict__.update({k: self.of(v) for k, v in vars(value).items()})
        else:
            made = value
        self.memo[id(value)] = made
        return made

    def _function(self, value: types.FunctionType) -> types.FunctionType:
        old = value.__closure__ or ()
        cells = tuple(self.memo.get(id(c)) or types.CellType() for c in old)
        made = types.FunctionType(value.__code__, self.namespace, value.__name__, None, cells)
        self.memo[id(value)] = made
        made.__qualname__ = value.__qualname__
        made.__defaults__ = self.of(value.__defaults__)
        made.__kwdefaults__ = self.of(value.__kwdefaults__)
        made.__dict__.update(self.of(value.__dict__))
        for before, cell in zip(old, cells, strict=True):
            if id(before) not in self.memo:
                self.memo[id(before)] = cell
                with contextlib.suppress(ValueError):
                    cell.cell_contents = self.of(before.cell_contents)
        return made

    def _class(self, value: type) -> type:
        made = type(value.__name__, tuple(self.of(b) for b in value.__bases__), {})
        self.memo[id(value)] = made
        for name, each in vars(value).items():
            if name not in ("__dict__", "__weakref__", "__doc__"):
                setattr(made, name, self.of(each))
        return made
