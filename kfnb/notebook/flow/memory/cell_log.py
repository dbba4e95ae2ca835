"""What going through a cell found out and changed, so that it need not be gone through again.

A cell depends on the names and objects that it looked at. When the notebook is read again, those
whose state differs from the walk before are known (:mod:`kfnb.notebook.flow.memory.differences`); a
cell that looked at none of them would do the same again, so its changes are taken over.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.notebook.flow.interpreter import summaries
from kfnb.notebook.flow.interpreter.callables import CachedSummary
from kfnb.notebook.flow.interpreter.magics import Interpreter
from kfnb.notebook.flow.interpreter.name_table import Slot
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS
from kfnb.notebook.flow.interpreter.objects.relations import ObjectSet, Relation
from kfnb.notebook.flow.step_facts import CellFindings

RELATIONS = (
    "holds", "held_callables", "callables", "classes", "part_of", "bound_methods", "fields",
    "loose", "part_attributes", "content_of", "columns", "symbols",
    "stateful", "lazy", "iterators", "random_generators", "self_parameters", "cloning",
    "estimators", "displays", "frames", "selectors", "tensors", "batching", "adopted", "unknown",
)  # fmt: skip
_OWN = ("created_in", "global_symbols", "cached_summaries")
"""Relations that the interpreter has and not its heap."""


@dataclass(frozen=True, slots=True)
class CellLog:
    """What a cell was given, what it looked at, and what was different when it was done.

    It looked at ``names``, ``objects``, ``bodies`` of functions, at ``classes`` or at all names
    (``scans``).
    """

    inputs: tuple[object, ...]
    names: frozenset[str]
    objects: frozenset[int]
    bodies: frozenset[int]
    classes: bool
    scans: bool
    work: tuple[int, int]
    annotations: tuple[bool, bool]
    outer_names: tuple[frozenset[str], frozenset[str]]
    forgot: bool
    slots: Mapping[str, Slot | None]
    relations: Mapping[str, Mapping[int, Any]]
    made: tuple[int, ...]
    touched: frozenset[int]
    methods: tuple[tuple[str, int], ...]
    first_seen: Mapping[tuple[int, str], frozenset[int]]
    exhausted: Mapping[int, int]
    findings: CellFindings

    @property
    def has_lines(self) -> bool:
        """Whether it took over from summaries on which lines names are read."""
        return "cached_summaries" in self.relations or any(
            unknown.missing.origin for unknown in self.findings.unknown
        )

    @property
    def over_budget(self) -> bool:
        """Whether some call or loop may not have been followed."""
        return self.work[1] > summaries.MOST_WORK


class Recorder:
    """Records what an interpreter does from here on, until :meth:`log`."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.work = interpreter.work
        self.annotations = interpreter.annotations
        self.outer_names = interpreter.outer_names
        heap, names = interpreter.heap, interpreter.names
        names.slots.seen = set()
        names.written = {}
        heap.made, heap.seen, heap.touched = {}, set(), set()
        heap.looked_for_methods, heap.listed_methods = False, []
        for relation in (*RELATIONS, *_OWN):
            table(interpreter, relation).written = {}
        interpreter.analysed, interpreter.scans, interpreter.forgot = set(), False, False
        interpreter.first_seen, interpreter.exhausted = {}, {}

    def log(self, inputs: tuple[object, ...], findings: CellFindings) -> CellLog:
        """Sum up what was done."""
        interpreter = self.interpreter
        heap, names = interpreter.heap, interpreter.names
        seen = frozenset(names.slots.seen)
        slots = {
            name: slot
            for name, before in names.written.items()
            if (slot := dict.get(names.slots, name)) is not before
        }
        objects = heap.seen | heap.made.keys()
        for name in seen:
            before = names.written.get(name) or dict.get(names.slots, name)
            if before is not None and before.objects:
                objects |= before.objects
        classes = heap.looked_for_methods
        for number in objects & heap.callables.keys():
            callee = heap.callables[number]
            classes |= callee.owner is not None or isinstance(callee.node, ast.ClassDef)
            for default in callee.defaults.values():
                objects |= default
            if number in interpreter.analysed:
                objects |= callee.arguments.keys() | callee.argument_contents.keys()
            known = interpreter.cached_summaries.get(number)
            if known is not None:
                objects |= known.objects
        relations: dict[str, dict[int, Any]] = {}
        for relation in (*RELATIONS, *_OWN):
            changed = table(interpreter, relation)
            if changed.written:
                relations[relation] = {n: changed.value(n) for n in changed.written}
        if "callables" in relations:
            relations["callables"] = {n: c.copy() for n, c in relations["callables"].items()}
        outer = interpreter.outer_names
        return CellLog(
            inputs=inputs,
            names=seen | outer if interpreter.over_budget else seen,
            objects=frozenset(objects),
            bodies=frozenset(interpreter.analysed),
            classes=classes,
            scans=interpreter.scans,
            work=(self.work, interpreter.work),
            annotations=(self.annotations, interpreter.annotations),
            outer_names=(self.outer_names, outer),
            forgot=interpreter.forgot,
            slots=slots,
            relations=relations,
            made=tuple(heap.made),
            touched=frozenset(heap.touched),
            methods=tuple(heap.listed_methods),
            first_seen=dict(interpreter.first_seen),
            exhausted=dict(interpreter.exhausted),
            findings=findings,
        )


def table(interpreter: Interpreter, relation: str) -> Relation[Any] | ObjectSet:
    """Return a relation by its name."""
    owner = interpreter if relation in _OWN else interpreter.heap
    named: Relation[Any] | ObjectSet = getattr(owner, relation)
    return named


def replay(log: CellLog, interpreter: Interpreter) -> None:
    """Do to the state what the cell did."""
    heap, names = interpreter.heap, interpreter.names
    order = heap.order
    for number in log.made:
        if number not in order:
            order[number] = len(order)
    for name, slot in log.slots.items():
        names.put(name, slot)
    if log.forgot:
        interpreter.cached_summaries.clear()
    for name, method in log.methods:
        heap.list_method(name, method)
    for relation, values in log.relations.items():
        if relation == "holds":
            for number, held in values.items():
                heap.held_in(number, held - heap.holds.get(number, NO_OBJECTS))
        elif relation == "callables":
            values = {n: callee.copy() for n, callee in values.items()}
        elif relation == "cached_summaries":
            values = {
                n: CachedSummary(known.summary, known.dependencies) for n, known in values.items()
            }
        table(interpreter, relation).take_over(values)
    heap.version += 1
    interpreter.work += log.work[1] - log.work[0]
    interpreter.annotations = log.annotations[1]
    interpreter.outer_names = log.outer_names[1]
