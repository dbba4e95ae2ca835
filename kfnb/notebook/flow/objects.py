"""Which objects names may share: an abstract heap of the places where objects are made.

An *object* is a number for a place in the source that makes a value (a call, a
list display, a ``def``). What may hold what only grows; which objects a name may
be is flow-sensitive, so that rebinding a name breaks its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfnb.notebook.flow.code import Code

Objects = frozenset[int]
NONE: Objects = frozenset()


class Heap:
    """Objects, what they hold, and which of them are code or change when they are used.

    ``touched`` were changed somewhere, ``stateful`` are changed by any use, ``lazy``
    when an item is read; ``drained`` are iterators, with themselves and those that they
    draw from; ``instances`` are those of the notebook's classes; ``bound``
    are methods taken from an object without calling them.
    """

    def __init__(self) -> None:
        self.holds: dict[int, set[int]] = {}
        self.held_by: dict[int, set[int]] = {}
        self.code: dict[int, Code] = {}
        self.touched: set[int] = set()
        self.stateful: set[int] = set()
        self.lazy: set[int] = set()
        self.drained: dict[int, Objects] = {}
        self.instances: set[int] = set()
        self.bound: dict[int, tuple[Objects, str]] = {}
        self._made: dict[tuple[int, str], int] = {}
        self._reach: dict[Objects, Objects] = {}
        self._code_of: dict[Objects, tuple[int, ...]] = {}

    def at(self, place: object, kind: str = "") -> int:
        """Give the object that ``place`` (a syntax node, kept alive by its tree) makes."""
        key = (id(place), kind)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = len(self._made)
        return made

    def store(self, into: Iterable[int], what: Objects) -> None:
        """Note that each object of ``into`` may hold each of ``what``."""
        if not what:
            return
        grown = False
        for holder in into:
            held = self.holds.setdefault(holder, set())
            new = what - held - {holder}
            if new:
                held |= new
                grown = True
                for item in new:
                    self.held_by.setdefault(item, set()).add(holder)
        if grown:
            self._reach.clear()
            self._code_of.clear()

    def reach(self, objects: Objects) -> Objects:
        """``objects`` and all that they may hold, however deep."""
        if not any(o in self.holds for o in objects):
            return objects
        found = self._reach.get(objects)
        if found is None:
            found = self._reach[objects] = frozenset(_closure(objects, self.holds))
        return found

    def parts(self, objects: Objects) -> Objects:
        """Give what ``x.a`` or ``x[k]`` may be: an object stands for its unknown parts, too."""
        reached = self.reach(objects)
        return reached if reached is objects else self.plain(reached)

    def items(self, objects: Objects) -> Objects:
        """Give what iterating over ``objects`` may give: not an iterator itself."""
        found = self.parts(objects)
        iterators = [self.drained[o] for o in objects if o in self.drained]
        return found.difference(*iterators) if iterators else found

    def draw(self, iterator: Objects, sources: Objects) -> None:
        """Note that objects are iterators, and which others they may draw from."""
        drawn = [self.drained[o] for o in sources if o in self.drained]
        for number in iterator:
            self.drained[number] = iterator.union(*drawn)

    def plain(self, objects: Objects) -> Objects:
        """Leave out functions and classes."""
        if self.code.keys().isdisjoint(objects):
            return objects
        return frozenset(o for o in objects if o not in self.code)

    def holders(self, objects: Iterable[int]) -> set[int]:
        """``objects`` and all that may hold one of them."""
        return _closure(objects, self.held_by)

    def code_of(self, objects: Objects) -> tuple[int, ...]:
        """Functions and classes of the notebook that a value may be, or hold."""
        if not objects or not self.code:
            return ()
        found = self._code_of.get(objects)
        if found is None:
            found = tuple(sorted(o for o in self.reach(objects) if o in self.code))
            self._code_of[objects] = found
        return found

    def add_code(self, number: int, code: Code) -> None:
        """Say that an object is a function or class of the notebook."""
        self.code[number] = code
        self._code_of.clear()


def _closure(start: Iterable[int], edges: dict[int, set[int]]) -> set[int]:
    found = set(start)
    waiting = list(found)
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
