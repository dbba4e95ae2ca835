"""What is not as it was at the same point of an earlier walk through a notebook."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfnb.notebook.flow.interpreter import summaries
from kfnb.notebook.flow.interpreter.magics import Interpreter
from kfnb.notebook.flow.interpreter.name_table import Slot
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS
from kfnb.notebook.flow.memory.cell_log import CellLog, table


@dataclass(slots=True)
class Differences:
    """What is not as it was at the same point of the walk before.

    ``bodies`` are functions with other code, ``moved`` those whose summaries differ in lines only;
    ``texts``: other names stand for literal strings.
    """

    texts: bool = False
    everything: bool = False
    names: set[str] = field(default_factory=set)
    objects: set[int] = field(default_factory=set)
    bodies: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    _relations: dict[int, set[str]] = field(default_factory=dict)
    _classes: set[int] = field(default_factory=set)

    def allow(self, log: CellLog, inputs: tuple[object, ...], interpreter: Interpreter) -> bool:
        """Whether the cell would do the same again."""
        work = interpreter.work
        most = summaries.MOST_WORK
        same_budget = (
            work == log.work[0]
            or max(log.work[1], work + log.work[1] - log.work[0]) <= most
            or min(log.work[0], work) > most
        )
        return (
            not self.everything
            and same_budget
            and log.inputs == inputs
            and log.annotations[0] == interpreter.annotations
            and log.outer_names[0] == interpreter.outer_names
            and not (log.classes and self._classes)
            and not (log.scans and (self.texts or self.names))
            and not (log.over_budget and (self.bodies or self._any("callables")))
            and log.names.isdisjoint(self.names)
            and log.objects.isdisjoint(self.objects)
            and log.bodies.isdisjoint(self.bodies)
            and not (self.moved and log.has_lines and not log.objects.isdisjoint(self.moved))
        )

    def replayed(self, log: CellLog) -> None:
        """Take into account that a cell did what it did before."""
        if self.names:
            self.names.difference_update(log.slots)

    def walked(self, old: CellLog | None, new: CellLog, interpreter: Interpreter) -> None:
        """Compare what a cell did with what it did before."""
        if old is None or (old.forgot, old.methods) != (new.forgot, new.methods):
            self.everything = True
            return
        written = interpreter.names.written
        for name in {**old.slots, **new.slots}:
            if name in old.slots:
                before = old.slots[name]
            elif name in self.names:
                continue
            else:
                before = written[name]
            self._name(name, before, dict.get(interpreter.names.slots, name))
        for relation in {**old.relations, **new.relations}:
            theirs = old.relations.get(relation, {})
            now = table(interpreter, relation)
            noted: Mapping[int, Any] = now.written
            for number in {**theirs, **noted}:
                if number in theirs:
                    was = theirs[number]
                elif relation in self._relations.get(number, ()):
                    continue
                else:
                    was = noted[number]
                self._object(relation, number, was, now.value(number))

    def _name(self, name: str, before: Slot | None, now: Slot | None) -> None:
        if before == now:
            self.names.discard(name)
            return
        self.names.add(name)
        was = before.objects if before else NO_OBJECTS
        for number in was ^ (now.objects if now else NO_OBJECTS):
            self._add("names", number)

    def _object(self, relation: str, number: int, was: Any, now: Any) -> None:
        if relation == "callables" and was is not None and now is not None:
            if _same_code(was.node, now.node):
                self.bodies.discard(number)
            else:
                self.bodies.add(number)
            same = was.is_like(now)
            if same:
                self._classes.discard(number)
            elif isinstance(was.node, ast.ClassDef) or isinstance(now.node, ast.ClassDef):
                self._classes.add(number)
        elif relation == "cached_summaries" and was is not None and now is not None:
            same = was.is_like(now)
            if was.summary == now.summary:
                self.moved.discard(number)
            else:
                self.moved.add(number)
        else:
            same = was == now
            if relation == "callables" and not same:
                self._classes.add(number)
            elif relation == "holds" and not same:
                for item in (was or NO_OBJECTS) ^ (now or NO_OBJECTS):
                    self._add("held_by", item)
        if same:
            relations = self._relations.get(number)
            if relations is not None:
                relations.discard(relation)
                if not relations:
                    self.objects.discard(number)
        else:
            self._add(relation, number)

    def _add(self, relation: str, number: int) -> None:
        self._relations.setdefault(number, set()).add(relation)
        self.objects.add(number)

    def _any(self, relation: str) -> bool:
        return any(relation in relations for relations in self._relations.values())


def _same_code(one: ast.AST, other: ast.AST) -> bool:
    if one is other:
        return True
    return ast.dump(one, include_attributes=True) == ast.dump(other, include_attributes=True)
