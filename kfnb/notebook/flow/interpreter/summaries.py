"""Calling what the notebook defines: summaries of functions, methods and classes.

A summary is computed on what the outer names are at the call, kept as long as
they stay that, and repeated to a fixpoint where functions call one another.
"""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import is_

from kfnb.notebook.flow.interpreter.callables import (
    NOTHING,
    UNKNOWN,
    Arguments,
    CachedSummary,
    CallableDefinition,
    Frame,
    Origin,
    Record,
    Summary,
)
from kfnb.notebook.flow.interpreter.heap import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.name_table import (
    ANY,
    BOUND,
    MAYBE,
    NEVER,
    UNBOUND,
    Changes,
    Slot,
)
from kfnb.notebook.flow.interpreter.numbering import Numbering
from kfnb.notebook.flow.interpreter.scopes import function_locals
from kfnb.notebook.flow.interpreter.state import InterpreterState, is_private

_MOST_ROUNDS = 4
_DEEPEST = 24
MOST_WORK = 40_000
"""Work (nodes visited, effects applied) after which calls are assumed to depend on everything."""


@dataclass(slots=True)
class _UnfinishedSummary:
    """A summary that is being computed; ``recursive`` when it needs itself."""

    summary: Summary
    recursive: bool = False


class Summaries(InterpreterState):
    """Summaries of the notebook's functions, and what applying them does."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__(numbering)
        self.cached_summaries: dict[int, CachedSummary] = {}
        self._unfinished: dict[int, _UnfinishedSummary] = {}
        self._round: dict[int, CachedSummary] = {}
        self._guess: dict[int, Summary] = {}
        self._unsettled = False
        self.exhausted: dict[int, int] = {}
        self.forgot = False
        self.analysed: set[int] = set()
        self.outer_names: frozenset[str] = frozenset()

    @property
    def over_budget(self) -> bool:
        """Whether calls and loops are no longer followed, but assumed to depend on everything."""
        return self.work > MOST_WORK

    @abstractmethod
    def body_of(self, callee: CallableDefinition) -> None:
        """Go through the body of a function in its own frame."""

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

    # -- summaries -------------------------------------------------------------

    def summary(self, callee: CallableDefinition) -> Summary:
        """Summarise what calling a function may do here and now.

        Functions that call one another are gone through in rounds, each once a round,
        until no summary that was used before it was known has changed.
        """
        number = callee.number
        self.heap.seen.add(number)
        for summaries in (self.cached_summaries, self._round):
            known = summaries.get(number)
            if known is not None and self._holds(known):
                self.dependencies.update(known.dependencies)
                return known.summary
        in_progress = self._unfinished.get(number)
        if in_progress is not None:
            in_progress.recursive = True
            return in_progress.summary
        if len(self._unfinished) > _DEEPEST or self.over_budget:
            return NOTHING
        outermost = not self._unfinished
        outer, self.dependencies = self.dependencies, {}
        current = self._unfinished[number] = _UnfinishedSummary(self._guess.get(number, NOTHING))
        for _ in range(_MOST_ROUNDS if outermost else 1):
            current.recursive = False
            if outermost:
                self._round.clear()
            analysed = self._analyse(callee)
            if current.recursive and analysed != current.summary:
                self._unsettled = True
            current.summary = self._guess[number] = analysed
            if not self._unsettled:
                break
            if outermost:
                self._unsettled = False
        del self._unfinished[number]
        self._round[number] = CachedSummary(current.summary, self.dependencies)
        if outermost:
            for each in self._round:
                self.heap.note("summaries", each, self.cached_summaries.get(each))
            self.cached_summaries.update(self._round)
            self._round.clear()
            self._guess.clear()
        outer.update(self.dependencies)
        self.dependencies = outer
        return current.summary

    def forget_summaries(self) -> None:
        """Make summaries anew where they are needed next."""
        self.forgot = True
        self.cached_summaries.clear()
        self.heap.written["summaries"].clear()

    def _holds(self, known: CachedSummary) -> bool:
        slots = self.names.slots
        self.work += len(known.dependencies)
        current = [slots.get(key) for key in known.dependencies]
        if known.version == self.heap.version and all(map(is_, current, known.slots)):
            return True
        for (key, expected), slot in zip(known.dependencies.items(), current, strict=True):
            now = self.dependency(slot)
            if is_private(key):
                now = now._replace(direct=slot.objects if slot else NO_OBJECTS)
            if now != expected:
                return False
        known.slots, known.version = current, self.heap.version
        return True

    def reads_of(self, callee: CallableDefinition) -> frozenset[str]:
        """Give the outer names that calling ``callee`` may read, as last seen."""
        known = self.cached_summaries.get(callee.number)
        return frozenset((known.summary if known else self.summary(callee)).reads)

    def _analyse(self, callee: CallableDefinition) -> Summary:
        self.analysed.add(callee.number)
        if isinstance(callee.node, ast.ClassDef):
            return self._analyse_class(callee)
        saved = (self.frames, self.record, self.unit, self.doubt, self.optional, self.dead)
        function, counted = self.function, self.counted
        self.frames = self._frames_around(callee)
        self.record = record = Record()
        self.unit, self.doubt, self.optional, self.dead = -2 - callee.number, 0, 0, False
        self.function, self.counted = callee, True
        self.names.fork()
        frame = self._enter(callee, callee.node)
        try:
            self.body_of(callee)
            paths = list(frame.exits)
            if not self.dead:
                paths.append(self.names.since(frame.depth))
        finally:
            while self.names.depth > frame.depth:
                self.names.roll_back()
            unit = self.unit
            self.function, self.counted = function, counted
            self.frames, self.record, self.unit, self.doubt, self.optional, self.dead = saved
        return Summary(
            reads={
                n: (r.certain, r.optional, r.origin or Origin(callee.cell, r.line, callee.name))
                for n, r in record.reads.items()
            },
            bound=self._bound(paths, callee, unit),
            changed_objects=frozenset(record.changed_objects),
            used_objects=frozenset(record.used_objects),
            links=frozenset(record.links),
            returns=frozenset(record.returns),
            modules=frozenset(record.modules),
            effect=record.effect,
            opaque=record.opaque is not None,
            identity=record.identity,
            fits=record.fits,
        )

    def _frames_around(self, callee: CallableDefinition) -> list[Frame]:
        for index, frame in enumerate(self.frames):
            if frame.callee is not None and frame.callee.number == callee.parent:
                return self.frames[: index + 1]
        return []

    def _enter(self, callee: CallableDefinition, node: ast.AST) -> Frame:
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        local, global_names, _ = function_locals(node)
        frame = self.push("function", callee.number, local, callee=callee)
        frame.depth = self.names.depth - 1
        frame.keys.update(dict.fromkeys(global_names))
        for number, name in callee.arguments.items():
            objects = frozenset((number,))
            if callee.owner is not None and name == callee.parameters[0]:
                if callee.bound_to == "class":
                    objects |= {callee.owner}
                elif callee.bound_to == "instance":
                    self.heap.store(objects, frozenset((callee.owner,)))
                    self.heap.set_classes(number, frozenset((callee.owner,)))
                    self.heap.mark("self_parameters", objects)
            key = frame.keys[name] or name
            self.names.set(key, Slot(objects, BOUND, self.unit, self.unit, frozenset()))
        return frame

    def _bound(
        self, paths: list[Changes], callee: CallableDefinition, unit: int
    ) -> dict[str, Slot]:
        if not paths:
            return {}
        self.names.fork()
        self.names.join(paths, unit)
        changed = self.names.roll_back()
        around = tuple(f"{f.number}:" for f in self._frames_around(callee))
        return {
            key: slot or NEVER
            for key, slot in changed.items()
            if slot is not None
            and unit in (slot.by, slot.unit)
            and (not is_private(key) or (around and key.startswith(around)))
        }

    def _analyse_class(self, callee: CallableDefinition) -> Summary:
        methods = [self.heap.callables[number] for number in callee.methods.values()]
        parts = [self.summary(method) for method in methods]
        parts += [self.summary(self.heap.callables[base]) for base in callee.bases]
        arguments = frozenset(
            number
            for method in methods
            for number in (*method.arguments, *method.argument_contents)
        )
        reads: dict[str, tuple[bool, bool, Origin]] = {}
        bound: dict[str, Slot] = {}
        for part in parts:
            for name, (_, optional, origin) in part.reads.items():
                before = reads.get(name)
                reads[name] = (False, optional and (before is None or before[1]), origin)
            for name, slot in part.bound.items():
                bound[name] = slot._replace(
                    status=MAYBE, objects=slot.objects | bound.get(name, NEVER).objects
                )
        return Summary(
            reads=reads,
            bound=bound,
            changed_objects=frozenset(o for p in parts for o in p.changed_objects) - arguments,
            modules=frozenset(m for p in parts for m in p.modules),
            effect=any(p.effect for p in parts),
            opaque=any(p.opaque for p in parts),
            identity=any(p.identity for p in parts),
            fits=any(p.fits for p in parts),
        )

    # -- application -----------------------------------------------------------

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
        given = self._given(callee, arguments)

        def mapped(objects: Iterable[int]) -> Objects:
            mapped_objects: set[int] = set()
            for number in objects:
                if number in callee.arguments:
                    mapped_objects |= given[callee.arguments[number]]
                elif number in callee.argument_contents:
                    passed = given[callee.argument_contents[number]]
                    mapped_objects |= self.heap.plain(self.heap.reachable(passed) - passed)
                elif number in self.global_symbols:
                    mapped_objects |= self.resolved(frozenset((number,)))
                elif number in self.heap.part_of and number in self.created_in:
                    owners = mapped(self.heap.part_of[number] - {number})
                    if made is not None and owners:
                        mapped_objects.add(self.heap.part(f"{made}", owners - {made}))
                elif self.created_in.get(number) != callee.number or number in self.heap.callables:
                    mapped_objects.add(number)
                elif made is not None:
                    mapped_objects.add(made)
            return frozenset(mapped_objects)

        with self.doubtful(not certain):
            self._apply_names(summary, mapped, certain=certain)
            self.touch(mapped(summary.changed_objects))
            self.use(mapped(summary.used_objects))
        for into, what in summary.links:
            self.store(mapped(into), mapped(what))
        self.record.modules |= summary.modules
        self.record.effect |= summary.effect and arguments.known
        self.record.identity |= summary.identity
        self.record.fits |= summary.fits
        if summary.opaque and arguments.known and self.record.opaque is None:
            self.record.opaque = self.line
        if made is None:
            return NO_OBJECTS
        returned = mapped(summary.returns)
        if made in returned:
            self.store(frozenset((made,)), mapped(self.heap.reachable(summary.returns)))
        return returned

    def assume(self, arguments: Arguments, made: int | None) -> Objects:
        """Let a call that is not followed read every function's names and change what it gets."""
        given = self.heap.plain(arguments.all())
        self.touch(given)
        if self.function is None and self.exhausted.get(self.cell, -1) != self.unit:
            self.exhausted[self.cell] = self.unit
            if not self.outer_names:
                self.outer_names = frozenset(
                    node.id
                    for callee in self.heap.callables.values()
                    for node in ast.walk(callee.node)
                    if isinstance(node, ast.Name)
                )
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
