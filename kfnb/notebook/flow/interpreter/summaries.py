"""Summaries of the notebook's functions, methods and classes: what calling them may do.

A summary is computed on what the outer names are at the call, kept as long as
they stay that, and repeated to a fixpoint where functions call one another.
"""

from __future__ import annotations

import ast
from abc import abstractmethod
from dataclasses import dataclass
from operator import is_

from kfnb.notebook.flow.interpreter.callables import (
    NOTHING,
    CachedSummary,
    CallableDefinition,
    Frame,
    Origin,
    Record,
    Summary,
)
from kfnb.notebook.flow.interpreter.name_table import (
    BOUND,
    MAYBE,
    NEVER,
    Changes,
    Slot,
)
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.interpreter.objects.relations import Relation
from kfnb.notebook.flow.interpreter.scopes import function_locals
from kfnb.notebook.flow.interpreter.state import InterpreterState, is_private
from kfnb.notebook.syntax_trees import all_nodes

_MOST_ROUNDS = 4
_DEEPEST = 24
_MOST_NAMED = 12
"""Functions whose names are collected for one that was not summarised."""
MOST_WORK = 20_000
"""Work (nodes visited, effects applied) after which calls are assumed to depend on everything."""


@dataclass(slots=True)
class _UnfinishedSummary:
    """A summary that is being computed; ``recursive`` when it needs itself."""

    summary: Summary
    recursive: bool = False


class Summaries(InterpreterState):
    """Makes summaries of the notebook's functions, and keeps those that still hold."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__(numbering)
        self.cached_summaries: Relation[CachedSummary] = Relation()
        self._unfinished: dict[int, _UnfinishedSummary] = {}
        self._round: dict[int, CachedSummary] = {}
        self._guess: dict[int, Summary] = {}
        self._unsettled = False
        self.exhausted: dict[int, int] = {}
        self.forgot = False
        self.analysed: set[int] = set()
        self.outer_names: frozenset[str] = frozenset()
        self._own_names: dict[int, frozenset[str]] = {}

    @property
    def over_budget(self) -> bool:
        """Whether calls and loops are no longer followed, but assumed to depend on everything."""
        return self.work > MOST_WORK

    @abstractmethod
    def body_of(self, callee: CallableDefinition) -> None:
        """Go through the body of a function in its own frame."""

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
            # Beyond the budget summaries are not complete.
            for each, made in () if self.over_budget else self._round.items():
                self.cached_summaries[each] = made
            self._round.clear()
            self._guess.clear()
        outer.update(self.dependencies)
        self.dependencies = outer
        return current.summary

    def forget_summaries(self) -> None:
        """Make summaries anew where they are needed next."""
        self.forgot = True
        self.cached_summaries.clear()
        self.cached_summaries.written.clear()

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
        summary = known.summary if known else self.summary(callee)
        if known is None and self.over_budget:
            return self._named_by(callee)
        return frozenset(summary.reads)

    def _named_by(self, callee: CallableDefinition) -> frozenset[str]:
        """Give the names in a function, and in those that it names, up to a number of functions."""
        names: set[str] = set()
        functions = [callee.number]
        # The list grows meanwhile.
        for number in functions:
            if len(functions) > _MOST_NAMED:
                break
            own = self._names_in(number)
            for name in sorted(own - names):
                slot = self.names.slots.get(name)
                new = slot.objects & self.heap.callables.keys() if slot else NO_OBJECTS
                functions += [n for n in self.heap.sorted(new) if n not in functions]
            names |= own
        return frozenset(names)

    def _names_in(self, number: int) -> frozenset[str]:
        names = self._own_names.get(number)
        if names is None:
            nodes = all_nodes([self.heap.callables[number].node])
            names = self._own_names[number] = frozenset(
                node.id for node in nodes if isinstance(node, ast.Name)
            )
        return names

    def names_in_functions(self) -> frozenset[str]:
        """Give all names in the notebook's functions and classes."""
        return frozenset[str]().union(*map(self._names_in, self.heap.callables))

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
            unit, parts = self.unit, self.heap.part_of
            self.function, self.counted = function, counted
            self.frames, self.record, self.unit, self.doubt, self.optional, self.dead = saved
        return Summary(
            reads={
                n: (r.certain, r.optional, r.origin or Origin(callee.cell, r.line, callee.name))
                for n, r in record.reads.items()
            },
            bound=self._bound(paths, callee, unit),
            # Owners of a part are among the changed objects themselves.
            changed_objects=frozenset(o for o in record.changed_objects if o not in parts),
            used_objects=frozenset(record.used_objects),
            moved_objects=frozenset(record.moved_objects),
            links=frozenset(record.links),
            returns=frozenset(record.returns),
            modules=frozenset(record.modules),
            effect=record.effect,
            opaque=record.opaque is not None,
            identity=record.identity,
            fitted_objects=frozenset(o for o in record.fitted_objects if o not in parts),
        )

    def _frames_around(self, callee: CallableDefinition) -> list[Frame]:
        for index, frame in enumerate(self.frames):
            if frame.callee is not None and frame.callee.number == callee.parent:
                return self.frames[: index + 1]
        return []

    def hold_class(self, objects: Objects, cls: CallableDefinition) -> None:
        """Let instances hold their class, and what they share as its attributes."""
        for number in objects:
            self.heap.hold_callables(number, self.heap.callable_set(frozenset((cls.number,))))
        waiting = [cls]
        hidden: set[str] = set()
        while waiting:
            each = waiting.pop()
            for name, state in each.class_attributes.items():
                if name not in hidden:
                    self.store(objects, state, name)
            hidden |= each.own_attributes
            waiting += [self.heap.callables[base] for base in each.bases]

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
                    self.hold_class(objects, self.heap.callables[callee.owner])
                    self.heap.set_classes(number, frozenset((callee.owner,)))
                    self.heap.self_parameters.add(number)
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
        )
