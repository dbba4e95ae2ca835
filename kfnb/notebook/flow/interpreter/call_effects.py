"""What a call changes and returns according to the library tables, and which methods it runs."""

from __future__ import annotations

import ast

from kfnb.notebook.flow.interpreter.callables import Arguments, CallableDefinition
from kfnb.notebook.flow.interpreter.heap import ITERATED
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.summary_effects import SummaryEffects
from kfnb.notebook.flow.interpreter.tables import library_tables, object_tables
from kfnb.notebook.syntax_trees import attribute_chain


class CallEffects(SummaryEffects):
    """Effects of calls on their receiver and arguments, and the methods that a call may run."""

    def dotted(self, node: ast.expr) -> str | None:
        """Resolve ``np.random.seed`` through the imports to ``numpy.random.seed``."""
        names = attribute_chain(node)
        if names is None:
            return None
        first, *rest = names
        key = self.key(first)
        slot = self.names.slots.get(key)
        if slot is None:
            # A built-in function has no slot; a local name that is not bound yet means nothing.
            return ".".join(names) if key == first else None
        if slot.module is None:
            return None
        return ".".join([slot.module, *rest])

    def _arguments(self, node: ast.Call) -> Arguments:
        arguments = Arguments()
        spread: set[int] = set()
        for argument in node.args:
            objects = self.evaluate(argument)
            if isinstance(argument, ast.Starred) or spread:
                spread |= objects
            else:
                arguments.positional.append(objects)
            if isinstance(argument, ast.Lambda):
                self.may_call(objects)
        for keyword in node.keywords:
            objects = self.evaluate(keyword.value)
            if keyword.arg is None:
                spread |= self._spread(keyword.value, objects)
            else:
                arguments.keywords[keyword.arg] = objects
            if isinstance(keyword.value, ast.Lambda):
                self.may_call(objects)
        arguments.spread = frozenset(spread)
        return arguments

    def _spread(self, node: ast.expr, objects: Objects) -> Objects:
        """Give what ``**options`` passes: parts of the dictionary, but never it itself."""
        if not objects:
            return NO_OBJECTS
        part = frozenset((self.make(node, "spread"),))
        for number in part:
            self.heap.part_of[number] = self.heap.part_of.get(number, NO_OBJECTS) | objects
        return part | (self.heap.plain(self.heap.reachable(objects)) - objects)

    def _library_method(
        self, node: ast.Call, name: str, receiver: Objects, arguments: Arguments
    ) -> Objects:
        """Call a method that is not the notebook's own."""
        self.use(receiver)
        self.record.identity |= name in ("index", "remove", "count") and bool(arguments.all())
        changes = _is_mutator(name) or (name == "eval" and not node.args and not node.keywords)
        if name in library_tables.FITTING:
            self.record.fitted_objects |= self.heap.owners(self.heap.fitted_with(receiver))
        if name in library_tables.CONVERSIONS:
            self.convert(self.heap.fitted_with(receiver))
        elif name == "set_params":
            self._set_parameters(node, receiver)
        elif name in library_tables.DEEP_MUTATORS:
            self.touch(self.heap.fitted_with(receiver))
        elif changes:
            self.touch(receiver)
            if name in library_tables.STORING or name.startswith(library_tables.MUTATING_PREFIXES):
                self.store(receiver, arguments.all())
            elif name in ("extend", "extendleft"):
                self.store(receiver, self.heap.parts(arguments.all()))
        self._keyword_effects(node, receiver, arguments)
        if name in library_tables.CALLING_WITH_SELF and receiver:
            self._callbacks_change(Arguments([receiver], spread=arguments.all()))
        for position in library_tables.METHOD_CHANGES_ARGUMENT.get(name, ()):
            if position < len(arguments.positional):
                self.touch(arguments.positional[position])
        if name in library_tables.FLUENT and name in library_tables.DEEP_MUTATORS:
            return receiver
        if copied(node) is False or (name in library_tables.VIEWS and not copied(node)):
            return self.heap.parts(receiver) | (
                arguments.all() if name in ("setdefault", "get") else NO_OBJECTS
            )
        made = self.fresh(node)
        if name == "copy":
            self.store(made, self.heap.parts(receiver) - receiver)
        for kind in (self.heap.tensors, self.heap.frames):
            if receiver and kind.issuperset(receiver):
                kind |= made
        if name in object_tables.SELECTING:
            self.heap.selectors |= made
        return made

    def _set_parameters(self, node: ast.Call, receiver: Objects) -> None:
        """Set parameters of an estimator; ``estimator__alpha`` is one of an estimator in it."""
        if all(k.arg is not None and "__" not in k.arg for k in node.keywords):
            self.touch(receiver)
        else:
            held = self.heap.plain(self.heap.reachable(receiver)) - self.heap.displays
            self.touch(receiver | held)

    def _pass_arguments(self, arguments: Arguments, name: str) -> None:
        """Pass arguments: the callee may change a value that has a state, such as a generator."""
        if name not in library_tables.HARMLESS:
            self.use(arguments.all())
        self._callbacks_change(arguments)

    def _callbacks_change(self, arguments: Arguments) -> None:
        """Let a function that changes its arguments change all that is passed beside it."""
        everything = arguments.all()
        if self.over_budget:
            return
        if not everything:
            return
        for number in self.heap.sorted(everything & self.heap.bound_methods.keys()):
            # A method that is handed on may be called with anything.
            receiver, name = self.heap.bound_methods[number]
            own = self._matching_methods(receiver, name)
            if not own or any(self._changes_arguments(callee) for callee in own):
                self.touch(receiver)
                self.store(receiver, everything - {number})
        for number in self.heap.callables_in(everything):
            callee = self.heap.callables[number]
            if isinstance(callee.node, ast.ClassDef):
                continue
            if self._changes_arguments(callee):
                self.touch(self.heap.plain(self.heap.reachable(everything)))

    def _changes_arguments(self, callee: CallableDefinition) -> bool:
        changed = self.summary(callee).changed_objects
        if self.over_budget:
            return True
        return not changed.isdisjoint(callee.arguments) or not changed.isdisjoint(
            callee.argument_contents
        )

    def _changed_arguments(self, dotted: str, arguments: Arguments) -> None:
        positions = library_tables.CHANGES_ARGUMENT.get(dotted, ())
        # Functions of torch with an underscore (nn.init.zeros_) work in place.
        if dotted.startswith("torch.") and dotted.endswith("_"):
            positions = (0,)
        for position in positions:
            if position < len(arguments.positional):
                self.touch(arguments.positional[position])
                if dotted not in ("next", "anext"):
                    others = arguments.positional[:position] + arguments.positional[position + 1 :]
                    self.store(arguments.positional[position], NO_OBJECTS.union(*others))

    def _keyword_effects(self, node: ast.Call, receiver: Objects, arguments: Arguments) -> None:
        for keyword in node.keywords:
            if keyword.arg == "inplace" and not _is_false(keyword.value):
                self.touch(receiver)
            elif keyword.arg == "callbacks":
                self.touch(self.heap.fitted_with(arguments.keywords["callbacks"]))
            elif keyword.arg == "out":
                self.touch(arguments.keywords.get("out", NO_OBJECTS))

    def _library_result(self, node: ast.Call, dotted: str, arguments: Arguments) -> Objects:
        """Return what a function that is not the notebook's own may give."""
        last = dotted.rpartition(".")[2]
        if dotted in library_tables.SCALARS:
            return NO_OBJECTS
        if dotted in library_tables.APPLYING and dotted != "dict":
            arguments.keywords.pop("key", None)
        everything = arguments.all()
        if dotted in library_tables.ELEMENTS or copied(node) is False:
            return self.heap.parts(everything) - self.heap.iterators
        holds = NO_OBJECTS
        if dotted in library_tables.CONTAINERS:
            iterates = dotted in library_tables.ITERATING
            parts = self.heap.elements if iterates else self.heap.parts
            holds = parts(everything) - self.heap.iterators
            if dotted == "dict":
                holds |= NO_OBJECTS.union(*arguments.keywords.values())
            if dotted in library_tables.ITERATORS:
                self.store(frozenset((self.make(node),)), everything, ITERATED)
            if dotted in library_tables.APPLYING:
                holds = self.heap.plain(holds)
        elif last[:1].isupper():
            holds = everything
        if dotted and dotted not in library_tables.APPLYING:
            # A wrapper such as np.vectorize; what maps a function gives what that gives.
            holds |= frozenset(self.heap.callables_in(everything))
        made = self._library_object(node, dotted, arguments, holds)
        if dotted in library_tables.STATEFUL:
            self.heap.stateful |= made
            if dotted in library_tables.RANDOM_GENERATORS:
                self.heap.random_generators |= made
            if dotted in library_tables.ITERATORS:
                self.heap.iterators |= made
        if dotted in library_tables.LAZY:
            self.heap.lazy |= made
        return made

    def _library_object(
        self, node: ast.Call, dotted: str, arguments: Arguments, holds: Objects
    ) -> Objects:
        """Make the result of a library's function, of the kind that the tables say."""
        heap, number = self.heap, self.make(node)
        made = frozenset((number,))
        is_class = dotted.rpartition(".")[2][:1].isupper()
        clones = is_class and dotted not in object_tables.FITS_ITS_STEPS
        if is_class and dotted.startswith(object_tables.CLONING_PACKAGES):
            # With a warm start a fit goes on where the one before ended.
            if all(keyword.arg != "warm_start" for keyword in node.keywords):
                heap.estimators |= made
            if clones:
                heap.cloning |= made
        if dotted in library_tables.DISPLAYS:
            heap.displays |= made
            if dotted in ("list", "sorted"):
                heap.selectors |= made
        if dotted in object_tables.BATCHING:
            heap.batching |= made
        if dotted.startswith(object_tables.DATA_SETS) or (
            dotted.startswith(object_tables.TENSOR_PACKAGES)
            and not (is_class or dotted in object_tables.MAKES_MODULES)
        ):
            heap.tensors |= made
        if dotted.startswith(object_tables.FRAME_PACKAGES):
            heap.frames |= made
        if dotted == "enumerate":
            heap.columns[number] = (NO_OBJECTS, heap.elements(arguments.all()))
        elif dotted == "zip" and not arguments.spread:
            heap.columns[number] = tuple(map(heap.elements, arguments.positional))
        if dotted in object_tables.DRAWING:
            heap.stateful |= made
            self.store(arguments.all(), made)
        if dotted in object_tables.NAMESPACES:
            for name, objects in arguments.keywords.items():
                self.store(made, objects, name)
            holds = arguments.spread
        self.store(made, holds)
        if dotted in object_tables.COPIES:
            heap.adopt(number, arguments.all())
        return made

    # -- methods of the notebook's classes -------------------------------------

    def _matching_methods(self, receiver: Objects, name: str) -> list[CallableDefinition]:
        """Find the notebook's methods that ``receiver.name`` may be."""
        matches: dict[int, CallableDefinition] = {}
        for number in receiver:
            itself = number in self.heap.callables
            for kind in (number,) if itself else self.heap.classes.get(number, ()):
                methods = self.methods_of(kind, name)
                if number in self.heap.self_parameters:
                    methods = methods + self._overriding(kind, name)
                for callee in methods:
                    matches[callee.number] = callee
        return [matches[n] for n in self.heap.sorted(matches)]

    def _possible_methods(self, receiver: Objects, name: str) -> list[CallableDefinition]:
        """Find methods of this name in any class, where the class of the receiver is not known."""
        self.heap.looked_for_methods = True
        listed = self.heap.methods.get(name)
        if not listed or self.heap.unknown.isdisjoint(receiver):
            return []
        unknown = any(o in self.heap.unknown and o not in self.heap.classes for o in receiver)
        return [self.heap.callables[number] for number in listed] if unknown else []

    def methods_of(self, number: int, name: str) -> list[CallableDefinition]:
        """List what a class has as a method: its own, or else those of its bases."""
        callee = self.heap.callables.get(number)
        if callee is None or not isinstance(callee.node, ast.ClassDef):
            return []
        if name in callee.methods:
            return [self.heap.callables[callee.methods[name]]]
        return [method for base in callee.bases for method in self.methods_of(base, name)]

    def _overriding(self, number: int, name: str) -> list[CallableDefinition]:
        """List the methods of subclasses by which ``self.name`` may be overridden."""
        overrides: list[CallableDefinition] = []
        waiting = [number]
        seen = {number}
        while waiting:
            for subclass in self.heap.callables[waiting.pop()].subclasses:
                if subclass not in seen:
                    seen.add(subclass)
                    waiting.append(subclass)
                    methods = self.heap.callables[subclass].methods
                    if name in methods:
                        overrides.append(self.heap.callables[methods[name]])
        return overrides

    def opaque(self, line: int) -> None:
        """Note code whose names cannot be known."""
        if self.record.opaque is None:
            self.record.opaque = line


def _is_mutator(name: str) -> bool:
    if name in library_tables.MUTATORS or name in library_tables.DEEP_MUTATORS:
        return True
    if name in library_tables.NOT_MUTATING:
        return False
    if name.startswith(library_tables.MUTATING_PREFIXES):
        return True
    return name.endswith("_") and not name.startswith("_")


def copied(node: ast.Call) -> bool | None:
    """Return what the keyword ``copy`` of a call is; None if it is not there."""
    for keyword in node.keywords:
        if keyword.arg == "copy" and isinstance(keyword.value, ast.Constant):
            return bool(keyword.value.value)
    return None


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value
