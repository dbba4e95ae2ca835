"""Calling what the notebook defines: what a summary means where the function is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kfnb.notebook.flow.interpreter.callables import (
    UNKNOWN,
    Arguments,
    CallableDefinition,
    Record,
    Summary,
)
from kfnb.notebook.flow.interpreter.heap import EACH, FITTED, INSIDE
from kfnb.notebook.flow.interpreter.name_table import ANY, BOUND, MAYBE, NEVER, UNBOUND, Slot
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.state import is_private
from kfnb.notebook.flow.interpreter.summaries import Summaries


class SummaryEffects(Summaries):
    """Does at a call what the summary of the callee says, with the arguments of the call."""

    def may_call(self, objects: Objects) -> None:
        """Take functions that a value is or holds as possibly called, with anything."""
        if self.over_budget:
            if not self.heap.held_callables.keys().isdisjoint(objects) or not (
                self.heap.callables.keys().isdisjoint(objects)
            ):
                self.assume(UNKNOWN, None)
            return
        for number in self.heap.callables_in(objects):
            self.apply(self.heap.callables[number], UNKNOWN, certain=False, made=None)

    def apply(
        self, callee: CallableDefinition, arguments: Arguments, *, certain: bool, made: int | None
    ) -> Objects:
        """Do here what calling ``callee`` may do; gives what the call may return.

        ``made`` stands for whatever the call makes; None where nothing receives it.
        """
        summary = self.summary(callee)
        if self.over_budget:
            return self.assume(arguments, made)
        self.work += 1 + len(summary.reads) + len(summary.bound) + len(summary.links)
        mapped = _Mapping(self, callee, self._given(callee, arguments), summary.returns, made)
        with self.doubtful(not certain):
            self._apply_names(summary, mapped, certain=certain)
            self.touch(mapped(summary.changed_objects))
            self.convert(mapped(summary.moved_objects))
            self.use(mapped(summary.used_objects))
        for into, what, attribute in summary.links:
            self.store(mapped.places(into), mapped(what), attribute)
        self.record.modules |= summary.modules
        self.record.effect |= summary.effect and arguments.known
        self.record.identity |= summary.identity
        self.record.fitted_objects |= self.heap.owners(mapped(summary.fitted_objects))
        if summary.opaque and arguments.known and self.record.opaque is None:
            self.record.opaque = self.line
        if made is None:
            return NO_OBJECTS
        returned = mapped(summary.returns)
        if made in returned:
            self.heap.hold((made,), mapped(self.heap.reachable(summary.returns)))
        return returned

    def convert(self, objects: Objects) -> None:
        """Convert values (``x.to(device)``), which changes modules in place, but no tensors."""
        heap = self.heap
        modules = heap.modules_in(heap.owners(heap.modules_in(objects)))
        if self.function is not None:
            contents = self.function.argument_contents
            later = {
                o for o in modules if o in heap.symbols or o in contents or o in self.global_symbols
            }
            self.record.moved_objects |= later
            modules -= later
        self.touch(modules)

    def only_fits(self, name: str, record: Record) -> bool:
        """Whether a statement changes what ``name`` holds only by fitting estimators."""
        heap = self.heap
        held = heap.plain(heap.reachable(record.touched[name].objects))
        changed = held & record.changed_objects
        fitted = changed & heap.estimators
        return bool(fitted) and changed <= record.fitted_objects

    def assume(self, arguments: Arguments, made: int | None) -> Objects:
        """Let a call that is not followed read every function's names and change what it gets."""
        given = self.heap.plain(arguments.all())
        self.touch(given)
        if self.function is None and self.exhausted.get(self.cell, -1) != self.unit:
            self.exhausted[self.cell] = self.unit
            if not self.outer_names:
                self.outer_names = self.names_in_functions()
            for name in sorted(self.outer_names & self.names.slots.keys()):
                self.refer(name, self.line, certain=False, optional=True)
        return given | ({made} if made is not None else NO_OBJECTS)

    def _given(self, callee: CallableDefinition, arguments: Arguments) -> Mapping[str, Objects]:
        given: dict[str, Objects] = {}
        for position, name in enumerate(callee.parameters):
            objects = arguments.keywords.get(name)
            if objects is None and position < callee.positional:
                if position < len(arguments.positional):
                    objects = arguments.positional[position]
            elif objects is None:
                extra = arguments.positional[callee.positional :]
                objects = NO_OBJECTS.union(*extra, *arguments.keywords.values())
            if objects is None:
                objects = self.resolved(callee.defaults.get(name, NO_OBJECTS))
            given[name] = objects | arguments.spread
        return given

    def _apply_names(
        self, summary: Summary, mapped: Callable[[Iterable[int]], Objects], *, certain: bool
    ) -> None:
        for name, (read_certainly, optional, origin) in summary.reads.items():
            self.refer(
                name,
                self.line,
                certain=certain and read_certainly and self.doubt == 0,
                optional=optional or self.optional > 0,
                origin=origin,
            )
        for key, slot in summary.bound.items():
            before = self.names.slots.get(key) or NEVER
            objects = mapped(slot.objects)
            if certain and slot.status == BOUND and slot.unit != ANY:
                new = Slot(objects, BOUND, self.unit, self.unit, frozenset((self.cell,)))
            elif certain and slot.status == UNBOUND and slot.unit != ANY:
                new = Slot(NO_OBJECTS, UNBOUND, self.unit, self.unit, frozenset((self.cell,)))
            else:
                new = Slot(
                    before.objects | objects,
                    before.status if before.status == BOUND and slot.status == BOUND else MAYBE,
                    before.unit if before.unit == self.unit else ANY,
                    self.unit,
                    before.cells | {self.cell},
                )
            if self.function is None and not is_private(key):
                self.first_seen.setdefault((self.cell, key), before.cells)
            self.set(key, new)


class _Mapping:
    """Puts the objects of a call for those of the callee's summary.

    A parameter's symbol stands for what is passed. What the callee makes and returns becomes
    ``made``; what else it makes becomes one object that the result may hold.
    """

    def __init__(
        self,
        effects: SummaryEffects,
        callee: CallableDefinition,
        given: Mapping[str, Objects],
        returns: Objects,
        made: int | None,
    ) -> None:
        self._effects = effects
        self._heap = effects.heap
        self._callee = callee
        self._given = given
        self._returns = returns
        self._made = made
        self._known: dict[int, Objects] = {}

    def __call__(self, objects: Iterable[int]) -> Objects:
        """Give what ``objects`` are at this call."""
        mapped: set[int] = set()
        for number in objects:
            known = self._known.get(number)
            if known is None:
                known = self._known[number] = self._one(number)
            mapped |= known
        return frozenset(mapped)

    def places(self, objects: Objects) -> Objects:
        """Give what gets that which the callee puts into ``objects``."""
        symbols = self._callee.field_symbols
        given: set[int] = set(self(objects))
        for number in objects:
            base, attribute = symbols.get(number, (number, INSIDE))
            if attribute not in (INSIDE, FITTED, EACH) and not self((number,)):
                given |= self._heap.contents(self((base,)), attribute)
        return frozenset(given)

    def _is_made(self, number: int) -> bool:
        """Whether the callee makes this object anew."""
        while number in self._heap.content_of:
            number = self._heap.content_of[number]
            self._heap.seen.add(number)
        made_here = self._effects.created_in.get(number) == self._callee.number
        return made_here and number not in self._heap.callables and number not in self._heap.part_of

    def _one(self, number: int) -> Objects:
        callee, heap, made = self._callee, self._heap, self._made
        if number in callee.arguments:
            return self._given[callee.arguments[number]]
        if number in callee.field_symbols:
            return self._field(*callee.field_symbols[number])
        if number in self._effects.global_symbols:
            return self._effects.resolved(frozenset((number,)))
        if number in heap.part_of and number in self._effects.created_in:
            heap.seen |= heap.part_of[number]
            owners = self(heap.part_of[number] - {number})
            if made is None or not owners:
                return NO_OBJECTS
            return frozenset((heap.part(f"{made}", owners - {made}),))
        if not self._is_made(number):
            return frozenset((number,))
        if made is None:
            return NO_OBJECTS
        here = made
        if number not in self._returns:
            # What the result holds is told apart from it, and generators from other values.
            here = heap.object_at(f"{made}", "state" if number in heap.stateful else "held")
            if self._effects.function is not None:
                self._effects.created_in.setdefault(here, self._effects.function.number)
        heap.adopt(here, (number,))
        return frozenset((here,))

    def _field(self, base: int, attribute: str) -> Objects:
        heap = self._heap
        of = self((base,))
        if attribute == INSIDE:
            return heap.plain(heap.reachable(of) - of)
        if attribute == FITTED:
            return heap.fitted_with(of) - heap.displays - heap.frames
        if attribute == EACH:
            return heap.elements(of)
        return heap.field(of, attribute)
