"""The state of the abstract interpreter, and the elementary operations on it.

It executes statements on what is known of names instead of on their values:
reading, binding, changing in place, and calling what the notebook defines.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from kfnb.notebook.flow.interpreter.callables import (
    CallableDefinition,
    Dependency,
    Frame,
    Missing,
    Origin,
    Read,
    Record,
)
from kfnb.notebook.flow.interpreter.heap import Heap
from kfnb.notebook.flow.interpreter.name_table import BOUND, UNBOUND, NameTable, Slot
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.interpreter.objects.relations import Relation
from kfnb.notebook.flow.interpreter.tables.library_tables import KNOWN_NAMES

FREE = ":"
"""Where a name of an enclosing function lives that is not being executed."""


class InterpreterState(ABC):
    """Names, heap, frames and the record of what the present statement does."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        self.names = NameTable()
        self.numbering = Numbering() if numbering is None else numbering
        self.heap = Heap(self.numbering)
        self.frames: list[Frame] = []
        self.record = Record()
        self.function: CallableDefinition | None = None
        self.created_in: Relation[int] = Relation()
        self.dependencies: dict[str, Dependency] = {}
        self.global_symbols: Relation[str] = Relation()
        self.work = 0
        self.counted = False
        self.unit = 0
        self.cell = 0
        self.line = 1
        self.doubt = 0
        self.optional = 0
        self.scans = False
        self.texts: Mapping[str, str] = {}
        self.marked_names: frozenset[str] = frozenset()
        self.dead = False
        self.annotations = True
        self.first_seen: dict[tuple[int, str], frozenset[int]] = {}

    @abstractmethod
    def evaluate(self, node: ast.expr | None) -> Objects:
        """Go through an expression; gives the objects that its value may be."""

    @abstractmethod
    def execute(self, body: Sequence[ast.stmt]) -> None:
        """Go through statements."""

    @abstractmethod
    def may_call(self, objects: Objects) -> None:
        """Take functions that a value is or holds as possibly called."""

    # -- objects ---------------------------------------------------------------

    def make(self, node: object, kind: str = "") -> int:
        """Give the object that ``node`` makes, noting the function that makes it."""
        number = self.heap.object_at(node, kind)
        if self.function is not None:
            self.created_in.setdefault(number, self.function.number)
        return number

    def fresh(self, node: object, *parts: Objects) -> Objects:
        """Give a new object at ``node`` that holds ``parts``."""
        number = self.make(node)
        for part in parts:
            self.store(frozenset((number,)), part)
        return frozenset((number,))

    def store(self, into: Objects, what: Objects, attribute: str | None = None) -> None:
        """Put ``what`` into ``into``; the caller decides whether that is a change."""
        if not into or not what:
            return
        self._link(into, what, attribute)
        owned = self.heap.places(into) - into
        if owned:
            self._link(owned, what, None)

    def _link(self, into: Objects, what: Objects, attribute: str | None) -> None:
        self.heap.store(into, what, attribute)
        # What is put into a part goes to its places, which are linked themselves.
        into = frozenset(o for o in into if o not in self.heap.part_of)
        if self.function is not None and into:
            self.record.links.add((into, what, attribute))

    def touch(self, objects: Objects) -> None:
        """Change objects in place: all names that may share them are changed."""
        if not objects:
            return
        heap = self.heap
        objects = self.resolved(heap.owners(objects))
        self.record.changed_objects |= objects
        heap.touched |= objects
        if self.function is not None:
            return
        holders = heap.holders(objects)
        slots, of_object = self.names.slots, self.names.of_object
        names = set[str]().union(*[of_object[o] for o in holders if o in of_object])
        self.work += len(names)
        for name in names:
            slot = slots.get(name)
            if slot and not is_private(name) and not slot.objects.isdisjoint(holders):
                self.mutate(name, slot)

    def use(self, objects: Objects) -> None:
        """Use a value: what has a state that any use changes (a generator) is changed."""
        if not objects:
            return
        if self.function is not None:
            self.record.used_objects |= objects
        if self.heap.stateful:
            self.touch(self.heap.reachable(objects) & self.heap.stateful)

    # -- names -----------------------------------------------------------------

    def key(self, name: str, *, bind: bool = False, walrus: bool = False) -> str:
        """Find where a name lives: itself for a global, a private key, or :data:`FREE`."""
        if not self.frames:
            return name
        last = len(self.frames) - 1
        for index in range(last, -1, -1):
            frame = self.frames[index]
            if frame.kind == "class":
                own = frame.keys.get(name, "")
                if index == last and own != "":
                    if own is None:
                        return name
                    if bind or own in self.names.slots:
                        return own
                continue
            # `:=` in a comprehension binds in the scope around it.
            if walrus and frame.kind == "comprehension":
                last -= index == last
                continue
            if name in frame.keys:
                return frame.keys[name] or name
            if (
                frame.callee is not None
                and name in frame.callee.free
                and not self._active(frame.callee)
            ):
                return FREE
        return name

    def _active(self, callee: CallableDefinition) -> bool:
        return any(f.callee is not None and f.callee.number == callee.parent for f in self.frames)

    def read(self, name: str, line: int, *, call: bool = False) -> Objects:
        """Read a name. Unless it is about to be called, a function in it may be called."""
        key = self.key(name) if self.frames else name
        if key is FREE:
            # A closure's own state, or whatever it was made with.
            own = frozenset((self.function.number,)) if self.function else NO_OBJECTS
            return own | self.heap.plain(self.heap.reachable(own))
        slot = self.names.slots.get(key)
        if not is_private(key):
            self.refer(key, line, certain=self.doubt == 0, optional=self.optional > 0)
        objects = slot.objects if slot else NO_OBJECTS
        if self.function is not None:
            objects = self.outer(key, slot)
        # Who gets a function may call it; who only calls it does so with known arguments.
        if objects and not call and self.heap.callables:
            self.may_call(objects)
        return objects

    def refer(
        self, name: str, line: int, *, certain: bool, optional: bool, origin: Origin | None = None
    ) -> None:
        """Note that a global name is read here."""
        slot = self.names.slots.get(name)
        record = self.record
        record.seen.setdefault(name, slot)
        if self.function is None:
            self.first_seen.setdefault((self.cell, name), slot.cells if slot else frozenset())
        else:
            self.outer(name, slot)
        outside = slot is None or slot.unit != self.unit
        if outside:
            old = record.reads.get(name)
            if old is None or (certain and not old.certain) or (old.optional and not optional):
                record.reads[name] = Read(line, certain, optional, slot, origin)
        if (slot is None or slot.status == UNBOUND) and not optional and self.function is None:
            # Built-in names and IPython's `_` and `In` exist without any statement.
            if name in KNOWN_NAMES or (slot is None and _history(name)):
                return
            record.missing.append(Missing(name, line, certain, slot, origin))

    def outer(self, key: str, slot: Slot | None) -> Objects:
        """Give what a name is inside a function whose summary is being made.

        A global that the function did not bind is a symbol, for whatever it is at the call.
        """
        assert self.function is not None
        objects = slot.objects if slot else NO_OBJECTS
        if slot is not None and slot.unit == self.unit:
            return objects
        if is_private(key):
            if not key.startswith(f"{self.function.number}:"):
                self.dependencies[key] = self.dependency(slot)._replace(direct=objects)
            return objects
        dependency = self.dependencies[key] = self.dependency(slot)
        if objects <= dependency.direct:
            return objects
        symbol, inside = (
            self.heap.object_at(key, "global"),
            self.heap.object_at(key, "inside global"),
        )
        self.global_symbols.setdefault(symbol, key)
        self.global_symbols.setdefault(inside, key)
        itself = frozenset((symbol,))
        self.heap.store(itself, frozenset((inside,)))
        self.heap.unknown.add(inside)
        self.heap.set_classes(symbol, dependency.classes)
        functions = self.heap.callable_set(objects)
        if self.heap.held_callables.get(symbol) != functions:
            self.heap.held_callables[symbol] = functions
            self.heap.version += 1
        return itself | dependency.direct

    def dependency(self, slot: Slot | None) -> Dependency:
        """Return what matters of a name to a function that reads it."""
        if slot is None:
            return _NO_DEPENDENCY
        heap, objects = self.heap, slot.objects
        kinds = [heap.classes[o] for o in objects if o in heap.classes]
        direct = frozenset(o for o in objects if o in heap.callables or o in heap.bound_methods)
        return Dependency(
            True,
            bool(objects),
            direct,
            heap.callables_in(objects),
            NO_OBJECTS.union(*kinds),
            slot.module,
        )

    def resolved(self, objects: Objects) -> Objects:
        """Put for symbols of globals what these are here."""
        if not self.global_symbols or self.global_symbols.keys().isdisjoint(objects):
            return objects
        resolved: set[int] = set()
        for number in objects:
            name = self.global_symbols.get(number)
            if name is None:
                resolved.add(number)
                continue
            slot = self.names.slots.get(name)
            if self.function is not None and (slot is None or slot.unit != self.unit):
                self.outer(name, slot)
                resolved.add(number)
            elif slot is not None:
                is_global = number == self.heap.object_at(name, "global")
                current = (
                    slot.objects if is_global else self.heap.reachable(slot.objects) - slot.objects
                )
                resolved |= current
        return frozenset(resolved)

    def module(self, name: str) -> str | None:
        """Give the dotted name that an import gave ``name``."""
        slot = self.names.slots.get(self.key(name))
        return slot.module if slot else None

    def bind(
        self,
        name: str,
        objects: Objects,
        *,
        module: str | None = None,
        definition: int | None = None,
        walrus: bool = False,
    ) -> None:
        """Bind a name on the present path."""
        key = self.key(name, bind=True, walrus=walrus)
        if key is FREE:
            if self.function is not None:
                self.touch(frozenset((self.function.number,)))
                self.store(frozenset((self.function.number,)), objects)
            return
        slot = Slot(
            objects, BOUND, self.unit, self.unit, frozenset((self.cell,)), definition, module
        )
        self.set(key, slot)

    def unbind(self, name: str) -> None:
        """Delete a name on the present path."""
        key = self.key(name, bind=True)
        if key is not FREE:
            self.set(key, Slot(NO_OBJECTS, UNBOUND, self.unit, self.unit, frozenset((self.cell,))))

    def set(self, key: str, slot: Slot) -> None:
        """Make a name what ``slot`` says, and note that it was touched."""
        if not is_private(key):
            self.record.before.setdefault(key, self.names.slots.get(key))
            self.record.touched[key] = slot
        self.names.set(key, slot)

    def mutate(self, name: str, slot: Slot) -> None:
        """Note that what a global name stands for was changed in place."""
        if slot.status == UNBOUND:
            return
        self.record.seen.setdefault(name, slot)
        self.record.changed.add(name)
        self.first_seen.setdefault((self.cell, name), slot.cells)
        if slot.by == self.unit and slot.definition is None and self.cell in slot.cells:
            self.record.before.setdefault(name, slot)
            self.record.touched[name] = slot
            return
        self.set(
            name,
            slot._replace(by=self.unit, cells=slot.cells | {self.cell}, definition=None),
        )

    # -- paths -----------------------------------------------------------------

    @contextmanager
    def doubtful(self, when: bool = True) -> Iterator[None]:
        """Go through something that may not be executed."""
        self.doubt += when
        try:
            yield
        finally:
            self.doubt -= when

    def maybe(self, nodes: Iterable[ast.expr | None]) -> Objects:
        """Evaluate expressions that may not be executed, one after the other."""
        objects: set[int] = set()
        self.names.fork()
        with self.doubtful():
            for node in nodes:
                objects |= self.evaluate(node)
        changed = self.names.roll_back()
        if changed:
            self.names.join([{}, changed], self.unit)
        return frozenset(objects)

    def push(
        self,
        kind: str,
        number: int,
        local: Iterable[str],
        *,
        callee: CallableDefinition | None = None,
    ) -> Frame:
        """Enter a scope whose own names are ``local``."""
        frame = Frame(
            number=number,
            kind=kind,
            keys={name: f"{number}:{name}" for name in local},
            depth=self.names.depth,
            callee=callee,
        )
        self.frames.append(frame)
        return frame


_NO_DEPENDENCY = Dependency(False, False, NO_OBJECTS, (), NO_OBJECTS, None)


def is_private(key: str) -> bool:
    """Whether a key is that of a local name (identifiers hold no colon)."""
    return key[0].isdigit()


def _history(name: str) -> bool:
    """Whether IPython makes this name of its history (``_12``, ``_i3``)."""
    return name.startswith("_") and name.lstrip("_i").isdigit()
