"""Which objects names may share: an abstract heap of allocation sites.

An *object* is a number for an allocation site, a place in the source that makes a value (a call, a
list display, a ``def``). What may hold what only grows; which objects a name may
be is flow-sensitive, so that rebinding a name breaks its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfnb.notebook.flow.interpreter.callables import CallableDefinition

Objects = frozenset[int]
NO_OBJECTS: Objects = frozenset()

_MOST_HELD = 32
"""What a value holds beyond this is not followed; the run finds out who shares what."""

_MOST_LISTED = 256


class Heap:
    """Objects, what they hold, and which are functions or classes, or change when they are used.

    ``touched`` were changed somewhere, ``stateful`` are changed by any use, ``lazy`` when an
    item is read, ``iterators`` are used up by iterating,
    ``random_generators`` are stateful too. ``part_of`` gives the owners of what
    an attribute or item is: to change a part changes them, to hold it does not hold them.
    ``classes`` gives the notebook's classes of an instance, ``self_parameters`` are the first
    parameters of methods, ``bound_methods`` are methods taken from an object without calling them.
    ``version`` grows when more is known of functions and classes.
    """

    def __init__(self) -> None:
        self.holds: dict[int, Objects] = {}
        self.held_callables: dict[int, Objects] = {}
        self.held_by: dict[int, set[int]] = {}
        self.callables: dict[int, CallableDefinition] = {}
        self.touched: set[int] = set()
        self.stateful: set[int] = set()
        self.lazy: set[int] = set()
        self.iterators: set[int] = set()
        self.random_generators: set[int] = set()
        self.classes: dict[int, Objects] = {}
        self.part_of: dict[int, Objects] = {}
        self.self_parameters: set[int] = set()
        self.bound_methods: dict[int, tuple[Objects, str]] = {}
        self.version = 0
        self._listed: dict[Objects, tuple[int, ...]] = {}
        self._made: dict[tuple[object, str], int] = {}

    def object_at(self, location: object, kind: str = "") -> int:
        """Give the object that ``location`` (a syntax node, kept alive by its tree) makes."""
        key = (location if isinstance(location, str) else id(location), kind)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = len(self._made)
        return made

    def store(self, into: Iterable[int], what: Objects) -> None:
        """Note that each object of ``into`` may hold each of ``what``, and what that holds now."""
        if not what:
            return
        what = self.reachable(what)
        functions = self.callable_set(what)
        # A set minus a dictionary's keys goes through all of the keys.
        plain = frozenset(o for o in what if o not in self.part_of) - functions
        for holder in into:
            if functions:
                self.hold_callables(holder, functions)
            if plain:
                held = self.holds.get(holder, NO_OBJECTS)
                new = plain - held - {holder}
                if new and len(held) + len(new) <= _MOST_HELD:
                    for item in new:
                        self.held_by.setdefault(item, set()).add(holder)
                    self.holds[holder] = held | new

    def reachable(self, objects: Objects) -> Objects:
        """``objects`` and all that they may hold."""
        holds = self.holds
        held = [holds[o] for o in objects if o in holds]
        return objects.union(*held) if held else objects

    def parts(self, objects: Objects) -> Objects:
        """Give what ``x.a`` or ``x[k]`` may be: an object stands for its unknown parts, too."""
        reached = self.reachable(objects)
        return reached if reached is objects else self.plain(reached)

    def part(self, location: object, owners: Objects) -> int:
        """Give the object that stands for an attribute or item of ``owners``."""
        number = self.object_at(location, "part")
        self.part_of[number] = self.part_of.get(number, NO_OBJECTS) | owners
        functions = self.callable_set(owners)
        if functions:
            self.hold_callables(number, functions)
        return number

    def owners(self, objects: Objects) -> Objects:
        """``objects`` and all that they are parts of."""
        if self.part_of.keys().isdisjoint(objects):
            return objects
        owners = set(objects)
        waiting = list(objects)
        while waiting:
            for owner in self.part_of.get(waiting.pop(), ()):
                if owner not in owners:
                    owners.add(owner)
                    waiting.append(owner)
        return frozenset(owners)

    def elements(self, objects: Objects) -> Objects:
        """Give what iterating over ``objects`` may give: not an iterator itself."""
        return self.parts(objects) - self.iterators

    def plain(self, objects: Objects) -> Objects:
        """Leave out functions and classes."""
        if self.callables.keys().isdisjoint(objects):
            return objects
        return frozenset(o for o in objects if o not in self.callables)

    def holders(self, objects: Iterable[int]) -> set[int]:
        """``objects`` and all that may hold one of them."""
        holders = set(objects)
        for number in tuple(holders):
            holders |= self.held_by.get(number, NO_OBJECTS)
        return holders

    def callable_set(self, objects: Objects) -> Objects:
        """Functions and classes of the notebook that a value may be, or hold."""
        if not objects or not self.callables:
            return NO_OBJECTS
        own = frozenset(o for o in objects if o in self.callables)
        held = [h for o in objects if (h := self.held_callables.get(o))]
        if len(held) == 1 and not own:
            return held[0]
        return own.union(*held) if held else own

    def callables_in(self, objects: Objects) -> tuple[int, ...]:
        """List :meth:`callable_set` in the order in which they were defined."""
        callables = self.callable_set(objects)
        if not callables:
            return ()
        listed = self._listed.get(callables)
        if listed is None:
            if len(self._listed) >= _MOST_LISTED:
                self._listed.clear()
            listed = self._listed[callables] = tuple(sorted(callables))
        return listed

    def add_callable(self, number: int, callee: CallableDefinition) -> None:
        """Say that an object is a function or class of the notebook."""
        self.version += number not in self.callables
        self.callables[number] = callee

    def hold_callables(self, number: int, functions: Objects) -> None:
        """Note that an object may hold functions and classes."""
        held = self.held_callables.get(number, NO_OBJECTS)
        if not functions <= held:
            self.held_callables[number] = held | functions if held else functions
            self.version += 1

    def set_classes(self, number: int, classes: Objects) -> None:
        """Say of which of the notebook's classes an object is an instance."""
        if self.classes.get(number) != classes:
            self.classes[number] = classes
            self.version += 1

    def take_method(self, number: int, receiver: Objects, name: str) -> None:
        """Note that an object is a method ``name`` that was taken from ``receiver``."""
        before = self.bound_methods.get(number, (NO_OBJECTS, ""))
        self.bound_methods[number] = before[0] | receiver, name
        self.version += self.bound_methods[number] != before
