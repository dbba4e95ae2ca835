"""Goes through one cell: what it does for its step, and which of its statements are replayed."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kfnb.notebook.effects.names_in_strings import constant_texts, marked_names
from kfnb.notebook.effects.statement_effects import Effects
from kfnb.notebook.flow.definitions import defined_names, redefined
from kfnb.notebook.flow.interpreter.callables import Record
from kfnb.notebook.flow.interpreter.magics import Interpreter, magic_of
from kfnb.notebook.flow.interpreter.name_table import BOUND, UNBOUND
from kfnb.notebook.flow.memory.walk_memory import NotebookMemory
from kfnb.notebook.flow.order import CellVisit
from kfnb.notebook.flow.step_facts import (
    Act,
    CellFindings,
    Facts,
    Kind,
    Unknown,
    Use,
    WalkResult,
)
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Role


class CellWalk:
    """Goes through single cells; what it finds in the present one is in ``findings``."""

    def __init__(
        self,
        sources: Mapping[int, ParsedCell],
        setup_lines: Mapping[int, tuple[int, ...]],
        changes: Mapping[str, tuple[str, ...]],
        plain_metrics: Mapping[int, Sequence[tuple[str, int]]],
        demoted: Collection[tuple[int, int]],
        effects: Effects,
        *,
        memory: NotebookMemory,
    ) -> None:
        self.demoted = demoted
        self.effects = effects
        self.memory = memory
        self.interpreter = Interpreter(memory.numbering)
        self.interpreter.texts = constant_texts(sources.values())
        self.interpreter.marked_names = marked_names(sources.values())
        self.sources = sources
        self.setup_lines = setup_lines
        self.plain_metrics = plain_metrics
        self.changes = changes
        # What refers to a class of two versions by its name would get the wrong one.
        self.redefined_classes = redefined(sources.values(), ast.ClassDef)
        self.result = WalkResult(interpreter=self.interpreter)
        self.findings = CellFindings()
        self.effects_of: dict[int, list[tuple[int, object]]] = {}
        for cell, index in sorted({*effects.everywhere, *effects.changes, *demoted}):
            at = cell, index
            self.effects_of.setdefault(cell, []).append(
                (index, (at in effects.everywhere, effects.changes.get(at), at in demoted))
            )

    def unit(self, location: object) -> int:
        """Return the number of a step or of a static statement."""
        return self.memory.numbering.number(location, "unit") + 1

    def change_tagged(self, names: Any, facts: Facts, cell: int) -> None:
        """Change what the tags of a step say that it changes."""
        interpreter = self.interpreter
        if not names:
            return
        interpreter.cell, interpreter.record = cell, Record()
        for name in names:
            slot = interpreter.names.slots.get(name)
            if slot is not None:
                interpreter.touch(slot.objects)
                interpreter.mutate(name, interpreter.names.slots[name])
        self._note(facts, cell, interpreter.record)

    # -- cells -------------------------------------------------------------------

    def static_cell(self, visit: CellVisit) -> None:
        """Go through a setup or parameters cell."""
        source = self.sources[visit.cell]
        for index, node in enumerate(source.body):
            self.interpreter.unit = self.unit(node)
            record = self._execute(source, node, step=None)
            self._change_decorated((visit.cell, index))
            self._check_setup(visit.cell, record)
            defines, kind = self._definition(node, record, (visit.cell, index))
            self._add_act(
                CellVisit(visit.cell, visit.role, None),
                index,
                record,
                always=(
                    record.effect
                    or record.star
                    or record.opaque is not None
                    or _hidden(record)
                    or (visit.cell, index) in self.effects.everywhere
                ),
                defines=defines,
                kind=kind,
            )

    def step_cell(self, visit: CellVisit, facts: Facts) -> None:
        """Go through a cell of a step."""
        source = self.sources[visit.cell]
        # The cell is nested too deeply even to be parsed.
        if source.deep and not source.body:
            facts.opaque = facts.opaque or (visit.cell, 1)
            self.findings.opaque.append((facts.name, visit.cell, 1))
        setup_lines = frozenset(self.setup_lines.get(visit.cell, ()))
        body = source.body
        # Jupyter continues after an error in such a cell, so nothing in it is certain.
        may_fail = "raises-exception" in source.tags
        self.interpreter.doubt += may_fail
        for index, node in enumerate(body):
            magic = magic_of(node)
            if magic is not None and magic[0] == "timeit" and index == 0 and len(body) > 1:
                self._timed(source, facts)
                break
            record = self._execute(source, node, step=facts.name, may_fail=may_fail)
            self._change_decorated((visit.cell, index))
            self._note(facts, visit.cell, record, index=index)
            self._constant(node, visit.cell)
            defines, kind = (
                self._definition(node, record, (visit.cell, index)) if not may_fail else ((), None)
            )
            acts = (visit.cell, index) in self.effects.everywhere and not may_fail
            everywhere = record.star or acts or node.lineno in setup_lines
            if defines or everywhere:
                role: Role = "setup" if node.lineno in setup_lines else "definitions"
                self._add_act(
                    CellVisit(visit.cell, role, facts.name),
                    index,
                    record,
                    always=everywhere,
                    defines=defines,
                    kind=kind,
                )
        self.interpreter.doubt -= may_fail

    def _change_decorated(self, at: tuple[int, int]) -> None:
        """Change the values that a decorator belongs to."""
        interpreter = self.interpreter
        for name in self.effects.changes.get(at, ()):
            slot = interpreter.names.slots.get(name)
            if slot is not None:
                interpreter.touch(slot.objects)
                interpreter.mutate(name, interpreter.names.slots[name])

    def _timed(self, source: ParsedCell, facts: Facts) -> None:
        """Go through a cell under ``%%timeit``: its body runs in a separate function."""
        interpreter = self.interpreter
        interpreter.cell, interpreter.record, interpreter.line = source.cell, Record(), 1
        interpreter.execute(source.body[:1])
        interpreter.timed(source.body[1:])
        self._note(facts, source.cell, interpreter.record)

    def metrics(self, visit: CellVisit, facts: Facts) -> None:
        """Give each name of a plain metrics cell to the step that made it last."""
        interpreter = self.interpreter
        interpreter.cell, interpreter.record = visit.cell, Record()
        for name, line in self.plain_metrics[visit.cell]:
            slot = interpreter.names.slots.get(name)
            owner = self.result.owners.get(slot.by) if slot else None
            if owner is not None:
                self.result.facts[owner].metrics[name] = None
                continue
            interpreter.refer(name, line, certain=True, optional=False)
            facts.metrics[name] = None
        self._note(facts, visit.cell, interpreter.record)
        for missing in interpreter.record.missing:
            self.findings.unknown.append(Unknown(facts.name, visit.cell, missing))

    def _execute(
        self, source: ParsedCell, node: ast.stmt, *, step: str | None, may_fail: bool = False
    ) -> Record:
        interpreter = self.interpreter
        record = interpreter.record = Record()
        interpreter.cell, interpreter.line, interpreter.dead = source.cell, node.lineno, False
        interpreter.heap.frugal = interpreter.over_budget
        depth, frames = interpreter.names.depth, len(interpreter.frames)
        doubt, optional = interpreter.doubt, interpreter.optional
        try:
            if may_fail:
                interpreter.merge([{}, interpreter.branch(lambda: interpreter.execute([node]))])
            else:
                interpreter.execute([node])
        except RecursionError:
            while interpreter.names.depth > depth:
                interpreter.names.roll_back()
            # The exception left the interpreter in the middle of functions and branches.
            del interpreter.frames[frames:]
            interpreter.doubt, interpreter.optional, interpreter.function = doubt, optional, None
            record = interpreter.record = Record()
            self._approximate(node)
            self.findings.too_deep.append((step, source.cell, node.lineno))
        # What is bound only where a statement ends the notebook (except … as e: raise) is no name
        # of what comes after it.
        for slots in (record.touched, record.before):
            for name in [n for n in slots if n not in interpreter.names.slots]:
                del slots[name]
        for what, line, _ in record.findings:
            if what == "return":
                self.findings.returns.append((source.cell, line))
        for missing in record.missing:
            self.findings.unknown.append(Unknown(step, source.cell, missing))
        if record.opaque is not None:
            self.findings.opaque.append((step, source.cell, record.opaque))
        if record.star:
            self.findings.stars.append(source.cell)
        return record

    def _approximate(self, node: ast.stmt) -> None:
        """Take what is too deep to go through as reading and perhaps binding its names."""
        interpreter = self.interpreter
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        for name in names:
            if isinstance(name.ctx, ast.Load):
                interpreter.refer(name.id, node.lineno, certain=False, optional=True)
        bound = {n.id for n in names if not isinstance(n.ctx, ast.Load)}
        interpreter.names.fork()
        for each in sorted(bound):
            interpreter.bind(each, frozenset((interpreter.make(node),)))
        interpreter.names.join([{}, interpreter.names.roll_back()], interpreter.unit)

    # -- what a statement was ------------------------------------------------------

    def _note(self, facts: Facts, cell: int, record: Record, *, index: int = -1) -> None:
        facts.statements.append((cell, index, frozenset({*record.seen, *record.touched})))
        for name, read in record.reads.items():
            old = facts.reads.get(name)
            if old is None or (old.optional and not read.optional):
                facts.reads[name] = Use(cell, read.line, read.certain, read.optional)
        for name, slot in record.touched.items():
            facts.touched[name] = slot
        facts.changed |= record.changed
        heap = self.interpreter.heap
        for name in record.changed:
            at = cell, self.interpreter.line
            if self.interpreter.only_fits(name, record) and not self.used(
                name, facts.statements[:-1]
            ):
                facts.fitted.setdefault(name, at)
            if not heap.random_generators.isdisjoint(record.touched[name].objects):
                facts.drawn.setdefault(name, at)
        facts.modules |= record.modules
        facts.identity |= record.identity
        if record.opaque is not None and facts.opaque is None:
            facts.opaque = (cell, record.opaque)

    def used(self, name: str, statements: Sequence[tuple[int, int, frozenset[str]]]) -> bool:
        """Whether a step used what another one fitted, and did not only put it into an object."""
        for cell, index, names in statements:
            if name in names:
                node = self.sources[cell].body[index] if index >= 0 else None
                call = node.value if isinstance(node, ast.Assign) else None
                last = self.interpreter.dotted(call.func) if isinstance(call, ast.Call) else None
                last = (last or "").rpartition(".")[2]
                if not (last[:1].isupper() or last.startswith("make_")):
                    return True
        return False

    def _check_setup(self, cell: int, record: Record) -> None:
        owners, slots = self.result.owners, self.interpreter.names.slots
        changed = {n: s for n, s in record.before.items() if slots[n].unit != self.interpreter.unit}
        for name, slot in {**changed, **record.seen}.items():
            # A definition is replayed for setup, so it needs no value of the step.
            if slot is None or slot.definition is not None or slot.by not in owners:
                continue
            read = record.reads.get(name)
            line = read.line if read else self.interpreter.line
            self.findings.setup_reads.append((cell, line, name, owners[slot.by]))

    def _definition(
        self, node: ast.stmt, record: Record, at: tuple[int, int]
    ) -> tuple[tuple[str, ...], Kind | None]:
        """Return the names that a definition binds, and its kind, and mark those names."""
        names, kind = defined_names(node, self.interpreter.dotted)
        if not names or record.opaque is not None or at in self.demoted:
            return (), None
        # A statement that changes other names as well is more than a definition.
        if set(record.touched) - set(names) or (
            kind == "class" and names[0] in self.redefined_classes
        ):
            return (), None
        for slot in record.seen.values():
            if slot is None or slot.by not in self.result.owners:
                continue
            if slot.definition is None:
                return (), None
        number = self.memory.numbering.number(node, "definition")
        slots = self.interpreter.names
        if kind != "import":
            self._sharing(names[0], record, at)
        for name in names:
            slots.set(name, slots.slots[name]._replace(definition=number))
            record.touched[name] = slots.slots[name]
        return names, kind

    def _sharing(self, name: str, record: Record, at: tuple[int, int]) -> None:
        """Note what values a definition holds under other names (a default, an attribute).

        Replayed it would hold its own copy, which is as good unless somebody changes it.
        """
        heap = self.interpreter.heap
        named: set[int] = set()
        for slot in record.seen.values():
            if slot is not None and slot.module is None and slot.definition is None:
                named |= heap.plain(heap.reachable(slot.objects))
        if named:
            held = heap.reachable(self.interpreter.names.slots[name].objects)
            self.findings.sharing[at] = frozenset(named & held)

    def _add_act(
        self,
        visit: CellVisit,
        index: int,
        record: Record,
        *,
        always: bool,
        defines: tuple[str, ...],
        kind: Kind | None,
    ) -> None:
        unit = self.interpreter.unit
        slots = self.interpreter.names.slots
        adds = {n for n in defines if slots[n].module == n and kind == "import"}
        must = {
            name
            for name in record.touched
            if slots[name].unit == unit
            and slots[name].status in (BOUND, UNBOUND)
            and name not in adds
        }
        self.findings.acts.append(
            Act(
                cell=visit.cell,
                index=index,
                role=visit.role,
                reads=frozenset(record.seen),
                must=frozenset(must),
                may=frozenset(record.touched.keys() - must),
                always=always,
                modules=frozenset(record.modules),
                defines=defines,
                kind=kind,
                step=visit.step,
            )
        )

    def _constant(self, node: ast.stmt, cell: int) -> None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            return
        if isinstance(target, ast.Name):
            self.findings.constants[target.id] = (value, cell)


def _hidden(record: Record) -> bool:
    """Whether a setup statement binds only a throw-away name: it is there for its effect."""
    return bool(record.touched) and all(not name.strip("_") for name in record.touched)
