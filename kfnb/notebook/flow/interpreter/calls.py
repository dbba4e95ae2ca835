"""Calls: of the notebook's functions and classes, of methods, and of what is imported."""

from __future__ import annotations

import ast
from abc import abstractmethod

from kfnb.notebook.effects.names_in_strings import CANDIDATES, SQL_FUNCTIONS, names_read
from kfnb.notebook.flow.interpreter.call_effects import CallEffects, copied
from kfnb.notebook.flow.interpreter.callables import Arguments, CallableDefinition
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.state import InterpreterState

NAMESPACES = frozenset(("globals", "locals", "vars", "dir"))


class Calls(CallEffects):
    """What a call does to its receiver, its arguments and the names that it reaches."""

    @abstractmethod
    def magic(self, node: ast.Call, method: str) -> Objects | None:
        """Go through a call that IPython's transformation made; None: it is an ordinary one."""

    @abstractmethod
    def execute_text(self, text: str, line: int, *, expression: bool = False) -> Objects | None:
        """Go through code that stands in a string; None where it does not parse."""

    def call(self, node: ast.Call) -> Objects:
        """Go through a call; gives what it may return."""
        function = node.func
        if getattr(function, "attr", getattr(function, "id", None)) in CANDIDATES:
            self._named_in_text(node)
        if isinstance(function, ast.Attribute) and is_shell(function.value):
            result = self.magic(node, function.attr)
            if result is not None:
                return result
        if isinstance(function, ast.Name):
            return self._call_name(node, function)
        if isinstance(function, ast.Attribute):
            return self._call_attribute(node, function)
        objects = self.evaluate(function)
        return self._call_value(node, objects, self._arguments(node), "")

    # -- by the form of what is called -----------------------------------------

    def _call_name(self, node: ast.Call, function: ast.Name) -> Objects:
        name = function.id
        builtin = self.names.slots.get(self.key(name)) is None
        if builtin:
            self.record.identity |= name == "id"
            special = self._builtin(node, name)
            if special is not None:
                return special
        dotted = self.dotted(function) or ""
        objects = self.read(name, function.lineno, call=True)
        return self._call_value(node, objects, self._arguments(node), dotted)

    def _call_attribute(self, node: ast.Call, function: ast.Attribute) -> Objects:
        dotted = self.dotted(function)
        receiver = self.evaluate(function.value)
        arguments = self._arguments(node)
        if called(function.value) == "super" and isinstance(function.value, ast.Call):
            return self._call_inherited(node, receiver, function.attr, arguments)
        # What is imported and has a class is a module: `from sklearn import ensemble`.
        from_module = function.attr[:1].isupper() and isinstance(function.value, ast.Name)
        if dotted is not None and (from_module or not receiver):
            return self._call_value(node, NO_OBJECTS, arguments, dotted)
        if dotted is not None:
            self._changed_arguments(dotted, arguments)
        return self._call_method(node, receiver, function.attr, arguments)

    def _call_inherited(
        self, node: ast.Call, receiver: Objects, name: str, arguments: Arguments
    ) -> Objects:
        """Call ``super().name``: the method of a base, whatever the class has itself."""
        owner = next(
            (
                f.callee.owner
                for f in reversed(self.frames)
                if f.callee and f.callee.owner is not None
            ),
            None,
        )
        bases = self.heap.callables[owner].bases if owner is not None else ()
        methods = list(dict.fromkeys(m for b in bases for m in self.methods_of(b, name)))
        if not methods:
            if name == "__init__":
                self.store(receiver, arguments.all())
            return self._library_method(node, name, receiver, arguments)
        bound = Arguments([receiver, *arguments.positional], arguments.keywords, arguments.spread)
        return NO_OBJECTS.union(
            *(
                self.apply(m, bound, certain=len(methods) == 1, made=self.make(node))
                for m in methods
            )
        )

    def _call_method(
        self, node: ast.Call, receiver: Objects, name: str, arguments: Arguments
    ) -> Objects:
        methods = self._matching_methods(receiver, name)
        possible = [m for m in self._possible_methods(receiver, name) if m not in methods]
        if not methods and not possible:
            self._pass_arguments(arguments, "." + name)
            return self._library_method(node, name, receiver, arguments)
        returned: set[int] = set()
        bound = Arguments([receiver, *arguments.positional], arguments.keywords, arguments.spread)
        certain = len(methods) == len(receiver) == 1 and not possible
        several = len(methods) > 1 and not self.heap.self_parameters.isdisjoint(receiver)
        if possible and not methods:
            self._pass_arguments(arguments, "." + name)
            returned |= self._library_method(node, name, receiver, arguments)
        # Which of several is called is not known: that one of them lacks a name is no finding.
        with OptionalReads(self, when=several or bool(possible)):
            for callee in (*methods, *possible):
                given = arguments if callee.bound_to == "nothing" else bound
                returned |= self.apply(callee, given, certain=certain, made=self.make(node))
        self._keyword_effects(node, receiver, arguments)
        return frozenset(returned)

    def _named_in_text(self, node: ast.Call) -> None:
        self.scans = True
        modules = (slot.module or "" for slot in self.names.slots.values())
        names = names_read(node, self.dotted(node.func), self.texts, modules)
        if names is None:
            self.opaque(node.lineno)
            names = self._nameable(node)
        for name in sorted(names):
            if self.names.slots.get(self.key(name)) is not None:
                self.read(name, node.lineno)

    def _nameable(self, node: ast.Call) -> frozenset[str]:
        """Give the names that a string which is not known may hold: of frames in SQL, or ``@x``."""
        dotted = self.dotted(node.func)
        if dotted is None:
            return self.marked_names
        if dotted not in SQL_FUNCTIONS:
            return frozenset()
        slots, frames = self.names.slots, self.heap.frames
        return frozenset(name for name in slots if not frames.isdisjoint(slots[name].objects))

    def _call_value(
        self, node: ast.Call, objects: Objects, arguments: Arguments, dotted: str
    ) -> Objects:
        """Call what an expression gave; ``dotted`` is its name where it is imported."""
        heap = self.heap
        if not heap.bound_methods.keys().isdisjoint(objects):
            taken = heap.sorted(objects & heap.bound_methods.keys())
            methods = [heap.bound_methods[number] for number in taken]
            return NO_OBJECTS.union(
                *(self._call_method(node, receiver, name, arguments) for receiver, name in methods)
            )
        if not heap.callables.keys().isdisjoint(objects):
            direct = [heap.callables[o] for o in heap.sorted(objects & heap.callables.keys())]
            returned: set[int] = set()
            certain = len(direct) == len(objects) == 1
            for callee in direct:
                returned |= self._call_definition(node, callee, arguments, sure=certain)
            self._callbacks_change(arguments)
            if not certain:
                self.may_call(objects)
                returned |= self.fresh(node)
            return frozenset(returned)
        if heap.callables_in(objects):
            return self._call_held(node, objects, arguments)
        self._pass_arguments(arguments, dotted)
        in_place = "(copy=False)" if copied(node) is False else ""
        self._changed_arguments(f"{dotted}{in_place}", arguments)
        self.use(objects)
        self._keyword_effects(node, NO_OBJECTS, arguments)
        return self._library_result(node, dotted, arguments)

    def _call_definition(
        self, node: ast.Call, callee: CallableDefinition, arguments: Arguments, *, sure: bool
    ) -> Objects:
        if not isinstance(callee.node, ast.ClassDef):
            return self.apply(callee, arguments, certain=sure, made=self.make(node))
        made = self.fresh(node)
        self.hold_class(made, callee)
        self._constructed(made, callee, arguments)
        for number in made:
            classes = self.heap.classes.get(number, NO_OBJECTS)
            self.heap.set_classes(number, classes | {callee.number})
        bound = Arguments([made, *arguments.positional], arguments.keywords, arguments.spread)
        for name in ("__new__", "__init__", "__post_init__"):
            for method in self.methods_of(callee.number, name):
                self.apply(method, bound, certain=sure, made=self.make(node))
        self.apply(callee, Arguments(known=False), certain=False, made=None)
        if not callee.methods.keys() & {"__init__", "__post_init__"}:
            self._pass_arguments(arguments, "")
        return made

    def _constructed(self, made: Objects, callee: CallableDefinition, arguments: Arguments) -> None:
        """Put arguments into a new instance, unless its ``__init__`` shows where they go."""
        if callee.field_names:
            for name, objects in zip(callee.field_names, arguments.positional, strict=False):
                self.store(made, objects, name)
            for name, objects in arguments.keywords.items():
                self.store(made, objects, name)
            self.store(made, arguments.spread)
        elif not self.methods_of(callee.number, "__init__") or self.methods_of(
            callee.number, "__new__"
        ):
            self.store(made, arguments.all())

    def _call_held(self, node: ast.Call, objects: Objects, arguments: Arguments) -> Objects:
        """Call something that holds code: an instance, a partial, a decorated function."""
        if self.over_budget:
            return self.assume(arguments, self.make(node))
        returned: set[int] = set()
        for callee in self._matching_methods(objects, "__call__"):
            bound = Arguments(
                [objects, *arguments.positional], arguments.keywords, arguments.spread
            )
            returned |= self.apply(callee, bound, certain=False, made=self.make(node))
        self._pass_arguments(arguments, "")
        instance = not self.heap.classes.keys().isdisjoint(objects)
        for number in self.heap.callables_in(objects):
            callee = self.heap.callables[number]
            if isinstance(callee.node, ast.ClassDef):
                if not instance:
                    returned |= self._call_definition(node, callee, arguments, sure=False)
            else:
                # What a partial or wrapper passes on may stand at any position.
                held = self.heap.plain(self.heap.reachable(objects) - objects)
                loose = Arguments(arguments.positional, arguments.keywords, arguments.spread | held)
                returned |= self.apply(callee, loose, certain=False, made=self.make(node))
        self.may_call(objects)
        self.use(objects)
        return frozenset(returned) | self.fresh(node)

    # -- builtins that reach names ---------------------------------------------

    def _builtin(self, node: ast.Call, name: str) -> Objects | None:
        if name in ("exec", "eval"):
            return self._evaluated(node, expression=name == "eval")
        if name in NAMESPACES and not node.args:
            if self.function is None or name == "globals":
                self.opaque(node.lineno)
            return NO_OBJECTS
        if name == "super":
            return self._receiver()
        if name == "type" and len(node.args) == 1:
            objects = self.evaluate(node.args[0])
            return frozenset(self.heap.callables_in(objects)) or NO_OBJECTS
        if name == "setattr" and len(node.args) == 3:
            into, _, value = (self.evaluate(a) for a in node.args)
            self.touch(into)
            self.store(into, value)
            return NO_OBJECTS
        return None

    def _receiver(self) -> Objects:
        for frame in reversed(self.frames):
            if frame.callee is not None and frame.callee.owner is not None:
                slot = self.names.slots.get(frame.keys.get(frame.callee.parameters[0]) or "")
                return slot.objects if slot else NO_OBJECTS
        return NO_OBJECTS

    def _evaluated(self, node: ast.Call, *, expression: bool) -> Objects:
        text = node.args[0] if node.args else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and len(node.args) == 1:
            result = self.execute_text(text.value, node.lineno, expression=expression)
            if result is not None:
                return result
        self._arguments(node)
        if len(node.args) == 1 or not _is_display(node.args[1]):
            self.opaque(node.lineno)
        return self.fresh(node)


class OptionalReads:
    """A stretch in which the absence of a name is expected."""

    def __init__(self, interpreter: InterpreterState, *, when: bool = True) -> None:
        self._interpreter = interpreter
        self._when = when

    def __enter__(self) -> None:
        """Begin."""
        self._interpreter.optional += self._when
        self._interpreter.doubt += self._when

    def __exit__(self, *_: object) -> None:
        """End."""
        self._interpreter.optional -= self._when
        self._interpreter.doubt -= self._when


def called(node: ast.expr) -> str:
    """Give the last part of the name of what is called."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_shell(node: ast.expr) -> bool:
    """Whether an expression is ``get_ipython()``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "get_ipython"
    )


def _is_display(node: ast.expr) -> bool:
    """Whether an argument of ``exec`` is a separate namespace."""
    return isinstance(node, (ast.Dict, ast.Name)) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict"
    )
