"""Statements: what they bind, define and give back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from kfnb.notebook.flow.interpreter.branches import Branches
from kfnb.notebook.flow.interpreter.callables import Arguments, CallableDefinition
from kfnb.notebook.flow.interpreter.calls import OptionalReads, called
from kfnb.notebook.flow.interpreter.name_table import UNBOUND
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.interpreter.scopes import (
    class_locals,
    imported_name,
    parameters,
    type_parameters,
)
from kfnb.notebook.flow.interpreter.tables import library_tables, object_tables


class Statements(Branches):
    """Goes through statements, whatever they are."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__(numbering)
        self._executors: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AugAssign: self._augment,
            ast.AnnAssign: self._annotated,
            ast.Delete: self._delete,
            ast.If: self.if_,
            ast.For: self.for_,
            ast.AsyncFor: self.for_,
            ast.While: self.while_,
            ast.With: self.with_,
            ast.AsyncWith: self.with_,
            ast.Try: self.try_,
            ast.Match: self.match_,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.Return: self._return,
            ast.Raise: self._raise,
            ast.Assert: self._assert,
            ast.Break: self._leave,
            ast.Continue: self._leave,
        }
        if hasattr(ast, "TryStar"):
            self._executors[ast.TryStar] = self.try_
        if hasattr(ast, "TypeAlias"):
            self._executors[ast.TypeAlias] = self._type_alias

    def execute(self, body: Sequence[ast.stmt]) -> None:
        """Go through statements until the path ends."""
        for statement in body:
            if self.dead:
                return
            if self.function is None:
                self.line = statement.lineno
            elif self.over_budget:
                # The rest of a function is not needed: its call is assumed to do anything.
                return
            self.work += self.counted
            handler = self._executors.get(statement.__class__)
            if handler is not None:
                handler(statement)

    def body_of(self, callee: CallableDefinition) -> None:
        """Go through a function's body; twice, where a function in it sees its later names."""
        node = callee.node
        loops, self.loops = self.loops, []
        if isinstance(node, ast.Lambda):
            self.record.returns |= self.evaluate(node.body)
        else:
            self.execute(node.body)
            if any(isinstance(s, (ast.FunctionDef, ast.ClassDef)) for s in node.body):
                self.dead = False
                with self.doubtful():
                    self.execute(node.body)
        self.loops = loops

    # -- simple statements -------------------------------------------------------

    def _expression(self, node: ast.Expr) -> None:
        record = self.record
        before = len(record.touched), len(record.changed_objects), record.effect
        record.touched, touched_before = {}, record.touched
        self.evaluate(node.value)
        acts = isinstance(node.value, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom))
        if acts and not record.touched and len(record.changed_objects) == before[1]:
            record.effect = True
        record.touched = {**touched_before, **record.touched}
        if isinstance(node.value, ast.Call) and _exits(node.value):
            self.dead = self.function is not None

    def _assign(self, node: ast.Assign) -> None:
        value = node.value
        target = node.targets[0]
        if (
            len(node.targets) == 1
            and isinstance(target, (ast.Tuple, ast.List))
            and isinstance(value, (ast.Tuple, ast.List))
            and len(target.elts) == len(value.elts)
            and not any(isinstance(e, ast.Starred) for e in (*target.elts, *value.elts))
        ):
            for element, objects in zip(
                target.elts, [self.evaluate(e) for e in value.elts], strict=True
            ):
                self.assign(element, objects)
            return
        objects = self.evaluate(value)
        for each in node.targets:
            self.assign(each, objects, value if len(node.targets) == 1 else None)

    def _augment(self, node: ast.AugAssign) -> None:
        target = node.target
        if not isinstance(target, ast.Name):
            into = self.evaluate(target)
            value = self.evaluate(node.value)
            self.touch(into)
            if isinstance(node.op, (ast.Add, ast.BitOr)):
                self.store(into, self.heap.parts(value))
            self.assign(target, into | (self.fresh(node) if value else NO_OBJECTS))
            return
        current = self.read(target.id, node.lineno)
        value = self.evaluate(node.value)
        self.touch(current)
        if isinstance(node.op, (ast.Add, ast.BitOr)):
            self.store(current, self.heap.parts(value) if value else NO_OBJECTS)
        self.bind(target.id, current or (self.fresh(node) if value else NO_OBJECTS))

    def _annotated(self, node: ast.AnnAssign) -> None:
        in_function = bool(self.frames) and self.frames[-1].kind == "function"
        if self.annotations and not in_function:
            self.evaluate(node.annotation)
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value))

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            for each in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(each, ast.Name):
                    self.read(each.id, each.lineno, call=True)
                    self.unbind(each.id)
                elif isinstance(each, (ast.Attribute, ast.Subscript)):
                    self._change(
                        each.value,
                        NO_OBJECTS,
                        each.slice if isinstance(each, ast.Subscript) else None,
                    )

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.record.modules.add(alias.name)
            name = imported_name(alias)
            module = alias.name if alias.asname else name
            before = self.names.slots.get(name)
            if before is not None and before.module == module and not alias.asname:
                # `import a.b` after `import a.c` adds to the same `a`.
                self.refer(name, node.lineno, certain=False, optional=True)
            self.bind(name, NO_OBJECTS, module=module)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        if not node.level:
            self.record.modules.add(module)
        if module == "__future__":
            self.annotations &= all(a.name != "annotations" for a in node.names)
        for alias in node.names:
            if alias.name == "*":
                self.record.star = True
                continue
            dotted = f"{module}.{alias.name}"
            if not node.level:
                self.record.modules.add(dotted)
            objects = (
                NO_OBJECTS if dotted in library_tables.MODULES else frozenset((self.make(alias),))
            )
            self.bind(imported_name(alias), objects, module=dotted)

    def _return(self, node: ast.Return) -> None:
        objects = self.evaluate(node.value)
        frame = next((f for f in reversed(self.frames) if f.kind == "function"), None)
        if frame is None or self.function is None:
            self.record.findings.append(("return", node.lineno, ""))
            return
        self.record.returns |= objects
        frame.exits.append(self.names.since(frame.depth))
        self.dead = True

    def _raise(self, node: ast.Raise) -> None:
        self.evaluate(node.exc)
        self.evaluate(node.cause)
        self.record.effect = True
        self.dead = True

    def _assert(self, node: ast.Assert) -> None:
        self.evaluate(node.test)
        self.maybe([node.msg])
        self.record.effect = True

    def _leave(self, node: ast.Break | ast.Continue) -> None:
        del node
        if self.loops:
            depth, paths = self.loops[-1]
            paths.append(self.names.since(depth))
        self.dead = True

    def _type_alias(self, node: Any) -> None:
        with OptionalReads(self):
            self.evaluate(node.value)
        self.bind(node.name.id, self.fresh(node))

    # -- definitions ----------------------------------------------------------------

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        owner = self._class_around()
        decorators = [(d, self.evaluate(d)) for d in node.decorator_list]
        objects = self.define(node, node.name, owner=owner)
        if self.annotations:
            self.push("comprehension", self.make(node, "types"), type_parameters(node))
            self._annotations(node)
            self.frames.pop()
        objects = self._decorated(objects, decorators)
        self.bind(node.name, objects)

    def _decorated(
        self, objects: Objects, decorators: Sequence[tuple[ast.expr, Objects]]
    ) -> Objects:
        for node, decorator in reversed(decorators):
            self.may_call(decorator)
            self.use(decorator)
            if decorator:
                objects |= self.fresh(node, objects, decorator)
        return objects

    def _base(self, node: ast.expr) -> Objects:
        """Read a base class, which calls none of its methods."""
        if isinstance(node, ast.Name):
            return self.read(node.id, node.lineno, call=True)
        return self.evaluate(node)

    def _annotations(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for argument in parameters(node.args):
            self.evaluate(argument.annotation)
        self.evaluate(node.returns)

    def _class_around(self) -> int | None:
        if self.frames and self.frames[-1].kind == "class":
            return self.frames[-1].number
        return None

    def _class(self, node: ast.ClassDef) -> None:
        decorators = [(d, self.evaluate(d)) for d in node.decorator_list]
        self.push("comprehension", self.make(node, "types"), type_parameters(node))
        bases = NO_OBJECTS.union(*(self._base(b) for b in node.bases), NO_OBJECTS)
        given = NO_OBJECTS.union(*(self.evaluate(k.value) for k in node.keywords), NO_OBJECTS)
        self.frames.pop()
        number = self.make(node)
        objects = frozenset((number,))
        callee = self.heap.callables.get(number)
        if callee is None:
            callee = CallableDefinition(number=number, name=node.name, node=node, cell=self.cell)
            self.heap.add_callable(number, callee)
        self.heap.change_callable(callee)
        callee.bases = tuple(self.heap.sorted((bases & self.heap.callables.keys()) - {number}))
        for base in callee.bases:
            if number not in self.heap.callables[base].subclasses:
                self.heap.change_callable(self.heap.callables[base])
                self.heap.callables[base].subclasses.append(number)
                self.forget_summaries()  # a method that they call may be overridden now
        self.store(objects, bases | given)
        local, global_names = class_locals(node)
        frame = self.push("class", number, local)
        frame.keys.update(dict.fromkeys(global_names))
        for name in sorted(type_parameters(node)):
            self.bind(name, NO_OBJECTS)
        self.execute(node.body)
        self.frames.pop()
        assigned = _assigned_on_instances(node)
        callee.field_names, made_for_each = dataclass_fields(node, self.dotted)
        callee.own_attributes = made_for_each | assigned
        for name, key in frame.keys.items():
            slot = self.names.slots.get(key or "")
            if slot is None or key is None or slot.status == UNBOUND:
                continue
            methods = self.heap.sorted(slot.objects & self.heap.callables.keys())
            for method in methods:
                callee.methods[name] = method
                self._list_method(name, method)
            state = self.heap.plain(slot.objects) if name not in made_for_each else NO_OBJECTS
            self.store(objects, state, name)
            if state and not methods and name not in assigned:
                callee.class_attributes[name] = state
        self.heap.add_callable(number, callee)
        for base in callee.bases:
            for called_now in self.methods_of(base, "__init_subclass__"):
                self.apply(called_now, Arguments([objects]), certain=True, made=None)
        self.bind(node.name, self._decorated(objects, decorators))

    def _list_method(self, name: str, method: int) -> None:
        listed = self.heap.methods.get(name, ())
        if method not in listed:
            self.heap.list_method(name, method)
            # A function that calls a method of this name on an argument may call this one now.
            self.forget_summaries()


def _exits(node: ast.Call) -> bool:
    return called(node) in ("exit", "quit", "_exit", "abort")


def dataclass_fields(
    node: ast.ClassDef, dotted: Callable[[ast.expr], str | None]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Give the fields of a dataclass, in order, and those that have a factory of their values.

    Both are empty where a class is no dataclass, or inherits fields that are not seen here.
    """
    marks = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    if not any(dotted(mark) in object_tables.DATACLASS_DECORATORS for mark in marks):
        return (), frozenset()
    fields: list[str] = []
    factories: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = statement.value
            if isinstance(value, ast.Call) and dotted(value.func) in object_tables.FIELD_MAKERS:
                factories.add(statement.target.id)
                if any(k.arg == "init" for k in value.keywords):
                    continue
            if "ClassVar" not in ast.unparse(statement.annotation):
                fields.append(statement.target.id)
    return (() if node.bases else tuple(fields)), frozenset(factories)


def _assigned_on_instances(node: ast.ClassDef) -> frozenset[str]:
    """Attributes that some method assigns, so that instances do not share the class's."""
    return frozenset(
        target.attr
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    )
