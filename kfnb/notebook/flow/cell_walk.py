"""One walk through the cells in a given sequence: what each step and each static act does."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence

from kfnb.notebook.authoring.grouping import Declared
from kfnb.notebook.effects.names_in_strings import constant_texts
from kfnb.notebook.effects.statement_effects import Effects
from kfnb.notebook.flow.interpreter.callables import Record
from kfnb.notebook.flow.interpreter.library_tables import CLASS_FACTORIES
from kfnb.notebook.flow.interpreter.magics import Machinery, magic_of
from kfnb.notebook.flow.interpreter.name_table import BOUND, UNBOUND
from kfnb.notebook.flow.interpreter.scopes import imported_name
from kfnb.notebook.flow.order import Place
from kfnb.notebook.flow.step_facts import Act, Facts, Kind, Unknown, Use, Walked
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Role


def walk(
    places: Sequence[Place],
    sources: Mapping[int, ParsedCell],
    declared: Declared,
    *,
    plain_metrics: Mapping[int, Sequence[tuple[str, int]]],
    effects: Effects,
    demoted: Collection[tuple[int, int]] = (),
) -> Walked:
    """Go through the cells of ``places`` once.

    ``demoted`` statements (cell, index) are no definitions, although they look like it.
    """
    return _Walk(sources, declared, plain_metrics, demoted, effects).through(places)


class _Walk:
    def __init__(
        self,
        sources: Mapping[int, ParsedCell],
        declared: Declared,
        plain_metrics: Mapping[int, Sequence[tuple[str, int]]],
        demoted: Collection[tuple[int, int]],
        effects: Effects,
    ) -> None:
        self.demoted = demoted
        self.effects = effects
        self.machine = Machinery()
        self.machine.texts = constant_texts(sources.values())
        self.sources = sources
        self.declared = declared
        self.plain_metrics = plain_metrics
        self.changes = {s.name: s.changes for s in declared.steps}
        self.units = 0
        # What refers to a class of two versions by its name would get the wrong one.
        self.twice = redefined(sources.values(), ast.ClassDef)
        self.found = Walked(self.machine, [], {}, {}, [], [], [], [], [], [], {}, {})

    def through(self, places: Sequence[Place]) -> Walked:
        last = {place.step: index for index, place in enumerate(places)}
        for index, place in enumerate(places):
            if place.step is None:
                self._static_cell(place)
                continue
            facts = self._begin(place.step)
            facts.cells.add(place.cell)
            if place.cell in self.plain_metrics:
                self._metrics(place, facts)
            else:
                self._step_cell(place, facts)
            if last[place.step] == index:
                self._end(facts, place)
        return self.found

    def _unit(self) -> int:
        self.units += 1
        return self.units

    def _begin(self, step: str) -> Facts:
        facts = self.found.facts.get(step)
        if facts is None:
            unit = self._unit()
            self.found.owners[unit] = step
            facts = self.found.facts[step] = Facts(
                step, unit, dict(self.machine.names.slots), len(self.found.acts)
            )
        self.machine.unit = facts.unit
        return facts

    def _end(self, facts: Facts, place: Place) -> None:
        machine = self.machine
        machine.cell, machine.record = place.cell, Record()
        for name in self.changes.get(facts.name, ()):
            slot = machine.names.slots.get(name)
            if slot is not None:
                machine.touch(slot.objects)
                machine.mutate(name, machine.names.slots[name])
        self._note(facts, place.cell, machine.record)
        slots = machine.names.slots
        facts.touched = {name: slots[name] for name in facts.touched if name in slots}
        facts.acts_after = len(self.found.acts)

    # -- cells -------------------------------------------------------------------

    def _static_cell(self, place: Place) -> None:
        source = self.sources[place.cell]
        for index, node in enumerate(source.body):
            self.machine.unit = self._unit()
            record = self._execute(source, node, step=None)
            self._change((place.cell, index))
            self._check_setup(place.cell, record)
            defines, kind = self._definition(node, record, (place.cell, index))
            self._act(
                Place(place.cell, place.role, None),
                index,
                record,
                always=(
                    record.effect
                    or record.star
                    or record.opaque is not None
                    or _hidden(record)
                    or (place.cell, index) in self.effects.everywhere
                ),
                defines=defines,
                kind=kind,
            )

    def _step_cell(self, place: Place, facts: Facts) -> None:
        source = self.sources[place.cell]
        if source.deep and not source.body:
            facts.opaque = facts.opaque or (place.cell, 1)
            self.found.opaque.append((facts.name, place.cell, 1))
        setup_lines = frozenset(self.declared.setup_lines.get(place.cell, ()))
        body = source.body
        may_fail = "raises-exception" in source.tags
        self.machine.doubt += may_fail
        for index, node in enumerate(body):
            magic = magic_of(node)
            if magic is not None and magic[0] == "timeit" and index == 0 and len(body) > 1:
                self._timed(source, facts)
                break
            record = self._execute(source, node, step=facts.name, may_fail=may_fail)
            self._change((place.cell, index))
            self._note(facts, place.cell, record)
            self._constant(node, place.cell)
            defines, kind = (
                self._definition(node, record, (place.cell, index)) if not may_fail else ((), None)
            )
            acts = (place.cell, index) in self.effects.everywhere and not may_fail
            everywhere = record.star or acts or node.lineno in setup_lines
            if defines or everywhere:
                role: Role = "setup" if node.lineno in setup_lines else "definitions"
                self._act(
                    Place(place.cell, role, facts.name),
                    index,
                    record,
                    always=everywhere,
                    defines=defines,
                    kind=kind,
                )
        self.machine.doubt -= may_fail

    def _change(self, at: tuple[int, int]) -> None:
        """Change the values that a decorator belongs to."""
        machine = self.machine
        for name in self.effects.changes.get(at, ()):
            slot = machine.names.slots.get(name)
            if slot is not None:
                machine.touch(slot.objects)
                machine.mutate(name, machine.names.slots[name])

    def _timed(self, source: ParsedCell, facts: Facts) -> None:
        """Go through a cell under ``%%timeit``: its body runs in a function of its own."""
        machine = self.machine
        machine.cell, machine.record, machine.line = source.cell, Record(), 1
        machine.execute(source.body[:1])
        machine.timed(source.body[1:])
        self._note(facts, source.cell, machine.record)

    def _metrics(self, place: Place, facts: Facts) -> None:
        """Give each name of a plain metrics cell to the step that made it last."""
        machine = self.machine
        machine.cell, machine.record = place.cell, Record()
        for name, line in self.plain_metrics[place.cell]:
            slot = machine.names.slots.get(name)
            owner = self.found.owners.get(slot.by) if slot else None
            if owner is not None:
                self.found.facts[owner].metrics[name] = None
                continue
            machine.refer(name, line, certain=True, soft=False)
            facts.metrics[name] = None
        self._note(facts, place.cell, machine.record)
        for missing in machine.record.missing:
            self.found.unknown.append(Unknown(facts.name, place.cell, missing))

    def _execute(
        self, source: ParsedCell, node: ast.stmt, *, step: str | None, may_fail: bool = False
    ) -> Record:
        machine = self.machine
        record = machine.record = Record()
        machine.cell, machine.line, machine.dead = source.cell, node.lineno, False
        depth, frames, doubt, soft = machine.names.depth, len(machine.frames), 0, machine.soft
        doubt = machine.doubt
        try:
            if may_fail:
                machine.merge([{}, machine.branch(lambda: machine.execute([node]))])
            else:
                machine.execute([node])
        except RecursionError:
            while machine.names.depth > depth:
                machine.names.take_back()
            del machine.frames[frames:]
            machine.doubt, machine.soft, machine.function = doubt, soft, None
            record = machine.record = Record()
            self._roughly(node)
            self.found.too_deep.append((step, source.cell, node.lineno))
        # What is bound only where a statement ends the notebook (except … as e: raise) is no name
        # of what comes after it.
        for slots in (record.touched, record.before):
            for name in slots.keys() - machine.names.slots.keys():
                del slots[name]
        for what, line, _ in record.findings:
            if what == "return":
                self.found.returns.append((source.cell, line))
        for missing in record.missing:
            self.found.unknown.append(Unknown(step, source.cell, missing))
        if record.opaque is not None:
            self.found.opaque.append((step, source.cell, record.opaque))
        if record.star:
            self.found.stars.append(source.cell)
        return record

    def _roughly(self, node: ast.stmt) -> None:
        """Take what is too deep to go through as reading and perhaps binding its names."""
        machine = self.machine
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        for name in names:
            if isinstance(name.ctx, ast.Load):
                machine.refer(name.id, node.lineno, certain=False, soft=True)
        bound = {n.id for n in names if not isinstance(n.ctx, ast.Load)}
        machine.names.fork()
        for each in sorted(bound):
            machine.bind(each, frozenset((machine.make(node),)))
        machine.names.join([{}, machine.names.take_back()], machine.unit)

    # -- what a statement was ------------------------------------------------------

    def _note(self, facts: Facts, cell: int, record: Record) -> None:
        for name, read in record.reads.items():
            old = facts.reads.get(name)
            if old is None or (old.soft and not read.soft):
                facts.reads[name] = Use(cell, read.line, read.certain, read.soft)
        for name, slot in record.touched.items():
            facts.touched[name] = slot
        facts.changed |= record.changed
        if record.fits:
            for name in record.changed:
                facts.fitted.setdefault(name, (cell, self.machine.line))
        facts.modules |= record.modules
        facts.identity |= record.identity
        if record.opaque is not None and facts.opaque is None:
            facts.opaque = (cell, record.opaque)

    def _check_setup(self, cell: int, record: Record) -> None:
        owners, slots = self.found.owners, self.machine.names.slots
        changed = {n: s for n, s in record.before.items() if slots[n].unit != self.machine.unit}
        for name, slot in {**changed, **record.seen}.items():
            if slot is None or slot.definition is not None or slot.by not in owners:
                continue
            read = record.reads.get(name)
            line = read.line if read else self.machine.line
            self.found.setup_reads.append((cell, line, name, owners[slot.by]))

    def _definition(
        self, node: ast.stmt, record: Record, at: tuple[int, int]
    ) -> tuple[tuple[str, ...], Kind | None]:
        """Tell whether a statement is a definition, and mark the names that it binds."""
        names, kind = self._defined(node)
        if not names or record.opaque is not None or at in self.demoted:
            return (), None
        if set(record.touched) - set(names) or (kind == "class" and names[0] in self.twice):
            return (), None
        for slot in record.seen.values():
            if slot is None or slot.by not in self.found.owners:
                continue
            if slot.definition is None:
                return (), None
        number = len(self.found.acts)
        slots = self.machine.names
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
        heap = self.machine.heap
        named: set[int] = set()
        for slot in record.seen.values():
            if slot is not None and slot.module is None and slot.definition is None:
                named |= heap.plain(heap.reach(slot.objects))
        if named:
            held = heap.reach(self.machine.names.slots[name].objects)
            self.found.sharing[at] = frozenset(named & held)

    def _defined(self, node: ast.stmt) -> tuple[tuple[str, ...], Kind | None]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return (node.name,), "function"
        if isinstance(node, ast.ClassDef):
            return (node.name,), "class"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [imported_name(alias) for alias in node.names if alias.name != "*"]
            return tuple(dict.fromkeys(names)), "import"
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            # ``Pair = namedtuple("Pair", …)`` is a class that pickles by its name.
            target, call = node.targets[0], node.value
            dotted = self.machine.dotted(call.func)
            first = call.args[0] if call.args else None
            if (
                dotted in CLASS_FACTORIES
                and len(node.targets) == 1
                and isinstance(target, ast.Name)
                and isinstance(first, ast.Constant)
                and first.value == target.id
            ):
                return (target.id,), "class"
        return (), None

    def _act(
        self,
        place: Place,
        index: int,
        record: Record,
        *,
        always: bool,
        defines: tuple[str, ...],
        kind: Kind | None,
    ) -> None:
        unit = self.machine.unit
        slots = self.machine.names.slots
        adds = {n for n in defines if slots[n].module == n and kind == "import"}
        must = {
            name
            for name in record.touched
            if slots[name].unit == unit
            and slots[name].status in (BOUND, UNBOUND)
            and name not in adds
        }
        self.found.acts.append(
            Act(
                cell=place.cell,
                index=index,
                role=place.role,
                reads=frozenset(record.seen),
                must=frozenset(must),
                may=frozenset(record.touched.keys() - must),
                always=always,
                modules=frozenset(record.modules),
                defines=defines,
                kind=kind,
                step=place.step,
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
            self.found.constants[target.id] = (value, cell)


def redefined(sources: Iterable[ParsedCell], *kinds: type[ast.stmt]) -> frozenset[str]:
    """Names that several top-level statements of these kinds define, each in its own way."""
    versions: dict[str, set[str]] = {}
    for source in sources:
        for index, node in enumerate(source.body):
            if isinstance(node, kinds):
                name = getattr(node, "name", "")
                versions.setdefault(name, set()).add(source.statement(index).code)
    return frozenset(name for name, codes in versions.items() if len(codes) > 1)


def _hidden(record: Record) -> bool:
    """Whether a setup statement binds only a throw-away name: it is there for its effect."""
    return bool(record.touched) and all(not name.strip("_") for name in record.touched)
