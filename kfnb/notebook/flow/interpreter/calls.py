"""Calls: of the notebook's functions and classes, of methods, and of what is imported."""

from __future__ import annotations

import ast
from abc import abstractmethod

from kfnb.notebook.effects.names_in_strings import CANDIDATES, names_read
from kfnb.notebook.flow.interpreter import library_tables
from kfnb.notebook.flow.interpreter.callables import Code
from kfnb.notebook.flow.interpreter.heap import NONE, Objects
from kfnb.notebook.flow.interpreter.state import Machine
from kfnb.notebook.flow.interpreter.summaries import MOST_WORK, Arguments, Functions

_NAMESPACES = frozenset(("globals", "locals", "vars", "dir"))


class Calls(Functions):
    """What a call does to its receiver, its arguments and the names that it reaches."""

    @abstractmethod
    def magic(self, node: ast.Call, method: str) -> Objects | None:
        """Go through a call that IPython's transformation made; None: it is an ordinary one."""

    @abstractmethod
    def source(self, text: str, line: int, *, expression: bool = False) -> Objects | None:
        """Go through code that stands in a string; None where it does not parse."""

    def call(self, node: ast.Call) -> Objects:
        """Go through a call; gives what it may return."""
        function = node.func
        if getattr(function, "attr", getattr(function, "id", None)) in CANDIDATES:
            self._named_in_text(node)
        if isinstance(function, ast.Attribute) and is_shell(function.value):
            found = self.magic(node, function.attr)
            if found is not None:
                return found
        if isinstance(function, ast.Name):
            return self._call_name(node, function)
        if isinstance(function, ast.Attribute):
            return self._call_attribute(node, function)
        objects = self.evaluate(function)
        return self._call_value(node, objects, self._arguments(node), "")

    def dotted(self, node: ast.expr) -> str | None:
        """Resolve ``np.random.seed`` through the imports to ``numpy.random.seed``."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        key = self.key(node.id)
        slot = self.names.slots.get(key)
        if slot is None:
            return ".".join([node.id, *reversed(parts)]) if key == node.id else None
        if slot.module is None:
            return None
        return ".".join([slot.module, *reversed(parts)])

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
        if dotted is not None and not receiver:
            return self._call_value(node, NONE, arguments, dotted)
        if dotted is not None:
            self._changed_arguments(dotted, arguments)
        return self._call_method(node, receiver, function.attr, arguments)

    def _call_inherited(
        self, node: ast.Call, receiver: Objects, name: str, arguments: Arguments
    ) -> Objects:
        """Call ``super().name``: the method of a base, whatever the class has itself."""
        owner = next(
            (f.code.owner for f in reversed(self.frames) if f.code and f.code.owner is not None),
            None,
        )
        bases = self.heap.code[owner].bases if owner in self.heap.code else ()
        own = list(dict.fromkeys(m for b in bases for m in self.methods_of(b, name)))
        if not own:
            return self._method(node, name, receiver, arguments)
        bound = Arguments([receiver, *arguments.positional], arguments.keywords, arguments.spread)
        return NONE.union(
            *(self.apply(m, bound, certain=len(own) == 1, made=self.make(node)) for m in own)
        )

    def _call_method(
        self, node: ast.Call, receiver: Objects, name: str, arguments: Arguments
    ) -> Objects:
        own = self._methods(receiver, name)
        if not own:
            self._passed(arguments, "." + name)
            return self._method(node, name, receiver, arguments)
        found: set[int] = set()
        bound = Arguments([receiver, *arguments.positional], arguments.keywords, arguments.spread)
        sure = len(own) == len(receiver) == 1
        # Which of several is called is not known: that one of them lacks a name is no finding.
        with Softly(self, when=len(own) > 1 and not self.heap.selves.isdisjoint(receiver)):
            for code in own:
                given = arguments if code.bound_to == "nothing" else bound
                found |= self.apply(code, given, certain=sure, made=self.make(node))
        self._keywords(node, receiver)
        return frozenset(found)

    def _method(
        self, node: ast.Call, name: str, receiver: Objects, arguments: Arguments
    ) -> Objects:
        """Call a method that is not the notebook's own."""
        self.use(receiver)
        self.record.identity |= name in ("index", "remove", "count") and bool(arguments.all())
        changes = _is_mutator(name) or (name == "eval" and not node.args and not node.keywords)
        self.record.fits |= name in library_tables.FITTING
        if name in library_tables.DEEP_MUTATORS:
            self.touch(self.heap.plain(self.heap.reach(receiver)))
        elif changes:
            self.touch(receiver)
            if name in library_tables.STORING or name.startswith(library_tables.MUTATING_PREFIXES):
                self.store(receiver, arguments.all())
            elif name in ("extend", "extendleft"):
                self.store(receiver, self.heap.parts(arguments.all()))
        self._keywords(node, receiver)
        for position in library_tables.METHOD_CHANGES_ARGUMENT.get(name, ()):
            if position < len(arguments.positional):
                self.touch(arguments.positional[position])
        if name in library_tables.FLUENT and name in library_tables.DEEP_MUTATORS:
            return receiver
        if name in library_tables.VIEWS:
            return self.heap.parts(receiver) | (
                arguments.all() if name in ("setdefault", "get") else NONE
            )
        made = self.fresh(node)
        if name == "copy":
            self.store(made, self.heap.parts(receiver) - receiver)
        return made

    def _named_in_text(self, node: ast.Call) -> None:
        modules = (slot.module or "" for slot in self.names.slots.values())
        names = names_read(node, self.dotted(node.func), self.texts, modules)
        if names is None:
            self.opaque(node.lineno)
        for name in sorted(names or ()):
            if self.names.slots.get(self.key(name)) is not None:
                self.read(name, node.lineno)

    def _call_value(
        self, node: ast.Call, objects: Objects, arguments: Arguments, dotted: str
    ) -> Objects:
        """Call what an expression gave; ``dotted`` is its name where it is imported."""
        heap = self.heap
        methods = [heap.bound[o] for o in sorted(objects) if o in heap.bound]
        if methods:
            return NONE.union(
                *(self._call_method(node, receiver, name, arguments) for receiver, name in methods)
            )
        direct = [heap.code[o] for o in sorted(objects) if o in heap.code]
        known = heap.code_of(objects)
        if direct:
            found: set[int] = set()
            sure = len(direct) == len(objects) == 1
            for code in direct:
                found |= self._call_code(node, code, arguments, sure=sure)
            self._functions_with(arguments)
            if not sure:
                self.may_call(objects)
                found |= self.fresh(node)
            return frozenset(found)
        if known:
            return self._call_held(node, objects, arguments)
        self._passed(arguments, dotted)
        self._changed_arguments(dotted, arguments)
        self.use(objects)
        self._keywords(node, NONE)
        return self._result(node, dotted, arguments)

    def _call_code(
        self, node: ast.Call, code: Code, arguments: Arguments, *, sure: bool
    ) -> Objects:
        if not isinstance(code.node, ast.ClassDef):
            return self.apply(code, arguments, certain=sure, made=self.make(node))
        made = self.fresh(node, frozenset((code.number,)), arguments.all())
        for number in made:
            self.heap.kinds[number] = self.heap.kinds.get(number, NONE) | {code.number}
        bound = Arguments([made, *arguments.positional], arguments.keywords, arguments.spread)
        for name in ("__new__", "__init__", "__post_init__"):
            for method in self.methods_of(code.number, name):
                self.apply(method, bound, certain=sure, made=self.make(node))
        self.apply(code, Arguments(known=False), certain=False, made=None)
        if not code.methods.keys() & {"__init__", "__post_init__"}:
            self._passed(arguments, "")
        return made

    def _call_held(self, node: ast.Call, objects: Objects, arguments: Arguments) -> Objects:
        """Call something that holds code: an instance, a partial, a decorated function."""
        if self.work > MOST_WORK:
            return self.assume(arguments, self.make(node))
        found: set[int] = set()
        for code in self._methods(objects, "__call__"):
            bound = Arguments(
                [objects, *arguments.positional], arguments.keywords, arguments.spread
            )
            found |= self.apply(code, bound, certain=False, made=self.make(node))
        self._passed(arguments, "")
        instance = not self.heap.kinds.keys().isdisjoint(objects)
        for number in self.heap.code_of(objects):
            code = self.heap.code[number]
            if isinstance(code.node, ast.ClassDef):
                if not instance:
                    found |= self._call_code(node, code, arguments, sure=False)
            else:
                # What a partial or wrapper passes on may stand at any position.
                held = self.heap.plain(self.heap.reach(objects) - objects)
                loose = Arguments(arguments.positional, arguments.keywords, arguments.spread | held)
                found |= self.apply(code, loose, certain=False, made=self.make(node))
        self.may_call(objects)
        self.use(objects)
        return frozenset(found) | self.fresh(node)

    # -- what it does ----------------------------------------------------------

    def _arguments(self, node: ast.Call) -> Arguments:
        found = Arguments()
        spread: set[int] = set()
        for argument in node.args:
            objects = self.evaluate(argument)
            if isinstance(argument, ast.Starred) or spread:
                spread |= objects
            else:
                found.positional.append(objects)
            if isinstance(argument, ast.Lambda):
                self.may_call(objects)
        for keyword in node.keywords:
            objects = self.evaluate(keyword.value)
            if keyword.arg is None:
                spread |= self.heap.parts(objects)
            else:
                found.keywords[keyword.arg] = objects
            if isinstance(keyword.value, ast.Lambda):
                self.may_call(objects)
        found.spread = frozenset(spread)
        return found

    def _passed(self, arguments: Arguments, name: str) -> None:
        """Pass arguments: what has a state of its own is changed by whoever gets it."""
        if name not in library_tables.HARMLESS:
            self.use(arguments.all())
        self._functions_with(arguments)

    def _functions_with(self, arguments: Arguments) -> None:
        """Let a function that changes its arguments change all that is passed beside it."""
        everything = arguments.all()
        if self.work > MOST_WORK:
            return
        for number in everything & self.heap.bound.keys():
            # A method that is handed on may be called with anything.
            receiver, name = self.heap.bound[number]
            own = self._methods(receiver, name)
            if not own or any(self._changes_arguments(code) for code in own):
                self.touch(receiver)
                self.store(receiver, everything - {number})
        for number in self.heap.code_of(everything):
            code = self.heap.code[number]
            if isinstance(code.node, ast.ClassDef):
                continue
            if self._changes_arguments(code):
                self.touch(self.heap.plain(self.heap.reach(everything)))

    def _changes_arguments(self, code: Code) -> bool:
        changed = self.summary(code).objects
        return not changed.isdisjoint(code.arguments) or not changed.isdisjoint(code.insides)

    def _changed_arguments(self, dotted: str, arguments: Arguments) -> None:
        positions = library_tables.CHANGES_ARGUMENT.get(dotted, ())
        for position in positions:
            if position < len(arguments.positional):
                self.touch(arguments.positional[position])
                if dotted not in ("next", "anext"):
                    others = arguments.positional[:position] + arguments.positional[position + 1 :]
                    self.store(arguments.positional[position], NONE.union(*others))

    def _keywords(self, node: ast.Call, receiver: Objects) -> None:
        for keyword in node.keywords:
            if keyword.arg == "inplace" and not _is_false(keyword.value):
                self.touch(receiver)
            elif keyword.arg == "out":
                self.touch(self.evaluate(keyword.value))

    def _result(self, node: ast.Call, dotted: str, arguments: Arguments) -> Objects:
        """Tell what a function that is not the notebook's own may give."""
        last = dotted.rpartition(".")[2]
        if dotted in library_tables.SCALARS:
            return NONE
        arguments.keywords.pop("key", None)
        everything = arguments.all()
        if dotted in library_tables.ELEMENTS:
            return self.heap.elements(everything)
        holds = NONE
        if dotted in library_tables.CONTAINERS:
            holds = self.heap.elements(everything)
            if dotted in library_tables.APPLYING:
                holds = self.heap.plain(holds)
        elif last[:1].isupper() and not last.isupper():
            holds = everything
        if dotted and dotted not in library_tables.APPLYING:
            # A wrapper such as np.vectorize; what maps a function gives what that gives.
            holds |= frozenset(self.heap.code_of(everything))
        made = self.fresh(node, holds)
        if dotted in library_tables.STATEFUL:
            self.heap.stateful |= made
            if dotted in library_tables.ITERATORS:
                self.heap.iterators |= made
        if dotted in library_tables.LAZY:
            self.heap.lazy |= made
        return made

    # -- methods of the notebook's classes -------------------------------------

    def _methods(self, receiver: Objects, name: str) -> list[Code]:
        """Find the notebook's methods that ``receiver.name`` may be."""
        found: dict[int, Code] = {}
        for number in receiver:
            itself = number in self.heap.code
            for kind in (number,) if itself else self.heap.kinds.get(number, ()):
                methods = self.methods_of(kind, name)
                if number in self.heap.selves:
                    methods = methods + self._overriding(kind, name)
                for code in methods:
                    found[code.number] = code
        return [found[n] for n in sorted(found)]

    def methods_of(self, number: int, name: str) -> list[Code]:
        """List what a class has as a method: its own, or else those of its bases."""
        code = self.heap.code.get(number)
        if code is None or not isinstance(code.node, ast.ClassDef):
            return []
        if name in code.methods:
            return [code.methods[name]]
        return [method for base in code.bases for method in self.methods_of(base, name)]

    def _overriding(self, number: int, name: str) -> list[Code]:
        """List the methods of subclasses by which ``self.name`` may be overridden."""
        found: list[Code] = []
        waiting = [number]
        seen = {number}
        while waiting:
            for below in self.heap.code[waiting.pop()].subclasses:
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
                    methods = self.heap.code[below].methods
                    found += [methods[name]] if name in methods else []
        return found

    # -- builtins that reach names ---------------------------------------------

    def _builtin(self, node: ast.Call, name: str) -> Objects | None:
        if name in ("exec", "eval"):
            return self._evaluated(node, expression=name == "eval")
        if name in _NAMESPACES and not node.args:
            if self.function is None or name == "globals":
                self.opaque(node.lineno)
            return NONE
        if name == "super":
            return self._receiver()
        if name == "type" and len(node.args) == 1:
            objects = self.evaluate(node.args[0])
            return frozenset(self.heap.code_of(objects)) or NONE
        if name == "setattr" and len(node.args) == 3:
            into, _, value = (self.evaluate(a) for a in node.args)
            self.touch(into)
            self.store(into, value)
            return NONE
        return None

    def _receiver(self) -> Objects:
        for frame in reversed(self.frames):
            if frame.code is not None and frame.code.owner is not None:
                slot = self.names.slots.get(frame.keys.get(frame.code.parameters[0]) or "")
                return slot.objects if slot else NONE
        return NONE

    def _evaluated(self, node: ast.Call, *, expression: bool) -> Objects:
        text = node.args[0] if node.args else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and len(node.args) == 1:
            found = self.source(text.value, node.lineno, expression=expression)
            if found is not None:
                return found
        self._arguments(node)
        if len(node.args) == 1 or not _is_display(node.args[1]):
            self.opaque(node.lineno)
        return self.fresh(node)

    def opaque(self, line: int) -> None:
        """Note code whose names cannot be known."""
        if self.record.opaque is None:
            self.record.opaque = line


class Softly:
    """A stretch in which the absence of a name is expected."""

    def __init__(self, machine: Machine, *, when: bool = True) -> None:
        self._machine = machine
        self._when = when

    def __enter__(self) -> None:
        """Begin."""
        self._machine.soft += self._when
        self._machine.doubt += self._when

    def __exit__(self, *_: object) -> None:
        """End."""
        self._machine.soft -= self._when
        self._machine.doubt -= self._when


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


def _is_mutator(name: str) -> bool:
    if name in library_tables.MUTATORS or name in library_tables.DEEP_MUTATORS:
        return True
    if name in library_tables.NOT_MUTATING:
        return False
    if name.startswith(library_tables.MUTATING_PREFIXES):
        return True
    return name.endswith("_") and not name.startswith("_")


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _is_display(node: ast.expr) -> bool:
    """Whether ``exec`` is given a namespace of its own."""
    return isinstance(node, (ast.Dict, ast.Name)) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict"
    )
