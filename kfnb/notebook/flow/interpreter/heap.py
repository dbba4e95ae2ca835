"""Which objects names may share: an abstract heap of allocation sites.

An *object* is a number for an allocation site, a place in the source that makes a value (a call, a
list display, a ``def``). What may hold what only grows; which objects a name may
be is flow-sensitive, so that rebinding a name breaks its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, ObjectKinds, Objects

if TYPE_CHECKING:
    from kfnb.notebook.flow.interpreter.callables import CallableDefinition

_MOST_HELD = 32
"""What a value holds beyond this is not followed; the run finds out who shares what."""

_MOST_LISTED = 256
_DEEPEST_FIELD = 2
"""Attributes of attributes of an argument that are told apart, as in ``model.optimizer.state``."""

INSIDE = "*"
EACH = "each*"
ITERATED = "iterated*"
FITTED = "fit*"
"""No attributes: what an argument holds, its elements, what is iterated, what a fit changes."""


class Heap(ObjectKinds):
    """Objects, what they hold, and what they are parts of.

    ``holds`` is flat: what an object holds directly or through others, ``held_since`` gives the
    unit (:attr:`clock`) in which it got that. ``fields`` and ``loose`` list what was put into it
    directly, with and without the name of an attribute. ``part_of`` gives the owners of what
    an attribute or item is: to change a part changes them, to hold it does not hold them;
    ``content_of`` gives the owner of an attribute of which only is known what is put into it.
    ``touched`` were changed somewhere, ``self_parameters`` are the first parameters of methods,
    ``bound_methods`` are methods taken from an object without calling them, ``columns`` are what
    each of the values may be that come together out of ``zip`` or ``enumerate``.
    ``symbols`` stand for what an argument, or an attribute of it, is at the call. Of ``unknown``
    objects the class is not known; ``methods`` lists those of all classes by their names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.holds: dict[int, Objects] = {}
        self.held_callables: dict[int, Objects] = {}
        self.held_by: dict[int, set[int]] = {}
        self.held_since: dict[tuple[int, int], int] = {}
        self.clock = 0
        self.touched: set[int] = set()
        self.part_of: dict[int, Objects] = {}
        self.self_parameters: set[int] = set()
        self.bound_methods: dict[int, tuple[Objects, str]] = {}
        self.fields: dict[int, dict[str, Objects]] = {}
        self.loose: dict[int, Objects] = {}
        self.part_attributes: dict[int, str] = {}
        self.content_of: dict[int, int] = {}
        self.columns: dict[int, tuple[Objects, ...]] = {}
        self.symbols: dict[int, CallableDefinition] = {}
        self.unknown: set[int] = set()
        self.methods: dict[str, list[CallableDefinition]] = {}
        self._listed: dict[Objects, tuple[int, ...]] = {}
        self._made: dict[tuple[object, str], int] = {}

    def object_at(self, location: object, kind: str = "") -> int:
        """Give the object that ``location`` (a syntax node, kept alive by its tree) makes."""
        key = (location if isinstance(location, str) else id(location), kind)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = len(self._made)
        return made

    def store(self, into: Iterable[int], what: Objects, attribute: str | None = None) -> None:
        """Put each of ``what`` into each object of ``into``, as ``attribute`` or else anywhere."""
        direct = self.plain(what)
        direct = frozenset(o for o in direct if o not in self.part_of)
        for holder in into if direct else ():
            if attribute is None:
                held = self.loose.get(holder, NO_OBJECTS)
            else:
                held = self.fields.setdefault(holder, {}).get(attribute, NO_OBJECTS)
            if direct <= held:
                continue
            if len(held | direct) > _MOST_HELD:
                self.displays.discard(holder)
                continue
            if attribute is None:
                self.loose[holder] = held | direct
            else:
                self.fields[holder][attribute] = held | direct
        self.hold(into, what)

    def hold(self, into: Iterable[int], what: Objects) -> None:
        """Note that each object of ``into`` may hold each of ``what``, and what that holds now."""
        if not what:
            return
        what = self.reachable(what)
        functions = self.callable_set(what)
        # A set minus a dictionary's keys goes through all of the keys.
        plain = frozenset(o for o in what if o not in self.part_of) - functions
        if functions:
            for holder in into:
                self.hold_callables(holder, functions)
        for holder in self.holders(into) if plain else ():
            held = self.holds.get(holder, NO_OBJECTS)
            if plain <= held:
                continue
            new = plain - held - {holder}
            if new and len(held) + len(new) <= _MOST_HELD:
                for item in new:
                    self.held_since[holder, item] = self.clock
                    self.held_by.setdefault(item, set()).add(holder)
                self.holds[holder] = held | new

    def reachable(self, objects: Objects) -> Objects:
        """``objects`` and all that they may hold."""
        holds = self.holds
        held = [holds[o] for o in objects if o in holds]
        return objects.union(*held) if held else objects

    def reachable_before(self, objects: Objects, unit: int) -> Objects:
        """``objects`` and all that they may hold by the time that a unit begins."""
        reached = set(objects)
        for holder in objects:
            for item in self.holds.get(holder, NO_OBJECTS):
                if self.held_since[holder, item] < unit:
                    reached.add(item)
        return frozenset(reached)

    def parts(self, objects: Objects) -> Objects:
        """Give what ``x.a`` or ``x[k]`` may be: an object stands for its unknown parts, too."""
        reached = self.reachable(objects)
        return reached if reached is objects else self.plain(reached)

    def field(self, objects: Objects, attribute: str) -> Objects:
        """Give what was put into ``objects`` as ``attribute``, or anywhere."""
        result: set[int] = set()
        for number in objects:
            callee = self.symbols.get(number)
            if callee is not None:
                result.add(self.field_symbol(number, attribute, callee))
            loose = self.loose.get(number)
            if loose:
                result |= self.reachable(loose)
            fields = self.fields.get(number)
            if fields is not None and attribute in fields:
                result |= fields[attribute]
        return self.plain(frozenset(result))

    def field_symbol(self, number: int, attribute: str, callee: CallableDefinition) -> int:
        """Give the symbol for an attribute of what the symbol ``number`` stands for."""
        depth = 0
        base = number
        while base in callee.field_symbols:
            base, depth = callee.field_symbols[base][0], depth + 1
        if depth >= _DEEPEST_FIELD and attribute not in (INSIDE, FITTED):
            attribute = INSIDE
        symbol = self.object_at(f"{number}.{attribute}", "field")
        if symbol not in callee.field_symbols:
            self.hold((number,), frozenset((symbol,)))
            callee.field_symbols[symbol] = number, attribute
            callee.argument_contents[symbol] = callee.symbol_names[base]
            callee.symbol_names[symbol] = callee.symbol_names[base]
            self.unknown.add(symbol)
            if attribute not in (INSIDE, FITTED):
                self.symbols[symbol] = callee
                self.hold((symbol,), frozenset((self.field_symbol(symbol, INSIDE, callee),)))
        return symbol

    def fitted_with(self, objects: Objects) -> Objects:
        """``objects`` and what a method such as ``fit`` changes along with them."""
        result: set[int] = set(objects)
        seen: set[int] = set()
        waiting = list(objects)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            if len(seen) > _MOST_LISTED:
                return self.plain(self.reachable(objects))
            if not (number in self.displays or number in self.frames or number in self.symbols):
                result.add(number)
            if number in self.cloning:
                continue
            callee = self.symbols.get(number)
            if callee is not None:
                result.add(self.field_symbol(number, FITTED, callee))
            waiting += self.loose.get(number, ())
            for held in self.fields.get(number, {}).values():
                waiting += held
        return self.plain(frozenset(result))

    def modules_in(self, objects: Objects) -> Objects:
        """Leave out what cannot be a module, so that a conversion gives a new value."""
        return frozenset(
            number
            for number in objects
            if number not in self.tensors
            and number not in self.displays
            and not (
                number in self.part_of and all(o in self.tensors for o in self.part_of[number])
            )
        )

    def resemble(self, objects: Objects, others: Iterable[int]) -> None:
        """Let ``objects`` be of the classes of ``others``, and hold what these hold."""
        others = tuple(others)
        for number in objects:
            for other in others:
                self.add_classes(number, self.classes.get(other, NO_OBJECTS))
            for kind in (self.tensors, self.frames):
                if kind.issuperset(others[:1]):
                    kind.add(number)
        for other in others:
            self.store(objects, self.loose.get(other, NO_OBJECTS) - frozenset(others))
            for name, held in self.fields.get(other, {}).items():
                self.store(objects, held - frozenset(others), name)

    def places(self, objects: Objects, seen: Objects = NO_OBJECTS) -> Objects:
        """Give what gets the values that are put into ``objects``, which may be parts."""
        if self.part_of.keys().isdisjoint(objects):
            return objects
        result = set(objects)
        for number in objects - seen:
            owners = self.part_of.get(number)
            if owners is None:
                continue
            attribute = self.part_attributes.get(number)
            bases = self.places(owners, seen | objects)
            if attribute is None:
                result |= bases
            else:
                result |= self.contents(bases, attribute)
        return frozenset(result)

    def contents(self, owners: Objects, attribute: str) -> Objects:
        """Give the objects that an attribute of each of ``owners`` is."""
        return frozenset(self._content(o, attribute) for o in owners if o not in self.part_of)

    def _content(self, owner: int, attribute: str) -> int:
        """Give the object that an attribute is of which only is known what is put into it."""
        callee = self.symbols.get(owner)
        if callee is not None:
            return self.field_symbol(owner, attribute, callee)
        number = self.object_at(f"{owner}.{attribute}", "content")
        if number not in self.content_of:
            self.content_of[number] = owner
            self.store((owner,), frozenset((number,)), attribute)
        return number

    def part(self, location: object, owners: Objects, attribute: str | None = None) -> int:
        """Give the object that stands for an attribute or item of ``owners``."""
        number = self.object_at(location, "part")
        if attribute is not None:
            self.part_attributes[number] = attribute
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
        result: set[int] = set()
        seen: set[int] = set()
        waiting = list(objects)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            callee = self.symbols.get(number)
            if callee is not None:
                result.add(self.field_symbol(number, EACH, callee))
            known = number in self.displays and number not in self.held_callables
            if known:
                # All that was put into a display is known: it does not stand for its elements.
                result |= self.loose.get(number, NO_OBJECTS)
                waiting += () if number in objects else self.loose.get(number, ())
                result |= NO_OBJECTS if number in objects else {number}
            elif callee is None or number not in objects:
                result.add(number)
            if number not in self.batching and not known:
                waiting += self.loose.get(number, ())
                for name, held in self.fields.get(number, {}).items():
                    waiting += held if name != ITERATED else ()
        return self.plain(frozenset(result)) - self.iterators

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

    def hold_callables(self, number: int, functions: Objects) -> None:
        """Note that an object may hold functions and classes."""
        held = self.held_callables.get(number, NO_OBJECTS)
        if not functions <= held:
            self.held_callables[number] = held | functions if held else functions
            self.version += 1

    def take_method(self, number: int, receiver: Objects, name: str) -> None:
        """Note that an object is a method ``name`` that was taken from ``receiver``."""
        before = self.bound_methods.get(number, (NO_OBJECTS, ""))
        self.bound_methods[number] = before[0] | receiver, name
        self.version += self.bound_methods[number] != before
