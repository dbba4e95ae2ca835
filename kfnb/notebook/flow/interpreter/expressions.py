"""Expressions: which objects their values may be, and what evaluating them does to names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from kfnb.notebook.flow.interpreter.callables import CallableDefinition
from kfnb.notebook.flow.interpreter.calls import OptionalReads
from kfnb.notebook.flow.interpreter.heap import INSIDE, ITERATED
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.interpreter.operators import Operators
from kfnb.notebook.flow.interpreter.scopes import (
    Comprehension,
    Function,
    comprehension_locals,
    function_locals,
    parameters,
)
from kfnb.notebook.flow.interpreter.tables import library_tables
from kfnb.notebook.syntax_trees import child_nodes, displays_in_literal


class Expressions(Operators):
    """Goes through expressions in the order in which Python evaluates them."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__(numbering)
        self._evaluators: dict[type[ast.AST], Callable[[Any], Objects]] = {
            ast.Name: self._name,
            ast.Call: self.call,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.BinOp: self.operation,
            ast.Compare: self.compare,
            ast.BoolOp: self.boolean,
            ast.IfExp: self.conditional,
            ast.UnaryOp: self.unary,
            ast.List: self._display,
            ast.Set: self._display,
            ast.Tuple: self._display,
            ast.Dict: self._dict,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.Lambda: self._lambda,
            ast.NamedExpr: self._walrus,
            ast.Starred: lambda node: self.elements(self.evaluate(node.value)),
            ast.Await: lambda node: self.evaluate(node.value),
        }

    def evaluate(self, node: ast.expr | None) -> Objects:
        """Go through an expression; gives the objects that its value may be."""
        if node is None or node.__class__ is ast.Constant:
            return NO_OBJECTS
        self.work += self.counted
        handler = self._evaluators.get(node.__class__)
        if handler is not None:
            return handler(node)
        # f-strings, slices, yield and template strings do nothing besides evaluating their parts.
        for child in child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)
        return self.fresh(node) if isinstance(node, (ast.Yield, ast.YieldFrom)) else NO_OBJECTS

    def elements(self, objects: Objects) -> Objects:
        """Iterate over a value."""
        self.use(objects)
        return self.heap.elements(objects)

    def _name(self, node: ast.Name) -> Objects:
        return self.read(node.id, node.lineno)

    def _attribute(self, node: ast.Attribute) -> Objects:
        objects = self.evaluate(node.value)
        if not objects:
            return NO_OBJECTS
        if node.attr == "__class__":
            return frozenset(o for o in self.heap.callables_in(objects))
        if node.attr in library_tables.SCALAR_ATTRIBUTES:
            return NO_OBJECTS
        resolved = self._part(node, objects)
        for number in self.heap.callables_in(objects):
            state = self.heap.callables[number].class_attributes.get(node.attr)
            if state:
                self.heap.seen |= state
                resolved |= state
        if node.attr in library_tables.TAKEN_METHODS or self._matching_methods(objects, node.attr):
            number = self.make(node, "method")
            self.heap.take_method(number, objects, node.attr)
            self.store(frozenset((number,)), objects)
            return resolved | {number}
        # These are views: changing one changes the array or frame itself.
        if node.attr in ("T", "at", "iloc", "loc", "flat", "values"):
            return objects | resolved
        return resolved

    def _part(self, node: ast.expr, objects: Objects) -> Objects:
        """Give what an attribute or item may be: a part, or what was put in."""
        attribute = node.attr if isinstance(node, ast.Attribute) else None
        number = self.heap.part(node, objects, attribute)
        if self.function is not None:
            self.created_in.setdefault(number, self.function.number)
        part = frozenset((number,))
        if isinstance(node, ast.Attribute):
            # An estimator sets attributes such as best_estimator_ to objects that it made.
            if node.attr.endswith("_") and self.heap.cloning.issuperset(objects):
                return part
            return part | self.heap.field(objects, node.attr)
        return part | (self.heap.plain(self.heap.reachable(objects)) - objects)

    def _subscript(self, node: ast.Subscript) -> Objects:
        name = self._namespace_item(node)
        if name is not None:
            with self.optional_reads():
                return self.read(name, node.lineno)
        objects = self.evaluate(node.value)
        copied = self.selects(node.slice)
        if self.heap.lazy and not self.heap.lazy.isdisjoint(objects):
            self.touch(objects & self.heap.lazy)
        if copied:
            return self.fresh(node) if objects else NO_OBJECTS
        return self._part(node, objects) - self.heap.iterators if objects else NO_OBJECTS

    def _namespace_item(self, node: ast.Subscript) -> str | None:
        """``globals()["x"]`` reads ``x``."""
        if (
            isinstance(node.value, ast.Call)
            and not node.value.args
            and isinstance(node.value.func, ast.Name)
            and (
                node.value.func.id == "globals"
                or (node.value.func.id in ("locals", "vars") and not self.frames)
            )
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            return node.slice.value
        return None

    def _display(self, node: ast.List | ast.Set | ast.Tuple) -> Objects:
        if (inner := displays_in_literal(node)) is not None:
            return self._literal(node, inner)
        held: set[int] = set()
        for element in node.elts:
            held |= self.evaluate(element)
        # A tuple of constants cannot be changed, so nothing depends on who holds it.
        if isinstance(node, ast.Tuple) and all(isinstance(e, ast.Constant) for e in node.elts):
            return NO_OBJECTS
        return self._displayed(node, frozenset(held))

    def _literal(self, node: ast.expr, inner: Sequence[ast.expr]) -> Objects:
        """Make a long display of constants; one object stands for all displays in it."""
        changing = [each for each in inner if not isinstance(each, ast.Tuple)]
        if isinstance(node, ast.Tuple) and not changing:
            return NO_OBJECTS
        held = self._displayed(changing[0], NO_OBJECTS) if changing else NO_OBJECTS
        return self._displayed(node, held)

    def _displayed(self, node: ast.expr, held: Objects) -> Objects:
        made = self.fresh(node, held)
        self.heap.displays |= made
        if isinstance(node, (ast.List, ast.ListComp)):
            self.heap.selectors |= made
        return made

    def _dict(self, node: ast.Dict) -> Objects:
        if (inner := displays_in_literal(node)) is not None:
            return self._literal(node, inner)
        held: set[int] = set()
        for key, value in zip(node.keys, node.values, strict=True):
            held |= self.evaluate(key)
            objects = self.evaluate(value)
            # `{**other}` has no key: it holds the parts of the other dictionary.
            held |= objects if key is not None else self.heap.parts(objects)
        return self._displayed(node, frozenset(held))

    def _comprehension(self, node: Comprehension) -> Objects:
        iterable = self.evaluate(node.generators[0].iter)
        first, iterated = self.elements(iterable), iterable
        number = self.make(node, "scope")
        self.push("comprehension", number, comprehension_locals(node))
        self.names.fork()
        held: set[int] = set()
        # The body may execute no time at all.
        with self.doubtful():
            for index, generator in enumerate(node.generators):
                iterable = self.evaluate(generator.iter) if index else iterable
                each = self.elements(iterable) if index else first
                self.assign_each(generator.target, iterable, each)
                for condition in generator.ifs:
                    self.evaluate(condition)
            if isinstance(node, ast.DictComp):
                held |= self.evaluate(node.key) | self.evaluate(node.value)
            else:
                held |= self.evaluate(node.elt)
        changed = self.names.roll_back()
        self.frames.pop()
        outer = {k: slot for k, slot in changed.items() if not k.startswith(f"{number}:")}
        if outer:
            self.names.join([{}, outer], self.unit)
        made = self._displayed(node, frozenset(held))
        if isinstance(node, ast.GeneratorExp):
            self.store(made, iterated, ITERATED)
            self.heap.stateful |= made
            # A generator can be used only once, so reading it changes it.
            self.heap.iterators |= made
        return made

    def _walrus(self, node: ast.NamedExpr) -> Objects:
        objects = self.evaluate(node.value)
        self.bind(node.target.id, objects, walrus=True)
        return objects

    def _lambda(self, node: ast.Lambda) -> Objects:
        return self.define(node, "<lambda>")

    def define(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        name: str,
        *,
        owner: int | None = None,
    ) -> Objects:
        """Make a function: its defaults are evaluated now, its body when it is called."""
        number = self.make(node)
        objects = frozenset((number,))
        callee = self.heap.callables.get(number)
        if callee is None:
            callee = self._new_definition(node, name, number, owner)
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = list(zip(positional[::-1], arguments.defaults[::-1], strict=False))
        pairs += [
            (a, d)
            for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if d is not None
        ]
        for argument, default in pairs:
            value = self.evaluate(default)
            self.heap.change_callable(callee)
            callee.defaults[argument.arg] = value
            self.store(objects, value)
        self._capture(callee, node)
        return objects

    def _new_definition(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        name: str,
        number: int,
        owner: int | None,
    ) -> CallableDefinition:
        callee = CallableDefinition(
            number=number, name=name, node=node, cell=self.cell, owner=owner
        )
        self.heap.add_callable(number, callee)
        for frame in reversed(self.frames):
            if frame.callee is not None:
                callee.parent = frame.callee.number
                local = frozenset(n for n, key in frame.keys.items() if key is not None)
                callee.free = local | frame.callee.free
                break
        listed = parameters(node.args)
        callee.parameters = tuple(a.arg for a in listed)
        callee.positional = len(node.args.posonlyargs) + len(node.args.args)
        for argument in listed:
            itself = self.heap.object_at(argument, "argument")
            callee.arguments[itself] = callee.symbol_names[itself] = argument.arg
            self.heap.symbols[itself] = number
            self.heap.unknown.add(itself)
            inside = self.heap.field_symbol(itself, INSIDE, callee)
            self.heap.hold((itself,), frozenset((inside,)))
        if owner is not None and not isinstance(node, ast.Lambda):
            marks = {d.id for d in node.decorator_list if isinstance(d, ast.Name)}
            if "staticmethod" in marks:
                callee.bound_to = "nothing"
            elif "classmethod" in marks or name in ("__new__", "__init_subclass__"):
                callee.bound_to = "class"
        if not callee.parameters and callee.bound_to != "nothing":
            callee.owner = None
        return callee

    def _capture(self, callee: CallableDefinition, node: Function) -> None:
        """Let a closure hold what the names of the functions around it stand for."""
        if not callee.free:
            return
        local = function_locals(node)[0]
        inner = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & callee.free - local
        for name in sorted(inner):
            slot = self.names.slots.get(self.key(name))
            if slot is not None:
                self.store(frozenset((callee.number,)), slot.objects)

    # -- targets -----------------------------------------------------------------

    def assign(self, target: ast.expr, objects: Objects, value: ast.expr | None = None) -> None:
        """Bind a target to a value; ``value`` is its expression, where it stands alone."""
        if isinstance(target, ast.Name):
            self.bind(target.id, objects)
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = self.heap.elements(objects)
            self.use(objects)
            # What a call gives and nobody else holds are several things: train, test = split(…).
            apart = isinstance(value, ast.Call) and self.heap.stateful.isdisjoint(parts)
            apart = apart and objects == {self.heap.object_at(value)}
            held = self.heap.object_at(f"{self.heap.object_at(value)}", "held") if apart else -1
            for element in target.elts:
                own = objects
                if apart:
                    own = frozenset((self.make(element, "part"),))
                    self.heap.resemble(own, (*objects, held))
                self.assign(element, (parts - objects - {held}) | own)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, self.fresh(target, objects))
        elif isinstance(target, ast.Attribute):
            self._change(target.value, objects, attribute=target.attr)
        elif isinstance(target, ast.Subscript):
            name = self._namespace_item(target)
            if name is not None:
                self.bind(name, objects)
                return
            self._change(target.value, objects, target.slice)

    def assign_each(self, target: ast.expr, iterable: Objects, each: Objects) -> None:
        """Bind a target to what an iterable gives: ``for n, x in enumerate(values)``."""
        columns = [self.heap.columns.get(number) for number in iterable]
        several = columns[0] if len(columns) == 1 else None
        elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
        if several and len(several) == len(elements):
            for element, objects in zip(elements, several, strict=True):
                self.assign(element, objects)
            return
        self.assign(target, each)

    def _change(
        self,
        node: ast.expr,
        objects: Objects = NO_OBJECTS,
        index: ast.expr | None = None,
        *,
        attribute: str | None = None,
    ) -> None:
        into = self.evaluate(node)
        self.evaluate(index)
        if into:
            self.touch(into)
            self.store(into, objects, attribute)
        else:
            self.record.effect = True

    def optional_reads(self) -> OptionalReads:
        """Go through something that does not mind when a name is not there."""
        return OptionalReads(self)
