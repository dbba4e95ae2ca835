"""Which of the notebook's functions and classes an object is or holds."""

from __future__ import annotations

from collections.abc import Iterable

from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, ObjectKinds, Objects
from kfnb.notebook.flow.interpreter.objects.relations import Relation

_MOST_SORTED = 256


class HeldFunctions(ObjectKinds):
    """Objects, and the functions that calling them or something in them may execute.

    ``held_callables`` are the functions and classes that an object holds; a ``frugal`` heap, beyond
    the work budget, only knows whether there are any. ``bound_methods`` are methods taken from an
    object without calling them, ``methods`` lists those of all classes by their names. ``seen`` are
    the objects that the present cell looked at; ``order`` lists all as they were made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held_callables: Relation[Objects] = Relation()
        self.bound_methods: Relation[tuple[Objects, str]] = Relation()
        self.methods: dict[str, tuple[int, ...]] = {}
        self.listed_methods: list[tuple[str, int]] = []
        self.frugal = False
        self.seen: set[int] = set()
        self.order: dict[int, int] = {}
        self._listed: dict[Objects, tuple[int, ...]] = {}

    def sorted(self, objects: Iterable[int]) -> list[int]:
        """Sort objects by the order in which they were made."""
        return sorted(objects, key=self.order.__getitem__)

    def callable_set(self, objects: Objects) -> Objects:
        """Functions and classes of the notebook that a value may be, or hold."""
        if not objects or not self.callables:
            return NO_OBJECTS
        functions, table = self.callables, self.held_callables
        held = [table[o] for o in objects if o in table]
        callables = held[0] if len(held) == 1 else NO_OBJECTS.union(*held)
        if not functions.keys().isdisjoint(objects):
            callables |= frozenset([o for o in objects if o in functions])
        if not callables:
            return NO_OBJECTS
        self.seen |= callables
        return callables

    def callables_in(self, objects: Objects) -> tuple[int, ...]:
        """List :meth:`callable_set` in the order in which they were defined."""
        callables = self.callable_set(objects)
        if not callables:
            return ()
        listed = self._listed.get(callables)
        if listed is None:
            if len(self._listed) >= _MOST_SORTED:
                self._listed.clear()
            listed = self._listed[callables] = tuple(self.sorted(callables))
        return listed

    def list_method(self, name: str, method: int) -> None:
        """Note that a class has a method of this name."""
        self.methods[name] = (*self.methods.get(name, ()), method)
        self.listed_methods.append((name, method))

    def hold_callables(self, number: int, functions: Objects) -> bool:
        """Note that an object may hold functions and classes, and say whether that is new."""
        held = self.held_callables.get(number, NO_OBJECTS)
        if held and self.frugal:
            return False
        if new := not functions <= held:
            self.held_callables[number] = held | functions if held else functions
            self.version += 1
        return new

    def take_method(self, number: int, receiver: Objects, name: str) -> None:
        """Note that an object is a method ``name`` that was taken from ``receiver``."""
        before = self.bound_methods.get(number, (NO_OBJECTS, ""))
        self.bound_methods[number] = before[0] | receiver, name
        self.version += self.bound_methods[number] != before
