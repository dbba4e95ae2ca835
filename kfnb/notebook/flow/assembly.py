"""Steps, edges and definitions, made from what the walk found."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from kfnb.notebook.authoring.grouping import Declared, StepDecl
from kfnb.notebook.effects.library_state import StateFlow
from kfnb.notebook.flow.collecting import Collected
from kfnb.notebook.flow.definitions import redefined
from kfnb.notebook.flow.file_dependencies import Files, StepConstants, file_edges
from kfnb.notebook.flow.liveness import Need
from kfnb.notebook.flow.memory.walk_memory import NotebookMemory
from kfnb.notebook.flow.metrics import logged_names
from kfnb.notebook.flow.order import own_cells
from kfnb.notebook.flow.prelude import NeededActs, Replay
from kfnb.notebook.flow.step_facts import Act, Facts, WalkResult
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Definition, Edge, Parameter, Piece, Step


@dataclass(frozen=True)
class Assembly:
    """All that was found out, about to become frozen steps.

    ``homes`` gives each metrics cell its step, ``plain`` the names of those cells
    that only show names.
    """

    walked: WalkResult
    needs: Mapping[str, Need]
    collected: Collected
    order: Sequence[StepDecl]
    sources: Mapping[int, ParsedCell]
    declared: Declared
    homes: Mapping[int, str]
    plain: Mapping[int, object]
    parameters: Sequence[Parameter]
    memory: NotebookMemory

    def pipeline_parts(
        self,
    ) -> tuple[dict[str, Step], tuple[Edge, ...], tuple[Definition, ...], Mapping[int, str | None]]:
        """Make the steps, the edges between them, and what can be replayed anywhere.

        The last part are the cells in which files may be missing, and their steps.
        """
        replay = Replay(
            self.walked.acts, self.sources, {*self.declared.setup, *self.declared.parameters}
        )
        # If a name has several definitions, its source does not say which one a value was made
        # with.
        ambiguous = redefined(self.sources.values(), ast.FunctionDef, ast.AsyncFunctionDef)
        constants = StepConstants(self.walked, self.parameters)
        files = Files(self.sources, constants, self.memory.files)
        steps = {
            declared.name: self._step(declared, number, replay, ambiguous, files)
            for number, declared in enumerate(self.order)
        }
        self.memory.files = files.by_step
        definitions = tuple(self._definitions(replay))
        return steps, self._edges(steps), definitions, files.incomplete

    def _step(
        self,
        declared: StepDecl,
        number: int,
        replay: Replay,
        ambiguous: frozenset[str],
        files: Files,
    ) -> Step:
        name = declared.name
        need = self.needs[name]
        facts = self.walked.facts.get(name) or Facts(name, 0, {}, 0)
        needed = replay.needed_for(need.static, facts.acts_before)
        # A metrics cell that only shows names needs no execution: the step logs these names itself.
        computed = [c for c, home in self.homes.items() if home == name and c not in self.plain]
        body = tuple(
            Piece(
                cell=cell,
                role="metrics" if cell in computed else "step",
                whole=True,
                statements=self.sources[cell].statements(),
            )
            for cell in own_cells(declared, self.homes)
            if cell not in self.plain
        )
        content = replay.content(needed)
        prelude = replay.pieces(needed, without={piece.cell for piece in body})
        uses = files.of(facts, prelude, body)
        metrics = [*facts.metrics]
        for cell in computed:
            metrics += logged_names(self.sources[cell])
        return Step(
            name=name,
            id=declared.id,
            order=number,
            cells=declared.cells,
            notes=declared.notes,
            inputs=MappingProxyType({n: need.inputs[n] for n in sorted(need.inputs)}),
            outputs=tuple(sorted(need.outputs)),
            parameters=self._used_parameters(content.parameters),
            after=declared.after,
            changes=declared.changes,
            options=declared.options,
            prelude=prelude,
            body=body,
            maybe=tuple(sorted(need.maybe & need.inputs.keys())),
            definitions=self._defined(facts, content.defined, ambiguous),
            modules=tuple(sorted(facts.modules | content.modules)),
            reads=tuple(use for use in uses if use.mode == "read"),
            writes=tuple(use for use in uses if use.mode == "write"),
            lists=tuple(use for use in uses if use.mode == "list"),
            metrics=tuple(dict.fromkeys(metrics)),
            opaque=self._opaque(facts, needed),
            setup_values=tuple(
                name
                for name in sorted(need.static)
                if name in facts.start and facts.start[name].definition is None
            ),
            adds=MappingProxyType(self.collected.adds.get(name, {})),
            collects=MappingProxyType(self.collected.collects.get(name, {})),
        )

    def _used_parameters(self, made: Collection[str]) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters if p.name in made)

    def _defined(
        self, facts: Facts, replayed: frozenset[str], ambiguous: frozenset[str]
    ) -> tuple[str, ...]:
        """Names that stand for their definition at the end of the step."""
        names = []
        for name in replayed | facts.touched.keys():
            slot = facts.touched.get(name) or facts.start.get(name)
            if slot is not None and slot.definition is not None and name not in ambiguous:
                names.append(name)
        return tuple(sorted(names))

    def _opaque(self, facts: Facts, needed: NeededActs) -> bool:
        return facts.opaque is not None or any(
            step is None and cell in needed.cells for step, cell, _ in self.walked.opaque
        )

    def _edges(self, steps: Mapping[str, Step]) -> tuple[Edge, ...]:
        order = [declared.name for declared in self.order]
        files = file_edges(
            order,
            {s.name: (*s.reads, *s.lists) for s in steps.values()},
            {s.name: s.writes for s in steps.values()},
            {s.name: s.modules for s in steps.values()},
        )
        before: dict[str, list[str]] = {}
        for source, target in files:
            before.setdefault(target, []).append(source)
        position = {name: number for number, name in enumerate(order)}
        edges: list[Edge] = []
        for target in order:
            step = steps[target]
            names = _flowing(step)
            sources = {*names, *step.after, *before.get(target, ())} & position.keys()
            for source in sorted(sources, key=position.__getitem__):
                paths = tuple(sorted(files.get((source, target), ())))
                edges.append(
                    Edge(source, target, tuple(names.get(source, ())), paths, source in step.after)
                )
        return tuple(edges)

    def _definitions(self, replay: Replay) -> Iterator[Definition]:
        static = [n for n, act in enumerate(self.walked.acts) if act.step is None]
        ends = {name: facts.acts_after for name, facts in self.walked.facts.items()}
        for number, act in enumerate(self.walked.acts):
            if act.kind is None:
                continue
            # A function finds its names when it is called, so definitions below it count as well.
            before = ends[act.step] if act.step is not None else (static[-1] + 1)
            needed = replay.needed_for_act(number, self._late(act), before)
            pieces = replay.pieces(needed)
            for name in act.defines:
                yield Definition(name, act.cell, act.kind, pieces)

    def _late(self, act: Act) -> frozenset[str]:
        """Names that a function or class reads when it is called."""
        if act.kind == "import":
            return frozenset()
        interpreter = self.walked.interpreter
        callee = interpreter.heap.callables.get(
            interpreter.heap.object_at(self.sources[act.cell].body[act.index])
        )
        if callee is None:
            return frozenset()
        try:
            return interpreter.reads_of(callee)
        # Code that is nested this deeply is rare; it is replayed with the names that it needs at
        # once.
        except RecursionError:
            return frozenset()


def with_state(
    edges: Sequence[Edge], flows: Sequence[StateFlow], order: Sequence[str]
) -> tuple[Edge, ...]:
    """Add the states of libraries that flow between steps to the edges."""
    states: dict[tuple[str, str], list[str]] = {}
    for flow in flows:
        states.setdefault((flow.source, flow.target), []).append(flow.state)
    if not states:
        return tuple(edges)
    joined = {(edge.source, edge.target): edge for edge in edges}
    for (source, target), texts in states.items():
        edge = joined.get((source, target), Edge(source, target))
        joined[source, target] = replace(edge, state=tuple(dict.fromkeys(texts)))
    at = {name: number for number, name in enumerate(order)}
    return tuple(sorted(joined.values(), key=lambda e: (at[e.target], at[e.source])))


def _flowing(step: Step) -> dict[str, list[str]]:
    """Return by producing step the names of what it publishes for ``step``."""
    names: dict[str, list[str]] = {}
    for name in sorted({*step.inputs, *step.collects}):
        collection = step.collects.get(name)
        producers = [step.inputs[name]] if name in step.inputs else []
        if collection is not None:
            # A reader waits for every step that adds, not only for the last one, which `inputs`
            # names.
            producers = [*collection.adders, *([collection.base] if collection.base else [])]
        for producer in producers:
            names.setdefault(producer, []).append(name)
    return names
