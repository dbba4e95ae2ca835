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
from kfnb.notebook.flow.interpreter.heap import NO_OBJECTS, RELATIONS, SETS
from kfnb.notebook.flow.interpreter.magics import Interpreter
from kfnb.notebook.flow.interpreter.name_table import Slot
from kfnb.notebook.flow.interpreter.summaries import CachedSummary
from kfnb.notebook.flow.step_facts import CellFindings


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
    first_seen: Mapping[tuple[int, str], frozenset[int]]
    exhausted: Mapping[int, int]
    findings: CellFindings

    @property
    def has_lines(self) -> bool:
        """Whether it took over from summaries on which lines names are read."""
        return "summaries" in self.relations or any(
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
        heap.written = {relation: {} for relation in RELATIONS}
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
        classes = False
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
        relations = {
            relation: {number: current(interpreter, relation, number) for number in written}
            for relation, written in heap.written.items()
            if written
        }
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
            first_seen=dict(interpreter.first_seen),
            exhausted=dict(interpreter.exhausted),
            findings=findings,
        )


def current(interpreter: Interpreter, relation: str, number: int) -> Any:
    """Return what an object has in a relation now."""
    if relation in SETS:
        return True if number in getattr(interpreter.heap, relation) else None
    return _table(interpreter, relation).get(number)


def _table(interpreter: Interpreter, relation: str) -> dict[int, Any]:
    if relation == "summaries":
        return interpreter.cached_summaries
    owner = interpreter if relation in ("created_in", "global_symbols") else interpreter.heap
    table: dict[int, Any] = getattr(owner, relation)
    return table


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
    for relation, values in log.relations.items():
        if relation == "holds":
            for number, held in values.items():
                heap.hold(number, held, held - heap.holds.get(number, NO_OBJECTS))
        elif relation == "callables":
            heap.callables.update((n, c.copy()) for n, c in values.items())
        elif relation == "summaries":
            interpreter.cached_summaries.update(
                (n, CachedSummary(known.summary, known.dependencies)) for n, known in values.items()
            )
        elif relation in SETS:
            getattr(heap, relation).update(values)
        else:
            _table(interpreter, relation).update(values)
    heap.version += 1
    interpreter.work += log.work[1] - log.work[0]
    interpreter.annotations = log.annotations[1]
    interpreter.outer_names = log.outer_names[1]
