"""Which objects names may share: an abstract heap of allocation sites.

An *object* is a number for an allocation site, a place in the source that makes a value (a call, a
list display, a ``def``). What may hold what only grows; which objects a name may
be is flow-sensitive, so that rebinding a name breaks its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from kfnb.notebook.flow.interpreter.numbering import Numbering

if TYPE_CHECKING:
    from kfnb.notebook.flow.interpreter.callables import CallableDefinition

Objects = frozenset[int]
NO_OBJECTS: Objects = frozenset()

_MOST_HELD = 32
"""What a value holds beyond this is not followed; the run finds out who shares what."""

_MOST_LISTED = 256

SETS = ("stateful", "lazy", "iterators", "random_generators", "self_parameters")
RELATIONS = (
    "holds",
    "held_callables",
    "callables",
    "classes",
    "part_of",
    "bound_methods",
    "created_in",
    "global_symbols",
    "summaries",
    *SETS,
)
Written = dict[str, dict[int, Any]]

_versions = count()


class Heap:
    """Objects, what they hold, and which are functions or classes, or change when they are used.

    ``touched`` were changed somewhere, ``stateful`` are changed by any use, ``lazy`` when an
    item is read, ``iterators`` are used up by iterating,
    ``random_generators`` are stateful too. ``part_of`` gives the owners of what
    an attribute or item is: to change a part changes them, to hold it does not hold them.
    ``classes`` gives the notebook's classes of an instance, ``self_parameters`` are the first
    parameters of methods, ``bound_methods`` are methods taken from an object without calling them.
    ``version`` changes when more is known of functions and classes; no two heaps have the same.

    ``written`` has, by relation, what objects had before the present cell changed it, ``seen`` the
    objects about which it found something out, ``order`` the objects in the order in which
    they are made.
    """

    def __init__(self, numbering: Numbering | None = None) -> None:
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
        self.version = next(_versions) << 32
        self.order: dict[int, int] = {}
        self.made: dict[int, None] = {}
        self.seen: set[int] = set()
        self.written: Written = {relation: {} for relation in RELATIONS}
        self._numbering = Numbering() if numbering is None else numbering
        self._listed: dict[Objects, tuple[int, ...]] = {}

    def object_at(self, location: object, kind: str = "") -> int:
        """Give the object that ``location`` (a syntax node, kept alive by its tree) makes."""
        made = self._numbering.number(location, kind)
        if made not in self.order:
            self.order[made] = len(self.order)
        self.made[made] = None
        return made

    def note(self, relation: str, number: int, before: object) -> None:
        """Note what an object had before a cell changes it."""
        self.written[relation].setdefault(number, before)

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
                    self.written["holds"].setdefault(holder, held or None)
                    self.hold(holder, held | new, new)

    def hold(self, holder: int, held: Objects, new: Objects) -> None:
        """Let an object hold ``held``, of which it did not hold ``new`` before."""
        for item in new:
            self.held_by.setdefault(item, set()).add(holder)
        self.holds[holder] = held

    def reachable(self, objects: Objects) -> Objects:
        """``objects`` and all that they may hold."""
        holds = self.holds
        held = [holds[o] for o in objects if o in holds]
        if not held:
            return objects
        reached = objects.union(*held)
        self.seen |= reached
        return reached

    def contents(self, objects: Objects) -> Objects:
        """All that ``objects`` may hold, functions too."""
        held = [
            held[number]
            for held in (self.holds, self.held_callables)
            for number in objects
            if number in held
        ]
        contents = NO_OBJECTS.union(*held)
        self.seen |= contents
        return contents

    def parts(self, objects: Objects) -> Objects:
        """Give what ``x.a`` or ``x[k]`` may be: an object stands for its unknown parts, too."""
        reached = self.reachable(objects)
        return reached if reached is objects else self.plain(reached)

    def part(self, location: object, owners: Objects) -> int:
        """Give the object that stands for an attribute or item of ``owners``."""
        number = self.object_at(location, "part")
        before = self.part_of.get(number)
        self.note("part_of", number, before)
        self.part_of[number] = owners if before is None else before | owners
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
        self.seen |= owners
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
        self.seen |= holders
        return holders

    def callable_set(self, objects: Objects) -> Objects:
        """Functions and classes of the notebook that a value may be, or hold."""
        if not objects or not self.callables:
            return NO_OBJECTS
        own = frozenset(o for o in objects if o in self.callables)
        held = [h for o in objects if (h := self.held_callables.get(o))]
        callables = held[0] if len(held) == 1 and not own else own.union(*held) if held else own
        self.seen |= callables
        return callables

    def callables_in(self, objects: Objects) -> tuple[int, ...]:
        """List :meth:`callable_set` in the order in which they were defined."""
        callables = self.callable_set(objects)
        if not callables:
            return ()
        listed = self._listed.get(callables)
        if listed is None:
            if len(self._listed) >= _MOST_LISTED:
                self._listed.clear()
            listed = self._listed[callables] = tuple(self.sorted(callables))
        return listed

    def add_callable(self, number: int, callee: CallableDefinition) -> None:
        """Say that an object is a function or class of the notebook."""
        before = self.callables.get(number)
        self.note("callables", number, before.copy() if before is callee else before)
        self.version += before is None
        self.callables[number] = callee

    def change_callable(self, callee: CallableDefinition) -> None:
        """Note that a function or class is about to change."""
        if callee.number not in self.written["callables"]:
            self.note("callables", callee.number, callee.copy())

    def mark(self, property_: str, objects: Objects) -> None:
        """Add objects to one of the sets, such as ``stateful``."""
        marked: set[int] = getattr(self, property_)
        for number in objects - marked:
            self.note(property_, number, None)
        marked |= objects

    def sorted(self, objects: Iterable[int]) -> list[int]:
        """Sort objects by the order in which they were made."""
        return sorted(objects, key=self.order.__getitem__)

    def hold_callables(self, number: int, functions: Objects) -> None:
        """Note that an object may hold functions and classes."""
        held = self.held_callables.get(number, NO_OBJECTS)
        if not functions <= held:
            self.note("held_callables", number, held or None)
            self.held_callables[number] = held | functions if held else functions
            self.version += 1

    def set_held_callables(self, number: int, functions: Objects) -> None:
        """Say which functions and classes an object may hold."""
        before = self.held_callables.get(number)
        if before != functions:
            self.note("held_callables", number, before)
            self.held_callables[number] = functions
            self.version += 1

    def set_classes(self, number: int, classes: Objects) -> None:
        """Say of which of the notebook's classes an object is an instance."""
        if self.classes.get(number) != classes:
            self.note("classes", number, self.classes.get(number))
            self.classes[number] = classes
            self.version += 1

    def take_method(self, number: int, receiver: Objects, name: str) -> None:
        """Note that an object is a method ``name`` that was taken from ``receiver``."""
        before = self.bound_methods.get(number)
        after = (before[0] | receiver if before else receiver), name
        if after != before:
            self.note("bound_methods", number, before)
            self.bound_methods[number] = after
            self.version += 1
