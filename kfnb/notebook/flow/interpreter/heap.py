"""Which objects names may share: an abstract heap of allocation sites.

An *object* is a number for an allocation site, a place in the source that makes a value (a call, a
list display, a ``def``). What may hold what only grows; which objects a name may be is
flow-sensitive, so that rebinding a name breaks its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.held_functions import HeldFunctions
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.interpreter.objects.relations import ObjectSet, Relation

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

_NO_FIELDS: Mapping[str, Objects] = {}


class Heap(HeldFunctions):
    """Objects, what they hold, and what they are parts of.

    ``holds`` is flat: what an object holds directly or through others, ``held_since`` gives the
    time (:attr:`clock`, a cell in the order of the walk) at which it got that. ``fields``
    and ``loose`` list what was put into it directly, with and without the name of an attribute.
    ``part_of`` gives the owners of what an attribute or item is: to change a part changes them, to
    hold it does not hold them;
    ``content_of`` gives the owner of an attribute of which only is known what is put into it.
    ``touched`` were changed somewhere, ``self_parameters`` are the first parameters of methods,
    ``columns`` are what each of the values may be that come together out of ``zip`` or
    ``enumerate``. ``symbols`` stand for what an argument, or an attribute of it, is at the call. Of
    ``unknown`` objects the class is not known.
    """

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__()
        self.holds: Relation[Objects] = Relation()
        self.held_by: dict[int, set[int]] = {}
        self.held_since: dict[tuple[int, int], int] = {}
        self.clock = 0
        self.touched: set[int] = set()
        self.part_of: Relation[Objects] = Relation()
        self.self_parameters = ObjectSet()
        self.fields: Relation[Mapping[str, Objects]] = Relation()
        self.loose: Relation[Objects] = Relation()
        self.part_attributes: Relation[str] = Relation()
        self.content_of: Relation[int] = Relation()
        self.columns: Relation[tuple[Objects, ...]] = Relation()
        self.symbols: Relation[int] = Relation()
        self.unknown = ObjectSet()
        self.looked_for_methods = False
        self.made: dict[int, None] = {}
        self._number = (Numbering() if numbering is None else numbering).number

    def object_at(self, location: object, kind: str = "") -> int:
        """Give the object that ``location`` (a syntax node, kept alive by its tree) makes."""
        made = self._number(location, kind)
        order = self.order
        if made not in order:
            order[made] = len(order)
        self.made[made] = None
        return made

    def store(self, into: Iterable[int], what: Objects, attribute: str | None = None) -> None:
        """Put each of ``what`` into each object of ``into``, as ``attribute`` or else anywhere."""
        direct = self.plain(what)
        if not self.part_of.keys().isdisjoint(direct):
            direct = frozenset([o for o in direct if o not in self.part_of])
        for holder in into if direct else ():
            if attribute is None:
                held = self.loose.get(holder, NO_OBJECTS)
            else:
                held = self.fields.get(holder, _NO_FIELDS).get(attribute, NO_OBJECTS)
            if direct <= held:
                continue
            if len(held | direct) > _MOST_HELD:
                self.displays.discard(holder)
                continue
            if attribute is None:
                self.loose[holder] = held | direct
            else:
                fields = self.fields.get(holder, _NO_FIELDS)
                self.fields[holder] = {**fields, attribute: held | direct}
        self.hold(into, what)

    def hold(self, into: Iterable[int], what: Objects) -> None:
        """Note that each object of ``into`` may hold each of ``what``, and what that holds now."""
        if not what:
            return
        self.seen |= what
        what = self.reachable(what)
        functions = self.callable_set(what)
        plain = what
        if not self.part_of.keys().isdisjoint(what):
            # A set minus a dictionary's keys goes through all of the keys.
            plain = frozenset([o for o in what if o not in self.part_of])
        if functions:
            plain -= functions
        if functions:
            for holder in into:
                if self.hold_callables(holder, functions):
                    for each in self.holders((holder,)):
                        self.hold_callables(each, functions)
        for holder in self.holders(into) if plain else ():
            held = self.holds.get(holder, NO_OBJECTS)
            if plain <= held:
                continue
            new = plain - held - {holder}
            if new and len(held) + len(new) <= _MOST_HELD:
                self.holds[holder] = held | new
                self.held_in(holder, new)

    def held_in(self, holder: int, items: Objects) -> None:
        """Note the other direction of ``holds``, and since when it is so."""
        for item in items:
            self.held_since[holder, item] = self.clock
            self.held_by.setdefault(item, set()).add(holder)

    def reachable(self, objects: Objects) -> Objects:
        """``objects`` and all that they may hold."""
        holds = self.holds
        held = [holds[o] for o in objects if o in holds]
        if not held:
            return objects
        reached = objects.union(*held) if len(held) > 1 else objects | held[0]
        self.seen |= reached
        return reached

    def held(self, objects: Objects) -> Objects:
        """Give what ``objects`` may hold, functions too."""
        holds, functions = self.holds, self.held_callables
        held = [holds[o] for o in objects if o in holds]
        held += [functions[o] for o in objects if o in functions]
        if not held:
            return NO_OBJECTS
        together = held[0].union(*held[1:])
        self.seen |= together
        return together

    def reachable_before(self, objects: Objects, clock: int) -> Objects:
        """``objects`` and all that they may hold before a time of the :attr:`clock`."""
        reached = set(objects)
        for holder in objects:
            for item in self.holds.get(holder, NO_OBJECTS):
                if self.held_since[holder, item] < clock:
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
            callee = self._symbol_of(number)
            if callee is not None:
                result.add(self.field_symbol(number, attribute, callee))
            loose = self.loose.get(number)
            if loose:
                result |= self.reachable(loose)
            fields = self.fields.get(number)
            if fields is not None and attribute in fields:
                result |= fields[attribute]
        self.seen |= result
        return self.plain(frozenset(result))

    def _symbol_of(self, number: int) -> CallableDefinition | None:
        function = self.symbols.get(number)
        if function is None:
            return None
        self.seen.add(function)
        return self.callables[function]

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
            self.change_callable(callee)
            callee.field_symbols[symbol] = number, attribute
            callee.argument_contents[symbol] = callee.symbol_names[base]
            callee.symbol_names[symbol] = callee.symbol_names[base]
            self.unknown.add(symbol)
            if attribute not in (INSIDE, FITTED):
                self.symbols[symbol] = callee.number
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
            callee = self._symbol_of(number)
            if callee is not None:
                result.add(self.field_symbol(number, FITTED, callee))
            waiting += self.loose.get(number, ())
            for held in self.fields.get(number, {}).values():
                waiting += held
        self.seen |= seen
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
            self.seen |= owners
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
        callee = self._symbol_of(owner)
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
        if self.callables and (functions := self.callable_set(owners)):
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
        result: set[int] = set()
        seen: set[int] = set()
        waiting = list(objects)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            callee = self._symbol_of(number)
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
        self.seen |= seen
        return self.plain(frozenset(result)) - self.iterators

    def holders(self, objects: Iterable[int]) -> set[int]:
        """``objects`` and all that may hold one of them."""
        holders = set(objects)
        held_by = self.held_by
        for number in objects:
            if number in held_by:
                holders |= held_by[number]
        self.seen |= holders
        return holders
