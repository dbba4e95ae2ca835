"""One walk through the cells in a given sequence: what each step and each static act does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kfnb.notebook.effects.statement_effects import Effects
from kfnb.notebook.flow.cell_walk import CellWalk
from kfnb.notebook.flow.memory.cell_log import CellLog, Recorder, replay
from kfnb.notebook.flow.memory.differences import Differences
from kfnb.notebook.flow.memory.walk_memory import NotebookMemory, RememberedWalk
from kfnb.notebook.flow.order import CellVisit
from kfnb.notebook.flow.step_facts import CellFindings, Facts, WalkResult
from kfnb.notebook.parsed_cell import ParsedCell


def walk(
    visits: Sequence[CellVisit],
    sources: Mapping[int, ParsedCell],
    *,
    setup_lines: Mapping[int, tuple[int, ...]],
    changes: Mapping[str, tuple[str, ...]],
    plain_metrics: Mapping[int, Sequence[tuple[str, int]]],
    effects: Effects,
    demoted: Collection[tuple[int, int]] = (),
    memory: NotebookMemory | None = None,
    key: object = None,
) -> WalkResult:
    """Go through the cells of ``visits`` once.

    ``setup_lines`` are lines that are setup in any cell, by cell; ``changes`` what the tags of a
    step say that it changes. ``demoted`` statements (cell, index) are no definitions, although
    they look like it. What ``memory`` has of the walk ``key`` is not gone through again.
    """
    memory = memory or NotebookMemory()
    walked = NotebookWalk(
        sources, setup_lines, changes, plain_metrics, demoted, effects, memory=memory
    )
    return walked.through(visits, key)


class NotebookWalk(CellWalk):
    """Goes through the cells that are not as they were when the notebook was read before."""

    def through(self, visits: Sequence[CellVisit], key: object) -> WalkResult:
        """Go through cells, or take over what they did in the walk ``key`` before."""
        last = {visit.step: index for index, visit in enumerate(visits)}
        walk = self.memory.walks.get(key)
        if walk is None or walk.visits != visits or walk.common != self.redefined_classes:
            walk = None
        texts = self.interpreter.texts, self.interpreter.marked_names
        differences = Differences(texts=walk is None or walk.texts != texts)
        logs: list[CellLog] = []
        for index, visit in enumerate(visits):
            self.interpreter.heap.clock = index + 1
            facts = self._begin(visit.step) if visit.step is not None else None
            inputs = self._inputs(visit, last=last[visit.step] == index)
            log = walk.logs[index] if walk is not None else None
            if log is not None and differences.allow(log, inputs, self.interpreter):
                replay(log, self.interpreter)
                differences.replayed(log)
            else:
                old, log = log, self._walked(visit, facts, inputs)
                if walk is not None:
                    differences.walked(old, log, self.interpreter)
            logs.append(log)
            self._add(log, facts)
            if facts is not None and last[visit.step] == index:
                self._end(facts)
        self.memory.walks.pop(key, None)
        # An exception may have left more behind than logs tell.
        if not self.result.too_deep:
            self.memory.walks[key] = RememberedWalk(visits, texts, self.redefined_classes, logs)
        return self.result

    def _inputs(self, visit: CellVisit, *, last: bool) -> tuple[object, ...]:
        """Collect all that decides what going through a cell does, besides the state."""
        source = self.sources[visit.cell]
        return (
            source.code,
            source.tags,
            self.setup_lines.get(visit.cell),
            self.effects_of.get(visit.cell),
            self.changes.get(visit.step, ()) if last and visit.step is not None else (),
            # What a metrics cell adds to other steps is not in its log.
            object() if visit.cell in self.plain_metrics else None,
        )

    def _walked(self, visit: CellVisit, facts: Facts | None, inputs: tuple[object, ...]) -> CellLog:
        recorder = Recorder(self.interpreter)
        self.findings = CellFindings()
        if facts is None:
            self.static_cell(visit)
        else:
            cell = self.findings.facts = Facts(facts.name, facts.unit, {}, 0)
            cell.cells.add(visit.cell)
            if visit.cell in self.plain_metrics:
                self.metrics(visit, cell)
            else:
                self.step_cell(visit, cell)
            self.change_tagged(inputs[4], cell, visit.cell)
        return recorder.log(inputs, self.findings)

    def _add(self, log: CellLog, facts: Facts | None) -> None:
        result = self.result
        result.add(log.findings)
        result.first_seen.update(log.first_seen)
        result.exhausted.update(log.exhausted)
        result.changed_objects |= log.touched
        if facts is not None and log.findings.facts is not None:
            cell = log.findings.facts
            facts.add(cell, without=[n for n in cell.fitted if self.used(n, facts.statements)])

    def _begin(self, step: str) -> Facts:
        facts = self.result.facts.get(step)
        if facts is None:
            unit = self.unit(f"step {step}")
            self.result.owners[unit] = step
            facts = self.result.facts[step] = Facts(
                step,
                unit,
                dict(self.interpreter.names.slots),
                len(self.result.acts),
                clock=self.interpreter.heap.clock,
            )
        self.interpreter.unit = facts.unit
        self.interpreter.heap.clock = facts.clock
        return facts

    def _end(self, facts: Facts) -> None:
        slots = self.interpreter.names.slots
        # Later statements of the step may have changed or deleted what earlier ones bound.
        facts.touched = {name: slots[name] for name in facts.touched if name in slots}
        facts.acts_after = len(self.result.acts)
