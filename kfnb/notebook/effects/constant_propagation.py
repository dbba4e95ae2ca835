"""Go through a cell's statements in order, knowing which names are which constants."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kfnb.notebook.effects.constants import NotConstantError, evaluate, imported, placeholders
from kfnb.notebook.syntax_trees import child_nodes

Function = ast.FunctionDef | ast.AsyncFunctionDef

USUAL = {
    "np": "numpy",
    "pd": "pandas",
    "pl": "polars",
    "plt": "matplotlib.pyplot",
    "pq": "pyarrow.parquet",
    "Path": "pathlib.Path",
    "Image": "PIL.Image",
    "ZipFile": "zipfile.ZipFile",
}
"""What names mean where the import stands in a cell that was not handed over."""

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# These limits keep reading fast; what lies beyond them has unknown values.
_MOST_ITERATIONS = 64
MOST_STATEMENTS = 5_000
_DEEPEST_CALL = 4


@dataclass(slots=True)
class Budget:
    """How many more statements may be walked in functions and in the turns of loops.

    When it is used up, loops are walked once, with unknown values, and functions are not entered;
    ``exceeded`` says that this has happened.
    """

    left: int = MOST_STATEMENTS
    exceeded: bool = False


class ConstantWalk(ABC):
    """Goes through statements in order, keeping what names are known to be.

    ``values`` are the constants, ``markers`` the same with ``{name}`` for each that
    was given from outside. Loops over few constants are taken apart, functions of
    the notebook are entered where they are called; what is bound in a block that
    may not run is unknown afterwards.
    """

    def __init__(self, constants: Mapping[str, object], budget: Budget | None = None) -> None:
        self.values: dict[str, object] = dict(constants)
        self.markers: dict[str, object] = placeholders(constants)
        self.modules: dict[str, str] = dict(USUAL)
        self.functions: dict[str, Function] = {}
        self.calls: list[str] = []
        self.line: int | None = None
        self.offset = 0
        self.budget = budget or Budget()
        self._repeating = 0

    @abstractmethod
    def call(self, node: ast.Call) -> None:
        """Look at a call; those in its arguments have been looked at."""

    def statements(self, body: Sequence[ast.stmt]) -> None:
        """Walk statements in order."""
        for statement in body:
            # Only repeated statements count, so that a cell without loops and calls is always read
            # whole.
            self.budget.left -= self._repeating > 0
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Walk one statement."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.functions[node.name] = node
            # The name now stands for this function and for no constant.
            self.forget((node.name,), keep_function=True)
            for expression in [*node.decorator_list, *node.args.defaults]:
                self.expression(expression)
        elif isinstance(node, ast.ClassDef):
            # Names that a class body binds are attributes, which nobody reads as variables.
            before = dict(self.values), dict(self.markers)
            self.statements(
                [s for s in node.body if not isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))]
            )
            self.values, self.markers = before
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = imported(node)
            self.forget(names)
            self.modules.update(names)
        elif isinstance(node, ast.Assign):
            self.expression(node.value)
            for target in node.targets:
                self.bind(target, node.value)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.expression(node.value)
                self.bind(node.target, node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.loop(node)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                self.expression(item.context_expr)
                if item.optional_vars is not None:
                    self.forget(_bound(item.optional_vars))
            self.statements(node.body)
        else:
            self.branches(node)

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        """Take a loop over few constants apart, so that each path is known."""
        self.expression(node.iter)
        turns = self.turns(node.iter)
        if turns is None:
            self.forget(_bound(node.target))
            self.branch(node.body)
        else:
            self._repeating += 1
            for turn in turns:
                self.bind_value(node.target, turn)
                self.statements(node.body)
            self._repeating -= 1
        self.branch(node.orelse)

    def turns(self, node: ast.expr) -> list[object] | None:
        """List what a loop goes over; None where that is not known or long."""
        turns = self._turns(node)
        if turns is None:
            return None
        if len(turns) > self.budget.left:
            self.budget.exceeded = True
            return None
        self.budget.left -= len(turns)
        return turns

    def _turns(self, node: ast.expr) -> list[object] | None:
        try:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                arguments = [self.value(a) for a in node.args]
                if node.func.id == "range" and arguments:
                    # len() of a range of more than 2**63 numbers raises OverflowError.
                    turns: list[object] = list(islice(range(*arguments), _MOST_ITERATIONS + 1))
                    return turns if len(turns) <= _MOST_ITERATIONS else None
                if node.func.id == "enumerate" and len(arguments) == 1:
                    if not isinstance(arguments[0], (list, tuple)):
                        return None
                    items = arguments[0][: _MOST_ITERATIONS + 1]
                    return list(enumerate(items)) if len(items) <= _MOST_ITERATIONS else None
                return None
            items = self.value(node)
        except (NotConstantError, TypeError, ValueError):
            return None
        short = isinstance(items, (list, tuple)) and len(items) <= _MOST_ITERATIONS
        return list(items) if short else None

    def branches(self, node: ast.stmt) -> None:
        """Walk any other statement: its expressions, then each block as one that may not run."""
        for _, field in ast.iter_fields(node):
            if isinstance(field, ast.expr):
                self.expression(field)
            elif isinstance(field, list):
                for item in field:
                    if isinstance(item, ast.expr):
                        self.expression(item)
                    elif isinstance(item, (ast.ExceptHandler, ast.match_case)):
                        self.branch(item.body)
                blocks = [item for item in field if isinstance(item, ast.stmt)]
                if blocks:
                    self.branch(blocks)
        # The result of an operation such as += is not computed.
        if isinstance(node, ast.AugAssign):
            self.forget(_bound(node.target))

    def branch(self, body: Sequence[ast.stmt]) -> None:
        """Walk a block that may not run: what it binds is unknown afterwards."""
        before = dict(self.values)
        self.statements(body)
        for name in [n for n, v in self.values.items() if n not in before or before[n] != v]:
            self.forget((name,))
        for name in before.keys() - self.values.keys():
            self.forget((name,))

    def value(self, node: ast.expr) -> Any:
        """Evaluate an expression of constants, or raise ``NotConstantError``."""
        return evaluate(node, self.values, self.modules)

    def bind(self, target: ast.expr, source: ast.expr) -> None:
        """Take over an assignment."""
        try:
            value = self.value(source)
        except NotConstantError:
            self.forget(_bound(target))
            return
        self.bind_value(target, value)
        if isinstance(target, ast.Name):
            # The template has {name} where the value has the text of a constant.
            try:
                self.markers[target.id] = evaluate(source, self.markers, self.modules)
            except NotConstantError:
                self.markers[target.id] = value

    def bind_value(self, target: ast.expr, value: object) -> None:
        """Bind the names of a target to a known value."""
        if isinstance(target, ast.Name):
            self.forget((target.id,))
            self.values[target.id] = self.markers[target.id] = value
        elif (
            isinstance(target, (ast.Tuple, ast.List))
            and isinstance(value, (tuple, list))
            and len(value) == len(target.elts)
        ):
            for element, part in zip(target.elts, value, strict=True):
                self.bind_value(element, part)
        else:
            self.forget(_bound(target))

    def forget(self, names: Iterable[str], *, keep_function: bool = False) -> None:
        """Drop what was known of names that are bound to something else."""
        for name in names:
            self.values.pop(name, None)
            self.markers.pop(name, None)
            self.modules.pop(name, None)
            if not keep_function:
                self.functions.pop(name, None)

    def expression(self, node: ast.expr) -> None:
        """Look at every call of an expression, inner ones first; lambdas are not called here."""
        if isinstance(node, _COMPREHENSIONS):
            self.comprehension(node, list(node.generators))
            return
        for child in child_nodes(node):
            if isinstance(child, ast.expr) and not isinstance(child, ast.Lambda):
                self.expression(child)
            elif isinstance(child, ast.keyword):
                self.expression(child.value)
        if isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.NamedExpr):
            self.bind(node.target, node.value)

    def comprehension(self, node: _Comprehension, generators: list[ast.comprehension]) -> None:
        """Take a comprehension over few constants apart, as :meth:`loop` does."""
        if not generators:
            parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
            for part in parts:
                self.expression(part)
            return
        first, *others = generators
        # Python evaluates the first iterable outside of the comprehension's scope.
        self.expression(first.iter)
        before = self.values, self.markers, self.modules, self.functions
        self.values, self.markers = dict(self.values), dict(self.markers)
        self.modules, self.functions = dict(self.modules), dict(self.functions)
        turns = self.turns(first.iter)
        if turns is None:
            # The loop is gone through once, with an unknown value for what it binds.
            self.forget(_bound(first.target))
        for turn in [None] if turns is None else turns:
            if turns is not None:
                self.bind_value(first.target, turn)
            for condition in first.ifs:
                self.expression(condition)
            self.comprehension(node, others)
        self.values, self.markers, self.modules, self.functions = before

    def enter(self, node: ast.Call, function: Function) -> None:
        """Walk the body of a function of the notebook as this call would, its lines the call's."""
        # A function that calls itself would be entered without end.
        if function.name in self.calls or len(self.calls) >= _DEEPEST_CALL:
            return
        if self.budget.left <= 0:
            self.budget.exceeded = True
            return
        before = self.values, self.markers, self.modules, self.functions, self.line
        self.values, self.markers = dict(self.values), dict(self.markers)
        self.modules, self.functions = dict(self.modules), dict(self.functions)
        # In nested calls, the line of the outermost one counts.
        self.line = self.line or node.lineno + self.offset
        self.calls.append(function.name)
        for parameter, argument in _arguments(function, node):
            if argument is None:
                self.forget((parameter,), keep_function=True)
                continue
            caller = self.values
            # Arguments are evaluated with the caller's values, not with those of the parameters.
            self.values = before[0]
            try:
                value, marker = self.value(argument), self.template(argument, before[1])
            except NotConstantError:
                self.values = caller
                self.forget((parameter,), keep_function=True)
            else:
                self.values = caller
                self.values[parameter], self.markers[parameter] = value, marker
        self._repeating += 1
        self.statements(function.body)
        self._repeating -= 1
        self.calls.pop()
        self.values, self.markers, self.modules, self.functions, self.line = before

    def template(self, node: ast.expr, markers: Mapping[str, object]) -> object:
        """Evaluate with placeholders for what was given from outside, where that works."""
        try:
            return evaluate(node, markers, self.modules)
        except NotConstantError:
            return self.value(node)


def _bound(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _arguments(function: Function, call: ast.Call) -> Iterator[tuple[str, ast.expr | None]]:
    """Pair each parameter of a function with what a call gives it (None: not known)."""
    positional = [*function.args.posonlyargs, *function.args.args]
    given = {k.arg: k.value for k in call.keywords if k.arg}
    defaults = dict(
        zip([a.arg for a in positional][::-1], function.args.defaults[::-1], strict=False)
    )
    defaults |= {
        a.arg: d
        for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if d is not None
    }
    # After `*args` it is not known which argument belongs to which parameter.
    plain = not any(isinstance(a, ast.Starred) for a in call.args)
    for index, parameter in enumerate([*positional, *function.args.kwonlyargs]):
        name = parameter.arg
        if plain and index < len(positional) and index < len(call.args):
            yield name, call.args[index]
        else:
            yield name, given.get(name, defaults.get(name))
